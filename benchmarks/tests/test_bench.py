"""What `make bench` measured is complete and shown, and is measured as it says."""

import json
import sys

import bench
import measure
import numpy as np
import pytest
from flops import flops_of, flops_of_bert
from peers import driving, report
from peers.texts import in_batches, of_length
from PIL import Image

import tlcourse as tl

RESULTS = json.loads(measure.RESULTS.read_text(encoding="utf-8"))
MEASURED = RESULTS.get("bench", {})
PARTS = list(report.ROWS)


def summaries(section):
    """Every median with its range, at any depth."""
    if isinstance(section, dict):
        if "median" in section:
            yield section
        for value in section.values():
            yield from summaries(value)


def part(name):
    if name not in MEASURED:
        pytest.skip(f"{name} was not measured yet: make bench PARTS={name}")
    return MEASURED[name]


# What was measured


@pytest.mark.parametrize("name", PARTS)
def test_a_part_says_where_it_was_measured_and_has_consistent_medians(name):
    known = {"commit", "date", "cores", "processor", "python", "versions", "system"}
    assert known <= set(part(name)["machine"])
    found = list(summaries(part(name)))
    assert found
    for one in found:
        assert one["min"] <= one["median"] <= one["max"] and one["n"] >= 1
        if name in ("arrays", "folder", "cache", "recipes", "text"):
            assert one["n"] == part(name)["rounds"] >= 5


def test_speeds_were_compared_of_features_that_agree():
    parts = [part("arrays"), *part("text")["workloads"].values()]
    for each in parts:
        assert {report.OURS, report.ONNX} <= set(each["largest_difference"])
        assert max(each["largest_difference"].values()) <= bench.MOST_DISAGREEMENT


@pytest.mark.parametrize("name", ["arrays", "folder"])
def test_ratios_are_those_of_the_speeds(name):
    speeds = part(name)["images_per_second"]
    for peer, ratio in part(name)["ratios"].items():
        fastest = speeds[report.OURS]["max"] / speeds[peer]["min"]
        slowest = speeds[report.OURS]["min"] / speeds[peer]["max"]
        assert slowest * 0.999 <= ratio["min"] <= ratio["max"] <= fastest * 1.001


def test_fine_tuning_was_measured_over_five_seeds():
    found = part("finetune")
    assert found["accuracy"]["n"] == found["seconds"]["n"] == len(found["draws"]) == 5


def test_the_readme_shows_the_measured_numbers():
    part("arrays"), part("folder")
    assert report.table(RESULTS) in measure.README.read_text(encoding="utf-8")
    with Image.open(bench.PICTURE) as picture:
        assert json.loads(picture.info["Description"]) == report.picture_bars(RESULTS)


# How it is measured


def test_the_count_of_operations_is_near_the_published_one():
    model = tl.load_pretrained_model()
    # EfficientNet-Lite's release notes, in multiply-adds.
    assert flops_of(model.classifier) == pytest.approx(2 * 407e6, rel=0.06)


def test_the_count_of_berts_operations_is_the_one_of_its_paper():
    """BERT-base: 85 million parameters in its layers, each used once per token."""
    parameters = 12 * (4 * 768**2 + 2 * 768 * 3072)
    one = flops_of_bert(12, 768, 3072, tokens=1)
    assert one == pytest.approx(2 * parameters, rel=1e-3)
    attention = 4 * 12 * 128 * 768
    assert flops_of_bert(12, 768, 3072, 128) == 128 * (2 * parameters + attention)


def test_sentences_of_one_length_are_made_of_words_in_their_order():
    def letters(texts):  # a token per letter, between a begin and an end
        return [[1, *map(ord, text.replace(" ", "")), 2] for text in texts]

    words = ["ab", "c", "toolong", "de", "f", "gh"]
    assert of_length(words, letters, length=5, number=2) == ["ab c", "de f"]
    with pytest.raises(ValueError, match="1 sentences of 5 tokens"):
        of_length(["ab", "c", "d"], letters, length=5, number=2)


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_batches_of_similar_length_keep_the_sentences_order(size):
    ids = [[5, 6, 7], [8], [9, 10, 11, 12], [13, 14]]
    shapes = []

    def run(padded, mask):
        shapes.append(padded.shape)
        return np.stack([padded.sum(axis=1), mask.sum(axis=1)], axis=1)

    found = in_batches(ids, size, run)
    assert found.tolist() == [[sum(one), len(one)] for one in ids]
    if size == 2:
        assert shapes == [(2, 2), (2, 4)]


