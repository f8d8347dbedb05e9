"""How pictures get the network's size: what it changes, on three sets of pictures."""

import numpy as np
from records import mean_se

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable
from tlcourse.features.resizing import MODES

SEEDS = range(10)
LABELS = {"stamps": (5, 10), "solar": (50, 200), "dogs": (5, 20)}  # of each class
CELLS = 600  # of the solar cells; of the others all
NAMES = {  # ImageNet's, of the pack's breeds
    "beagle": "beagle",
    "siberian_husky": "Siberian husky",
    "toy_poodle": "toy poodle",
}


def resizing() -> dict:
    """Accuracy by mode, and its difference to "squash" on the same rows."""
    models = {mode: tl.load_pretrained_model(resize=mode) for mode in MODES}
    found: dict = {"probe": {}, "labels": {}}
    for name, counts in LABELS.items():
        try:
            data = tl.load_dataset(name)
        except DatasetUnavailable as error:
            print(error)
            continue
        images, classes = _pool(data, CELLS if name == "solar" else None)
        features = {mode: models[mode].extract_features(images) for mode in MODES}
        found["probe"][name] = {
            str(count): _probes(features, classes, count) for count in counts
        }
        if set(classes) <= set(NAMES):
            found["labels"][name] = _labels(models, images, classes)
    return found


def _pool(data, count: int | None) -> tuple[list, np.ndarray]:
    """The files of all splits, or so many of them, and their classes' names."""
    parts = [split for split in data.splits.values() if len(split)]
    paths = [path for split in parts for path in split.images.paths]
    classes = np.concatenate([split.label_names for split in parts])
    rows = np.random.default_rng(0).permutation(len(paths))[:count]
    return [paths[row] for row in rows], classes[rows]


def _probes(features: dict, classes: np.ndarray, count: int) -> dict:
    """Ten random splits: `count` of each class to train, all others to test."""
    scores: dict = {mode: [] for mode in MODES}
    for seed in SEEDS:
        rng, train = np.random.default_rng(seed), []
        for name in np.unique(classes):
            train += [*rng.permutation(np.flatnonzero(classes == name))[:count]]
        test = np.setdiff1d(np.arange(len(classes)), train)
        for mode, rows in features.items():
            probe = tl.train_classifier(rows[train], classes[train], seed=seed)
            scores[mode].append(probe.score(rows[test], classes[test]))
    return _compared(scores)


def _labels(models: dict, images: list, classes: np.ndarray) -> dict:
    """How often the class is the first, and among the first five, of 1,000."""
    answers = {mode: models[mode].predict_labels(images, 5) for mode in MODES}
    found = {"photographs": len(images)}
    for top in (1, 5):
        hits = {
            mode: [
                NAMES[name] in [label for label, _ in best[:top]]
                for name, best in zip(classes, predictions, strict=True)
            ]
            for mode, predictions in answers.items()
        }
        found[f"top {top}"] = _compared(hits)
    return found


def _compared(scores: dict) -> dict:
    """Mode → mean, and the paired difference to "squash" with its standard error."""
    found = {}
    for mode, values in scores.items():
        difference = mean_se(np.subtract(values, scores["squash"], dtype=float))
        found[mode] = {
            "mean": round(float(np.mean(values)), 4),
            "difference": difference["mean"],
            "standard_error": difference["se"],
            "n": difference["n"],
        }
    return found
