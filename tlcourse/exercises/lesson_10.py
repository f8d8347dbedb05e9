"""Lesson 10, Your own pictures: what the answers are compared with."""

import numpy as np

import tlcourse as tl

from .answers import Number, Shares, WholeNumber, near
from .table import rows

ACCURACY, HALF_WIDTH = 0.9, 0.02  # and how precisely it is to be known
FEWEST, MOST = 0.99, 1.05  # of the pictures needed: rounded, or a few more
FOUND, ABOVE = "defective found", "above guessing"


def needed(half_width, errors=1.96):
    """Pictures for an interval of so many standard errors to each side."""
    return errors**2 * ACCURACY * (1 - ACCURACY) / half_width**2


@rows("10.1", Number(minimum=-np.inf))
def number_of_test_pictures(answer):
    right = needed(HALF_WIDTH)
    yield "right", FEWEST * right <= answer <= MOST * right, {"needed": right}
    yield "one error", abs(answer - needed(HALF_WIDTH, errors=1)) <= 4
    yield "four points", abs(answer - needed(2 * HALF_WIDTH)) <= 4
    yield "one point", abs(answer - needed(HALF_WIDTH / 2)) <= 350
    yield "none", answer <= 0
    half_width = 1.96 * np.sqrt(ACCURACY * (1 - ACCURACY) / answer)
    yield "otherwise", True, {"points": 100 * half_width}


@rows("10.2", WholeNumber())
def pictures_in_both(answer, theirs):
    pairs = _pairs(theirs)
    train, test = len(theirs["train"]), len(theirs["test"])
    yield "no pairs", pairs == 0
    yield "right", pairs, {"tested": test}
    yield "none", 0
    yield "test pictures", test
    yield "training pictures", train
    yield "both of a pair", 2 * pairs


def _pairs(theirs):
    try:
        tl.checks.assert_disjoint(theirs["train"], theirs["test"])
    except tl.checks.LeakageError as error:
        return len(error.pairs)
    return 0


@rows("10.3", Shares(FOUND, ABOVE, minimum=-1))
def numbers_of_the_record(answer, exported):
    for name in answer:
        yield "negative", answer[name] < 0, {"name": name}
    test = exported.record["test"]
    shares = {name: c["right"] / c["pictures"] for name, c in test["classes"].items()}
    defective, above = test["classes"]["defective"], test["accuracy"] - test["baseline"]
    right, points = {FOUND: shares["defective"], ABOVE: above}, 100 * above
    yield "right", right, {"points": points, **defective}
    wrong = [name for name in right if not near(answer[name], right[name])]
    found = answer[FOUND]
    yield "functional", FOUND in wrong and near(found, shares["functional"])
    yield "both classes", near(found, test["accuracy"])
    yield "frequency", near(found, defective["pictures"] / test["pictures"])
    yield "accuracy", near(answer[ABOVE], test["accuracy"])
