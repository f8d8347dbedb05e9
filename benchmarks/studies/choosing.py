"""Lesson 11: what `tlcourse train` chooses, beside a probe and fine-tuning throughout.

On each random split the three are trained on the same pictures (the command's training
and validation pictures), with the command's settings, and tested on the same others.
"""

import statistics

import numpy as np
from records import mean_se

import tlcourse as tl
from tlcourse.datasets.same_pictures import same_pictures
from tlcourse.errors import DatasetUnavailable
from tlcourse.training.folds import group_folds
from tlcourse.training.preparation import Settings
from tlcourse.training.selection import select

SPLITS = 10
SPLITS_OF_ALL_CELLS = 5  # each takes minutes
FEW_CELLS = 100  # of each class
FOLDS = 5  # of a pack; one of them is the test set
EPOCHS = 10
MODELS = ("probe", "fine_tuned", "chosen")


def stamps() -> dict:
    return compared(splits_of("stamps"))


def few_cells() -> dict:
    """200 solar cells to train on."""
    splits = enumerate(splits_of("solar"))
    return compared([(train.sample(FEW_CELLS, n), test) for n, (train, test) in splits])


def all_cells() -> dict:
    """All 1,968 solar cells that are not for the test."""
    return compared(splits_of("solar", SPLITS_OF_ALL_CELLS))


def dogs() -> dict:
    """A pack, split anew; {} without it."""
    try:
        data = tl.load_dataset("dogs")
    except DatasetUnavailable as error:
        print(error)
        return {}
    parts = [data.train_and_validation, data.test]
    images, labels = parts[0].images + parts[1].images, [part.labels for part in parts]
    whole = tl.datasets.Split(images, np.concatenate(labels), data.class_names)
    groups, splits = same_pictures(images), []
    for seed in range(SPLITS):
        train, test = group_folds(whole.labels, groups, FOLDS, seed)[0]
        splits.append((whole.select(train), whole.select(test)))
    return compared(splits)


def splits_of(name: str, count: int | None = None) -> list[tuple]:
    """What to train on, and the test pictures, of each random split."""
    found = [tl.load_dataset(name, seed=seed) for seed in range(count or SPLITS)]
    return [(data.train_and_validation, data.test) for data in found]


def compared(splits: list[tuple]) -> dict:
    """Accuracies on the test pictures of each split, and how they differ."""
    label_of = {
        path: label
        for parts in splits
        for part in parts
        for path, label in zip(part.images.paths, part.labels.tolist(), strict=True)
    }
    images = tl.pictures.Pictures(list(label_of))
    labels = np.array(list(label_of.values()))
    index = {path: row for row, path in enumerate(label_of)}
    model, groups, measured = tl.load_pretrained_model(), same_pictures(images), []
    features = model.extract_features(images)
    preparation = tl.prepare_fine_tuning(model, images, labels, validation=0)
    for seed, parts in enumerate(splits):
        train, test = (
            np.sort([index[path] for path in part.images.paths]) for part in parts
        )
        settings = Settings.of(model, {"epochs": EPOCHS, "seed": seed})

        def fine_tuned(rows, held, train=train, settings=settings):
            return preparation.predict_held_out(train[rows], train[held], settings)

        chosen = select(features[train], labels[train], groups[train], fine_tuned, seed)
        probe = tl.train_classifier(features[train], labels[train], seed=seed)
        predicted = preparation.predict_held_out(train, test, settings)
        right = {
            "probe": probe.score(features[test], labels[test]),
            "fine_tuned": float(np.mean(predicted == labels[test])),
        }
        right["chosen"] = right["fine_tuned" if chosen.is_fine_tuned else "probe"]
        rounded = {name: round(value, 4) for name, value in right.items()}
        about = {"is_fine_tuned": chosen.is_fine_tuned, "choice": chosen.choice}
        measured.append(rounded | about)
        print(f"  {measured[-1]}", flush=True)
    accuracies = {name: [one[name] for one in measured] for name in MODELS}
    return {
        "train": len(splits[0][0]),
        "test": len(splits[0][1]),
        "splits": measured,
        "mean": {name: round(statistics.mean(accuracies[name]), 4) for name in MODELS},
        "minus_probe": {
            name: mean_se(np.subtract(accuracies[name], accuracies["probe"]))
            for name in MODELS[1:]
        },
    }
