"""What `make bench` measured is complete, is what the README shows, and was measured as it says."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import bench  # noqa: E402
import measure  # noqa: E402
from peers import driving, report  # noqa: E402

sys.path.insert(0, str(driving.PROGRAMS))
from flops import flops_of, flops_of_bert  # noqa: E402
from peers.texts import in_batches, of_length  # noqa: E402

RESULTS = json.loads(measure.RESULTS.read_text(encoding="utf-8"))
README = measure.README.read_text(encoding="utf-8")
MEASURED = RESULTS.get("bench", {})
PARTS = list(report.ROWS)


def summaries(section):
    """Every median with its spread, however deep it stands."""
    if isinstance(section, dict):
        if "median" in section:
            yield section
        for value in section.values():
            yield from summaries(value)


def part(name):
    if name not in MEASURED:
        pytest.skip(f"{name} was not measured yet: make bench PARTS={name}")
    return MEASURED[name]


# --- what was measured ---


@pytest.mark.parametrize("name", PARTS)
def test_a_part_says_where_and_on_what_it_was_measured(name):
    machine = part(name)["machine"]
    assert {
        "commit",
        "date",
        "cores",
        "processor",
        "python",
        "versions",
        "system",
    } <= set(machine)


@pytest.mark.parametrize("name", PARTS)
def test_every_median_lies_within_its_spread(name):
    found = list(summaries(part(name)))
    assert found and all(
        one["min"] <= one["median"] <= one["max"] and one["n"] >= 1 for one in found
    )


@pytest.mark.parametrize("name", ["arrays", "folder", "cache", "recipes", "text"])
def test_every_median_is_of_at_least_five_rounds(name):
    assert all(one["n"] == part(name)["rounds"] >= 5 for one in summaries(part(name)))


def test_speeds_were_compared_of_features_that_agree():
    differences = part("arrays")["largest_difference"]
    assert set(differences) == {report.OURS, report.TORCH, report.ONNX}
    assert max(differences.values()) <= bench.MOST_DISAGREEMENT


def test_the_bound_follows_from_the_multiplication_and_the_count_of_operations():
    arrays = part("arrays")
    gigaflops = arrays["gigaflops"][arrays["bound"]["by"]]["median"]
    assert gigaflops == max(one["median"] for one in arrays["gigaflops"].values())
    expected = gigaflops * 1e9 / arrays["flops_per_picture"]
    assert arrays["bound"]["images_per_second"]["median"] == pytest.approx(
        expected, rel=1e-3
    )


def test_speeds_of_text_were_compared_of_features_that_agree():
    for workload in part("text")["workloads"].values():
        assert set(workload["largest_difference"]) == {report.OURS, report.ONNX}
        assert max(workload["largest_difference"].values()) <= bench.MOST_DISAGREEMENT


def test_text_was_measured_at_64_tokens_and_as_it_comes():
    equal, mixed = part("text")["workloads"].values()
    assert equal["mean_tokens"] == 64 and "bound" in equal and "bound" not in mixed


@pytest.mark.parametrize("name", ["arrays", "folder"])
def test_ratios_are_those_of_the_speeds(name):
    section = part(name)
    speeds = section["images_per_second"]
    for peer, ratio in section["ratios"].items():
        fastest = speeds[report.OURS]["max"] / speeds[peer]["min"]
        slowest = speeds[report.OURS]["min"] / speeds[peer]["max"]
        assert slowest * 0.999 <= ratio["min"] <= ratio["max"] <= fastest * 1.001


def test_peak_memory_was_taken_of_few_and_of_very_many_pictures():
    few, many = map(int, part("memory")["sizes"])
    assert few >= 1000 and many >= 100 * few


def test_fine_tuning_was_measured_over_five_draws():
    finetune = part("finetune")
    assert (
        finetune["accuracy"]["n"]
        == finetune["seconds"]["n"]
        == len(finetune["draws"])
        == 5
    )


def test_the_guide_was_followed_with_the_epochs_of_its_text():
    guide = part("guide")
    asked = [5, 10, 15, 20, *range(21, 31)]
    assert guide["epochs"] == [20, 10] and all(
        [epoch for epoch, *_ in curve] == asked for curve in guide["curves"]
    )


def test_the_readmes_table_of_speeds_is_the_measured_one():
    if not MEASURED:
        pytest.skip("nothing was measured yet: make bench")
    assert report.table(RESULTS) in README


def test_the_picture_of_speeds_shows_the_measured_numbers():
    part("arrays"), part("folder")
    with Image.open(bench.PICTURE) as picture:
        assert json.loads(picture.info["Description"]) == report.picture_bars(RESULTS)


# --- how it is measured ---


def test_the_count_of_operations_is_the_one_of_the_papers_table(bundled_model):
    stages = (  # Tan and Le (2019), table 1: expansion, kernel, stride, channels out, blocks
        (1, 3, 1, 16, 1), (6, 3, 2, 24, 2), (6, 5, 2, 40, 2), (6, 3, 2, 80, 3), (6, 5, 1, 112, 3), (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    )  # fmt: skip
    side, channels = 112, 32
    multiply_adds = side**2 * 3 * 3 * 3 * channels
    for expansion, kernel, stride, out, blocks in stages:
        for step in [stride] + [1] * (blocks - 1):
            inside = channels * expansion
            multiply_adds += side**2 * channels * inside * (expansion > 1)
            side //= step
            multiply_adds += side**2 * (kernel**2 * inside + inside * out)
            channels = out
    multiply_adds += side**2 * channels * 1280
    assert flops_of(bundled_model.network) == 2 * multiply_adds


def test_the_count_of_operations_is_near_the_published_one(bundled_model):
    published = 407e6  # EfficientNet-Lite's release notes, in multiply-adds; batch norms and activations counted
    assert flops_of(bundled_model.classifier) == pytest.approx(2 * published, rel=0.06)


def test_the_count_of_berts_operations_is_the_one_of_its_paper():
    """BERT-base: 85 million parameters in its layers, each used once a token; attention adds a few percent."""
    parameters = 12 * (4 * 768**2 + 2 * 768 * 3072)
    assert flops_of_bert(12, 768, 3072, tokens=1) == pytest.approx(
        2 * parameters, rel=1e-3
    )
    assert flops_of_bert(12, 768, 3072, tokens=128) == 128 * (
        2 * parameters + 4 * 12 * 128 * 768
    )


def letters(texts):
    """A tokenizer of the tests: a token for each letter, between a begin and an end."""
    return [
        [1, *(ord(letter) for letter in text if letter != " "), 2] for text in texts
    ]


def test_sentences_of_one_length_are_strung_together_from_words_in_their_order():
    assert of_length(
        ["ab", "c", "toolong", "de", "f", "gh"], letters, length=5, number=2
    ) == ["ab c", "de f"]


def test_too_few_words_for_sentences_of_one_length_are_an_error():
    with pytest.raises(
        ValueError, match="give 1 sentences of 5 tokens, and 2 are wanted"
    ):
        of_length(["ab", "c", "d"], letters, length=5, number=2)


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_batches_of_similar_length_give_features_in_the_sentences_own_order(size):
    ids = [[5, 6, 7], [8], [9, 10, 11, 12], [13, 14]]
    found = in_batches(
        ids,
        size,
        lambda padded, mask: np.stack([padded.sum(axis=1), mask.sum(axis=1)], axis=1),
    )
    assert found.tolist() == [[sum(one), len(one)] for one in ids]


def test_batches_are_padded_to_their_own_longest_sentence_only():
    shapes = []
    in_batches(
        [[1] * 9, [1], [1, 1], [1] * 8],
        2,
        lambda padded, mask: shapes.append(padded.shape) or mask[:, :1],
    )
    assert shapes == [(2, 2), (2, 9)]


def test_the_bound_is_by_the_faster_multiplication():
    answers = {
        "slow": [{"gigaflop": 1, "seconds": 1}] * 2,
        "fast": [{"gigaflop": 4, "seconds": 1}] * 2,
    }
    found = bench.bound(
        answers, ["slow", "fast"], flops=2 * 10**9, ours=[1.0, 1.0], unit="sentence"
    )
    assert (
        found["bound"]["by"] == "fast"
        and found["bound"]["sentences_per_second"]["median"] == 2
    )
    assert (
        found["share_of_bound"]["median"] == 0.5
        and found["flops_per_sentence"] == 2 * 10**9
    )


def test_a_missing_text_network_is_an_error_that_says_what_to_run(monkeypatch):
    monkeypatch.setattr(bench, "TEXT_PACKAGE", "no_such_package")
    with pytest.raises(driving.BenchError, match="tlcourse fetch minilm"):
        bench.minilm()


def test_a_text_contestant_takes_its_fastest_choice(programs, tmp_path):
    (tmp_path / "sentences.json").write_text(json.dumps(["a", "bc"]), encoding="utf-8")
    (programs / "text_turns.py").write_bytes(
        (ROOT / "benchmarks" / "peers" / "text_turns.py").read_bytes()
    )
    program = (
        "import time, text_turns\n"
        "def load(seconds):\n"
        "    return lambda sentences: time.sleep(seconds) or [[len(one)] for one in sentences]\n"
        "text_turns.take_part(load, {'slow': 0.05, 'fast': 0}, 'pretended, ', {})\n"
    )
    (programs / "tiny.py").write_text(program, encoding="utf-8")
    with driving.Contestant("tiny", "tiny.py", tmp_path / "sentences.json") as tiny:
        assert tiny.ready()["settings"] == "pretended, fast, the fastest of 2 choices"
        tiny.go(tmp_path / "features.npy")
    assert np.load(tmp_path / "features.npy").tolist() == [[1], [2]]
    (once,) = bench.run("tiny.py", tmp_path / "sentences.json", "once", "slow")
    assert (
        set(once) == {"load_seconds", "start_seconds", "seconds", "peak_megabytes"}
        and once["seconds"] >= 0.05
    )


def test_each_contestant_has_each_place_in_the_order_once():
    names = ["a", "b", "c"]
    turns = [driving.order(names, turn) for turn in range(3)]
    assert [sorted(place) for place in zip(*turns, strict=True)] == [names] * 3


def test_a_summary_has_the_median_its_spread_and_how_many():
    assert driving.summary([3, 1, 2]) == {"median": 2, "min": 1, "max": 3, "n": 3}


def test_ratios_are_taken_round_by_round():
    assert driving.ratios([10, 40], [5, 10]) == {
        "median": 3,
        "min": 2,
        "max": 4,
        "n": 2,
    }


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """An empty folder of contestants, in which `protocol` can be imported."""
    (tmp_path / "protocol.py").write_bytes(
        (driving.PROGRAMS / "protocol.py").read_bytes()
    )
    monkeypatch.setattr(driving, "PROGRAMS", tmp_path)
    return tmp_path


def test_a_contestant_works_when_it_is_told_to(programs, tmp_path):
    program = "import protocol\nprint('a library talks')\nprotocol.serve(lambda: [[1.0, 2.0]], {'settings': 'none'})\n"
    (programs / "tiny.py").write_text(program, encoding="utf-8")
    with driving.Contestant("tiny", "tiny.py") as tiny:
        assert tiny.ready() == {"settings": "none"}
        answers = driving.interleaved({"tiny": tiny}, rounds=2)
        tiny.go(tmp_path / "features.npy")
    assert len(answers["tiny"]) == 2 and all(
        answer["seconds"] >= 0 for answer in answers["tiny"]
    )
    assert np.load(tmp_path / "features.npy").tolist() == [[1.0, 2.0]]


def test_a_contestant_that_fails_is_named_with_what_it_said_last(programs):
    (programs / "broken.py").write_text(
        "raise SystemExit('its weights are missing')\n", encoding="utf-8"
    )
    with pytest.raises(
        driving.BenchError,
        match="broken ended with exit status 1.*\n.*its weights are missing",
    ):
        with driving.Contestant("broken", "broken.py") as broken:
            broken.ready()


def test_a_program_that_is_not_told_to_go_answers_until_its_end(programs):
    program = "import protocol\nfor number in range(3):\n    protocol.say({'number': number})\n"
    (programs / "counting.py").write_text(program, encoding="utf-8")
    assert [answer["number"] for answer in bench.run("counting.py")] == [0, 1, 2]


def test_features_that_differ_are_refused():
    features = np.ones((2, 3))
    with pytest.raises(driving.BenchError, match="PyTorch differ"):
        bench.refuse_disagreement(
            {"PyTorch": bench.disagreement(features * 1.01, features)}
        )


def test_missing_peers_are_an_error_that_says_what_to_run(tmp_path):
    class Options:
        peers_python = tmp_path / "python"

    with pytest.raises(driving.BenchError, match="make bench"):
        bench.peers_python(Options)


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
    assert json.loads(file.read_text(encoding="utf-8")) == {
        "demo": 1,
        "bench": {"folder": 2, "arrays": {"rounds": 7}},
    }


def test_time_to_accuracy_is_that_of_the_first_run_that_is_as_accurate():
    curve = [
        {"seconds": 10, "accuracy": 0.8},
        {"seconds": 20, "accuracy": 0.9},
        {"seconds": 40, "accuracy": 0.85},
    ]
    enough = bench.time_to_accuracy(
        0, curve, {"seconds": 4, "accuracy": 0.9, "epochs": 1}
    )
    assert (enough["share"], enough["share_of_best"], enough["best_seconds"]) == (
        0.1,
        0.2,
        20,
    )


def test_as_accurate_as_the_last_epoch_is_not_as_accurate_as_the_best():
    curve = [{"seconds": 20, "accuracy": 0.9}, {"seconds": 40, "accuracy": 0.85}]
    found = bench.time_to_accuracy(
        0, curve, {"seconds": 4, "accuracy": 0.86, "epochs": 12}
    )
    assert (found["share"], found["share_of_best"]) == (0.1, None)


def test_an_accuracy_that_was_not_reached_has_no_time():
    curve = [{"seconds": 10, "accuracy": 0.8}]
    assert (
        bench.time_to_accuracy(0, curve, {"seconds": 4, "accuracy": 0.7, "epochs": 12})[
            "share"
        ]
        is None
    )


@pytest.fixture
def pretended(tmp_path, monkeypatch):
    """Options for five draws of ours and two of the guide's, with programs that only pretend to work."""

    def pretend(program, seed, epochs, *arguments, environment=None):
        if program == "keras_guide.py":
            return [
                {"epoch": 1, "seconds": 50.0, "accuracy": 0.7},
                {"epoch": 2, "seconds": 100.0, "accuracy": 0.8},
            ]
        return [
            {
                "seconds": 10.0 + epochs,
                "accuracy": 0.75 + epochs / 100,
                "epochs": epochs,
                "train": 9,
            }
        ]

    class Options:
        work, seeds, guide_seeds, epochs, guide_epochs, cells = (
            tmp_path,
            5,
            2,
            12,
            (1, 1),
            0,
        )

    monkeypatch.setattr(bench, "run", pretend)
    return Options


