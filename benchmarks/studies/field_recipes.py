"""Lesson 04: the recipes of the field on real weights, beside linear probes. Stamps.

Needs `tlcourse fetch vgg16 xception`.
"""

import hashlib
import time

import numpy as np
from records import mean_sd

import tlcourse as tl
from tlcourse.models.recipes import RECIPES
from tlcourse.models.weights import weights_file
from tlcourse.native import import_tensorflow

import_tensorflow()
import keras  # noqa: E402

SEEDS = (0, 1, 2, 3, 4)
EPOCHS, BATCH = 10, 32
HEADS = {"vgg16": "flatten", "xception": "average"}


def field_recipes() -> dict:
    """Network → recipe and probe: test accuracy on five splits, and seconds."""
    splits = [tl.load_dataset("stamps", seed=seed) for seed in SEEDS]
    found = {}
    for name in HEADS:
        base = FrozenBase(name)
        ways = {"recipe": train_recipe, "probe": train_probe}
        scores = {way: [] for way in ways}
        seconds = {way: [] for way in ways}
        for seed, data in zip(SEEDS, splits, strict=True):
            grids, test_grids = base(data.train.images), base(data.test.images)
            for way, train in ways.items():
                start = time.perf_counter()
                predict = train(name, grids, data.train.labels, seed)
                taken = time.perf_counter() - start
                right = predict(test_grids) == data.test.labels
                scores[way].append(float(np.mean(right)))
                seconds[way].append(taken + len(grids) * base.seconds_per_picture)
        found[name] = {
            way: {
                **mean_sd(scores[way]),
                "seconds": round(float(np.median(seconds[way])), 1),
            }
            for way in ways
        }
        gains = np.subtract(scores["recipe"], scores["probe"])
        found[name]["difference"] = mean_sd(gains)
    found["efficientnet_lite0"] = {"probe": small_probe(splits)}
    return found


class FrozenBase:
    """A base of `keras.applications`, which computes its grid once for each picture."""

    def __init__(self, name: str):
        settings = RECIPES[name]
        self._size = settings.size, settings.size
        shape = (*self._size, 3)
        build = getattr(keras.applications, settings.application)
        self._base = build(
            weights=weights_file(name), include_top=False, input_shape=shape
        )
        self._preprocess = getattr(keras.applications, name).preprocess_input
        self._grids: dict[bytes, np.ndarray] = {}
        self._base.predict(np.zeros((BATCH, *shape), np.float32), verbose=0)  # traces
        self.seconds_per_picture = 0.0  # resizing included, of the first call

    def __call__(self, images) -> np.ndarray:
        start = time.perf_counter()
        pixels = [tl.pictures.resize(image, self._size) for image in images]
        keys = [hashlib.sha256(picture.tobytes()).digest() for picture in pixels]
        new = {k: p for k, p in zip(keys, pixels, strict=True) if k not in self._grids}
        if new:
            batch = self._preprocess(np.stack(list(new.values())).astype(np.float32))
            grids = self._base.predict(batch, batch_size=BATCH, verbose=0)
            seconds = (time.perf_counter() - start) / len(new)
            self.seconds_per_picture = self.seconds_per_picture or seconds
            self._grids.update(zip(new, grids, strict=True))
        return np.stack([self._grids[key] for key in keys])


def train_recipe(name: str, grids, labels, seed: int):
    """The head as the lesson writes it, on a frozen base; a function that predicts."""
    keras.utils.set_random_seed(seed)
    layers = keras.layers
    inputs = keras.Input(grids.shape[1:])
    if HEADS[name] == "flatten":
        x = layers.Dense(1024, activation="relu")(layers.Flatten()(inputs))
        x = layers.Dropout(0.5)(x)
    else:
        x = layers.GlobalAveragePooling2D()(inputs)
        x = layers.Dense(1024, activation="relu")(x)
    classes = int(labels.max()) + 1
    head = keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))
    head.compile("adam", "sparse_categorical_crossentropy")
    head.fit(grids, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return lambda grids: head.predict(grids, verbose=0).argmax(axis=1)


def train_probe(name: str, grids, labels, seed: int):
    """A linear probe on the grids' averages; a function that predicts."""
    classifier = tl.train_classifier(grids.mean(axis=(1, 2)), labels, seed=seed)
    return lambda grids: classifier.predict(grids.mean(axis=(1, 2)))


def small_probe(splits) -> dict:
    """The same probe on the course's small network."""
    model, scores, seconds = tl.load_pretrained_model(), [], []
    model.extract_features(splits[0].train.images[:1], cache=False)  # starts the engine
    for seed, data in zip(SEEDS, splits, strict=True):
        start = time.perf_counter()
        features = model.extract_features(data.train.images, cache=False)
        classifier = tl.train_classifier(features, data.train.labels, seed=seed)
        seconds.append(time.perf_counter() - start)
        test_features = model.extract_features(data.test.images)
        scores.append(classifier.score(test_features, data.test.labels))
    return {**mean_sd(scores), "seconds": round(float(np.median(seconds)), 1)}
