"""What is frozen in a model, and what is likely to be wrong with that."""

from typing import TYPE_CHECKING

import numpy as np

from ..errors import CheckError
from ..models.blocks import Parts, batch_norms, containers, find_blocks
from ..training.freezing import FreezeTable, Network, some, table
from .inputs import about_loss

if TYPE_CHECKING:
    import keras


def frozen_report(model: Network) -> FreezeTable:
    """The table of `tl.freeze` for a model as it is, with warnings of likely mistakes.

    Parameters
    ----------
    model : PretrainedModel or keras.Model
        As for `tl.freeze`. Nothing is changed.

    Returns
    -------
    FreezeTable
        Its `warnings` are sentences: on batch norms that would move, flags changed
        after `compile`, a head as it was initialised, a loss that does not fit.

    Raises
    ------
    UserInputError
        As `tl.freeze`.

    Examples
    --------
    >>> import tlcourse as tl
    >>> frozen = tl.freeze(model := tl.load_pretrained_model())
    >>> tl.checks.frozen_report(model).warnings
    ()
    """
    parts = find_blocks(model)
    network = parts.network
    sentences = [_about_norms(parts), _about_containers(network), stale(network)]
    sentences += [_about_head(parts), about_loss(network) if network.compiled else ""]
    compiled = "compiled" if network.compiled else "not compiled yet"
    return table(parts, [f"The model is {compiled}."], list(filter(None, sentences)))


def _about_norms(parts: Parts) -> str:
    layers = _block_layers(parts)
    moving = [norm.name for norm in batch_norms(layers) if norm.trainable]
    from_scratch = all(layer.trainable for layer in layers)
    if parts.known:
        from_scratch = not is_pretrained(parts)
    if not moving or from_scratch:
        return ""
    return (
        f"{len(moving)} batch norms would move in fit: {some(moving)}. Their running "
        "means and variances follow your batches at any learning rate, and "
        "training=False in the call does not prevent it. tl.freeze and tl.unfreeze "
        "freeze them."
    )


def _block_layers(parts: Parts) -> list:
    return [layer for block in parts.blocks.values() for layer in block]


def _about_containers(network: "keras.Model") -> str:
    for model in containers(network):
        count = sum(weight.trainable for weight in model.weights)
        if count and not model.trainable:
            trained = "nothing" if model is network else f"{count} of its weights"
            return (
                f"{model.name}.trainable is False, but {count} weights within were "
                f"made trainable afterwards, and fit trains {trained}. tl.freeze(model, "
                "up_to=…) sets both."
            )
    return ""


def stale(network: "keras.Model") -> str:
    """A sentence if `trainable` changed since the optimizer got its weights."""
    optimizer = network.optimizer if network.compiled else None
    if optimizer is None or not optimizer.built:
        return ""
    now = {id(weight): weight.path for weight in network.trainable_weights}
    then = {id(weight): weight.path for weight in optimizer._trainable_variables}
    frozen = [path for key, path in then.items() if key not in now]
    unfrozen = [path for key, path in now.items() if key not in then]
    text = ""
    if unfrozen:
        text += f"{len(unfrozen)} were made trainable and are not ({some(unfrozen)}). "
    if frozen:
        text += f"{len(frozen)} were frozen and are trained ({some(frozen)}). "
    return text and (
        f"The flags of some weights were changed after compile(): {text}Changing them "
        "without compiling again does nothing. Call model.compile(…) again, with a new "
        "optimizer (tl.freeze and tl.unfreeze do)."
    )


def is_pretrained(parts: Parts) -> bool:
    """Whether at least half of the running means and biases are not zeros any more."""
    asked = [
        getattr(layer, "moving_mean", getattr(layer, "bias", None))
        for layer in _block_layers(parts)
    ]
    trained = [weight.numpy().any() for weight in asked if weight is not None]
    return bool(trained) and np.mean(trained) >= 0.5


def assert_head_trained(model: Network) -> None:
    """Assert that no pretrained layer would be trained under an untrained head.

    The first errors of a random head are random, and so is what they do to the layers
    under it (A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and
    Underperform Out-of-Distribution", ICLR 2022). A network that is frozen altogether
    passes, since that is how its head is trained; so does one without pretrained
    weights.

    Parameters
    ----------
    model : PretrainedModel or keras.Model
        As for `tl.freeze`. Nothing is changed.

    Raises
    ------
    CheckError
        The head is as it was initialised, and pretrained layers are trainable.

    Examples
    --------
    >>> import tlcourse as tl
    >>> frozen = tl.freeze(model := tl.load_pretrained_model())
    >>> tl.checks.assert_head_trained(model)
    """
    if sentence := _about_head(find_blocks(model)):
        raise CheckError(sentence)


def _about_head(parts: Parts) -> str:
    heads = [layer for layer in parts.own if getattr(layer, "bias", None) is not None]
    if not heads or not heads[-1].trainable or not is_pretrained(parts):
        return ""
    head, trained = heads[-1], set(map(id, parts.network.trainable_weights))
    initial = head.bias_initializer(head.bias.shape, dtype=head.bias.dtype)
    is_new = np.array_equal(head.bias.numpy(), initial)  # one step moves every bias
    weights = {id(w) for layer in _block_layers(parts) for w in layer.weights}
    if not is_new or not weights & trained:
        return ""
    return (
        f"The head, {head.name}, is as it was initialised, and fit would train "
        f"{len(weights & trained)} pretrained weights under it. Its first errors are "
        "random and damage them. Train the head first, with everything else frozen: "
        "tl.freeze(model), fit; then tl.unfreeze(model, from_block=…), fit at a small "
        "rate."
    )