def test_fine_tuning_is_summed_up_over_its_draws(pretended):
    found = bench.finetune(pretended)
    assert (
        found["accuracy"]["mean"],
        found["accuracy"]["n"],
        found["seconds"]["median"],
    ) == (0.87, 5, 22)
    assert found["draws"] == [{"accuracy": 0.87, "seconds": 22}] * 5


def test_beside_the_guide_stands_our_shortest_run_that_is_as_accurate(pretended):
    found = bench.guide(pretended)
    assert [draw["our_epochs"] for draw in found["draws"]] == [12, 12]
    assert (
        found["share"]
        == found["share_of_best"]
        == {"median": 0.22, "min": 0.22, "max": 0.22, "n": 2}
    )


def test_one_measurement_has_no_range():
    from peers.report import _range

    assert (
        _range({"median": 0.02, "min": 0.02, "max": 0.02, "n": 1}, ".2g") == "**0.02**"
    )
    assert (
        _range({"median": 0.02, "min": 0.01, "max": 0.03, "n": 2}, ".2g")
        == "**0.02** (0.01 to 0.03)"
    )


def test_a_share_that_was_not_reached_in_every_draw_is_none():
    assert bench.share_of([{"share": 0.1}, {"share": None}], "share") is None


def made_up_results():
    """Results of every part, as `make bench` would write them."""
    one = {"median": 2.0, "min": 1.0, "max": 3.0, "n": 7}
    four = {
        name: one for name in (report.OURS, report.KERAS, report.TORCH, report.ONNX)
    }
    three = {name: one for name in (report.OURS, report.KERAS, report.OWN_ARRAYS)}
    mean = {"mean": 0.9, "sd": 0.01, "n": 5, "seeds": [0, 1, 2, 3, 4]}
    found = {"seconds_an_epoch": one, "ratio": one}
    text = {
        "sentences_per_second": {
            name: one for name in (report.OURS, report.TORCH, report.ONNX)
        },
        "ratios": {name: one for name in (report.TORCH, report.ONNX)},
    }
    bound = {
        "share_of_bound": one,
        "bound": {"by": "multiplication by NumPy", "sentences_per_second": one},
    }
    once = {key: one for key in ("load_seconds", "start_seconds", "peak_megabytes")}
    bench_part = {
        "arrays": {
            "images_per_second": four,
            "ratios": four,
            "share_of_bound": one,
            "bound": {"by": "multiplication by NumPy", "images_per_second": one},
        },
        "folder": {"images_per_second": three, "ratios": three},
        "cache": {
            "pictures": 1000,
            "kinds": {"arrays": {"ratios": {"same process": one}}},
        },
        "memory": {
            "ratio": 1.2,
            "sizes": {
                "1000": {"peak_megabytes": one},
                "100000": {"peak_megabytes": one},
            },
        },
        "finetune": {"accuracy": mean, "seconds": one},
        "guide": {
            "share": one,
            "share_of_best": None,
            "draws": [
                {
                    "accuracy": 0.8,
                    "best_accuracy": 0.9,
                    "guide_seconds": 20.0,
                    "best_seconds": 10.0,
                }
            ],
        },
        "recipes": {"epochs": 10, "recipes": {"VGG16": found}},
        "text": {
            "workloads": {"64 tokens": text | bound, "film snippets": text},
            "once": {name: once for name in (report.OURS, report.TORCH, report.ONNX)},
        },
    }
    where = {
        "date": "today",
        "commit": "abc",
        "cores": 2,
        "processor": "P",
        "system": "S",
        "python": "3",
    }
    return {
        "bench": {
            name: section | {"machine": where} for name, section in bench_part.items()
        }
    }


@pytest.mark.parametrize("name", PARTS)
def test_the_table_has_rows_for_each_part_with_aim_and_command(name):
    results = made_up_results()
    results["bench"] = {name: results["bench"][name]}
    rows = [
        line for line in report.table(results).splitlines() if line.startswith("| ")
    ][1:]
    assert rows and all(
        row.count(" | ") == 3 and f"`make bench PARTS={name}`" in row for row in rows
    )


def test_the_table_says_which_aims_were_missed():
    table = report.table(made_up_results())
    assert (
        "≥ 7× (missed)" in table
        and "≥ 1.05× (reached)" in table
        and "0.9 to 1.1× (missed)" in table
    )


def test_the_picture_carries_the_numbers_that_it_shows(tmp_path):
    results = made_up_results()
    report.picture(results, tmp_path / "bench.png")
    with Image.open(tmp_path / "bench.png") as picture:
        assert json.loads(picture.info["Description"]) == report.picture_bars(results)
