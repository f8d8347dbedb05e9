"""Lesson 04: the recipes of the field on real weights, beside linear probes.

Needs `tlcourse fetch vgg16 xception`.
"""

import time

import numpy as np
from records import mean_sd

import tlcourse as tl
from tlcourse.native import import_tensorflow

from .transfer import published_protocol

import_tensorflow()
import keras  # noqa: E402

SEEDS, SOLAR_SEEDS = (0, 1, 2, 3, 4), (0, 1, 2)
EPOCHS, BATCH = 10, 32
HEADS = {"vgg16": "flatten", "xception": "average"}
TIMED = 64  # pictures with which a base is timed


def field_recipes() -> dict:
    """The stamps, and as "solar" the solar cells by the published protocol."""
    stamps = {seed: tl.load_dataset("stamps", seed=seed) for seed in SEEDS}
    solar = {seed: published_protocol(seed) for seed in SOLAR_SEEDS}
    return compared(stamps) | {"solar": compared(solar)}


def compared(splits: dict) -> dict:
    """Network → recipe and probe: test accuracy on each split, and seconds."""
    found = {name: of_network(name, splits) for name in HEADS}
    found["efficientnet_lite0"] = {"probe": small_probe(splits)}
    return found


def of_network(name: str, splits: dict) -> dict:
    model = tl.load_pretrained_model(name)
    last = list(model.blocks)[-1]
    seconds_per_picture = cost(model, last, splits[0].train.images[:TIMED])
    ways = {"recipe": train_recipe, "probe": train_probe}
    scores = {way: [] for way in ways}
    seconds = {way: [] for way in ways}
    for seed, data in splits.items():
        grids = model.activations(data.train.images, last).astype(np.float32)
        test_grids = model.activations(data.test.images, last).astype(np.float32)
        for way, train in ways.items():
            start = time.perf_counter()
            predict = train(name, grids, data.train, seed)
            taken = time.perf_counter() - start
            right = predict(test_grids) == data.test.labels
            scores[way].append(float(np.average(right, weights=data.test.weights)))
            seconds[way].append(taken + len(grids) * seconds_per_picture)
    return {
        **{way: summary(scores[way], seconds[way]) for way in ways},
        "difference": mean_sd(np.subtract(scores["recipe"], scores["probe"])),
    }


def summary(scores: list[float], seconds: list[float]) -> dict:
    return {**mean_sd(scores), "seconds": round(float(np.median(seconds)), 1)}


def cost(model, block: str, images) -> float:
    """Seconds per picture of a block's output, without starting the engine."""
    model.activations(images[:1], block, cache=False)
    start = time.perf_counter()
    model.activations(images, block, cache=False)
    return (time.perf_counter() - start) / len(images)


def train_recipe(name: str, grids, split, seed: int):
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
    classes = len(split.class_names)
    head = keras.Model(inputs, layers.Dense(classes, activation="softmax")(x))
    head.compile("adam", "sparse_categorical_crossentropy")
    options = {"batch_size": BATCH, "epochs": EPOCHS, "verbose": 0}
    head.fit(grids, split.labels, sample_weight=split.weights, **options)
    return lambda grids: head.predict(grids, verbose=0).argmax(axis=1)


def train_probe(name: str, grids, split, seed: int):
    """A linear probe on the grids' averages; a function that predicts."""
    options = {"sample_weight": split.weights, "seed": seed}
    probe = tl.train_classifier(grids.mean(axis=(1, 2)), split.labels, **options)
    return lambda grids: probe.predict(grids.mean(axis=(1, 2)))


def small_probe(splits: dict) -> dict:
    """The same probe on the course's small network."""
    model, scores, seconds = tl.load_pretrained_model(), [], []
    model.extract_features(splits[0].train.images[:1], cache=False)  # starts the engine
    for seed, data in splits.items():
        training, test = data.train, data.test
        options = {"sample_weight": training.weights, "seed": seed}
        start = time.perf_counter()
        features = model.extract_features(training.images, cache=False)
        classifier = tl.train_classifier(features, training.labels, **options)
        seconds.append(time.perf_counter() - start)
        right = classifier.predict(model.extract_features(test.images)) == test.labels
        scores.append(float(np.average(right, weights=test.weights)))
    return summary(scores, seconds)
