"""Training: the course beside the recipes of Keras' guide, PyTorch and the field.

Parts of `bench.py`.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import numpy as np
from figures import KERAS, OURS, TORCH
from records import mean_sd, mean_se, ratios, summary, to_digits
from runner import QUICK, Arm, Comparison, Options, Process, compare, rotated, run_once

EPOCHS = {"frozen": 20, "unfrozen": 3}  # of the recipes beside the course's calls
WAYS = ("features and probe", "fine_tune")  # of the course
CLOSE = 0.005  # to the best accuracy
RECIPES = {"inception_v3": "InceptionV3", "vgg16": "VGG16"}
RECIPE_EPOCHS, RECIPE_COPIES, HEAD_WIDTH = 10, 2, 1024


def finetune(options: Options) -> dict:
    """`tl.fine_tune` on solar cells: the published protocol, one split per seed."""
    splits = []
    for seed in range(options.seeds):
        settings = {"seed": seed, "epochs": options.epochs, "cells": options.cells}
        arm = Arm("ours.py", "fine_tune", settings)
        splits.append(run_once(arm, options.new_folder()))
        print(f"  seed {seed}: {splits[-1]}", flush=True)
    part = {
        "train": splits[0]["train"],
        "epochs": options.epochs,
        "accuracy": mean_sd(split["accuracy"] for split in splits),
        "seconds": summary(split["seconds"] for split in splits),
        "splits": [
            {name: to_digits(split[name]) for name in ("accuracy", "seconds")}
            for split in splits
        ],
    }
    return {"finetune": part}


def training(options: Options) -> dict:
    """Stamps → classifier: the recipe of Keras' guide, PyTorch's, and the course's.

    All have the same weights and the same pictures of 224 px; each works in a fresh
    process, on one split after the other.
    """
    import tlcourse as tl

    with Process(Arm("keras_peer.py", "convert", {"folder": options.work})):
        pass
    weights, epochs = {"weights": options.work / "weights.npz"}, EPOCHS
    if options is QUICK:
        epochs = dict.fromkeys(EPOCHS, 1)
    answers: dict[str, list] = {KERAS: [], TORCH: [], OURS: []}
    for seed in range(options.seeds):
        data = tl.load_dataset("stamps", seed=seed)
        rows = _as_arrays(data, options.work / f"stamps-{seed}.npz")
        common = {"rows": rows, "seed": seed}
        arms = {
            KERAS: Arm("keras_peer.py", "guide_recipe", common | epochs),
            TORCH: Arm("torch_peer.py", "fine_tune", common | weights | epochs, True),
            OURS: Arm("ours.py", "training", common),
        }
        for name in rotated(list(arms), seed):
            with Process(arms[name], TLCOURSE_CACHE=str(options.new_folder())) as one:
                settings = one.ready["settings"]
                answers[name].append(one.go()["curve"])
            print(f"  seed {seed}: {name}: {settings}: {answers[name][-1]}", flush=True)
    about = {"train": len(data.train_and_validation), "test": len(data.test)}
    return {"training": about | {"epochs": epochs} | training_summary(answers)}


def _as_arrays(data, file: Path) -> Path:
    """The pictures of a data set's training and test rows, with labels, in an .npz."""
    arrays = {}
    for name, part in {"train": data.train_and_validation, "test": data.test}.items():
        arrays[name] = _resized(part.images, 224)
        arrays[f"{name}_labels"] = part.labels
    np.savez(file, **arrays)
    return file


