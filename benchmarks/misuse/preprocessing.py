"""The bare network, given pixels that were prepared in another way than in its training."""

from functools import cache

import numpy as np
from peers.driving import mean_sd

import tlcourse as tl
from tlcourse.features import engine as engines

from .common import CELLS, SIGNS, model, numerals, solar, speaks

TESTED = 150  # of each class, or all


@cache
def bare_network():
    import keras

    network = model().network
    return engines.compile_network(
        keras.Model(network.get_layer("preprocessing").output, network.output)
    )


def bare_features(prepared: np.ndarray) -> np.ndarray:
    """What the bare network makes of prepared pixels."""
    batches = [
        prepared[at : at + 8].astype(np.float32) for at in range(0, len(prepared), 8)
    ]
    return np.concatenate(
        [bare_network().run(np.ascontiguousarray(batch)) for batch in batches]
    )


def data_of(name: str) -> tuple:
    """A data set, and how many pictures of each class are learned from."""
    return (numerals(), SIGNS) if name == "numerals" else (solar(), CELLS)


@cache
def test_of(name: str):
    return data_of(name)[0].test.sample(TESTED, seed=0)


def _pixels(split) -> np.ndarray:
    size = model().input_size
    return np.stack(
        [
            tl.pictures.resize(_in_colour(np.asarray(image)), size)
            for image in split.images
        ]
    ).astype(np.float32)


def _in_colour(picture: np.ndarray) -> np.ndarray:
    return picture if picture.ndim == 3 else np.repeat(picture[..., None], 3, axis=-1)


def right_pixels(images):
    return (images - 127.0) / 128


PREPARED = {
    "right": right_pixels,
    "forgotten": lambda images: images,
    "scaled to [0, 1]": lambda images: images / 255,
    "done twice": lambda images: right_pixels(right_pixels(images)),
    "red and blue exchanged": lambda images: right_pixels(images)[..., ::-1],
    "as VGG wants it": lambda images: (
        images[..., ::-1] - np.array([103.939, 116.779, 123.68], np.float32)
    ),
}


def prepared_features(split, way: str) -> np.ndarray:
    return bare_features(PREPARED[way](_pixels(split)))


@cache
def tested_features(name: str, way: str) -> np.ndarray:
    return prepared_features(test_of(name), way)


@cache
def learned_features(name: str, way: str, seed: int) -> np.ndarray:
    data, count = data_of(name)
    return prepared_features(data.train.sample(count, seed), way)


def prepared_accuracy(name: str, learned_way: str, used_way: str, seed: int) -> float:
    """Accuracy of a probe that learned from pictures prepared in one way, and is used on such prepared in another."""
    data, count = data_of(name)
    labels = data.train.labels[data.train.sample_rows(count, seed)]
    probe = tl.train_classifier(
        learned_features(name, learned_way, seed), labels, seed=seed
    )
    return probe.score(tested_features(name, used_way), test_of(name).labels)


def forgotten(seed: int) -> dict:
    """Solar cells; the preprocessing is forgotten, in training and in use."""
    ways = {
        way: prepared_accuracy("solar", way, way, seed)
        for way in ("right", "forgotten")
    }
    check = {
        way: speaks(tl.checks.assert_preprocessing, model(), PREPARED[name])
        for way, name in (("right", "right"), ("wrong", "forgotten"))
    }
    return {"right": ways["right"], "wrong": ways["forgotten"], "check": check}


def ways(seeds) -> dict:
    """Data set → way → accuracy where the same was done throughout, and where training was right and use is not."""
    return {
        name: {
            way: {
                "throughout": mean_sd(
                    prepared_accuracy(name, way, way, seed) for seed in seeds
                ),
                "only in use": mean_sd(
                    prepared_accuracy(name, "right", way, seed) for seed in seeds
                ),
            }
            for way in PREPARED
        }
        for name in ("solar", "numerals")
    }
