"""Mistakes in judging: views of one picture on both sides of the split, and choosing by the test set.

What they cost is no accuracy but the truth: how much more is reported than fresh pictures will bear out.
"""

from functools import cache
from itertools import combinations

import numpy as np

import tlcourse as tl

from .common import CELLS, model, solar, speaks

FLIPS = ("as is", "left-right", "upside-down", "half-turn")
TESTED, TESTS = (
    100,
    20,
)  # cells in a small test, and how many such tests are drawn for each seed
CHOSEN_FROM = (
    "block3b",
    "block4c",
    "block5c",
    "block6d",
    "head",
)  # whose features, and all combinations of them
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)


def augmentation(seed: int) -> dict:
    """Each cell in four views, and a quarter of these held out: views, or cells. The cost is what it flatters by."""
    cells = solar().train.sample(CELLS, seed)
    pictures = np.stack(
        [tl.augment(image, FLIPS, model().input_size) for image in cells.images]
    )
    views = model().extract_features(pictures.reshape(-1, *pictures.shape[2:]))
    labels, cell = (
        np.repeat(cells.labels, len(FLIPS)),
        np.repeat(np.arange(len(cells)), len(FLIPS)),
    )
    rng = np.random.default_rng(seed)
    held = {
        "wrong": rng.random(len(labels)) < 0.25,
        "right": np.isin(cell, rng.permutation(len(cells))[: len(cells) // 4]),
    }
    fresh, found, check = model().extract_features(solar().test.images), {}, {}
    for way, judged in held.items():
        probe = tl.train_classifier(views[~judged], labels[~judged], seed=seed)
        true = probe.score(fresh, solar().test.labels)
        found |= {
            f"reported_{way}": probe.score(views[judged], labels[judged]),
            f"true_{way}": true,
        }
        flat = pictures.reshape(-1, *pictures.shape[2:])
        check[way] = speaks(tl.checks.assert_disjoint, flat[~judged], flat[judged])
    return _flattery(found) | {"check": check}


def _flattery(found: dict) -> dict:
    """Right and wrong as optimism: what is reported less what is true; the cost is the wrong one's."""
    optimism = {
        way: found[f"reported_{way}"] - found[f"true_{way}"]
        for way in ("right", "wrong")
    }
    return (
        found
        | {f"optimism_{way}": value for way, value in optimism.items()}
        | {"cost": optimism["wrong"]}
    )


def choosing(seed: int) -> dict:
    """The best of many probes by a test of a hundred cells, or by cross-validation; means over the tests drawn."""
    right_answers, by_validation = many_probes(seed)
    draws = [
        _chosen(right_answers, by_validation, np.random.default_rng([seed, draw]))
        for draw in range(TESTS)
    ]
    found = {name: float(np.mean([draw[name] for draw in draws])) for name in draws[0]}
    one_test = float(
        np.std([draw["reported_wrong"] - draw["true_wrong"] for draw in draws], ddof=1)
    )
    test = tl.checks.seal(solar().test.select(slice(0, TESTED)))
    once = speaks(test.open, lambda images: np.zeros(len(images), int))
    twice = speaks(test.open, lambda images: np.ones(len(images), int))
    return _flattery(found) | {
        "settings": len(right_answers),
        "sd_of_one_test": one_test,
        "check": {"right": once, "wrong": twice},
    }


def _chosen(right_answers: np.ndarray, by_validation: int, rng) -> dict:
    order = rng.permutation(right_answers.shape[1])
    tested, fresh = (
        right_answers[:, order[:TESTED]].mean(axis=1),
        right_answers[:, order[TESTED:]].mean(axis=1),
    )
    best = int(tested.argmax())
    return {
        "reported_wrong": tested[best],
        "true_wrong": fresh[best],
        "reported_right": tested[by_validation],
        "true_right": fresh[by_validation],
    }


def many_probes(seed: int) -> tuple[np.ndarray, int]:
    """Which test cells each setting gets right, bool (settings, cells); and the place of the best by validation."""
    rows, answers, validated = solar().train.sample_rows(CELLS, seed), [], []
    labels = solar().train.labels[rows]
    for count in range(1, len(CHOSEN_FROM) + 1):
        for blocks in combinations(CHOSEN_FROM, count):
            learned, judged = (
                np.hstack([block_features(block)[part] for block in blocks])
                for part in (0, 1)
            )
            for strength in STRENGTHS:
                validated.append(
                    _cross_validated(learned[rows], labels, strength, seed)
                )
                probe = tl.train_classifier(learned[rows], labels, C=strength)
                answers.append(probe.predict(judged) == solar().test.labels)
    return np.array(answers), int(np.argmax(validated))


def _cross_validated(
    features: np.ndarray, labels: np.ndarray, strength: float, seed: int
) -> float:
    """Mean accuracy over five folds; shuffled, because the cells are in the order of their modules."""
    from sklearn.model_selection import StratifiedKFold

    found = []
    for kept, held_out in StratifiedKFold(5, shuffle=True, random_state=seed).split(
        features, labels
    ):
        probe = tl.train_classifier(features[kept], labels[kept], C=strength)
        found.append(probe.score(features[held_out], labels[held_out]))
    return float(np.mean(found))


@cache
def block_features(block: str) -> tuple[np.ndarray, np.ndarray]:
    return tuple(
        model().extract_features(split.images, [block])
        for split in (solar().train, solar().test)
    )
