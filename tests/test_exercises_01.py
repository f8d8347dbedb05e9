"""The checks of lesson 01: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

import tlcourse as tl
from tlcourse.exercises import lesson_01
from tlcourse.training.learning_curves import LearningCurve, Point


def curve_of(counts, classes=10, **accuracies):
    """A curve whose methods have these accuracies: for each number of labels a list, one entry a draw."""
    points = {
        method.replace("_", "-"): [
            Point(count, (count or 50) * classes, found, [1.0] * len(found))
            for count, found in zip(counts, by_count, strict=True)
        ]
        for method, by_count in accuracies.items()
    }
    return LearningCurve(
        "kanji", list(range(len(next(iter(accuracies.values()))[0]))), points
    )


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """A measured curve: the probe reaches with 100 labels what scratch reaches with all 500."""
    curve = curve_of(
        (1, 10, None), scratch=[[0.2], [0.5], [0.8]], probe=[[0.5], [0.8], [0.9]]
    )
    monkeypatch.setattr(
        lesson_01, "results", lambda name: {"curves.kanji": curve.record()}[name]
    )


def test_1_1_right():
    assert_right(check("1.1", 200), "200 minutes of 250")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (400, "the number of labels saved"),
        (800, "You took two minutes for a label"),
        (50, "what the probe's labels take"),
        (250, "what all labels take"),
        (0.0, "Both have all labels there"),
        (17, "is not it"),
        ("much", "you gave 'much'; expected a number of minutes"),
        ([200], "an array of shape (1,)"),
        (-200, "is not it"),
        (3.33, "is not it"),
    ],
)
def test_1_1_wrong(answer, words):
    assert_wrong(check("1.1", answer), words)


@pytest.mark.parametrize("answer", [200.0, np.float32(200.4), np.array(199.8)])
def test_1_1_right_in_other_forms(answer):
    assert_right(check("1.1", answer))


def test_1_1_odd_answers():
    assert_odd_answers_are_refused("1.1", others=[12_000, 300, 100, 0.8, 210])


LIVE = curve_of(
    (1, 5),
    scratch=[[0.2, 0.3, 0.4], [0.9, 0.9, 0.6]],
    probe=[[0.3, 0.4, 0.4], [0.8, 0.8, 0.7]],
)


def test_1_2_right():
    assert_right(check("1.2", 2, LIVE), "2 of 3")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (1, "how often the network from scratch won"),
        (3, "That is with five labels"),
        (0, "Compare entry by entry"),
        (5, "no number of splits out of 3"),
        (0.67, "no number of splits out of 3"),
        ([True, True, False], "an array of shape (3,)"),
        (2.9, "no number of splits out of 3"),
        (-2, "no number of splits out of 3"),
        (np.array([0.3, 0.4, 0.4]), "an array of shape (3,)"),
    ],
)
def test_1_2_wrong(answer, words):
    assert_wrong(check("1.2", answer, LIVE), words)


@pytest.mark.parametrize("answer", [2.0, np.int64(2), np.array(2)])
def test_1_2_right_in_other_forms(answer):
    assert_right(check("1.2", answer, LIVE))


def test_1_2_true_is_no_number_of_splits():
    once = curve_of(
        (1, 5), scratch=[[0.2, 0.5, 0.5], [0.9] * 3], probe=[[0.3, 0.4, 0.4], [0.8] * 3]
    )
    assert_right(check("1.2", 1, once))
    assert_wrong(check("1.2", True, once), "you gave True")


def test_1_2_odd_answers():
    assert_odd_answers_are_refused("1.2", LIVE, others=[2 + 0.9, 2 - 0.9, 0.5, 67, "2"])


def test_1_2_without_the_curve():
    assert_wrong(check("1.2", 2, LIVE.points), "expected `live`")


@pytest.fixture(scope="module")
def mine():
    """A curve of the last ten classes: the probe's first point was measured, the others are invented."""
    kanji = tl.load_dataset("kanji")
    others = kanji.with_classes(kanji.class_names[-10:])
    curve = tl.learning_curve(others, labels_per_class=(1,), methods=["probe"], seeds=3)
    return with_scratch(curve, [curve.points["probe"][0].accuracies, [0.8] * 3])


def with_scratch(curve, probe=None, **changed):
    """The curve with a network from scratch, and other accuracies of the probe, if they are given."""
    scratch = curve_of(
        (1, 5), scratch=changed.get("scratch", [[0.2] * 3, [0.4] * 3])
    ).points["scratch"]
    found = (
        curve.points["probe"]
        if probe is None
        else curve_of((1, 5), probe=probe).points["probe"]
    )
    return LearningCurve(curve.name, curve.seeds, {"scratch": scratch, "probe": found})


def accuracies(curve):
    return [point.accuracies for point in curve.points["probe"]]


def test_1_3_right(mine):
    gain = 100 * (np.mean(accuracies(mine)[0]) - 0.2)
    assert_right(
        check("1.3", mine, LIVE), f"gains {gain:+.0f} points here, +7 on the numerals"
    )


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            lambda c: with_scratch(c, [[0.6] * 3, [0.7] * 3]),
            "not those of the last ten classes",
        ),
        (
            lambda c: with_scratch(
                c, [[one - 0.1 for one in found] for found in accuracies(c)]
            ),
            "not those of",
        ),
        (
            lambda c: with_scratch(c, accuracies(c)[::-1]),
            "not those of the last ten classes",
        ),
        (
            lambda c: with_scratch(c, [accuracies(c)[0], [float("nan")] * 3]),
            "one accuracy per seed",
        ),
        (
            lambda c: with_scratch(c, scratch=[[float("nan")] * 3, [0.4] * 3]),
            "one accuracy per seed",
        ),
        (
            lambda c: with_scratch(c, scratch=[[20.0] * 3, [40.0] * 3]),
            "one accuracy per seed",
        ),
        (lambda c: with_scratch(c, scratch=[[0.2], [0.4]]), ""),
        (lambda c: c.points, "expected what tl.learning_curve returns"),
    ],
)
def test_1_3_invented(mine, changed, words):
    assert_wrong(check("1.3", changed(mine), LIVE), words)


def test_1_3_odd_answers(mine):
    assert_odd_answers_are_refused(
        "1.3", LIVE, others=[mine.record(), repr(mine), mine.points["probe"], 3]
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.6, "You gave a float; expected what tl.learning_curve returns"),
        (
            curve_of((1, 5), probe=[[0.6] * 3, [0.7] * 3]),
            "Your curve has probe; compare",
        ),
        (
            curve_of((1, 5), scratch=[[0.2], [0.4]], probe=[[0.6], [0.7]]),
            "Seeds of your curve: 1",
        ),
        (
            curve_of(
                (1, 20), scratch=[[0.2] * 3, [0.4] * 3], probe=[[0.6] * 3, [0.7] * 3]
            ),
            "expected [1, 5]",
        ),
        (
            curve_of(
                (1, 5),
                100,
                scratch=[[0.2] * 3, [0.4] * 3],
                probe=[[0.6] * 3, [0.7] * 3],
            ),
            "you have 100 classes",
        ),
        (
            curve_of(
                (1, 5),
                scratch=[[0.2, 0.3, 0.4], [0.4] * 3],
                probe=[[0.3, 0.4, 0.4], [0.7] * 3],
            ),
            "These are the numerals again",
        ),
    ],
)
def test_1_3_wrong(answer, words):
    assert_wrong(check("1.3", answer, LIVE), words)
