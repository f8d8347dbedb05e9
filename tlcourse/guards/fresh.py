"""Which layers look as they were initialised: a head that nothing has trained yet, a network without its weights."""

from typing import TYPE_CHECKING

import numpy as np

from ..models.blocks import Parts, leaves

if TYPE_CHECKING:
    import keras

SLACK = 0.1  # share by which a kernel's spread may differ from its initialiser's, beside what chance does


def is_new(layer: "keras.layers.Layer") -> bool:
    """Whether a layer with a kernel looks as it was initialised: one step of training moves every bias."""
    bias = getattr(layer, "bias", None)
    if bias is not None and not np.array_equal(
        bias.numpy(), _initial(layer.bias_initializer, bias)
    ):
        return False
    kernel, drawn = (
        layer.kernel.numpy(),
        _initial(layer.kernel_initializer, layer.kernel),
    )
    chance = 3 / np.sqrt(
        kernel.size
    )  # three standard errors of the ratio of two standard deviations
    return bool(abs(kernel.std() - drawn.std()) <= (SLACK + chance) * drawn.std())


def _initial(initializer: "keras.Initializer", weight: "keras.Variable") -> np.ndarray:
    """What the initialiser gives for a weight of this shape; where asking would change what it gives next, the weight.

    Seeded by a number, as Keras does it by default, an initialiser gives the same each time.
    """
    import keras

    if isinstance(getattr(initializer, "seed", None), keras.random.SeedGenerator):
        return weight.numpy()
    return np.asarray(initializer(weight.shape, dtype=weight.dtype))


def is_pretrained(parts: Parts) -> bool:
    """Whether at least half of the blocks' layers look as if something had trained them.

    A batch norm tells by its running mean, another layer by its bias; those without either are not asked.
    """
    layers = [layer for block in parts.blocks.values() for layer in block]
    told = [
        weight.numpy().any()
        for layer in layers
        if (weight := _zero_at_first(layer)) is not None
    ]
    return bool(told) and np.mean(told) >= 0.5


def _zero_at_first(layer: "keras.layers.Layer") -> "keras.Variable | None":
    """The weight of a layer that is zeros at first and does not stay so; or None."""
    return getattr(
        layer, "moving_mean" if hasattr(layer, "moving_mean") else "bias", None
    )


def head_of(parts: Parts) -> "keras.layers.Layer | None":
    """The last layer with a kernel, if it is among those put around the pretrained part; or None."""
    last = [
        layer
        for layer in leaves(parts.network)
        if getattr(layer, "kernel", None) is not None
    ][-1:]
    return next((layer for layer in parts.own if [layer] == last), None)
