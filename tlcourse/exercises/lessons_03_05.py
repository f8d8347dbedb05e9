"""Lessons 03 to 05: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from ..errors import CheckError, UserInputError
from .table import (
    AnyAnswer,
    Array,
    Network,
    Number,
    Shares,
    near,
    require,
    rows,
    share,
    unexpected,
    whole_number,
)

# --- 03, Feature extraction ---


def _features(split, blocks=None):
    return tl.load_pretrained_model().extract_features(split.images, blocks)


@rows("3.1", share())
def five_neighbours(answer):
    one, five = _neighbours()
    yield "right", five, {"one": one, "five": five}
    yield "nearest alone", one


@lru_cache(maxsize=1)
def _neighbours():
    """Accuracies of the nearest neighbour, and of a vote of five."""
    dogs = tl.load_dataset("dogs")
    train, test = (
        features / np.linalg.norm(features, axis=1, keepdims=True)
        for features in map(_features, (dogs.train, dogs.test))
    )
    nearest = np.argsort(-(test @ train.T), axis=1)[:, :5]
    labels = dogs.train.labels[nearest]
    votes = np.array([np.bincount(row).argmax() for row in labels])
    truth = dogs.test.labels
    return np.mean(labels[:, 0] == truth), np.mean(votes == truth)


@rows("3.2", share())
def named_right(answer):
    dogs, answers = tl.load_dataset("dogs"), _answers()
    labels = [label for ((label, _),) in answers]
    best, names = (
        [each.lower().replace(" ", "_") for each in labels],
        dogs.test.label_names,
    )
    yield "right", np.mean(best == names), {"classes": len(dogs.class_names)}
    yield "none", answer == 0, {"label": labels[0], "name": names[0]}


@lru_cache(maxsize=1)
def _answers():
    images = tl.load_dataset("dogs").test.images
    return tl.load_pretrained_model().predict_labels(images, top=1)


@rows("3.3", share())
def another_block(answer, my_block):
    blocks = list(tl.load_pretrained_model().blocks)[:-1]
    if not isinstance(my_block, str) or my_block not in blocks:
        raise unexpected(my_block, f"one of {', '.join(blocks)}", "my_block")
    test, last = _accuracies(my_block)
    details = {"block": my_block, "last": last}
    yield "right", test, details
    yield "last block", last, details
    yield "otherwise", True, details


@lru_cache(maxsize=8)
def _accuracies(block):
    """On the test rows, of a probe on a block, and of one on the last block."""
    dogs = tl.load_dataset("dogs")
    accuracies = []
    for blocks in ([block], None):
        probe = tl.train_classifier(_features(dogs.train, blocks), dogs.train.labels)
        accuracies.append(probe.score(_features(dogs.test, blocks), dogs.test.labels))
    return accuracies


# --- 04, Freezing layers and a new head ---

FEATURES, WIDTH, CLASSES = 1280, 1024, 10


@rows("4.1", whole_number())
def number_of_weights(answer):
    kernels, biases = FEATURES * WIDTH + WIDTH * CLASSES, WIDTH + CLASSES
    first = FEATURES * WIDTH + WIDTH
    right = kernels + biases
    yield "right", right, {"biases": biases / right}
    yield "kernels", kernels
    yield "one layer", answer in (first, right - first)


@rows("4.2", Network())
def trained_block(network, snapshot):
    if not isinstance(snapshot, tl.checks.Snapshot):
        raise unexpected(snapshot, "`snapshot`, taken before training", "snapshot")
    try:
        tl.checks.assert_changed(snapshot, network, only=["block7a", "new_head"])
    except (CheckError, UserInputError) as problem:
        yield "changed", True, {"problem": problem}
    yield "no step", not network.compiled or not int(network.optimizer.iterations)
    yield "right", True


@rows("4.3", Shares("probe", "wide"))
def wide_head(answer, probe, wide):
    features, labels = _validation()
    accuracy = require(probe, "probe", "score").score(features, labels)
    yield "probe", not near(answer["probe"], accuracy), {"accuracy": accuracy}
    network = Network().read(wide, "the trained keras.Sequential", "`wide`")
    accuracy = np.mean((np.asarray(network(features)).ravel() > 0.5) == labels)
    yield "wide", not near(answer["wide"], accuracy), {"accuracy": accuracy}
    difference = 100 * (answer["wide"] - answer["probe"])
    yield "right", True, {"difference": difference, "cells": len(labels)}


@lru_cache(maxsize=1)
def _validation():
    """Features and labels of the lesson's `judged` cells."""
    cells = tl.load_dataset("solar").validation.sample(per_class=80)
    images = [tl.pictures.resize(image, (224, 224)) for image in cells.images]
    return tl.load_pretrained_model().extract_features(images), cells.labels


# --- 05, Fine-tuning ---

CELLS, EPOCHS, BATCH = 200, 6, 32
RIM = 28  # of 224 rows and columns


@rows("5.1", Number())
def number_of_steps(answer):
    in_epoch = CELLS // BATCH
    yield "right", in_epoch * EPOCHS
    yield "one epoch", in_epoch
    rounded_up = -(-CELLS // BATCH) * EPOCHS
    seen = CELLS * EPOCHS
    yield "partial batches", answer in (rounded_up, seen // BATCH, seen / BATCH)


@rows("5.2", AnyAnswer())
def too_large_a_rate(tuned, probe_accuracy):
    record = getattr(tuned, "record", None)
    if not isinstance(record, dict) or not hasattr(tuned, "score"):
        raise unexpected(tuned, "the network that tl.fine_tune returned")
    probe = share().read(probe_accuracy, "a share between 0 and 1", "probe_accuracy")
    settings, cells = record["settings"], record["rows"]["validation"]
    block = {"block": record["from_block"] or "its pixels"}
    yield "another block", record["from_block"] != "block6c", block
    rate = settings["learning_rate"]
    yield "learning rate", not np.isclose(rate, 2e-2), {"rate": rate}
    yield "validation", cells > 0, {"cells": cells}
    validation = tl.load_dataset("solar").validation.sample(per_class=80)
    accuracy = tuned.score(validation.images, validation.labels)
    details = {"accuracy": accuracy, "probe": probe}
    yield "right", True, details | {"difference": 100 * (accuracy - probe)}


@rows("5.3", share())
def share_at_rim(answer, maps_of_defects):
    expected = "maps of shape (n, 224, 224)"
    maps = Array().read(maps_of_defects, expected, "maps_of_defects").astype(float)
    if maps.ndim != 3:
        raise unexpected(maps, expected, "maps_of_defects")
    inside = maps[:, RIM:-RIM, RIM:-RIM]
    rim, area = 1 - inside.sum() / maps.sum(), 1 - inside[0].size / maps[0].size
    less = "less than" if rim < area else "at least what"
    yield "right", rim, {"rim": rim, "area": area, "less": less}
    yield "inside", 1 - rim
