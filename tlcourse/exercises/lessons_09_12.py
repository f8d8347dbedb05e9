"""Lessons 09 to 12: what the answers are compared with."""

import numpy as np

import tlcourse as tl

from ..datasets.same_pictures import as_collections, find_pairs
from ..training.evaluation import keras_outputs
from .table import (
    AnyAnswer,
    Array,
    Network,
    Number,
    Shares,
    dictionary,
    require,
    rows,
    share,
    unexpected,
    whole_number,
)

# --- 09, The misuse lab ---

NUMERALS, CUT = 10, "block6c"
COLLEAGUES = {"Ada": "loss", "Ben": "nothing", "Cleo": "batch norm", "Dora": "new head"}
FACTS = {  # verdict → what is true where that verdict is wrong
    "batch norm": "its batch norms are frozen, all of them",
    "loss": "its loss expects what its last layer outputs",
    "new head": "its head is not as it was initialised any more",
    "nothing": "a check has something to say",
}
TRAINED = ("block7a", "head", "your layers")  # in 9.2; the last: frozen_report's name
HIGHEST_RATE = 2e-3
TESTED, SMALLER, SPLITS = 300, 100, 200
SIMILAR = 0.008  # what other seeds may change in the mean, at most
EXACT = 1e-9


def networks_of_colleagues(model):
    """Name → a compiled network for ten characters; three of the four have a mistake.

    Parameters
    ----------
    model : PretrainedModel

    Returns
    -------
    dict of str to keras.Model
    """
    import keras

    cut = model.network.get_layer(model.blocks[CUT][-1]).output
    tail = keras.Model(cut, model.network.output)
    return {name: _with_fault(tail, fault) for name, fault in COLLEAGUES.items()}


def _with_fault(tail, fault):
    """A copy of the blocks after the cut, with a new last layer, and this fault."""
    import keras

    copy = keras.models.clone_model(tail)
    copy.set_weights(tail.get_weights())
    activation = None if fault == "loss" else "softmax"
    last = keras.layers.Dense(NUMERALS, activation, name="last")
    network = keras.Model(copy.inputs, last(copy.output))
    if fault != "new head":  # as after training
        last.bias.assign(np.linspace(-0.1, 0.1, NUMERALS))
    for layer in network.layers:
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = fault == "batch norm" or not is_norm
    network.compile(keras.optimizers.Adam(5e-4), "sparse_categorical_crossentropy")
    return network


@rows("9.1", AnyAnswer())
def who_should_wait(answer):
    verdicts = dictionary(answer, tuple(COLLEAGUES))
    yield "no verdict", not set(verdicts.values()) <= set(FACTS)
    wrong = [name for name, fault in COLLEAGUES.items() if verdicts[name] != fault]
    yield "right", not wrong
    facts = "; ".join(f"{name}: {FACTS[verdicts[name]]}" for name in wrong)
    yield "otherwise", True, {"facts": facts}


@rows("9.2", Network())
def mended(network):
    report = tl.checks.frozen_report(network)
    yield "warning", bool(report.warnings), {"warning": (*report.warnings, "")[0]}
    states = {row.block: row.state for row in report.rows}
    yield "another network", not set(TRAINED) <= set(states)
    for block, state in states.items():
        details = {"block": block, "state": state}
        if block in TRAINED:
            yield "frozen", state != "trainable", details
        else:
            yield "trainable", state != "frozen", details
    yield "not compiled", not network.compiled
    rate = float(network.optimizer.learning_rate)
    yield "rate", not 0 < rate <= HIGHEST_RATE, {"rate": rate}
    counts = {"trainable": report.trainable, "parameters": report.parameters}
    yield "right", True, counts


