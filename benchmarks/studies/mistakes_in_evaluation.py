"""Lesson 09: augmented copies on both sides of a split, and selection on the test set.

They cost no accuracy but the truth: the optimistic bias of what is reported.
"""

from collections.abc import Callable
from functools import cache
from itertools import combinations

import numpy as np
from sklearn.model_selection import StratifiedKFold, cross_val_score

import tlcourse as tl

CELLS = 100  # of each class of solar cells
FLIPS = ("as is", "left-right", "upside-down", "half-turn")
TEST_CELLS, TESTS = 100, 20  # cells in a small test, and tests for each seed
BLOCKS = ("block3b", "block4c", "block5c", "block6d", "head")  # and combinations
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)  # values of C


@cache
def model():
    return tl.load_pretrained_model()


@cache
def solar():
    return tl.load_dataset("solar")


def speaks(check: Callable, *arguments, **options) -> bool:
    """Whether a check objects."""
    try:
        check(*arguments, **options)
    except tl.errors.CheckError:
        return True
    return False


def augmentation(seed: int) -> dict:
    """Each cell in four copies, a quarter held out: of the copies, or of the cells."""
    cells = solar().train.sample(CELLS, seed)
    copies = np.concatenate(
        [tl.augment(image, FLIPS, model().input_size) for image in cells.images]
    )
    features = model().extract_features(copies)
    labels = np.repeat(cells.labels, len(FLIPS))
    cell = np.repeat(np.arange(len(cells)), len(FLIPS))
    rng = np.random.default_rng(seed)
    held_out = {
        "wrong": rng.random(len(labels)) < 0.25,
        "right": np.isin(cell, rng.permutation(len(cells))[: len(cells) // 4]),
    }
    fresh = model().extract_features(solar().test.images)
    found, check = {}, {}
    for way, validation in held_out.items():
        train = ~validation
        probe = tl.train_classifier(features[train], labels[train], seed=seed)
        reported = probe.score(features[validation], labels[validation])
        found[f"reported_{way}"] = reported
        found[f"true_{way}"] = probe.score(fresh, solar().test.labels)
        disjoint = tl.checks.assert_disjoint
        check[way] = speaks(disjoint, copies[train], copies[validation])
    return _with_bias(found) | {"check": check}


def _with_bias(found: dict) -> dict:
    """With the optimistic bias, reported minus true; the cost is the wrong way's."""
    biases = {
        f"optimism_{way}": found[f"reported_{way}"] - found[f"true_{way}"]
        for way in ("right", "wrong")
    }
    return found | biases | {"cost": biases["optimism_wrong"]}


def choosing(seed: int) -> dict:
    """The best of many probes by a small test set, or by cross-validation.

    Means over the small test sets, which are drawn from the test cells; "true" is the
    accuracy on the rest of these.
    """
    correct, by_validation = many_probes(seed)
    tests = [
        _chosen(correct, by_validation, np.random.default_rng([seed, number]))
        for number in range(TESTS)
    ]
    found = {name: float(np.mean([test[name] for test in tests])) for name in tests[0]}
    errors = [test["reported_wrong"] - test["true_wrong"] for test in tests]
    sealed = tl.checks.seal(solar().test.select(slice(0, TEST_CELLS)))
    once = speaks(sealed.open, lambda images: np.zeros(len(images), int))
    twice = speaks(sealed.open, lambda images: np.ones(len(images), int))
    return _with_bias(found) | {
        "settings": len(correct),
        "sd_of_one_test": float(np.std(errors, ddof=1)),
        "check": {"right": once, "wrong": twice},
    }


def _chosen(correct: np.ndarray, by_validation: int, rng: np.random.Generator) -> dict:
    order = rng.permutation(correct.shape[1])
    tested = correct[:, order[:TEST_CELLS]].mean(axis=1)
    fresh = correct[:, order[TEST_CELLS:]].mean(axis=1)
    best = int(tested.argmax())
    return {
        "reported_wrong": tested[best],
        "true_wrong": fresh[best],
        "reported_right": tested[by_validation],
        "true_right": fresh[by_validation],
    }


def many_probes(seed: int) -> tuple[np.ndarray, int]:
    """Which test cells each probe classifies correctly; the best by cross-validation.

    Returns
    -------
    correct : bool array of shape (probes, cells)
    best : int
        Its row. The folds are shuffled: the cells are in the order of their modules.
    """
    rows = solar().train.sample_rows(CELLS, seed)
    labels, test_labels = solar().train.labels[rows], solar().test.labels
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    correct, validated = [], []
    for count in range(1, len(BLOCKS) + 1):
        for blocks in combinations(BLOCKS, count):
            train, test = (
                np.hstack(parts) for parts in zip(*map(_of_block, blocks), strict=True)
            )
            for C in STRENGTHS:
                probe = tl.LinearProbe(C)
                scores = cross_val_score(probe, train[rows], labels, cv=folds)
                validated.append(scores.mean())
                predicted = probe.fit(train[rows], labels).predict(test)
                correct.append(predicted == test_labels)
    return np.array(correct), int(np.argmax(validated))


@cache
def _of_block(block: str) -> tuple[np.ndarray, np.ndarray]:
    """Features of the training and the test cells."""
    splits = (solar().train, solar().test)
    return tuple(model().extract_features(split.images, [block]) for split in splits)
