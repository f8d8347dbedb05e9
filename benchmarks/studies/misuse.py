"""Lesson 09: eight mistakes, each made and avoided with five seeds.

Here are those in training: what comes before the cut is frozen, so its activations
are computed once, and what comes after it is trained by Keras' `fit`. Every study takes a
seed and returns the accuracies "right" and "wrong" and, in "check", whether the check
speaks in either case.
"""

from functools import cache

import numpy as np
from records import mean_sd

import tlcourse as tl

from . import mistakes_in_evaluation
from .mistakes_in_evaluation import model, speaks
from .mistakes_in_preprocessing import (
    LABELS,
    NUMERALS,
    SEEDS,
    forgotten,
    numerals,
    preprocessings,
)

CUT, EARLY_CUT = "block5c", "block3b"  # 6 and 12 blocks are trained
HEAD_EPOCHS, EPOCHS, BATCH = 20, 10, 16
HEAD_RATE, RATE = 1e-3, 5e-4
LOSS = "sparse_categorical_crossentropy"


def misuse() -> dict:
    found = {}
    for name, study in MISTAKES.items():
        found[name] = _summary([study(seed) for seed in SEEDS])
        print(f"  {name}: {found[name]}", flush=True)
    return {"mistakes": found, "preprocessings": preprocessings(), "losses": losses()}


def _summary(runs: list[dict]) -> dict:
    """Mean and standard deviation over the seeds; the cost is a paired difference."""
    names = [name for name in runs[0] if name != "check"]
    found = {name: mean_sd(run[name] for run in runs) for name in names}
    if "cost" not in found:
        found["cost"] = mean_sd(run["right"] - run["wrong"] for run in runs)
    spoke, alarms = (
        sum(run["check"][way] for run in runs) for way in ("wrong", "right")
    )
    check = {"spoke": spoke, "false_alarms": alarms, "of": len(runs)}
    return {**found, "check": check}


def training_rows(seed: int) -> np.ndarray:
    return numerals().train.sample_rows(LABELS, seed)


@cache
def activations(cut: str | None) -> tuple[np.ndarray, np.ndarray]:
    """Of the training and the test set at a cut; None: the features."""
    splits = (numerals().train, numerals().test)
    if cut is None:
        return tuple(model().extract_features(split.images) for split in splits)
    return tuple(model().activations(split.images, cut) for split in splits)


def fit(network, cut: str | None, seed: int, epochs: int = EPOCHS) -> float:
    """Train a compiled network on activations; its test accuracy."""
    import keras

    keras.utils.set_random_seed(seed)
    rows, (train, test) = training_rows(seed), activations(cut)
    labels = numerals().train.labels[rows]
    inputs = train[rows].astype(np.float32)
    network.fit(inputs, labels, batch_size=BATCH, epochs=epochs, verbose=0)
    predicted = network.predict(test.astype(np.float32), verbose=0).argmax(axis=1)
    return float(np.mean(predicted == numerals().test.labels))


def fit_anew(network, cut: str | None, seed: int, rate: float = RATE, **options):
    """Compile first."""
    import keras

    network.compile(keras.optimizers.Adam(rate), LOSS)
    return fit(network, cut, seed, **options)


def new_head():
    import keras

    return keras.layers.Dense(NUMERALS, activation="softmax", name="new_head")


@cache
def trained_head_weights(seed: int) -> list[np.ndarray]:
    import keras

    keras.utils.set_random_seed(seed)
    head = new_head()
    network = keras.Sequential([keras.Input((model().feature_dim,)), head])
    fit_anew(network, None, seed, HEAD_RATE, epochs=HEAD_EPOCHS)
    return head.get_weights()


def network_after(cut: str, head):
    """The network from a cut on, with this head: an ordinary Keras model."""
    import keras

    copy = model().copy_network()
    inputs = copy.get_layer(model().blocks[cut][-1]).output
    return keras.Model(inputs, head(copy.output))


def with_trained_head(cut: str, seed: int):
    head = new_head()
    head.build((None, model().feature_dim))
    head.set_weights(trained_head_weights(seed))
    return network_after(cut, head)


def blocks_after(cut: str) -> list[str]:
    """What is meant to change: the blocks after the cut, and the head."""
    names = list(model().blocks)
    return [*names[names.index(cut) + 1 :], "your layers"]


def _unexpected_change(before, network) -> bool:
    only = blocks_after(CUT)
    return speaks(tl.checks.assert_changed, before, network, only=only)


def _largest_move(before, network) -> float:
    return max(tl.checks.moved(before, network).values())


