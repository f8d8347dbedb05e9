"""What is frozen in a model, and what is likely to be wrong with that."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CheckError
from ..models.blocks import (
    Parts,
    batch_norms,
    containers,
    find_blocks,
    is_model,
    leaves,
)
from ..training.freezing import FreezeTable, table
from .losses import about_loss

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork

LISTED = 4  # names that a message lists before it says how many more there are
SLACK = 0.1  # share by which a kernel's deviation may differ from its initialiser's


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def weight_names(network: "keras.Model") -> dict[int, str]:
    """id of a weight → "nested model/layer/weight", the same in every process."""
    names: dict[int, str] = {}

    def walk(container: "keras.Model", prefix: str) -> None:
        for layer in container.layers:
            if is_model(layer):
                walk(layer, f"{prefix}{layer.name}/")
            for weight in layer.weights:
                tail = weight.path.rpartition(f"{layer.name}/")[2]
                names.setdefault(id(weight), f"{prefix}{layer.name}/{tail}")

    walk(network, "")
    for weight in network.weights:  # weights of a subclassed model's own
        names.setdefault(id(weight), weight.path)
    return names


def frozen_report(model: "keras.Model | HasNetwork") -> FreezeTable:
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
    >>> network = tl.add_head(tl.load_pretrained_model(), classes=2)
    >>> tl.checks.frozen_report(network).warnings
    ()
    """
    parts = find_blocks(model)
    network = parts.network
    flags = [_about_norms(parts), *_about_containers(network), stale(network)]
    loss = about_loss(network) if network.compiled else []
    warnings = [text for text in (*flags, _about_head(parts), *loss) if text]
    compiled = "compiled" if network.compiled else "not compiled yet"
    return table(parts, [f"The model is {compiled}."], warnings)


def _about_norms(parts: Parts) -> str:
    layers = [layer for block in parts.blocks.values() for layer in block]
    moving = [norm.name for norm in batch_norms(layers) if norm.trainable]
    from_scratch = (
        not is_pretrained(parts)
        if parts.known
        else all(layer.trainable for layer in layers)
    )
    if not moving or from_scratch:
        return ""
    return (
        f"{len(moving)} batch norms would move in fit: {some(moving)}. Their running "
        "means and variances follow your batches at any learning rate, and "
        "training=False in the call does not prevent it. tl.freeze and tl.unfreeze "
        "freeze them."
    )


def _about_containers(network: "keras.Model") -> Iterator[str]:
    for model in containers(network):
        count = sum(weight.trainable for weight in model.weights)
        if model.trainable or not count:
            continue
        if model is network:
            yield (
                f"{model.name}.trainable is False, so fit trains nothing, for all its "
                f"{count} trainable weights."
            )
        else:
            yield (
                f"{model.name}.trainable is False and {model.name}.trainable_weights "
                f"is empty, but fit trains {count} of its weights: layers within were "
                "made trainable afterwards. Ask the whole model, not the base; "
                "tl.freeze(model, up_to=…) sets both."
            )


def stale(network: "keras.Model") -> str:
    """A sentence if `trainable` changed since the optimizer got its weights."""
    optimizer = network.optimizer if network.compiled else None
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not optimizer.built:
        return ""
    current = network.trainable_weights
    known = {id(w) for w in getattr(optimizer, "_trainable_variables", current)}
    now, names = {id(weight) for weight in current}, weight_names(network)
    frozen = [name for key, name in names.items() if key in known - now]
    unfrozen = [name for key, name in names.items() if key in now - known]
    problems = []
    if unfrozen:
        problems.append(
            f"{len(unfrozen)} weights were made trainable ({some(unfrozen)}) and are "
            "not trained"
        )
    if frozen:
        problems.append(
            f"{len(frozen)} weights were frozen ({some(frozen)}) and are trained all "
            "the same"
        )
    if not problems:
        return ""
    return (
        f"`trainable` was changed after compile(): {'; '.join(problems)}. Changing it "
        "without compiling again does nothing. Call model.compile(…) again, with a new "
        "optimizer (tl.freeze and tl.unfreeze do)."
    )


# --- the head ---


def assert_head_trained(model: "keras.Model | HasNetwork") -> None:
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
    UserInputError
        As `tl.freeze`.
    """
    sentence = _about_head(find_blocks(model))
    if sentence:
        raise CheckError(sentence)


def _about_head(parts: Parts) -> str:
    with_kernel = [
        layer
        for layer in leaves(parts.network)
        if getattr(layer, "kernel", None) is not None
    ]
    head = with_kernel[-1] if with_kernel else None
    if head is None or not any(layer is head for layer in parts.own):
        return ""
    trained = {id(weight) for weight in parts.network.trainable_weights}
    layers = [layer for block in parts.blocks.values() for layer in block]
    pretrained = {id(weight) for layer in layers for weight in layer.weights} & trained
    head_trained = any(id(weight) in trained for weight in head.weights)
    if not (head_trained and pretrained and _is_new(head) and is_pretrained(parts)):
        return ""
    return (
        f"The head, {head.name}, is as it was initialised, and fit would train "
        f"{len(pretrained)} pretrained weights under it. Its first errors are random "
        "and damage the pretrained weights. Train the head first, with everything else "
        "frozen: tl.freeze(model), fit; then tl.unfreeze(model, from_block=…), fit at "
        "a small rate. Or begin with a probe for a head: "
        "tl.train_classifier(features, labels).as_head()."
    )


def _is_new(layer: "keras.layers.Layer") -> bool:
    """Whether a layer looks as initialised: one step of training moves every bias."""
    bias = getattr(layer, "bias", None)
    if bias is not None:
        initial = _initial(layer.bias_initializer, bias)
        if not np.array_equal(bias.numpy(), initial):
            return False
    kernel = layer.kernel.numpy()
    deviation = _initial(layer.kernel_initializer, layer.kernel).std()
    chance = 3 / np.sqrt(kernel.size)  # three standard errors of the ratio
    return bool(abs(kernel.std() - deviation) <= (SLACK + chance) * deviation)


def _initial(initializer: "keras.Initializer", weight: "keras.Variable") -> np.ndarray:
    """The initialiser's values; the weight itself where asking would change its state.

    Seeded by a number, as Keras does it by default, an initialiser repeats itself.
    """
    import keras

    if isinstance(getattr(initializer, "seed", None), keras.random.SeedGenerator):
        return weight.numpy()
    return np.asarray(initializer(weight.shape, dtype=weight.dtype))


def is_pretrained(parts: Parts) -> bool:
    """Whether at least half of the blocks' layers look trained.

    Running means of batch norms and biases are zeros at first and do not stay so;
    layers with neither are not asked.
    """
    layers = [layer for block in parts.blocks.values() for layer in block]
    asked = [
        getattr(layer, "moving_mean", getattr(layer, "bias", None)) for layer in layers
    ]
    trained = [weight.numpy().any() for weight in asked if weight is not None]
    return bool(trained) and np.mean(trained) >= 0.5
