"""The last layer and the loss: which misfits cost something, and which Keras mends by itself."""

from peers.driving import mean_sd

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

EPOCHS, BATCH, RATE = 20, 16, 1e-3


def logits(seed: int) -> dict:
    """A last layer without softmax, and a loss that expects one."""
    right, right_spoke = with_loss("softmax", False, seed)
    wrong, wrong_spoke = with_loss(None, False, seed)
    return {
        "right": right,
        "wrong": wrong,
        "check": {"right": right_spoke, "wrong": wrong_spoke},
    }


def with_loss(
    activation: str | None, from_logits: bool, seed: int
) -> tuple[float, bool]:
    """Accuracy of a new last layer on the features of the numerals, and whether the check speaks."""
    import keras

    keras.utils.set_random_seed(seed)
    head = keras.layers.Dense(NUMERALS, activation)
    network = keras.Sequential([keras.Input((model().feature_dim,)), head])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=from_logits)
    network.compile(keras.optimizers.Adam(RATE), loss)
    spoke, rows = speaks(tl.checks.assert_loss_fits, network), learned_signs(seed)
    network.fit(
        features_of_numerals()[0][rows],
        numerals().train.labels[rows],
        batch_size=BATCH,
        epochs=EPOCHS,
        verbose=0,
    )
    answers = network.predict(features_of_numerals()[1], verbose=0).argmax(axis=1)
    return accuracy(answers, numerals().test.labels), spoke


WAYS = {
    "softmax": ("softmax", False),
    "logits, from_logits=True": (None, True),
    "logits": (None, False),
    "softmax, from_logits=True": ("softmax", True),
    "sigmoid": ("sigmoid", False),
}


def ways(seeds) -> dict:
    """What the last layer gives, and what the loss is told → accuracy; Keras mends some of the misfits by itself."""
    return {
        name: mean_sd(with_loss(*pair, seed)[0] for seed in seeds)
        for name, pair in WAYS.items()
    }