@cache
def done_right(cut: str, seed: int) -> dict:
    """The head first, then the blocks without their batch norms, at a small rate."""
    network = with_trained_head(cut, seed)
    tl.unfreeze(network)
    checks = {"head": speaks(tl.checks.assert_head_trained, network)}
    before = tl.checks.snapshot(network)
    accuracy = fit_anew(network, cut, seed)
    only = blocks_after(cut)
    checks["changed"] = speaks(tl.checks.assert_changed, before, network, only=only)
    checks["distance"] = speaks(tl.checks.assert_still_pretrained, before, network)
    moved = _largest_move(before, network)
    return {"accuracy": accuracy, "moved": moved, "checks": checks}


def _beside_right(seed: int, wrong: float, spoke: bool, name: str) -> dict:
    right = done_right(CUT, seed)
    check = {"wrong": spoke, "right": right["checks"][name]}
    return {"right": right["accuracy"], "wrong": wrong, "check": check}


def batch_norm(seed: int) -> dict:
    """All layers trainable, batch norms too, as `base.trainable = True` makes them."""
    network = with_trained_head(CUT, seed)
    for layer in network.layers:
        layer.trainable = True
    before = tl.checks.snapshot(network)
    wrong = fit_anew(network, CUT, seed)
    return _beside_right(seed, wrong, _unexpected_change(before, network), "changed")


def no_recompile(seed: int) -> dict:
    """Compiled and fitted while frozen; then unfrozen, and fitted further."""
    network = with_trained_head(CUT, seed)
    tl.freeze(network)
    fit_anew(network, CUT, seed, epochs=1)
    for layer in network.layers:
        layer.trainable = "_bn" not in layer.name
    before = tl.checks.snapshot(network)
    wrong = fit(network, CUT, seed)
    return _beside_right(seed, wrong, _unexpected_change(before, network), "changed")


def rate(seed: int) -> dict:
    """A learning rate 100 times too high; how far the weights have moved."""
    network = with_trained_head(CUT, seed)
    tl.unfreeze(network)
    before = tl.checks.snapshot(network)
    fit_anew(network, CUT, seed, 100 * RATE, epochs=1)
    early = _largest_move(before, network)
    spoke = speaks(tl.checks.assert_still_pretrained, before, network)
    wrong = fit(network, CUT, seed, EPOCHS - 1)
    return {
        **_beside_right(seed, wrong, spoke, "distance"),
        "moved_right": done_right(CUT, seed)["moved"],
        "moved_wrong_after_one_epoch": early,
        "moved_wrong": _largest_move(before, network),
    }


def random_head(seed: int) -> dict:
    """12 blocks unfrozen under a random head; and 6. As many epochs as right."""
    found = {}
    for name, cut in (("", EARLY_CUT), ("_six_blocks", CUT)):
        right, network = done_right(cut, seed), network_after(cut, new_head())
        tl.unfreeze(network)
        spoke = speaks(tl.checks.assert_head_trained, network)
        found[f"right{name}"] = right["accuracy"]
        found[f"wrong{name}"] = fit_anew(network, cut, seed)
        found.setdefault("check", {"wrong": spoke, "right": right["checks"]["head"]})
    return found


# Loss and last layer

OUTPUTS = {
    "softmax": ("softmax", False),
    "logits, from_logits=True": (None, True),
    "logits": (None, False),
    "softmax, from_logits=True": ("softmax", True),
    "sigmoid": ("sigmoid", False),
}


def losses() -> dict:
    """Last layer and loss → accuracy; Keras corrects some of the misfits by itself."""
    return {
        name: mean_sd(with_loss(*pair, seed)[0] for seed in SEEDS)
        for name, pair in OUTPUTS.items()
    }


def logits(seed: int) -> dict:
    """A last layer without softmax, and a loss that expects one."""
    right, alarm = with_loss("softmax", False, seed)
    wrong, spoke = with_loss(None, False, seed)
    return {"right": right, "wrong": wrong, "check": {"wrong": spoke, "right": alarm}}


def with_loss(activation: str | None, from_logits: bool, seed: int):
    """Accuracy of a new last layer on features, and whether the check speaks."""
    import keras

    keras.utils.set_random_seed(seed)
    head = keras.layers.Dense(NUMERALS, activation)
    network = keras.Sequential([keras.Input((model().feature_dim,)), head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    network.compile(keras.optimizers.Adam(HEAD_RATE), loss)
    spoke = speaks(tl.checks.assert_loss_fits, network)
    return fit(network, None, seed, HEAD_EPOCHS), spoke


MISTAKES = {
    "batch norm in training mode": batch_norm,
    "no recompile after unfreezing": no_recompile,
    "learning rate 100 times too high": rate,
    "wrong preprocessing": forgotten,
    "random head, all unfrozen": random_head,
    "augmented before the split": mistakes_in_evaluation.augmentation,
    "chosen on the test set": mistakes_in_evaluation.choosing,
    "logits with a softmax loss": logits,
}
