"""Parameters, outputs and multiply-adds of each block, counted from its layers."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..training.freezing import table
from .blocks import find_blocks

if TYPE_CHECKING:
    import keras

    from .blocks import HasNetwork


@dataclass(frozen=True)
class BlockCount:
    """One block of a network.

    Attributes
    ----------
    name : str
        Of the block.
    parameters, trainable : int
        All parameters; those that fine-tuning may change: without batch norm's.
    outputs : int
        Values that its layers output for one picture; training keeps them in memory.
    multiply_adds : int
        For one picture.
    """

    name: str
    parameters: int
    trainable: int
    outputs: int
    multiply_adds: int


def count_blocks(model: "keras.Model | HasNetwork") -> list[BlockCount]:
    """Count the blocks of a model, as for `freeze`; nothing is run or changed."""
    import keras

    parts = find_blocks(model)
    parameters = {row.block: row.parameters for row in table(parts).rows}
    counts = []
    for name, layers in parts.blocks.items():
        trainable = [
            layer
            for layer in layers
            if not isinstance(layer, keras.layers.BatchNormalization)
        ]
        counts.append(
            BlockCount(
                name,
                parameters[name],
                sum(math.prod(w.shape) for layer in trainable for w in layer.weights),
                sum(_size(_output_shape(layer)) for layer in layers),
                sum(_multiply_adds(layer) for layer in layers),
            )
        )
    return counts


def _multiply_adds(layer: "keras.layers.Layer") -> int:
    """Each weight of a filter is multiplied once at each position of the output."""
    filters = [math.prod(w.shape) for w in layer.weights if len(w.shape) >= 2]
    return sum(filters) * _size(_output_shape(layer)[:-1])


def _size(shape: tuple) -> int:
    """Values in an array of this shape; unknown sizes count as one."""
    return math.prod(size or 1 for size in shape)


def _output_shape(layer: "keras.layers.Layer") -> tuple:
    """Of one picture's output; () for a layer that is used twice or never."""
    try:
        return tuple(layer.output.shape[1:])
    except (AttributeError, ValueError):
        return ()