def test_the_bound_is_by_the_faster_multiplication():
    answers = {
        "slow": [{"gigaflop": 1, "seconds": 1}] * 2,
        "fast": [{"gigaflop": 4, "seconds": 1}] * 2,
    }
    found = bench.bound(answers, list(answers), 2 * 10**9, [1.0, 1.0], "sentence")
    assert found["bound"]["by"] == "fast" and found["share_of_bound"]["median"] == 0.5


def test_turns_and_ratios_are_taken_round_by_round():
    names = ["a", "b", "c"]
    turns = [driving.order(names, turn) for turn in range(3)]
    assert [sorted(place) for place in zip(*turns, strict=True)] == [names] * 3
    ratios = driving.ratios([10, 40], [5, 10])
    assert ratios == {"median": 3, "min": 2, "max": 4, "n": 2}


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """An empty folder of contestants, in which `protocol` can be imported."""
    content = (driving.PROGRAMS / "protocol.py").read_bytes()
    (tmp_path / "protocol.py").write_bytes(content)
    monkeypatch.setattr(driving, "PROGRAMS", tmp_path)
    return tmp_path


def test_a_contestant_works_when_it_is_told_to(programs, tmp_path):
    program = "import protocol\nprint('talks')\nprotocol.serve(lambda: [[1.0]], {})\n"
    (programs / "tiny.py").write_text(program, encoding="utf-8")
    with driving.Contestant("tiny", "tiny.py") as tiny:
        assert tiny.ready() == {}
        answers = driving.interleaved({"tiny": tiny}, rounds=2)
        tiny.go(tmp_path / "features.npy")
    assert [answer["seconds"] >= 0 for answer in answers["tiny"]] == [True] * 2
    assert np.load(tmp_path / "features.npy").tolist() == [[1.0]]


def test_a_contestant_that_fails_is_named_with_its_last_words(programs):
    program = "raise SystemExit('its weights are missing')\n"
    (programs / "broken.py").write_text(program, encoding="utf-8")
    with pytest.raises(driving.BenchError, match="(?s)broken.*weights are missing"):
        with driving.Contestant("broken", "broken.py") as broken:
            broken.ready()


def test_features_that_differ_are_refused():
    difference = bench.disagreement(np.full((2, 3), 1.01), np.ones((2, 3)))
    with pytest.raises(driving.BenchError, match="PyTorch differ"):
        bench.refuse_disagreement({"PyTorch": difference})


def test_fewer_than_five_rounds_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench.py", "arrays", "--rounds", "4"])
    with pytest.raises(SystemExit):
        bench.parse(PARTS)
    assert "at least 5" in capsys.readouterr().err


def test_a_part_is_kept_and_everything_else_stays(tmp_path, monkeypatch):
    file = tmp_path / "results.json"
    file.write_text(json.dumps({"demo": 1, "bench": {"folder": 2}}), encoding="utf-8")
    monkeypatch.setattr(measure, "RESULTS", file)
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    bench.keep("arrays", {"rounds": 7})
    kept = json.loads(file.read_text(encoding="utf-8"))
    assert kept == {"demo": 1, "bench": {"folder": 2, "arrays": {"rounds": 7}}}


@pytest.mark.parametrize(
    ("accuracy", "shares"),
    [(0.9, (0.1, 0.2)), (0.86, (0.1, None)), (0.7, (None, None))],
)
def test_time_to_accuracy_is_that_of_the_first_run_that_is_as_accurate(
    accuracy, shares
):
    curve = [
        {"seconds": 10, "accuracy": 0.8},
        {"seconds": 20, "accuracy": 0.9},
        {"seconds": 40, "accuracy": 0.85},
    ]
    ours = {"seconds": 4, "accuracy": accuracy, "epochs": 12}
    found = bench.time_to_accuracy(0, curve, ours)
    assert (found["share"], found["share_of_best"]) == shares