@rows("9.3", AnyAnswer())
def larger_test(answer, correct):
    bias = share(minimum=-1).read(answer, "one number between 0 and 1")
    expected = "an array of True and False, one row per probe"
    correct = Array().read(correct, expected, "correct")
    splits, smaller = _biases(correct, TESTED), _biases(correct, SMALLER).mean()
    right = splits.mean()
    one_split = np.abs(splits - bias).min() < EXACT and abs(bias - right) > EXACT
    yield "one split", one_split, {"low": splits.min(), "high": splits.max()}
    nearest = min(SIMILAR, right / 2, abs(bias - smaller))
    points = {"points": 100 * right, "smaller": 100 * smaller}
    yield "right", abs(bias - right) <= nearest, points
    yield "otherwise", True, {"answer": bias}


def _biases(correct, tested):
    """Optimistic bias of the best on a test set of so many cells, per split."""
    biases = []
    for seed in range(SPLITS):
        order = np.random.default_rng(seed).permutation(correct.shape[1])
        reported = correct[:, order[:tested]].mean(axis=1)
        best = reported.argmax()
        biases.append(reported[best] - correct[best, order[tested:]].mean())
    return np.array(biases)


# --- 10, Tune and stack ---

CLASSIFIERS, PROBABILITY, CELLS = 40, 0.75, 197
COLUMNS = {"lite0": slice(0, 1280), "lite2": slice(1280, 2560)}
LEAKS, SOUND = "leaks", "does not leak"


@rows("10.1", share())
def mean_of_the_best(answer):
    best = _mean_of_the_best()
    yield "right", best, {"best": best, "points": 100 * (best - PROBABILITY)}
    yield "mean of all", PROBABILITY


def _mean_of_the_best():
    """The sum over k of the probability that the best has at least k right."""
    from scipy.stats import binom

    at_least = 1 - binom.cdf(np.arange(CELLS), CELLS, PROBABILITY) ** CLASSIFIERS
    return float(at_least.sum() / CELLS)


@rows("10.2", Shares(*COLUMNS))
def columns_shuffled(answer, both, validation_wide):
    require(both, "both", "score")
    wide = Array().read(validation_wide, "2560 features per row", "validation_wide")
    labels = tl.load_dataset("solar").validation.labels
    order = np.random.default_rng(0).permutation(len(wide))
    right = {}
    for name, columns in COLUMNS.items():
        shuffled = wide.copy()
        shuffled[:, columns] = wide[order, columns]
        right[name] = both.score(shuffled, labels)
    untouched, more = both.score(wide, labels), min(right, key=right.__getitem__)
    yield "right", right, {"untouched": untouched, "more": more}
    yield "exchanged", {"lite0": right["lite2"], "lite2": right["lite0"]}


@rows("10.3", AnyAnswer())
def two_stacks(answer, wide, validation_wide):
    stacks = dictionary(answer, (LEAKS, SOUND))
    for name, stack in stacks.items():
        require(stack, name, "cv", "final_estimator_", "named_estimators_")
    leaks, sound = stacks[LEAKS], stacks[SOUND]
    yield "exchanged", leaks.cv != "prefit" and sound.cv == "prefit"
    yield "leaks on folds", leaks.cv != "prefit"
    yield "prefit", sound.cv == "prefit"
    labels = tl.load_dataset("solar").validation.labels
    details = {
        "leaks": leaks.final_estimator_.coef_[0],
        "sound": sound.final_estimator_.coef_[0],
        "leaking": leaks.score(validation_wide, labels),
        "honest": sound.score(validation_wide, labels),
    }
    yield "right", True, details


# --- 11, Your own pictures ---

ACCURACY, HALF_WIDTH = 0.9, 0.02  # and how precisely it is to be known
FEWEST, MOST = 0.99, 1.05  # of the pictures needed: rounded, or a few more
MISSED = 10  # euros for a defective cell that is sold; 1 for a false alarm


def needed(half_width, errors=1.96):
    """Pictures for an interval of so many standard errors to each side."""
    return errors**2 * ACCURACY * (1 - ACCURACY) / half_width**2


