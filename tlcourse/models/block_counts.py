"""What each block of a network holds and does, counted from its layers; nothing is run."""

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
    """One block of a network, counted.

    Attributes:
        name: of the block.
        parameters: numbers that it holds.
        trainable: those of them that fine-tuning may change: all but batch norm's.
        outputs: numbers that its layers hand on for one picture; training keeps them until it has gone back.
        multiply_adds: of one picture's way through it.
    """

    name: str
    parameters: int
    trainable: int
    outputs: int
    multiply_adds: int


def count_blocks(model: "keras.Model | HasNetwork") -> list[BlockCount]:
    """The blocks of a model, from the pixels on.

    Args:
        model: as for `freeze`; it is looked at and stays as it is.

    Raises:
        UserInputError: as `freeze`.
    """
    import keras

    parts = find_blocks(model)
    held = {row.block: row.parameters for row in table(parts).rows}
    return [
        BlockCount(
            name,
            held[name],
            sum(
                _size(layer)
                for layer in layers
                if not isinstance(layer, keras.layers.BatchNormalization)
            ),
            sum(_outputs(layer) for layer in layers),
            sum(_multiply_adds(layer) for layer in layers),
        )
        for name, layers in parts.blocks.items()
    ]


def _size(layer: "keras.layers.Layer") -> int:
    return sum(math.prod(weight.shape) for weight in layer.weights)


def _outputs(layer: "keras.layers.Layer") -> int:
    """Numbers that a layer hands on for one picture; where a size is not fixed it counts as one."""
    return math.prod(side or 1 for side in _shape(layer))


def _multiply_adds(layer: "keras.layers.Layer") -> int:
    """Each number of a filter is multiplied once at each position of what comes out."""
    filters = sum(
        math.prod(weight.shape) for weight in layer.weights if len(weight.shape) >= 2
    )
    return filters * math.prod(side or 1 for side in _shape(layer)[:-1])


def _shape(layer: "keras.layers.Layer") -> tuple:
    """Of one picture's output; of a layer that is used twice or never, none."""
    try:
        return tuple(layer.output.shape[1:])
    except (AttributeError, ValueError):
        return ()
