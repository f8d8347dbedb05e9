"""Lesson 09: pixels that are preprocessed in another way than the network expects."""

from collections.abc import Callable
from functools import cache

import numpy as np
from records import mean_sd

import tlcourse as tl

from .mistakes_in_evaluation import CELLS, model, solar, speaks

SEEDS = (0, 1, 2, 3, 4)
NUMERALS, LABELS = 10, 10  # of the Kanji, and labels of each
TESTED = 150  # of each class, or all


@cache
def numerals():
    """Ten Kanji; the test set is in other fonts than the training set."""
    kanji = tl.load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:NUMERALS])


def scaled(pixels):
    return (pixels - 127.0) / 128


PREPROCESSINGS: dict[str, Callable] = {
    "right": scaled,
    "forgotten": lambda pixels: pixels,
    "scaled to [0, 1]": lambda pixels: pixels / 255,
    "done twice": lambda pixels: scaled(scaled(pixels)),
    "as VGG wants it": lambda pixels: pixels[..., ::-1] - [103.939, 116.779, 123.68],
}


@cache
def network_without_preprocessing():
    import keras

    network = model().network
    return keras.Model(network.get_layer("preprocessing").output, network.output)


def preprocessed_features(split, way: str) -> np.ndarray:
    pixels = []
    for image in split.images:
        image = np.asarray(image)
        colour = image if image.ndim == 3 else np.repeat(image[..., None], 3, axis=-1)
        pixels.append(tl.pictures.resize(colour, model().input_size))
    inputs = PREPROCESSINGS[way](np.stack(pixels).astype(np.float32))
    network = network_without_preprocessing()
    return network.predict(inputs.astype(np.float32), batch_size=8, verbose=0)


@cache
def _features(dataset: str, part: str, way: str, seed: int) -> tuple:
    """Features and labels of a training or test set, preprocessed in one way."""
    data, count = (numerals(), LABELS) if dataset == "numerals" else (solar(), CELLS)
    test = part == "test"
    split = data.test.sample(TESTED) if test else data.train.sample(count, seed)
    return preprocessed_features(split, way), split.labels


def preprocessed_accuracy(dataset: str, train_way: str, test_way: str, seed: int):
    features, labels = _features(dataset, "train", train_way, seed)
    probe = tl.train_classifier(features, labels, seed=seed)
    return probe.score(*_features(dataset, "test", test_way, 0))


def forgotten(seed: int) -> dict:
    """Solar cells; the preprocessing is forgotten, in training and in use."""
    names = {"right": "right", "wrong": "forgotten"}
    expected = tl.checks.assert_preprocessing
    check = {
        way: speaks(expected, model(), PREPROCESSINGS[name])
        for way, name in names.items()
    }
    accuracies = {
        way: preprocessed_accuracy("solar", name, name, seed)
        for way, name in names.items()
    }
    return {**accuracies, "check": check}


def preprocessings() -> dict:
    """Data set → way → accuracy, the same way throughout, or only in use."""
    return {
        name: {
            way: {
                "throughout": mean_sd(
                    preprocessed_accuracy(name, way, way, seed) for seed in SEEDS
                ),
                "only in use": mean_sd(
                    preprocessed_accuracy(name, "right", way, seed) for seed in SEEDS
                ),
            }
            for way in PREPROCESSINGS
        }
        for name in ("solar", "numerals")
    }