@rows("11.1", Number(minimum=1))
def number_of_test_pictures(answer):
    right = needed(HALF_WIDTH)
    yield "right", FEWEST * right <= answer <= MOST * right, {"needed": right}
    yield "one error", abs(answer - needed(HALF_WIDTH, errors=1)) <= 4
    half_width = 1.96 * np.sqrt(ACCURACY * (1 - ACCURACY) / answer)
    yield "otherwise", True, {"points": 100 * half_width}


@rows("11.2", whole_number())
def pictures_in_both(answer, their_split):
    pairs = _pairs(their_split)
    yield "right", pairs, {"tested": len(their_split["test"])}
    yield "none", 0
    yield "test pictures", len(their_split["test"])


def _pairs(their_split):
    collections = as_collections((their_split["train"], their_split["test"]), ())
    if pairs := find_pairs(collections):
        return len(pairs)
    raise unexpected(
        their_split, "the lesson's two parts; run their cell again", "their_split"
    )


@rows("11.3", AnyAnswer())
def cheap_mistakes(answer, features, labels):
    named = dictionary(answer, ("head", "threshold"))
    head = Network().read(named["head"], "a Keras network", "'head'")
    expected = "a share between 0 and 1"
    threshold = share().read(named["threshold"], expected, "'threshold'")
    features = Array().read(features, "1280 features per row", "val_features")
    is_defective = Array().read(labels, "a label per row", "val_labels") == 0
    if getattr(head, "input_shape", ())[1:] != features.shape[1:]:
        raise unexpected(head, "a network whose input is 1,280 features", "'head'")
    outputs = keras_outputs(head, features)
    shape = {"shape": outputs.shape, "cells": len(labels)}
    yield "head", outputs.shape != (len(labels), 2), shape
    yield "no probabilities", not np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
    thrown_away = outputs[:, 0] > threshold
    missed = int(np.sum(is_defective & ~thrown_away))
    alarms = int(np.sum(thrown_away & ~is_defective))
    cost, away = MISSED * missed + alarms, int(np.sum(~is_defective))
    limit, sold = away / 2, MISSED * int(np.sum(is_defective))
    costs = {"cost": cost, "away": away, "limit": limit, "sold": sold}
    details = {"missed": missed, "alarms": alarms, **costs}
    yield "one answer", thrown_away.all() or not thrown_away.any(), details
    yield "right", cost <= limit, details
    other = outputs[:, 1] > threshold
    of_other = MISSED * np.sum(is_defective & ~other) + np.sum(other & ~is_defective)
    yield "other column", of_other <= limit
    yield "too many missed", MISSED * missed > alarms, details
    yield "otherwise", True, details


# --- 12, Past one machine ---

PICTURES, MACHINES = 100e6, 50


@rows("12.1", Number(relative=0.02))
def hours_on_fifty_machines(answer, measured):
    speed = measured["dask_2"]["pictures_per_second"]
    hours = PICTURES / (MACHINES * speed) / 3600
    yield "right", hours, {"machine_hours": hours * MACHINES}
    yield "machine-hours", hours * MACHINES
    yield "both workers", hours / 2
    yield "otherwise", True, {"speed": speed}


@rows("12.2", Number(relative=0.02))
def terabytes_of_features(answer, measured):
    terabytes = PICTURES * measured["bytes_per_picture"] / 1e12
    files = PICTURES * measured["file_bytes_per_picture"] / 1e12
    yield "right", terabytes, {"files": files}
    yield "files", files
    yield "unit", terabytes * 1000
    yield "unit", terabytes * 1e6


@rows("12.3", Array())
def usable_rows(mask, features):
    usable = np.isfinite(features).all(axis=1)
    yield "indices", np.array_equal(mask, np.flatnonzero(usable))
    shape = {"rows": len(usable), "usable": usable.sum()}
    yield "shape", mask.dtype != bool or mask.shape != usable.shape, shape
    yield "right", np.array_equal(mask, usable), shape
    yield "inverted", np.array_equal(mask, ~usable)
    yield "otherwise", True, {"wrong": np.sum(mask != usable)}
