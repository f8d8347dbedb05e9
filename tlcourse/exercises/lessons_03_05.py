"""Lessons 03 to 05: what the answers are compared with."""

from collections import Counter
from functools import lru_cache

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import tlcourse as tl

from ..errors import CheckError, UserInputError
from ..features.cache import digest_of
from .table import (
    AnyAnswer,
    Network,
    Number,
    numbers,
    rows,
    share,
    unexpected,
    whole_number,
)

FEATURES = 1280  # of the bundled network

# --- 03, Feature extraction ---


@lru_cache(maxsize=2)
def _pictures(part):
    return _as_arrays(getattr(tl.load_dataset("stamps"), part))


def _as_arrays(split):
    """Pictures, uint8 (n, 224, 224, 3), and labels, as the lessons have them."""
    images = [tl.pictures.resize(image, (224, 224)) for image in split.images]
    return np.stack(images), split.labels


@lru_cache(maxsize=8)
def _averages(block):
    """A block's mean activations over positions: training and test stamps."""
    model = tl.load_pretrained_model()
    grids = (
        model.activations(_pictures(part)[0], block, cache=False)
        for part in ("train", "test")
    )
    return [grid.astype(np.float32).mean(axis=(1, 2)) for grid in grids]


def _probe_accuracy(train, test):
    """Test accuracy of the lesson's probe on these features of the stamps."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=1000))
    probe.fit(train, _pictures("train")[1])
    return probe.score(test, _pictures("test")[1])


@rows("3.1", share())
def five_neighbours(answer):
    train, test = (
        features / np.linalg.norm(features, axis=1, keepdims=True)
        for features in _averages("head")
    )
    nearest = np.argsort(-(test @ train.T), axis=1)[:, :5]
    labels, truth = _pictures("train")[1][nearest], _pictures("test")[1]
    lowest = np.array([np.bincount(row).argmax() for row in labels])
    first = np.array([Counter(row.tolist()).most_common(1)[0][0] for row in labels])
    details = {"one": np.mean(labels[:, 0] == truth)}
    details |= {"lowest": np.mean(lowest == truth), "first": np.mean(first == truth)}
    yield "right", details["lowest"], details
    yield "right", details["first"], details  # a tie may be decided either way
    yield "nearest alone", details["one"]


@rows("3.2", Network())
def random_weights(network):
    size, outputs = _shapes(network)
    details = {"input": size, "output": outputs}
    yield "shape", not _takes_pictures(size) or outputs != (FEATURES,), details
    pretrained = _kernels(tl.load_pretrained_model().network)
    kernels = _kernels(network)
    same = sum(_has_relative(kernel, pretrained) for kernel in kernels)
    details = {"same": same, "all": len(pretrained), "kernels": len(kernels)}
    yield "pretrained", same > 0, details
    yield "another network", len(kernels) != len(pretrained), details
    features = [
        network.predict(_pictures(part)[0], verbose=0) for part in ("train", "test")
    ]
    yield "not finite", not all(np.isfinite(part).all() for part in features)
    yield "all alike", not np.ptp(features[0], axis=0).any()
    truth = _pictures("test")[1]
    details["random"] = _probe_accuracy(*features)
    details["accuracy"] = _probe_accuracy(*_averages("head"))
    yield "right", True, details | {"baseline": np.bincount(truth).max() / len(truth)}


def _kernels(network):
    return [weight.numpy() for weight in network.weights if weight.ndim > 1]


def _shapes(network):
    """Shapes of one input and one output of a network, without the batch, or NotYet."""
    try:
        (size,), (outputs,) = (
            [tuple(tensor.shape[1:]) for tensor in tensors]
            for tensors in (network.inputs, network.outputs)
        )
    except (TypeError, ValueError, AttributeError):
        expected = "a built keras.Model with one input and one output"
        raise unexpected(network, expected) from None
    return size, outputs


def _takes_pictures(size):
    """Whether a network takes (224, 224, 3); None stands for any size."""
    return len(size) == 3 and all(
        side in (None, expected)
        for side, expected in zip(size, (224, 224, 3), strict=True)
    )


@rows("3.3", share())
def another_block(answer, my_block):
    blocks = list(tl.load_pretrained_model().blocks)[:-1]
    if not isinstance(my_block, str) or my_block not in blocks:
        raise unexpected(my_block, f"one of {', '.join(blocks)}", "my_block")
    last = _probe_accuracy(*_averages("head"))
    details = {"block": my_block, "last": last}
    yield "right", _probe_accuracy(*_averages(my_block)), details
    yield "last block", last, details
    yield "otherwise", True, details


# --- 04, Freezing layers and a new head ---

WIDTH, CLASSES = 1024, 10
BETTER_THAN_CHANCE, WORSE_THAN_CHANCE = 0.6, 0.4
SEEN = 0.93  # no network that was trained on 80 cells is right on so many others
VALIDATION_CELLS = 30  # of each class, that 4.3 validates on
SIMILAR_LOSS = 0.02


@rows("4.1", whole_number())
def number_of_weights(answer):
    kernels, biases = FEATURES * WIDTH + WIDTH * CLASSES, WIDTH + CLASSES
    first = FEATURES * WIDTH + WIDTH
    right = kernels + biases
    yield "right", right, {"biases": biases / right}
    yield "kernels", kernels
    yield "one layer", answer in (first, right - first)


@rows("4.2", Network())
def five_steps(network):
    size, outputs = _shapes(network)
    yield "input", not _takes_pictures(size), {"shape": size}
    yield "output", outputs != (1,), {"shape": outputs}
    pretrained = tl.load_pretrained_model().network.weights
    weights = [weight.numpy() for weight in network.weights]
    kept = {digest_of([weight]) for weight in weights}
    missing = [w for w in pretrained if digest_of([w.numpy()]) not in kept]
    related = [w for w in missing if _has_relative(w.numpy(), weights)]
    details = {"changed": len(missing), "all": len(pretrained)}
    yield "another network", len(missing) > len(related), details
    yield "not frozen", bool(missing), details | {"first": missing and missing[0].path}
    images, labels = _other_cells()
    outputs = network.predict(images, batch_size=16, verbose=0).ravel()
    yield "no probability", not 0 <= outputs.min() <= outputs.max() <= 1
    yield "constant", not np.ptp(outputs), {"output": outputs[0]}
    accuracy = np.mean((outputs > 0.5) == labels)
    details = {"accuracy": accuracy, "cells": len(labels)}
    yield "exchanged", accuracy < WORSE_THAN_CHANCE, details
    yield "untrained", accuracy < BETTER_THAN_CHANCE, details
    yield "seen", accuracy > SEEN, details
    yield "right", True, details


def _has_relative(array, weights):
    """Whether one of these weights is the array after some training."""
    scale = np.abs(array).max() + 1e-3
    return any(
        weight.shape == array.shape and np.abs(weight - array).max() < 0.5 * scale
        for weight in weights
    )


@lru_cache(maxsize=1)
def _other_cells():
    """Pictures and labels of cells that the lesson does not train on."""
    return _as_arrays(tl.load_dataset("solar").validation.sample(per_class=60))


@rows("4.3", AnyAnswer())
def dropout(answer, large_history):
    losses = _validation_losses(answer, "the answer")
    before = _validation_losses(large_history, "large_history")
    yield "epochs", len(losses) != len(before), {"epochs": len(losses)}
    yield "same", np.array_equal(losses, before)
    network = getattr(answer, "model", None)  # a dictionary of numbers has none
    if network is not None:
        rates = [getattr(layer, "rate", 0) for layer in _layers(network)]
        yield "no dropout", not any(rates)
        loss = _loss_on_other_cells(network)
        yield "other data", np.abs(losses - loss).min() > SIMILAR_LOSS, {"loss": loss}
    details = {"lowest": losses.min(), "last": losses[-1]}
    details |= {"lowest_before": before.min(), "last_before": before[-1]}
    yield "right", True, details


def _layers(network):
    """The layers of a network, and of the networks inside it."""
    for layer in network.layers:
        yield from _layers(layer) if hasattr(layer, "layers") else [layer]


def _loss_on_other_cells(head):
    """Binary cross-entropy of a head on features of the lesson's validation cells."""
    cells = tl.load_dataset("solar").validation.sample(per_class=VALIDATION_CELLS)
    features = tl.load_pretrained_model().extract_features(cells.images)
    outputs = head.predict(features, verbose=0).ravel()
    return log_loss(cells.labels, outputs.astype(float), labels=[0, 1])


