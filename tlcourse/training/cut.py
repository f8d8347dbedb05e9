"""Where a network is cut for fine-tuning: the blocks in front stay as they are, those behind are trained."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserInputError
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from ..validation import shown
from .freezing import freeze, unfreeze

if TYPE_CHECKING:
    import keras


def first_block(
    model: PretrainedModel | PretrainedTextModel, from_: str | int | None
) -> str | None:
    """The name of the first block that is trained, or None for the whole network."""
    if not isinstance(model, PretrainedModel | PretrainedTextModel):
        raise UserInputError(
            f"fine_tune was given {type(model).__name__}; expected a pretrained model: "
            "model = tl.load_pretrained_model()."
        )
    return block_among(list(model.blocks), model.name, from_)


def block_among(names: list[str], model: str, from_: object) -> str | None:
    """As `first_block`, of the model of this name with these blocks."""
    first = from_
    if (
        isinstance(from_, int | np.integer)
        and not isinstance(from_, bool)
        and 1 <= from_ <= len(names)
    ):
        first = names[-from_]
    if first is None:
        return None
    if not isinstance(first, str) or first not in names:
        raise UserInputError(
            f"The first block to train was given as {shown(from_)}; expected its name, how many of the last blocks "
            f"(1 to {len(names)}) to train, or None for the whole network. The blocks of {model}: {', '.join(names)}."
        )
    return None if first == names[0] else first


def last_frozen_block(
    model: PretrainedModel | PretrainedTextModel, first: str | None
) -> str | None:
    """The block in front of the first that is trained, or None."""
    names = list(model.blocks)
    return names[names.index(first) - 1] if first else None


def cut_copy(
    model: PretrainedModel | PretrainedTextModel, last_frozen: str | None
) -> tuple:
    """A copy of the model's network in which the blocks behind this one are trainable, batch norms excepted; and the
    `KerasTensor` where what this one hands on comes in.
    """
    network = model.copy_network()
    train_behind(network, last_frozen)
    return network, network.get_layer(
        model.blocks[last_frozen][-1]
    ).output if last_frozen else network.inputs[0]


def train_behind(network: "keras.Model", last_frozen: str | None) -> None:
    """Make the blocks behind this one trainable, or all of them, and no batch norm."""
    if last_frozen:
        freeze(network, up_to=last_frozen)
    else:
        unfreeze(network)
