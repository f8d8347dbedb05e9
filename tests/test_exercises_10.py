"""The checks of lesson 10: with the right answer, and with the wrong ones that people really give."""

from types import SimpleNamespace

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check
from PIL import Image


@pytest.mark.parametrize("answer", [864.36, 865, 900, 860, 864, 880.0])
def test_10_1_right(answer):
    assert_right(check("10.1", answer), "About 864")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (225, "That is for one standard error"),
        (216, "That is for one standard error"),
        (3457, "That makes the interval one point to each side"),
        (40, "With 40 pictures the interval reaches 9.30 points to each side"),
        (10_000, "With 10,000 pictures the interval reaches 0.59 points"),
        (780, "With 780 pictures the interval reaches 2.11 points"),
        (800, "With 800 pictures the interval reaches 2.08 points"),
        (950, "With 950 pictures the interval reaches 1.91 points"),
        (8.6436, "With 9 pictures"),
        (864.36 / 1.96, "points to each side"),
        (38.4, "points to each side"),
        (0, "a number of pictures is above 0"),
        (-5, "a number of pictures is above 0"),
        ("many", "you gave 'many'; expected a number of pictures"),
        ([864], "an array of shape (1,)"),
    ],
)
def test_10_1_wrong(answer, words):
    assert_wrong(check("10.1", answer), words)


def test_10_1_odd_answers():
    assert_right(check("10.1", np.array(np.float32(864.36))))
    assert_odd_answers_are_refused("10.1", others=[-864, 0.9, 0.02, "864", 86_436])


@pytest.fixture(scope="module")
def theirs():
    """Twelve pictures to learn from, six to test on; four of these are smaller versions of some of the first."""
    noise = [
        np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
        for seed in range(14)
    ]
    images = [
        Image.fromarray(one).resize((96, 96), Image.Resampling.BICUBIC) for one in noise
    ]
    train = [np.asarray(image) for image in images[:12]]
    test = [
        np.asarray(image.resize((80, 80), Image.Resampling.BICUBIC))
        for image in images[:4]
    ]
    return {
        "train": train,
        "test": [*test, *(np.asarray(image) for image in images[12:])],
    }


def test_10_2_right(theirs):
    assert_right(check("10.2", 4, theirs), "4 of 6 test pictures were seen in training")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0, "Not one file is the same, and no pixel"),
        (6, "That is how many test pictures they have"),
        (12, "That is how many training pictures they have"),
        (8, "Each pair is one picture in two places"),
        (3, "You gave 3. Ask the guard"),
        ("all", "you gave 'all'; expected a whole number of pictures"),
        (4.9, "expected a whole number of pictures"),
        (-4, "Ask the guard"),
        (4 / 6, "expected a whole number of pictures"),
        ([0, 1, 2, 3], "an array of shape (4,)"),
    ],
)
def test_10_2_wrong(theirs, answer, words):
    assert_wrong(check("10.2", answer, theirs), words)


def test_10_2_odd_answers(theirs):
    assert_right(check("10.2", np.float64(4), theirs))
    assert_odd_answers_are_refused(
        "10.2", theirs, others=[14, 5, 18, "4", {"pairs": 4}]
    )


def test_10_2_after_the_pairs_are_gone(theirs):
    apart = {"train": theirs["train"][6:], "test": theirs["test"]}
    assert_wrong(check("10.2", 0, apart), "Run the cell that makes it again")
    assert_wrong(check("10.2", 0, None), "cannot read")


EXPORTED = SimpleNamespace(
    record={
        "test": {
            "pictures": 40,
            "accuracy": 0.85,
            "baseline": 0.75,
            "classes": {
                "functional": {"pictures": 30, "right": 28},
                "defective": {"pictures": 10, "right": 6},
            },
        }
    }
)


def answer(found, above):
    return {"defective found": found, "above guessing": above}


def test_10_3_right():
    assert_right(
        check("10.3", answer(0.6, 0.1), EXPORTED),
        "6 of 10 defective cells were found",
        "10 points above",
    )


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (answer(0.6, None), "'above guessing' is still None"),
        (answer(28 / 30, 0.1), "that is the functional cells' share"),
        (answer(0.85, 0.1), "that is the accuracy over both classes"),
        (answer(0.25, 0.1), "that is how many of the cells are defective"),
        (answer(0.6, 0.85), "that is the accuracy itself"),
        (answer(0.6, -0.1), "the other way round"),
        (answer(0.6, 10), "As a percentage that may be right"),
        (answer(0.5, 0.1), "Not so for 'defective found'"),
        (answer(0.6 + 0.9, 0.1), "As a percentage"),
        (answer(0.6, 0.1 + 0.9), "Not so for 'above guessing'"),
        (answer(float("nan"), 0.1), "expected a share"),
        (answer(0.6, True), "you gave True"),
        (answer(0.1, 0.6), "Not so for 'defective found' and 'above guessing'"),
        (answer(6, 0.1), "As a percentage"),
        (
            [0.6, 0.1],
            "expected a dictionary with 'defective found' and 'above guessing'",
        ),
    ],
)
def test_10_3_wrong(given, words):
    assert_wrong(check("10.3", given, EXPORTED), words)


def test_10_3_odd_answers():
    assert_right(
        check(
            "10.3",
            {"above guessing": np.float32(0.1), "defective found": np.array(0.6)},
            EXPORTED,
        )
    )
    others = [
        0.6,
        [0.6, 0.1],
        answer(0.6, 0.1) | {"more": 1},
        answer(0, 0),
        answer(1, 1),
        answer("0.6", "0.1"),
    ]
    assert_odd_answers_are_refused("10.3", EXPORTED, others=others)
    assert_wrong(check("10.3", answer(0.6, 0.1), EXPORTED.record), "cannot read")
