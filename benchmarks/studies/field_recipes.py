"""Lesson 04: the recipes of the field on real weights, beside linear probes. Stamps.

Needs `tlcourse fetch vgg16 xception`.
"""

import time

import numpy as np
from records import mean_sd

import tlcourse as tl
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
        model = tl.load_pretrained_model(name)
        last = list(model.blocks)[-1]
        seconds_per_picture = cost(model, last, splits[0].train.images)
        ways = {"recipe": train_recipe, "probe": train_probe}
        scores = {way: [] for way in ways}
        seconds = {way: [] for way in ways}
        for seed, data in zip(SEEDS, splits, strict=True):
            grids = model.activations(data.train.images, last).astype(np.float32)
            test_grids = model.activations(data.test.images, last).astype(np.float32)
            for way, train in ways.items():
                start = time.perf_counter()
                predict = train(name, grids, data.train.labels, seed)
                taken = time.perf_counter() - start
                right = predict(test_grids) == data.test.labels
                scores[way].append(float(np.mean(right)))
                seconds[way].append(taken + len(grids) * seconds_per_picture)
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


def cost(model, block: str, images) -> float:
    """Seconds per picture of a block's output, without starting the engine."""
    model.activations(images[:1], block, cache=False)
    start = time.perf_counter()
    model.activations(images, block, cache=False)
    return (time.perf_counter() - start) / len(images)


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
