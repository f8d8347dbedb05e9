"""Lesson 11: what `tlcourse train` chooses, beside a probe and fine-tuning throughout.

On each random split the three are trained on the same pictures (the command's training
and validation pictures), with the command's settings, and tested on the same others.
"""

import statistics

import numpy as np

import tlcourse as tl
from tlcourse.datasets.same_pictures import same_pictures
from tlcourse.errors import DatasetUnavailable
from tlcourse.training.preparation import Settings
from tlcourse.training.selection import group_folds, select

SPLITS = 10
SPLITS_OF_ALL_CELLS = 3  # each takes minutes
FEW_CELLS = 100  # of each class
FOLDS = 5  # of a pack, one of which is the test set
MODELS = ("probe", "fine_tuned", "chosen")


def stamps() -> dict:
    """Photographs of the same object stay together."""
    images, labels, kinds, index = _all_of("stamps")
    groups = np.unique(kinds, return_inverse=True)[1]
    return _compared(images, labels, groups, _splits("stamps", index, SPLITS))


def few_cells() -> dict:
    """200 solar cells to train on."""
    images, labels, _, index = _all_of("solar")
    splits = _splits("solar", index, SPLITS, FEW_CELLS)
    return _compared(images, labels, np.arange(len(labels)), splits)


def all_cells() -> dict:
    """All 1,968 solar cells that are not for the test."""
    images, labels, _, index = _all_of("solar")
    splits = _splits("solar", index, SPLITS_OF_ALL_CELLS)
    return _compared(images, labels, np.arange(len(labels)), splits)


def dogs() -> dict:
    """A pack, split anew; {} without it."""
    try:
        images, labels, _, _ = _all_of("dogs")
    except DatasetUnavailable as error:
        print(error)
        return {}
    groups = same_pictures(images)
    splits = [group_folds(labels, groups, FOLDS, seed)[0] for seed in range(SPLITS)]
    return _compared(images, labels, groups, splits)


def _all_of(name: str) -> tuple:
    """Pictures, labels and groups of all splits together; path → position."""
    data = tl.load_dataset(name)
    parts = (data.train_and_validation, data.test)
    images = parts[0].images + parts[1].images
    labels = np.concatenate([part.labels for part in parts])
    groups = None
    if data.train.groups is not None:
        groups = np.concatenate([part.groups for part in parts])
    return images, labels, groups, {path: i for i, path in enumerate(images.paths)}


def _splits(name: str, index: dict, count: int, per_class: int | None = None) -> list:
    """Positions to train on, and of the test pictures, of each random split."""
    splits = []
    for seed in range(count):
        data = tl.load_dataset(name, seed=seed)
        train, test = data.train_and_validation, data.test
        if per_class:
            train = train.sample(per_class, seed)
        rows = [[index[path] for path in part.images.paths] for part in (train, test)]
        splits.append(tuple(np.sort(part) for part in rows))
    return splits


def _compared(images, labels: np.ndarray, groups: np.ndarray, splits: list) -> dict:
    """Accuracies on the test pictures of each split, and how they differ."""
    model, measured = tl.load_pretrained_model(), []
    features = model.extract_features(images)
    preparation = tl.prepare_fine_tuning(model, images, labels, validation=0)
    for seed, (train, test) in enumerate(splits):
        settings = Settings.of(model, {"seed": seed})

        def fine_tuned(rows, held, train=train, settings=settings):
            return preparation.predict_held_out(train[rows], train[held], settings)

        chosen = select(features[train], labels[train], groups[train], fine_tuned, seed)
        probe = tl.train_classifier(features[train], labels[train], seed=seed)
        right = {
            "probe": probe.predict(features[test]),
            "fine_tuned": preparation.predict_held_out(train, test, settings),
        }
        right = {name: float(np.mean(y == labels[test])) for name, y in right.items()}
        right["chosen"] = right["fine_tuned" if chosen.is_fine_tuned else "probe"]
        measured.append(
            {name: round(value, 4) for name, value in right.items()}
            | {"is_fine_tuned": chosen.is_fine_tuned, "choice": chosen.choice}
        )
        print(f"  {seed}: {measured[-1]}", flush=True)
    return {
        "train": len(splits[0][0]),
        "test": len(splits[0][1]),
        "splits": measured,
        "mean": {
            name: round(statistics.mean(one[name] for one in measured), 4)
            for name in MODELS
        },
        "minus_probe": {
            name: _mean_se([one[name] - one["probe"] for one in measured])
            for name in MODELS[1:]
        },
    }


def _mean_se(differences: list[float]) -> dict:
    """Mean of paired differences, and its standard error."""
    error = statistics.stdev(differences) / len(differences) ** 0.5
    return {"mean": round(statistics.mean(differences), 4), "se": round(error, 4)}
