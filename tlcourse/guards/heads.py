"""A head that nothing has trained yet sends random errors into whatever is trainable under it."""

from typing import TYPE_CHECKING

from ..errors import GuardError
from ..models.blocks import Parts, find_blocks
from .fresh import head_of, is_new, is_pretrained

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork


def assert_head_trained(model: "keras.Model | HasNetwork") -> None:
    """Assert that no pretrained layer would be trained under a head that is still as it was initialised.

    The first errors of a random head are random, and so is what they do to the layers under it (A. Kumar et al.,
    "Fine-Tuning can Distort Pretrained Features and Underperform Out-of-Distribution", ICLR 2022). A network that is
    frozen altogether passes, since that is how its head is trained; so does one without pretrained weights.

    Args:
        model: as for `tl.freeze`. Nothing is changed.

    Raises:
        GuardError: the head is new, and pretrained layers are trainable.
        UserInputError: as `tl.freeze`.
    """
    sentence = about_head(find_blocks(model))
    if sentence:
        raise GuardError(sentence)


def about_head(parts: Parts) -> str:
    """A sentence if pretrained layers are trainable under a head that is still as it was initialised."""
    head, trained = (
        head_of(parts),
        {id(weight) for weight in parts.network.trainable_weights},
    )
    if head is None or not any(id(weight) in trained for weight in head.weights):
        return ""
    inside = [
        weight
        for layers in parts.blocks.values()
        for layer in layers
        for weight in layer.weights
    ]
    count = len({id(weight) for weight in inside} & trained)
    if not count or not is_new(head) or not is_pretrained(parts):
        return ""
    return (
        f"The head, {head.name}, is as it was initialised, and fit would train {count} pretrained weights under it. "
        "Its first errors are random and shake loose what was learned before. Train the head first, with everything "
        "else frozen: tl.freeze(model), fit; then tl.unfreeze(model, from_block=…), fit at a small rate. Or begin with a "
        "probe for a head: tl.train_classifier(features, labels).as_head()."
    )
