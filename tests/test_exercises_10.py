"""The checks of lesson 10: with the right answer, and with the wrong ones that people really give."""

from types import SimpleNamespace

import numpy as np
import pytest
from answers import assert_right, assert_wrong, check
from PIL import Image


@pytest.mark.parametrize("answer", [864.36, 865, 900, 800])
def test_10_1_right(answer):
    assert_right(check("10.1", answer), "About 864")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (225, "That is for one standard error"),
        (216, "That is for one standard error"),
        (3457, "That makes the interval one point to each side"),
        (40, "With 40 pictures the interval reaches 9.3 points to each side"),
        (10_000, "With 10,000 pictures the interval reaches 0.6 points"),
        (0, "a number of pictures is above 0"),
        (-5, "a number of pictures is above 0"),
        ("many", "cannot read an answer of type str"),
    ],
)
def test_10_1_wrong(answer, words):
    assert_wrong(check("10.1", answer), words)


@pytest.fixture(scope="module")
def theirs():
    """Twelve pictures to learn from, six to test on; four of these are smaller versions of some of the first."""
    noise = [np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8) for seed in range(14)]
    images = [Image.fromarray(one).resize((96, 96), Image.Resampling.BICUBIC) for one in noise]
    train = [np.asarray(image) for image in images[:12]]
    test = [np.asarray(image.resize((80, 80), Image.Resampling.BICUBIC)) for image in images[:4]]
    return {"train": train, "test": [*test, *(np.asarray(image) for image in images[12:])]}


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
        ("all", "cannot read an answer of type str"),
    ],
)
def test_10_2_wrong(theirs, answer, words):
    assert_wrong(check("10.2", answer, theirs), words)


EXPORTED = SimpleNamespace(
    record={
        "test": {
            "pictures": 40,
            "accuracy": 0.85,
            "baseline": 0.75,
            "classes": {"functional": {"pictures": 30, "right": 28}, "defective": {"pictures": 10, "right": 6}},
        }
    }
)


def answer(found, above):
    return {"defective found": found, "above guessing": above}


def test_10_3_right():
    assert_right(check("10.3", answer(0.6, 0.1), EXPORTED), "6 of 10 defective cells were found", "10 points above")


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
        ([0.6, 0.1], "expected a dictionary with 'defective found' and 'above guessing'"),
    ],
)
def test_10_3_wrong(given, words):
    assert_wrong(check("10.3", given, EXPORTED), words)