def _validation_losses(history, name):
    """The validation loss of each epoch, from what Keras' `fit` returned."""
    history = getattr(history, "history", history)
    losses = numbers(history.get("val_loss")) if isinstance(history, dict) else None
    if losses is None or losses.dtype.kind == "b" or losses.ndim != 1:
        losses = np.array([np.nan])
    if not losses.size or not np.isfinite(losses).all():
        raise unexpected(history, "what fit returned, with validation_data", name)
    return losses


# --- 05, Fine-tuning ---

CELLS, EPOCHS, BATCH = 80, 8, 32


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
        raise unexpected(tuned, "what tl.fine_tune returned")
    probe = share().read(probe_accuracy, "a share between 0 and 1", "probe_accuracy")
    settings, cells = record["settings"], record["rows"]["validation"]
    block = {"block": record["from_block"] or "its pixels"}
    yield "another block", record["from_block"] != "block7a", block
    rate = settings["learning_rate"]
    yield "learning rate", not np.isclose(rate, 2e-2), {"rate": rate}
    yield "validation", cells > 0, {"cells": cells}
    validation = tl.load_dataset("solar").validation.sample(per_class=25)
    accuracy = tuned.score(validation.images, validation.labels)
    details = {"accuracy": accuracy, "probe": probe}
    yield "right", True, details | {"difference": 100 * (accuracy - probe)}


@rows("5.3", Network())
def one_block(network, snapshot):
    if not isinstance(snapshot, tl.checks.Snapshot):
        raise unexpected(snapshot, "`snapshot`, taken before training", "snapshot")
    weights = [weight.numpy() for weight in network.weights]
    yield "not finite", not all(np.isfinite(weight).all() for weight in weights)
    try:
        tl.checks.assert_changed(snapshot, network, only=["block7a", "new_head"])
    except (CheckError, UserInputError) as problem:
        yield "changed", True, {"problem": problem}
    yield "no step", not network.compiled or not int(network.optimizer.iterations)
    yield "right", True
