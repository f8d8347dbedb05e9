"""Lessons 01 and 05: learning curves, and the settings of fine-tuning."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
from records import mean_sd

import tlcourse as tl

from .small_networks import fit, keras, number_of_steps, train

SEEDS = (0, 1, 2, 3, 4)
FLIPS = ("as is", "left-right", "upside-down", "half-turn")

# Lesson 01: labels of each class, None for all
STAMP_LABELS, KANJI_LABELS = (1, 2, 5, None), (1, 2, 5, 10, 20, None)
SOLAR_LABELS = (1, 2, 5, 10, 20, 100, 250, 500, None)
SMALL_SIZE = (64, 64)  # pixels for the small CNN, where a picture is larger
RANDOM_SIDE, RANDOM_KANJI_SIDE = 128, 64  # pixels for the network with random weights
RANDOM_EPOCHS, RANDOM_STEPS, RANDOM_BATCH = 12, (60, 400), 16
SOLAR_RANDOM_LABELS, SOLAR_RANDOM_SEEDS = (10, 100, None), (0, 1, 2)
SOLAR_RANDOM_SIDE, SOLAR_RANDOM_STEPS = 64, (60, 800)  # six epochs of all cells
OURS = {"probe": "probe", "fine-tune": "fine-tune"}

# Lesson 05
TUNED_CELLS = 100  # of each class
TUNED_BLOCKS = 6  # that are trained, where the learning rate is studied
TUNING_SEEDS = (0, 1, 2)
BLOCKS = (0, 1, 3, 6, 12)  # 6: from block6a on; 12: from block4a on
RATES = (2e-6, 2e-5, 2e-4, 2e-3, 2e-2)


def curves() -> dict:
    """Networks from random weights, probe and fine-tuning, on three data sets."""
    solar = solar_curve()
    random_weights = [
        solar_random_points(seed, SOLAR_RANDOM_LABELS) for seed in SOLAR_RANDOM_SEEDS
    ]
    return {
        "stamps": stamps_curve(),
        "kanji": kanji_curve(),
        "solar": solar,
        "solar_random_weights": with_random_weights(solar, random_weights),
    }


def stamps_curve() -> dict:
    """One split per seed."""
    methods = {"small CNN": small_cnn, "random weights": RandomWeights, **OURS}
    points = []
    for seed in SEEDS:
        data = tl.load_dataset("stamps", seed=seed)
        curve = tl.learning_curve(data, STAMP_LABELS, methods, [seed])
        points.append(curve.record()["points"])
    return {"name": "stamps", "seeds": list(SEEDS), "points": _joined_points(points)}


def kanji_curve() -> dict:
    """The ten numerals, one set of test fonts, other training pictures per seed."""
    data = tl.load_dataset("kanji")
    numerals = data.with_classes(data.class_names[:10])
    random_weights = partial(RandomWeights, side=RANDOM_KANJI_SIDE)
    methods = {"small CNN": small_cnn, "random weights": random_weights, **OURS}
    return tl.learning_curve(numerals, KANJI_LABELS, methods, SEEDS).record()


def small_cnn(split, seed: int):
    images = np.asarray(split.images)
    size = SMALL_SIZE if max(images.shape[1:3]) > max(SMALL_SIZE) else None
    return train(images, split.labels, size=size, weights=split.weights, seed=seed)


class RandomWeights:
    """The pretrained network's architecture, all layers trained from random weights.

    Its batch norms follow the batches ten times as fast as those of the network that
    was pretrained, or so short a training would leave their averages behind.
    """

    def __init__(
        self,
        split,
        seed: int,
        side: int = RANDOM_SIDE,
        steps: tuple[int, int] | None = None,
    ):
        self._size = (side, side)
        keras.utils.set_random_seed(seed)
        config = tl.load_pretrained_model().copy_network().get_config()
        for layer in config["layers"]:
            if layer["class_name"] == "InputLayer":
                layer["config"]["batch_shape"] = (None, *self._size, 3)
            elif layer["class_name"] == "BatchNormalization":
                layer["config"]["momentum"] = 0.9
        base = keras.Model.from_config(config)
        head = keras.layers.Dense(len(split.class_names), activation="softmax")
        self._network = keras.Model(base.input, head(base.output))
        count = number_of_steps(
            len(split), RANDOM_EPOCHS, steps or RANDOM_STEPS, RANDOM_BATCH
        )
        pixels = self._resized(split.images)
        fit(
            self._network,
            pixels,
            split.labels,
            split.weights,
            1e-3,
            count,
            RANDOM_BATCH,
        )

    def predict(self, images) -> np.ndarray:
        outputs = self._network.predict(self._resized(images), verbose=0)
        return outputs.argmax(axis=1)

    def _resized(self, images) -> np.ndarray:
        copies = [tl.augment(image, ("as is",), self._size) for image in images]
        return np.concatenate(copies)


def solar_curve() -> dict:
    """By the published protocol: one split per seed, and nothing held out of the rest.

    Fine-tuning on all cells is taken from `make bench PARTS=finetune`.
    """
    points = _joined_points([_solar_split(seed) for seed in SEEDS])
    bench = tl.results("bench.finetune")
    whole = {"labels": None, "rows": bench["train"]}
    whole["accuracies"] = [split["accuracy"] for split in bench["splits"]]
    whole["seconds"] = [split["seconds"] for split in bench["splits"]]
    points["fine-tune"].append(whole)
    return {"name": "solar", "seeds": list(SEEDS), "points": points}


def _solar_split(seed: int) -> dict:
    """Method → its points on one split."""
    data = published_protocol(seed)
    fast = {"small CNN": small_cnn, "probe": "probe"}
    quick = tl.learning_curve(data, SOLAR_LABELS, fast, [seed])
    slow = {"fine-tune": as_in_lesson_05}
    slow = tl.learning_curve(data, SOLAR_LABELS[:-1], slow, [seed])
    return {**quick.record()["points"], **slow.record()["points"]}


def solar_random_points(seed: int, labels: tuple[int | None, ...]) -> list[dict]:
    """The network with random weights on one split, a point for each number of labels."""
    options = {"side": SOLAR_RANDOM_SIDE, "steps": SOLAR_RANDOM_STEPS}
    method = partial(RandomWeights, **options)
    methods = {"random weights": method}
    curve = tl.learning_curve(published_protocol(seed), labels, methods, [seed])
    return curve.record()["points"]["random weights"]


def with_random_weights(curve: dict, random_weights: list[list[dict]]) -> dict:
    """The solar curve on the splits, and with the labels, of random weights beside it."""
    count = len(random_weights)
    methods = {
        name: [
            _first(point, count)
            for point in points
            if point["labels"] in SOLAR_RANDOM_LABELS
        ]
        for name, points in curve["points"].items()
    }
    methods["random weights"] = list(map(_joined, zip(*random_weights, strict=True)))
    return {"name": "solar", "seeds": list(SOLAR_RANDOM_SEEDS), "points": methods}


def _first(point: dict, count: int) -> dict:
    """A point with the accuracies and seconds of the first splits alone."""
    lists = {name: point[name][:count] for name in ("accuracies", "seconds")}
    return point | lists


def published_protocol(seed: int):
    """The solar cells, split as in the publication: nothing is held out of the rest."""
    data = tl.load_dataset("solar", seed=seed)
    return replace(data, train=data.train_and_validation)


def as_in_lesson_05(split, seed: int):
    return tl.fine_tune(
        tl.load_pretrained_model(),
        split.images,
        split.labels,
        "block4a",
        augmentations=FLIPS,
        validation=0,
        sample_weight=split.weights,
        learning_rate=5e-4,
        cache=False,
        seed=seed,
    )


def _joined_points(splits: list[dict]) -> dict:
    """Method → points, with the accuracies and seconds of all splits in each."""
    columns = {method: [split[method] for split in splits] for method in splits[0]}
    return {
        method: [_joined(points) for points in zip(*lists, strict=True)]
        for method, lists in columns.items()
    }


def _joined(points: tuple[dict, ...]) -> dict:
    """One point out of those of each split."""
    lists = {
        name: [value for point in points for value in point[name]]
        for name in ("accuracies", "seconds")
    }
    rows = round(float(np.mean([point["rows"] for point in points])))
    return points[0] | {"rows": rows} | lists


def solar_tuning() -> dict:
    """How many blocks are trained, and how fast: accuracy on the validation cells."""
    rates = [fine_tuned(TUNED_BLOCKS, learning_rate=rate) for rate in RATES]
    blocks = [fine_tuned(count) if count else probe_alone() for count in BLOCKS]
    return {
        "cells": 2 * TUNED_CELLS,
        "blocks": {"blocks trained": list(BLOCKS), **_columns(blocks)},
        "rates": {"learning rate": list(RATES), **_columns(rates)},
    }


def fine_tuned(blocks: int, **settings) -> list[tuple[float, float]]:
    """Accuracy and seconds for each seed."""
    model, found = tl.load_pretrained_model(), []
    for seed in TUNING_SEEDS:
        training, validation = tuning_cells(seed)
        tuned = tl.fine_tune(
            model,
            training.images,
            training.labels,
            blocks,
            augmentations=FLIPS,
            validation=0,
            cache=False,  # each pays for its own activations
            seed=seed,
            **settings,
        )
        score = tuned.score(validation.images, validation.labels)
        found.append((score, sum(tuned.record["seconds"].values())))
    return found


def probe_alone() -> list[tuple[float, float]]:
    model, found = tl.load_pretrained_model(), []
    for seed in TUNING_SEEDS:
        training, validation = tuning_cells(seed)
        start = time.perf_counter()
        features = model.extract_features(training.images, cache=False)
        probe = tl.train_classifier(features, training.labels, seed=seed)
        seconds = time.perf_counter() - start
        held_out = model.extract_features(validation.images)
        found.append((probe.score(held_out, validation.labels), seconds))
    return found


def tuning_cells(seed: int):
    solar = tl.load_dataset("solar")
    return solar.train.sample(TUNED_CELLS, seed), solar.validation


def _columns(points: list[list[tuple[float, float]]]) -> dict:
    accuracies, seconds = np.array(points).transpose(2, 0, 1)
    medians = [round(float(median), 1) for median in np.median(seconds, axis=1)]
    return {**_means_and_sds(accuracies), "seconds": medians}


def _means_and_sds(accuracies: np.ndarray) -> dict:
    """Of each row, whose columns are the seeds."""
    scores = [mean_sd(row) for row in accuracies]
    return {name: [score[name] for score in scores] for name in ("mean", "sd")}
