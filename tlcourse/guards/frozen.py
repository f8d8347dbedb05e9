"""What is frozen in a model as it stands, and what is likely to be wrong with that."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..models.blocks import Parts, batch_norms, find_blocks
from ..training.freezing import FreezeTable, table
from .fresh import is_pretrained
from .heads import about_head
from .losses import about_loss
from .names import layers_and_models, some
from .stale import stale

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork


def frozen_report(model: "keras.Model | HasNetwork") -> FreezeTable:
    """The table of `tl.freeze` for a model as it stands, with warnings on what is likely to be wrong.

    Args:
        model: as for `tl.freeze`. Nothing is changed.

    Raises:
        UserInputError: as `tl.freeze`.
    """
    parts = find_blocks(model)
    network = parts.network
    flags = (_about_moving(parts), *_about_containers(network), stale(network))
    warnings = (
        *flags,
        about_head(parts),
        *(about_loss(network) if network.compiled else ()),
    )
    compiled = "compiled" if network.compiled else "not compiled yet"
    return table(
        parts, [f"The model is {compiled}."], [text for text in warnings if text]
    )


def _about_moving(parts: Parts) -> str:
    blocks = [layer for layers in parts.blocks.values() for layer in layers]
    moving = [norm.name for norm in batch_norms(blocks) if norm.trainable]
    from_scratch = (
        not is_pretrained(parts)
        if parts.known
        else all(layer.trainable for layer in blocks)
    )
    if not moving or from_scratch:
        return ""
    return (
        f"{len(moving)} batch norms would move in fit: {some(moving)}. Their running means and variances follow your "
        "batches at any learning rate, and training=False in the call does not prevent it. tl.freeze and tl.unfreeze "
        "freeze them."
    )


def _about_containers(network: "keras.Model") -> Iterator[str]:
    for model in (
        network,
        *(layer for layer in layers_and_models(network) if hasattr(layer, "layers")),
    ):
        inside = sum(weight.trainable for weight in model.weights)
        if not model.trainable and inside and model is network:
            yield f"{model.name}.trainable is False, so fit trains nothing, for all its {inside} trainable weights."
        elif not model.trainable and inside:
            yield (
                f"{model.name}.trainable is False and {model.name}.trainable_weights is empty, but fit trains {inside} "
                "of its weights: layers within were made trainable afterwards. Ask the whole model, not the base; "
                "tl.freeze(model, up_to=…) sets both."
            )
