"""The checks of lesson 01: with the right answer, and with the wrong ones that people really give."""

import pytest
from answers import assert_right, assert_wrong, check

from tlcourse.exercises import lesson_01
from tlcourse.learning_curves import LearningCurve, Point


def curve_of(counts, classes=10, **accuracies):
    """A curve whose methods have these accuracies: for each number of labels a list, one entry a draw."""
    points = {
        method.replace("_", "-"): [
            Point(count, (count or 50) * classes, found, [1.0] * len(found))
            for count, found in zip(counts, by_count, strict=True)
        ]
        for method, by_count in accuracies.items()
    }
    return LearningCurve("kanji", list(range(len(next(iter(accuracies.values()))[0]))), points)


@pytest.fixture(autouse=True)
def measured(monkeypatch):
    """A measured curve: the probe reaches with 100 labels what scratch reaches with all 500."""
    curve = curve_of((1, 10, None), scratch=[[0.2], [0.5], [0.8]], probe=[[0.5], [0.8], [0.9]])
    monkeypatch.setattr(lesson_01, "results", lambda name: {"curves.kanji": curve.record()}[name])


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
        ("much", "cannot read an answer of type str"),
    ],
)
def test_1_1_wrong(answer, words):
    assert_wrong(check("1.1", answer), words)


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
        (5, "no number of draws out of 3"),
        (0.67, "no number of draws out of 3"),
        ([True, True, False], "cannot read an answer of type list"),
    ],
)
def test_1_2_wrong(answer, words):
    assert_wrong(check("1.2", answer, LIVE), words)


def test_1_3_right():
    mine = curve_of((1, 5), scratch=[[0.2] * 3, [0.4] * 3], probe=[[0.6] * 3, [0.7] * 3])
    assert_right(check("1.3", mine, LIVE), "gains +40 points here, +7 on the numerals")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.6, "You gave a float; expected what tl.learning_curve returns"),
        (curve_of((1, 5), probe=[[0.6] * 3, [0.7] * 3]), "Your curve has probe; compare"),
        (curve_of((1, 5), scratch=[[0.2], [0.4]], probe=[[0.6], [0.7]]), "Draws in your curve: 1"),
        (curve_of((1, 20), scratch=[[0.2] * 3, [0.4] * 3], probe=[[0.6] * 3, [0.7] * 3]), "expected [1, 5]"),
        (curve_of((1, 5), 100, scratch=[[0.2] * 3, [0.4] * 3], probe=[[0.6] * 3, [0.7] * 3]), "you have 100 classes"),
        (
            curve_of((1, 5), scratch=[[0.2, 0.3, 0.4], [0.4] * 3], probe=[[0.3, 0.4, 0.4], [0.7] * 3]),
            "These are the numerals again",
        ),
    ],
)
def test_1_3_wrong(answer, words):
    assert_wrong(check("1.3", answer, LIVE), words)
