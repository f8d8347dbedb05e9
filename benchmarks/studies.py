"""What the lessons show and may not take the time to compute: `make results` runs it, `tl.results(name)` reads it."""

import time
from dataclasses import replace
from functools import partial

import numpy as np
from peers.driving import mean_sd
from small_networks import accuracy, train

import tlcourse as tl

SEEDS = (0, 1, 2, 3, 4)
SOURCE_STEPS = 600  # of pretraining on digits
SIGNS, LABELS = 60, (1, 2, 4, 10, 20)  # of `ways`
LAYER_SIGNS, LAYER_LABELS = (10, 100), 4  # of `layers`
TUNED_CELLS, TUNED_BLOCKS = (
    100,
    6,
)  # of each class; blocks that learn, where the learning rate is studied
TUNING_SEEDS = (0, 1, 2)
BLOCKS_THAT_LEARN = (0, 1, 3, 6, 12)  # 6: from block6a on; 12: from block4a on
RATES = (2e-6, 2e-5, 2e-4, 2e-3, 2e-2)
CURVE_LABELS, CELL_SIZE = (
    (1, 2, 5, 10, 20),
    (64, 64),
)  # of lesson 01; the pixels of a cell learned from scratch
FLIPS = ("as is", "left-right", "upside-down", "half-turn")


def kanji() -> dict:
    """Digits carried over to Kanji: three ways by number of labels, layer by layer, and sources that were spoiled."""
    digits, data = tl.load_dataset("digits").train, tl.load_dataset("kanji")
    source = pretrained(digits.images, digits.labels)
    some = data.with_classes(data.class_names[:SIGNS])
    return {
        "source_accuracy": rounded(accuracy(source, *digits_test())),
        "ways": tl.learning_curve(some, LABELS, ways(source), SEEDS).record(),
        "layers": {
            "labels_a_sign": LAYER_LABELS,
            "signs": {
                str(signs): layers(data.with_classes(data.class_names[:signs]), source)
                for signs in LAYER_SIGNS
            },
        },
        "spoiled": spoiled(some, digits, source),
    }


def digits_test() -> tuple[np.ndarray, np.ndarray]:
    test = tl.load_dataset("digits").test
    return test.images, test.labels


def pretrained(images, labels):
    return train(images, labels, steps=SOURCE_STEPS)


def ways(source) -> dict:
    """Name → function (split, seed) → trained network, or probe on ImageNet features."""
    return {
        "from scratch": partial(small, {}),
        "carried, trained further": partial(small, {"start": source}),
        "carried, frozen": partial(small, {"start": source, "frozen": True}),
        "ImageNet features": ImageNetProbe,
    }


def small(options: dict, split, seed: int):
    return train(split.images, split.labels, seed=seed, **options)


class ImageNetProbe:
    """A linear probe on the bundled network's features."""

    def __init__(self, split, seed: int):
        self._model = tl.load_pretrained_model()
        features = self._model.extract_features(
            split.images, cache=False
        )  # each draw pays for its own
        self._probe = tl.train_classifier(features, split.labels, seed=seed)

    def predict(self, images) -> np.ndarray:
        return self._probe.predict(self._model.extract_features(images))


def layers(data, source) -> dict:
    """Accuracy with 0 to 3 convolutions carried over: {"frozen", "trained further"} → {"mean", "sd"} → one a depth."""
    found = {}
    for way, frozen in (("frozen", True), ("trained further", False)):
        accuracies = np.array(
            [
                [carried(data, source, depth, frozen, seed) for seed in SEEDS]
                for depth in range(4)
            ]
        )
        found[way] = means_and_sds(accuracies)
    return found


def carried(data, source, depth: int, frozen: bool, seed: int) -> float:
    part = data.train.sample(LAYER_LABELS, seed)
    start = {"start": source, "layers": depth, "frozen": frozen} if depth else {}
    network = train(part.images, part.labels, seed=seed, **start)
    return accuracy(network, data.test.images, data.test.labels)


def spoiled(data, digits, source) -> dict:
    """Accuracy with the convolutions of a source whose pictures were inverted, or whose labels were shuffled."""
    rng = np.random.default_rng(0)
    sources = {
        "as it is": source,
        "inverted": pretrained(255 - digits.images, digits.labels),
        "labels shuffled": pretrained(digits.images, rng.permutation(digits.labels)),
    }
    found = {
        "labels_a_sign": LAYER_LABELS,
        "scratch": mean_sd(carried(data, None, 0, False, seed) for seed in SEEDS),
    }
    for name, start in sources.items():
        found[name] = {
            way: mean_sd(carried(data, start, 3, frozen, seed) for seed in SEEDS)
            for way, frozen in (("frozen", True), ("trained further", False))
        }
    return found


