"""`make bench` compares arms that compute the same, one at a time."""

import sys
from collections import namedtuple

import bench
import bench_training
import numpy as np
import pytest
import records
import runner
from peers.texts import in_batches_of_similar_length, of_length
from runner import Arm, BenchError, Comparison, Process


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """A folder for arms, in which `protocol` can be imported."""
    protocol = (runner.PROGRAMS / "protocol.py").read_bytes()
    (tmp_path / "protocol.py").write_bytes(protocol)
    monkeypatch.setattr(runner, "PROGRAMS", tmp_path)
    monkeypatch.setattr(runner, "REST", 0.01)
    return tmp_path


TINY = """
import numpy as np
import protocol

def work(size):
    print("what a library prints")
    return lambda: np.ones((size, 1)), {"settings": "none", "versions": {}}

protocol.run(work)
"""


def test_every_arm_works_once_per_round(programs, tmp_path):
    (programs / "tiny.py").write_text(TINY, encoding="utf-8")
    arms = {str(size): Arm("tiny.py", "work", {"size": size}) for size in (1, 2)}
    found = runner.compare(arms, rounds=3, work=tmp_path)
    assert [output.shape for output in found.outputs.values()] == [(1, 1), (2, 1)]
    assert {len(seconds) for seconds in found.seconds.values()} == {3}
    assert len(found.busy) == 6


def test_the_order_of_the_arms_rotates():
    names = ["a", "b", "c"]
    turns = [runner.rotated(names, turn) for turn in range(3)]
    assert [sorted(place) for place in zip(*turns, strict=True)] == [names] * 3


def test_an_arm_that_fails_is_named_with_its_last_words(programs):
    program = "raise SystemExit('its weights are missing')\n"
    (programs / "broken.py").write_text(program, encoding="utf-8")
    with pytest.raises(BenchError, match="(?s)broken.*weights are missing"):
        Process(Arm("broken.py", "work"))


def comparison(outputs):
    ready = dict.fromkeys(outputs, {"settings": "", "versions": {}})
    seconds = {"arrays: tlcourse": [1.0, 2.0], "arrays: tlcourse int8": [0.5, 1.0]}
    seconds["arrays: Keras"] = [2.0, 8.0]
    return Comparison(seconds, {}, ready, outputs)


def outputs(keras):
    rows = np.ones((2, 3))
    arrays = {"tlcourse": rows, "tlcourse int8": rows + 0.1, "Keras": keras}
    return {f"arrays: {name}": array for name, array in arrays.items()}


def test_ratios_are_those_of_the_speeds():
    found = comparison(outputs(np.ones((2, 3))))
    part = bench.section(found, "arrays", 10, "Keras", "images")
    assert part["images_per_second"]["tlcourse"]["max"] == 10
    assert part["ratios"]["Keras"] == {"median": 3, "min": 2, "max": 4, "n": 2}
    assert part["ratios"]["tlcourse int8"]["median"] == 0.5


def test_speeds_of_different_results_are_refused():
    found = comparison(outputs(np.full((2, 3), 1.01)))
    with pytest.raises(BenchError, match="differ"):
        bench.section(found, "arrays", 10, "Keras", "images")


def test_a_training_is_compared_with_a_peers_first_epoch_close_to_its_best():
    keras = [[[1, 0.5], [2, 0.9], [3, 0.904]], [[2, 0.5], [4, 0.7], [6, 0.7]]]
    own = [[[0.5, 0.9], [1, 0.9]], [[0.5, 0.8], [2, 0.7]]]
    found = bench_training.training_summary(
        {"Keras": keras, "PyTorch": keras, "tlcourse": own}
    )
    best, probe = found["arms"]["Keras: at its best"], "features and probe, Keras"
    assert best["epochs"] == 2 and best["accuracy"]["mean"] == 0.8
    assert found["differences"][probe] == {"mean": 0.05, "se": 0.05, "n": 2}
    assert found["ratios"][probe] == {"median": 6, "min": 4, "max": 8, "n": 2}
    assert found["ratios"]["fine_tune, Keras"]["median"] == 2


def test_fewer_than_five_rounds_are_refused(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bench.py", "speed", "--rounds", "4"])
    with pytest.raises(SystemExit):
        bench.main()
    assert "at least 5" in capsys.readouterr().err


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

    def run(padded, mask):
        return np.stack([padded.sum(axis=1), mask.sum(axis=1)], axis=1)

    found = in_batches_of_similar_length(ids, size, run)
    assert found.tolist() == [[sum(one), len(one)] for one in ids]


def fake_machine(monkeypatch, speeds, busy=0.0, stolen=0.0):
    """A machine with these speeds, and this share of its time busy or stolen."""
    times = namedtuple("times", "user idle steal")
    cpu_times = iter([times(0, 0, 0), times(50, 50 - stolen, stolen)])
    speeds = iter(speeds)
    monkeypatch.setattr(records, "_gigaflops", lambda: next(speeds))
    monkeypatch.setattr(records.psutil, "cpu_times", lambda: next(cpu_times))
    monkeypatch.setattr(records.psutil, "cpu_percent", lambda interval: busy)


@pytest.mark.parametrize(
    ("conditions", "word"),
    [
        ({"speeds": (100, 110)}, ""),
        ({"speeds": (100, 130)}, "100 GFLOP/s before and 130"),
        ({"speeds": (100, 100), "busy": 11.0}, "11 % of the processors"),
        ({"speeds": (100, 100), "paused": 12}, "12 % of the processors"),
        ({"speeds": (100, 100), "stolen": 3}, "3 % of the processors"),
    ],
)
def test_what_is_measured_on_a_disturbed_machine_is_not_written(
    conditions, word, monkeypatch, tmp_path, capsys
):
    conditions = dict(conditions)
    paused = {"busy_percent": {"median": conditions.pop("paused", 0)}}
    fake_machine(monkeypatch, **conditions)
    file = tmp_path / "results.json"
    file.write_text("{}", encoding="utf-8")
    monkeypatch.setattr(records, "RESULTS", file)

    def part(options):
        """A part."""
        return {"arrays": {"ratios": {"Keras": records.summary([2, 3, 4])}} | paused}

    monkeypatch.setattr(bench, "PARTS", {"part": part})
    if word:
        with pytest.raises(BenchError, match=word):
            bench.measure("part", bench.QUICK, written=True)
        assert records.read() == {} and '"median": 3' in capsys.readouterr().out
    else:
        bench.measure("part", bench.QUICK, written=True)
        (machine,) = records.read()["machines"].values()
        assert machine["arrays"]["ratios/Keras"]["median"] == 3
