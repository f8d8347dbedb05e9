"""Lesson 04, Freezing layers and a new head: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from ..errors import CheckError, UserInputError
from .answers import Network, Shares, WholeNumber, having, near, unexpected
from .table import rows

FEATURES, WIDTH, CLASSES = 1280, 1024, 10


def dense(inputs, outputs):
    return inputs * outputs + outputs


@rows("4.1", WholeNumber())
def number_of_weights(answer):
    first, last = dense(FEATURES, WIDTH), dense(WIDTH, CLASSES)
    biases = WIDTH + CLASSES
    yield "right", first + last, {"biases": biases / (first + last)}
    yield "kernels", first + last - biases
    yield "arrays", 4
    yield "one layer", answer in (first, last)
    yield "single layer", dense(FEATURES, CLASSES)
    yield "frozen network", answer > 4_000_000
    yield "InceptionV3", dense(2048, WIDTH) + last


@rows("4.2", Network())
def trained_block(network, snapshot):
    if not isinstance(snapshot, tl.checks.Snapshot):
        raise unexpected(snapshot, "`snapshot`, taken before training", "snapshot")
    try:
        tl.checks.assert_changed(snapshot, network, only=["block7a", "new_head"])
    except (CheckError, UserInputError) as problem:
        yield "changed", True, {"problem": problem}
    finite = all(np.isfinite(weights).all() for weights in network.get_weights())
    yield "not finite", not finite
    yield "no step", not network.compiled or not int(network.optimizer.iterations)
    yield "right", True


@rows("4.3", Shares("probe", "wide"))
def wide_head(answer, probe, wide):
    features, labels = _validation()
    yield "training rows", answer["wide"] >= 0.97
    yield "chance", answer["wide"] <= 0.55
    accuracy = having(probe, "probe", "score").score(features, labels)
    yield "probe", not near(answer["probe"], accuracy), {"accuracy": accuracy}
    yield "no network", wide is None
    network = Network().read(wide, "the trained keras.Sequential", "`wide`")
    units = [layer.units for layer in network.layers if hasattr(layer, "units")]
    yield "units", units != [WIDTH, 1], {"units": units}
    yield "untrained", not network.built
    outputs = np.asarray(network(features)).ravel()
    yield "not finite", not np.isfinite(outputs).all()
    accuracy = np.mean((outputs > 0.5) == labels)
    yield "wide", not near(answer["wide"], accuracy), {"accuracy": accuracy}
    difference = 100 * (answer["wide"] - answer["probe"])
    yield "right", True, {"difference": difference, "cells": len(labels)}


@lru_cache(maxsize=1)
def _validation():
    """Features and labels of the lesson's `judged` cells."""
    cells = tl.load_dataset("solar").validation.sample(per_class=80)
    images = [tl.pictures.resize(image, (224, 224)) for image in cells.images]
    return tl.load_pretrained_model().extract_features(images), cells.labels