def training_summary(answers: dict[str, list]) -> dict:
    """Each peer at its best; how soon and how well the course gets there.

    `answers` has for each name, and each split, points (seconds, test accuracy). A peer
    is at its best in the first epoch whose mean accuracy on the test rows is within
    half a point of its highest one. So it needs no time for epochs that change nothing,
    and is chosen on the test rows, which favours it.
    """
    arms, differences, faster = {}, {}, {}
    for name, curves in answers.items():
        means = np.array(curves)[..., 1].mean(axis=0)
        points = {"at its best": int(np.argmax(means >= means.max() - CLOSE))}
        if name == OURS:
            points = {way: at for at, way in enumerate(WAYS)}
        for point, at in points.items():
            seconds, accuracies = np.transpose([curve[at] for curve in curves])
            arms[f"{name}: {point}"] = {
                "epochs": at + 1,
                "accuracy": mean_sd(accuracies) | {"each": accuracies.tolist()},
                "seconds": summary(seconds) | {"each": seconds.tolist()},
            }
    for way in WAYS:
        for name in (KERAS, TORCH):
            own, peer = arms[f"{OURS}: {way}"], arms[f"{name}: at its best"]
            both = f"{way}, {name}"
            differences[both] = mean_se(
                np.subtract(own["accuracy"]["each"], peer["accuracy"]["each"])
            )
            faster[both] = ratios(peer["seconds"]["each"], own["seconds"]["each"])
    return {"arms": arms, "differences": differences, "ratios": faster}


def recipes(options: Options) -> dict:
    """Epochs of a new head: frozen network inside `fit`, or features computed once."""
    import tlcourse as tl
    from tlcourse.models.recipes import RECIPES as SIZES

    train = tl.load_dataset("solar").train
    rows, number = len(train), min(128, options.pictures)
    found = {}
    with _random_weights():
        for name, title in RECIPES.items():
            pictures = options.work / f"{name}.npy"
            np.save(pictures, _resized(train.images[:number], SIZES[name].size))
            common = {"name": name, "width": HEAD_WIDTH, "pictures": pictures}
            arms = {
                title: Arm("keras_peer.py", "field_recipe", common),
                OURS: Arm("ours.py", "frozen_once", common | {"rows": rows}),
            }
            comparison = compare(arms, options.rounds)
            found[title] = _recipe(comparison, title, rows / number)
    note = (
        f"Weights are random, on which time does not depend. Seconds of the networks "
        f"are measured over {number} pictures per round and extrapolated to {rows:,}; "
        f"the head's are measured over all. The ratio is over {RECIPE_EPOCHS} epochs: "
        f"network and head in each, against features of {RECIPE_COPIES} augmented "
        "copies once and the head in each. Our features of VGG16 are pooled, as its "
        "recipe's are not."
    )
    about = {"rows": rows, "epochs": RECIPE_EPOCHS, "copies": RECIPE_COPIES}
    about |= {"rounds": options.rounds, "note": note}
    return {"recipes": about | {"recipes": found}}


def _recipe(comparison: Comparison, title: str, scale: float) -> dict:
    epochs = [scale * seconds for seconds in comparison.seconds[title]]
    ours = comparison.answers[OURS]
    features = [scale * answer["features_seconds"] for answer in ours]
    heads = [answer["head_seconds"] for answer in ours]
    whole = [
        RECIPE_COPIES * once + RECIPE_EPOCHS * head
        for once, head in zip(features, heads, strict=True)
    ]
    ready = comparison.ready.items()
    return {
        "seconds_an_epoch": summary(epochs),
        "our_features_seconds": summary(features),
        "our_head_seconds_an_epoch": summary(heads),
        "ratios": {OURS: ratios([RECIPE_EPOCHS * epoch for epoch in epochs], whole)},
        "settings": {name: about["settings"] for name, about in ready},
    }


@contextmanager
def _random_weights() -> Iterator[None]:
    """An empty KERAS_HOME with random weights of the recipes' networks."""
    with (
        tempfile.TemporaryDirectory() as home,
        patch.dict("os.environ", KERAS_HOME=home),
    ):
        for name in RECIPES:
            with Process(Arm("keras_peer.py", "random_weights", {"name": name})):
                pass
        yield


def _resized(cells, size: int) -> np.ndarray:
    from tlcourse.features.pictures import resize

    return np.stack([resize(np.ascontiguousarray(cell), (size,) * 2) for cell in cells])
