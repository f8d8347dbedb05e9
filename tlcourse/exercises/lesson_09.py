"""Lesson 09, Tune and stack: what the answers are compared with."""

import numpy as np

import tlcourse as tl

from .answers import (
    NEAR,
    Anything,
    Array,
    Number,
    Shares,
    described,
    dictionary,
    having,
    near,
)
from .table import rows

CLASSIFIERS, PROBABILITY, CELLS = 40, 0.75, 197
COLUMNS = {"lite0": slice(0, 1280), "lite2": slice(1280, 2560)}
LEAKS, SOUND = "leaks", "does not leak"


@rows("9.1", Number(absolute=NEAR))
def mean_of_the_best(answer):
    yield "cells", CELLS / 2 < answer <= CELLS
    yield "percentage", 1 < answer <= 100
    yield "no share", answer > 1
    best = _mean_of_the_best()
    yield "right", best, {"best": best, "points": 100 * (best - PROBABILITY)}
    yield "mean of all", PROBABILITY
    yield "too good", answer > best + 0.03
    yield "too low", answer < PROBABILITY


def _mean_of_the_best():
    """The sum over k of the probability that the best has at least k right."""
    from scipy.stats import binom

    at_least = 1 - binom.cdf(np.arange(CELLS), CELLS, PROBABILITY) ** CLASSIFIERS
    return float(at_least.sum() / CELLS)


@rows("9.2", Shares(*COLUMNS))
def columns_mixed_up(answer, both, judged_wide):
    having(both, "both", "score")
    wide = Array().read(judged_wide, "2560 features per row", "judged_wide")
    labels = tl.load_dataset("solar").validation.labels
    order = np.random.default_rng(0).permutation(len(wide))

    def accuracy(columns):
        mixed = wide.copy()
        mixed[:, columns] = wide[order, columns]
        return both.score(mixed, labels)

    right = {name: accuracy(columns) for name, columns in COLUMNS.items()}
    untouched, all_columns = both.score(wide, labels), accuracy(slice(None))
    more = min(right, key=right.get)
    yield "right", right, {"untouched": untouched, "more": more}
    yield "exchanged", {"lite0": right["lite2"], "lite2": right["lite0"]}
    wrong = [name for name in COLUMNS if not near(answer[name], right[name])]
    for name in wrong:
        yield "untouched", near(answer[name], untouched), {"name": name}
        yield "all columns", near(answer[name], all_columns), {"name": name}


@rows("9.3", Anything())
def two_stacks(answer, wide, judged_wide):
    stacks = dictionary(answer, (LEAKS, SOUND))
    for name, stack in stacks.items():
        yield from _two_members(name, stack)
    leaks, sound = stacks[LEAKS], stacks[SOUND]
    yield "exchanged", leaks.cv != "prefit" and sound.cv == "prefit"
    yield "leaks on folds", leaks.cv != "prefit"
    yield "prefit", sound.cv == "prefit"
    solar = tl.load_dataset("solar")
    labels, validation = solar.train.sample(per_class=100).labels, solar.validation
    for name, stack in stacks.items():
        yield from _fitted_on(name, stack, wide, labels)
    yield "overlap", _folds_overlap(sound, wide, labels)
    yield "other cells", not _last_fitted_on(leaks, wide, labels)
    neighbour = sound.named_estimators_["neighbour"]
    details = {
        "leaks": leaks.final_estimator_.coef_[0],
        "sound": sound.final_estimator_.coef_[0],
        "leaking": leaks.score(judged_wide, validation.labels),
        "honest": sound.score(judged_wide, validation.labels),
        "neighbour": neighbour.score(judged_wide, validation.labels),
    }
    yield "right", True, details


def _two_members(name, stack):
    """That it is a fitted stack of the two members."""
    from sklearn.ensemble import StackingClassifier

    details = {"name": name, "stack": described(stack)}
    yield "no stack", not isinstance(stack, StackingClassifier), details
    yield "not fitted", not hasattr(stack, "final_estimator_"), details
    yield "members", set(stack.named_estimators_) != {"probe", "neighbour"}, details
    yield "last classifier", not hasattr(stack.final_estimator_, "coef_"), details


def _fitted_on(name, stack, wide, labels):
    """That the neighbour has seen these cells, and no others."""
    neighbour = stack.named_estimators_["neighbour"]
    yield "unseen cells", neighbour.score(wide, labels) < 1, {"name": name}
    cells = getattr(neighbour[-1], "n_samples_fit_", len(wide))
    details = {"name": name, "cells": cells, "expected": len(wide)}
    yield "more cells", cells != len(wide), details


def _folds_overlap(stack, wide, labels):
    from sklearn.model_selection import check_cv

    folds = check_cv(stack.cv, labels, classifier=True).split(wide, labels)
    return any(len(np.intersect1d(train, test)) for train, test in folds)


def _last_fitted_on(stack, wide, labels):
    """Whether the last classifier was fitted on the members' answers to these cells."""
    from sklearn.base import clone
    from sklearn.ensemble import StackingClassifier

    members, last = list(stack.named_estimators_.items()), clone(stack.final_estimator_)
    same = StackingClassifier(members, last, cv="prefit").fit(wide, labels)
    one, other = (each.final_estimator_.coef_ for each in (same, stack))
    return np.allclose(one, other, rtol=1e-2)