def means_and_sds(accuracies: np.ndarray) -> dict:
    """Of each row of draws."""
    return {
        "mean": [rounded(mean) for mean in accuracies.mean(axis=1)],
        "sd": [rounded(sd) for sd in accuracies.std(axis=1, ddof=1)],
    }


def rounded(number) -> float:
    return round(float(number), 4)


def solar_tuning() -> dict:
    """Lesson 05: how many blocks learn, and how fast; on 100 cells of each class, judged on validation cells."""
    rates = [fine_tuned(TUNED_BLOCKS, learning_rate=rate) for rate in RATES]
    blocks = [
        fine_tuned(count) if count else probe_alone() for count in BLOCKS_THAT_LEARN
    ]
    return {
        "cells": 2 * TUNED_CELLS,
        "blocks": {
            "blocks that learn": list(BLOCKS_THAT_LEARN),
            **side_by_side(blocks),
        },
        "rates": {"learning rate": list(RATES), **side_by_side(rates)},
    }


def fine_tuned(blocks: int, **settings) -> list[tuple[float, float]]:
    """Accuracy and seconds of each draw."""
    found = []
    for seed in TUNING_SEEDS:
        learned, judged = tuning_cells(seed)
        tuned = tl.fine_tune(
            tl.load_pretrained_model(),
            learned.images,
            learned.labels,
            blocks,
            augmentations=FLIPS,
            validation=0,
            cache=False,  # each pays for its own activations
            seed=seed,
            **settings,
        )
        accuracy = tuned.score(judged.images, judged.labels)
        found.append((accuracy, sum(tuned.record["seconds"].values())))
    return found


def probe_alone() -> list[tuple[float, float]]:
    model, found = tl.load_pretrained_model(), []
    for seed in TUNING_SEEDS:
        learned, judged = tuning_cells(seed)
        start = time.perf_counter()
        probe = tl.train_classifier(
            model.extract_features(learned.images, cache=False),
            learned.labels,
            seed=seed,
        )
        seconds = time.perf_counter() - start
        found.append(
            (probe.score(model.extract_features(judged.images), judged.labels), seconds)
        )
    return found


def tuning_cells(seed: int):
    solar = tl.load_dataset("solar")
    return solar.train.sample(TUNED_CELLS, seed), solar.validation


def side_by_side(points: list[list[tuple[float, float]]]) -> dict:
    accuracies, seconds = np.array(points).transpose(2, 0, 1)
    return {
        **means_and_sds(accuracies),
        "seconds": [round(float(took), 1) for took in np.median(seconds, axis=1)],
    }


def curves() -> dict:
    """Lesson 01's learning curves: from scratch, probe and fine-tuning, on solar cells and on the Kanji numerals."""
    data = tl.load_dataset("kanji")
    numerals = data.with_classes(data.class_names[:10])
    return {
        "kanji": tl.learning_curve(
            numerals,
            (*CURVE_LABELS, None),
            {"scratch": from_scratch, "probe": "probe", "fine-tune": "fine-tune"},
            seeds=SEEDS,
        ).record(),
        "solar": solar_curve(),
    }


def solar_curve() -> dict:
    """By the published protocol: each draw has its own test cells, and nothing is held out of the other cells.

    Fine-tuning on all of them takes the better part of an hour: those draws are the ones of `make bench`.
    """
    draws = [solar_draw(seed) for seed in SEEDS]
    points = {
        method: [
            together([draw[method][place] for draw in draws])
            for place in range(len(draws[0][method]))
        ]
        for method in draws[0]
    }
    bench = tl.results("bench.finetune")
    points["fine-tune"].append(
        {
            "labels": None,
            "rows": bench["train"],
            "accuracies": [draw["accuracy"] for draw in bench["draws"]],
            "seconds": [draw["seconds"] for draw in bench["draws"]],
        }
    )
    return {"name": "solar", "seeds": list(SEEDS), "points": points}


def solar_draw(seed: int) -> dict:
    """Method → its points, of one draw."""
    drawn = tl.load_dataset("solar", seed=seed)
    data = replace(drawn, train=drawn.train_and_validation)
    methods = {"scratch": from_scratch, "probe": "probe"}
    quick = tl.learning_curve(data, (*CURVE_LABELS, None), methods, [seed])
    slow = tl.learning_curve(data, CURVE_LABELS, {"fine-tune": as_in_lesson_05}, [seed])
    return {**quick.record()["points"], **slow.record()["points"]}


def from_scratch(split, seed: int):
    size = CELL_SIZE if max(split.images.shape[1:3]) > max(CELL_SIZE) else None
    return train(
        split.images, split.labels, size=size, weights=split.weights, seed=seed
    )


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


def together(points: list[dict]) -> dict:
    """One point of those that each draw has given."""
    lists = {
        name: [value for point in points for value in point[name]]
        for name in ("accuracies", "seconds")
    }
    return points[0] | lists
