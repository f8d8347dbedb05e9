"""Mistakes in training: batch norm in training mode, no recompile, a rate too high, a random head.

What is in front of a cut is frozen, so its activations are computed once; what is behind is trained by Keras' `fit`.
"""

from functools import cache

import numpy as np

import tlcourse as tl

from .common import (
    NUMERALS,
    accuracy,
    features_of_numerals,
    learned_signs,
    model,
    numerals,
    speaks,
)

CUT, EARLY_CUT = "block5c", "block3b"  # behind them 6 blocks learn, and 12
HEAD_EPOCHS, EPOCHS, BATCH = 20, 10, 16
HEAD_RATE, RATE = 1e-3, 5e-4
LOSS = "sparse_categorical_crossentropy"


@cache
def at_cut(cut: str) -> tuple[np.ndarray, np.ndarray]:
    """Activations of all training signs and of the test's, by other hands."""
    return tuple(
        model().activations(split.images, cut)
        for split in (numerals().train, numerals().test)
    )


def network_behind(cut: str, head):
    """The network from a cut on, with this head on it: an ordinary Keras model."""
    import keras

    copy = model().copy_network()
    return keras.Model(
        copy.get_layer(model().blocks[cut][-1]).output, head(copy.output)
    )


def new_head():
    import keras

    return keras.layers.Dense(NUMERALS, activation="softmax", name="new_head")


@cache
def trained_head_weights(seed: int) -> list[np.ndarray]:
    """A head that was trained on the features of the frozen network."""
    import keras

    keras.utils.set_random_seed(seed)
    head = new_head()
    network = keras.Sequential([keras.Input((model().feature_dim,)), head])
    network.compile(keras.optimizers.Adam(HEAD_RATE), LOSS)
    rows = learned_signs(seed)
    network.fit(
        features_of_numerals()[0][rows],
        numerals().train.labels[rows],
        batch_size=BATCH,
        epochs=HEAD_EPOCHS,
        verbose=0,
    )
    return head.get_weights()


def with_trained_head(cut: str, seed: int):
    head = new_head()
    head.build((None, model().feature_dim))
    head.set_weights(trained_head_weights(seed))
    return network_behind(cut, head)


def fit(
    network,
    cut: str,
    seed: int,
    rate: float = RATE,
    epochs: int = EPOCHS,
    compiled: bool = False,
) -> float:
    """Compile, unless that was done before; train; accuracy on the hands of the test."""
    import keras

    keras.utils.set_random_seed(seed)
    rows, (learned, judged) = learned_signs(seed), at_cut(cut)
    if not compiled:
        network.compile(keras.optimizers.Adam(rate), LOSS)
    activations = learned[rows].astype(np.float32)
    network.fit(
        activations,
        numerals().train.labels[rows],
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
    )
    return accuracy(
        network.predict(judged.astype(np.float32), verbose=0).argmax(axis=1),
        numerals().test.labels,
    )


def blocks_behind(cut: str) -> list[str]:
    """What was meant to change: the blocks behind the cut, and the head."""
    names = list(model().blocks)
    return [*names[names.index(cut) + 1 :], "your layers"]


@cache
def done_right(cut: str, seed: int) -> dict:
    """The head first, then the blocks behind the cut without their batch norms, at a small rate."""
    network = with_trained_head(cut, seed)
    tl.unfreeze(network)
    checks = {"head": speaks(tl.checks.assert_head_trained, network)}
    before = tl.checks.snapshot(network)
    found = fit(network, cut, seed)
    checks["changed"] = speaks(
        tl.checks.assert_changed, before, network, only=blocks_behind(cut)
    )
    checks["pretrained"] = speaks(tl.checks.assert_still_pretrained, before, network)
    moved = max(tl.checks.moved(before, network).values())
    return {"accuracy": found, "moved": moved, "checks": checks}


def batch_norm(seed: int) -> dict:
    """All flags on, those of the batch norms too, as `base.trainable = True` does."""
    right, network = done_right(CUT, seed), with_trained_head(CUT, seed)
    for layer in network.layers:
        layer.trainable = True
    before = tl.checks.snapshot(network)
    wrong = fit(network, CUT, seed)
    spoke = speaks(tl.checks.assert_changed, before, network, only=blocks_behind(CUT))
    return {
        "right": right["accuracy"],
        "wrong": wrong,
        "check": {"wrong": spoke, "right": right["checks"]["changed"]},
    }


def no_recompile(seed: int) -> dict:
    """Compiled and fitted while frozen; then the flags are set, and fit goes on."""
    right, network = done_right(CUT, seed), with_trained_head(CUT, seed)
    tl.freeze(network)
    fit(network, CUT, seed, epochs=1)
    for layer in network.layers:
        layer.trainable = "_bn" not in layer.name
    before = tl.checks.snapshot(network)
    wrong = fit(network, CUT, seed, compiled=True)
    spoke = speaks(tl.checks.assert_changed, before, network, only=blocks_behind(CUT))
    return {
        "right": right["accuracy"],
        "wrong": wrong,
        "check": {"wrong": spoke, "right": right["checks"]["changed"]},
    }


def rate(seed: int) -> dict:
    """The rate a hundred times too high; how far the weights have moved, after one epoch and in the end."""
    right, network = done_right(CUT, seed), with_trained_head(CUT, seed)
    tl.unfreeze(network)
    before = tl.checks.snapshot(network)
    fit(network, CUT, seed, rate=100 * RATE, epochs=1)
    early = max(tl.checks.moved(before, network).values())
    spoke = speaks(tl.checks.assert_still_pretrained, before, network)
    wrong = fit(network, CUT, seed, epochs=EPOCHS - 1, compiled=True)
    return {
        "right": right["accuracy"],
        "wrong": wrong,
        "moved_right": right["moved"],
        "moved_wrong_after_one_epoch": early,
        "moved_wrong": max(tl.checks.moved(before, network).values()),
        "check": {"wrong": spoke, "right": right["checks"]["pretrained"]},
    }


def random_head(seed: int) -> dict:
    """Twelve blocks unfrozen under a head that nothing has trained; and the same with six. As many epochs as right."""
    found = {}
    for name, cut in (("", EARLY_CUT), ("_six_blocks", CUT)):
        right, network = done_right(cut, seed), network_behind(cut, new_head())
        tl.unfreeze(network)
        spoke = speaks(tl.checks.assert_head_trained, network)
        found |= {
            f"right{name}": right["accuracy"],
            f"wrong{name}": fit(network, cut, seed),
        }
        found.setdefault("check", {"wrong": spoke, "right": right["checks"]["head"]})
    return found
