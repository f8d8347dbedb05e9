"""Lessons 01, 05 and 06: learning curves, fine-tuning's settings, digits → Kanji."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
from records import mean_sd

import tlcourse as tl

from .small_networks import accuracy, train

SEEDS = (0, 1, 2, 3, 4)
FLIPS = ("as is", "left-right", "upside-down", "half-turn")

# Lesson 01
CURVE_LABELS = (1, 2, 5, 10, 20)  # of each class
CELL_SIZE = (64, 64)  # pixels of a solar cell for the network from scratch

# Lesson 05
TUNED_CELLS = 100  # of each class
TUNED_BLOCKS = 6  # that are trained, where the learning rate is studied
TUNING_SEEDS = (0, 1, 2)
BLOCKS = (0, 1, 3, 6, 12)  # 6: from block6a on; 12: from block4a on
RATES = (2e-6, 2e-5, 2e-4, 2e-3, 2e-2)

# Lesson 06
SOURCE_STEPS = 600  # of pretraining on digits
CHARACTERS, LABELS = 60, (1, 2, 4, 10, 20)
LAYER_CHARACTERS, LAYER_LABELS = (10, 100), 4
WAYS = {"frozen": True, "trained further": False}  # names that lesson 06 reads


def curves() -> dict:
    """From scratch, probe and fine-tuning, on solar cells and on the Kanji numerals."""
    data = tl.load_dataset("kanji")
    numerals = data.with_classes(data.class_names[:10])
    methods = {"scratch": from_scratch, "probe": "probe", "fine-tune": "fine-tune"}
    labels = (*CURVE_LABELS, None)
    kanji = tl.learning_curve(numerals, labels, methods, SEEDS)
    return {"kanji": kanji.record(), "solar": solar_curve()}


def from_scratch(split, seed: int):
    images = split.images
    size = CELL_SIZE if max(images.shape[1:3]) > max(CELL_SIZE) else None
    return train(images, split.labels, size=size, weights=split.weights, seed=seed)


def solar_curve() -> dict:
    """By the published protocol: one split per seed, and nothing held out of the rest.

    Fine-tuning on all cells is taken from `make bench PARTS=finetune`.
    """
    splits = [_solar_split(seed) for seed in SEEDS]
    points = {
        method: [
            _joined([split[method][index] for split in splits])
            for index in range(len(splits[0][method]))
        ]
        for method in splits[0]
    }
    bench = tl.results("bench.finetune")
    whole = {"labels": None, "rows": bench["train"]}
    whole["accuracies"] = [split["accuracy"] for split in bench["draws"]]
    whole["seconds"] = [split["seconds"] for split in bench["draws"]]
    points["fine-tune"].append(whole)
    return {"name": "solar", "seeds": list(SEEDS), "points": points}


def _solar_split(seed: int) -> dict:
    """Method → its points on one split."""
    data = tl.load_dataset("solar", seed=seed)
    data = replace(data, train=data.train_and_validation)
    fast = {"scratch": from_scratch, "probe": "probe"}
    quick = tl.learning_curve(data, (*CURVE_LABELS, None), fast, [seed])
    slow = tl.learning_curve(data, CURVE_LABELS, {"fine-tune": as_in_lesson_05}, [seed])
    return {**quick.record()["points"], **slow.record()["points"]}


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


def _joined(points: list[dict]) -> dict:
    """One point out of those of each split."""
    lists = {
        name: [value for point in points for value in point[name]]
        for name in ("accuracies", "seconds")
    }
    return points[0] | lists


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


def kanji() -> dict:
    """Digits → Kanji: by number of labels, layer by layer, and from spoiled sources."""
    digits, data = tl.load_dataset("digits"), tl.load_dataset("kanji")
    source = pretrained(digits.train.images, digits.train.labels)
    some = data.with_classes(data.class_names[:CHARACTERS])
    layers = {
        str(count): by_layer(data.with_classes(data.class_names[:count]), source)
        for count in LAYER_CHARACTERS
    }
    on_digits = accuracy(source, digits.test.images, digits.test.labels)
    return {
        "source_accuracy": round(float(on_digits), 4),
        "ways": tl.learning_curve(some, LABELS, ways(source), SEEDS).record(),
        "layers": {"labels_a_sign": LAYER_LABELS, "signs": layers},
        "spoiled": spoiled(some, digits.train, source),
    }


def pretrained(images, labels):
    return train(images, labels, steps=SOURCE_STEPS)


def ways(source) -> dict:
    """Name → function (split, seed) → something that predicts."""
    return {
        "from scratch": small,
        "carried, trained further": partial(small, start=source),
        "carried, frozen": partial(small, start=source, frozen=True),
        "ImageNet features": ImageNetProbe,
    }


def small(split, seed: int, **options):
    return train(split.images, split.labels, seed=seed, **options)


class ImageNetProbe:
    """A linear probe on the bundled network's features, computed anew each time."""

    def __init__(self, split, seed: int):
        self._model = tl.load_pretrained_model()
        features = self._model.extract_features(split.images, cache=False)
        self._probe = tl.train_classifier(features, split.labels, seed=seed)

    def predict(self, images) -> np.ndarray:
        return self._probe.predict(self._model.extract_features(images))


def by_layer(data, source) -> dict:
    """Accuracy with 0 to 3 convolutions copied, frozen or trained."""
    found = {}
    for way, frozen in WAYS.items():
        accuracies = [
            [copied(data, source, depth, frozen, seed) for seed in SEEDS]
            for depth in range(4)
        ]
        found[way] = _means_and_sds(np.array(accuracies))
    return found


def copied(data, source, depth: int, frozen: bool, seed: int) -> float:
    """Test accuracy of a network whose first `depth` convolutions are the source's."""
    part = data.train.sample(LAYER_LABELS, seed)
    start = {"start": source, "layers": depth, "frozen": frozen} if depth else {}
    network = train(part.images, part.labels, seed=seed, **start)
    return accuracy(network, data.test.images, data.test.labels)


def spoiled(data, digits, source) -> dict:
    """With the convolutions of a source with inverted pictures, or shuffled labels."""
    rng = np.random.default_rng(0)
    sources = {
        "as it is": source,
        "inverted": pretrained(255 - digits.images, digits.labels),
        "labels shuffled": pretrained(digits.images, rng.permutation(digits.labels)),
    }
    scratch = mean_sd(copied(data, None, 0, False, seed) for seed in SEEDS)
    found = {"labels_a_sign": LAYER_LABELS, "scratch": scratch}
    for name, start in sources.items():
        found[name] = {
            way: mean_sd(copied(data, start, 3, frozen, seed) for seed in SEEDS)
            for way, frozen in WAYS.items()
        }
    return found
