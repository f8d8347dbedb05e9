"""A model's weights at one moment, to compare later ones with."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserInputError
from ..models.blocks import batch_norms, find_blocks, is_kernel, leaves
from .fresh import is_pretrained
from .names import layers_and_models, weight_names
from .stale import stale

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork


@dataclass(frozen=True)
class Snapshot:
    """A model's weights at one moment. Made by `snapshot`.

    Attributes:
        name: the model's name.
        weights: weight's name → a copy of it, from the pixels on.
        groups: name of a block, layer or nested model → names of the weights in it.
        blocks: the names of the blocks, with "your layers" for what was put around them.
        statistics: names of the moving means and variances of batch norms.
        norms: names of all weights of batch norms.
        trainable: names of the weights that `fit` would train.
        kernels: names of the weights that multiply what comes in: neither biases nor batch norms.
        pretrained: whether the layers of the blocks look as if something had trained them, half of them at least.
        compiled: whether the model was compiled.
        stale: sentence on `trainable` changed since the last `compile`, or "".
    """

    name: str
    weights: dict[str, np.ndarray] = field(repr=False)
    groups: dict[str, frozenset[str]] = field(repr=False)
    blocks: tuple[str, ...] = field(repr=False)
    statistics: frozenset[str] = field(repr=False)
    norms: frozenset[str] = field(repr=False)
    trainable: frozenset[str] = field(repr=False)
    kernels: frozenset[str] = field(repr=False)
    pretrained: bool
    compiled: bool
    stale: str


def snapshot(model: "keras.Model | HasNetwork") -> Snapshot:
    """Copy a model's weights, to be compared by `assert_changed` with those after training.

    Args:
        model: a `PretrainedModel`, a `FineTuned` or a built `keras.Model`; training it later does not change the copy.

    Raises:
        UserInputError: as `tl.freeze`.
    """
    parts = find_blocks(model)
    names = weight_names(parts.network)
    groups: dict[str, set] = {}
    for block, layers in parts.layers.items():
        groups.setdefault(block, set()).update(
            names[id(weight)] for layer in layers for weight in layer.weights
        )
    for layer in layers_and_models(parts.network):
        groups.setdefault(layer.name, set()).update(
            names[id(weight)] for weight in layer.weights
        )
    norms = batch_norms(list(leaves(parts.network)))
    return Snapshot(
        parts.network.name,
        {names[id(weight)]: weight.numpy() for weight in parts.network.weights},
        {name: frozenset(weights) for name, weights in groups.items()},
        tuple(parts.layers),
        frozenset(
            names[id(weight)]
            for norm in norms
            for weight in (norm.moving_mean, norm.moving_variance)
        ),
        frozenset(names[id(weight)] for norm in norms for weight in norm.weights),
        frozenset(names[id(weight)] for weight in parts.network.trainable_weights),
        frozenset(
            names[id(weight)] for weight in parts.network.weights if is_kernel(weight)
        ),
        is_pretrained(parts),
        parts.network.compiled,
        stale(parts.network),
    )


def before_and_after(before: object, after: object) -> tuple[Snapshot, Snapshot]:
    """Two snapshots, taken now where a model was given.

    Raises:
        UserInputError: the same object twice.
    """
    if before is after:
        raise UserInputError(
            "before and after are the same object, which cannot tell what changed. Call tl.guards.snapshot(model) "
            "before training and give what it returns as before."
        )
    before, after = (
        side if isinstance(side, Snapshot) else snapshot(side)
        for side in (before, after)
    )
    return before, after
