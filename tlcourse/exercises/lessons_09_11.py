"""Lessons 09 to 11: what the answers are compared with."""

import numpy as np

import tlcourse as tl

from ..datasets.same_pictures import as_collections, find_pairs
from .table import (
    AnyAnswer,
    Array,
    Number,
    Shares,
    dictionary,
    near,
    require,
    rows,
    share,
    unexpected,
    whole_number,
)

# --- 09, Tune and stack ---

CLASSIFIERS, PROBABILITY, CELLS = 40, 0.75, 197
COLUMNS = {"lite0": slice(0, 1280), "lite2": slice(1280, 2560)}
LEAKS, SOUND = "leaks", "does not leak"


@rows("9.1", share())
def mean_of_the_best(answer):
    best = _mean_of_the_best()
    yield "right", best, {"best": best, "points": 100 * (best - PROBABILITY)}
    yield "mean of all", PROBABILITY


def _mean_of_the_best():
    """The sum over k of the probability that the best has at least k right."""
    from scipy.stats import binom

    at_least = 1 - binom.cdf(np.arange(CELLS), CELLS, PROBABILITY) ** CLASSIFIERS
    return float(at_least.sum() / CELLS)


@rows("9.2", Shares(*COLUMNS))
def columns_mixed_up(answer, both, validation_wide):
    require(both, "both", "score")
    wide = Array().read(validation_wide, "2560 features per row", "validation_wide")
    labels = tl.load_dataset("solar").validation.labels
    order = np.random.default_rng(0).permutation(len(wide))
    right = {}
    for name, columns in COLUMNS.items():
        mixed = wide.copy()
        mixed[:, columns] = wide[order, columns]
        right[name] = both.score(mixed, labels)
    untouched, more = both.score(wide, labels), min(right, key=right.__getitem__)
    yield "right", right, {"untouched": untouched, "more": more}
    yield "exchanged", {"lite0": right["lite2"], "lite2": right["lite0"]}


@rows("9.3", AnyAnswer())
def two_stacks(answer, wide, validation_wide):
    stacks = dictionary(answer, (LEAKS, SOUND))
    for name, stack in stacks.items():
        require(stack, name, "cv", "final_estimator_", "named_estimators_")
    leaks, sound = stacks[LEAKS], stacks[SOUND]
    yield "exchanged", leaks.cv != "prefit" and sound.cv == "prefit"
    yield "leaks on folds", leaks.cv != "prefit"
    yield "prefit", sound.cv == "prefit"
    labels = tl.load_dataset("solar").validation.labels
    details = {
        "leaks": leaks.final_estimator_.coef_[0],
        "sound": sound.final_estimator_.coef_[0],
        "leaking": leaks.score(validation_wide, labels),
        "honest": sound.score(validation_wide, labels),
    }
    yield "right", True, details


# --- 10, Your own pictures ---

ACCURACY, HALF_WIDTH = 0.9, 0.02  # and how precisely it is to be known
FEWEST, MOST = 0.99, 1.05  # of the pictures needed: rounded, or a few more
FOUND, ABOVE = "defective found", "above guessing"


def needed(half_width, errors=1.96):
    """Pictures for an interval of so many standard errors to each side."""
    return errors**2 * ACCURACY * (1 - ACCURACY) / half_width**2


@rows("10.1", Number(minimum=1))
def number_of_test_pictures(answer):
    right = needed(HALF_WIDTH)
    yield "right", FEWEST * right <= answer <= MOST * right, {"needed": right}
    yield "one error", abs(answer - needed(HALF_WIDTH, errors=1)) <= 4
    half_width = 1.96 * np.sqrt(ACCURACY * (1 - ACCURACY) / answer)
    yield "otherwise", True, {"points": 100 * half_width}


@rows("10.2", whole_number())
def pictures_in_both(answer, theirs):
    pairs = _pairs(theirs)
    yield "right", pairs, {"tested": len(theirs["test"])}
    yield "none", 0
    yield "test pictures", len(theirs["test"])


def _pairs(theirs):
    collections = as_collections((theirs["train"], theirs["test"]), ())
    if pairs := find_pairs(collections):
        return len(pairs)
    raise unexpected(theirs, "the lesson's two parts; run their cell again", "theirs")


@rows("10.3", Shares(FOUND, ABOVE, minimum=-1))
def numbers_of_the_record(answer, exported):
    test = exported.record["test"]
    shares = {name: c["right"] / c["pictures"] for name, c in test["classes"].items()}
    above = test["accuracy"] - test["baseline"]
    right = {FOUND: shares["defective"], ABOVE: above}
    yield "right", right, {"points": 100 * above, **test["classes"]["defective"]}
    wrong = not near(answer[FOUND], right[FOUND])
    yield "functional", wrong and near(answer[FOUND], shares["functional"])


# --- 11, Past one machine ---

PICTURES, MACHINES = 100e6, 50


@rows("11.1", Number(relative=0.02))
def hours_on_fifty_machines(answer, measured):
    speed = measured["dask_2"]["pictures_per_second"]
    hours = PICTURES / (MACHINES * speed) / 3600
    yield "right", hours, {"machine_hours": hours * MACHINES}
    yield "machine-hours", hours * MACHINES
    yield "both workers", hours / 2
    yield "otherwise", True, {"speed": speed}


@rows("11.2", Number(relative=0.02))
def terabytes_of_features(answer, measured):
    terabytes = PICTURES * measured["bytes_a_picture"] / 1e12
    files = PICTURES * measured["file_bytes_a_picture"] / 1e12
    yield "right", terabytes, {"files": files}
    yield "files", files
    yield "unit", terabytes * 1000
    yield "unit", terabytes * 1e6


@rows("11.3", Array())
def usable_rows(mask, features):
    usable = np.isfinite(features).all(axis=1)
    yield "indices", np.array_equal(mask, np.flatnonzero(usable))
    shape = {"rows": len(usable), "usable": usable.sum()}
    yield "shape", mask.dtype != bool or mask.shape != usable.shape, shape
    yield "right", np.array_equal(mask, usable), shape
    yield "inverted", np.array_equal(mask, ~usable)
    yield "otherwise", True, {"wrong": np.sum(mask != usable)}
