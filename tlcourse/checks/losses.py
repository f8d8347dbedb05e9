"""Whether the loss expects what the last layer outputs: probabilities or logits."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import CheckError, UserInputError
from ..models.blocks import is_model
from ..native import import_tensorflow

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork

PROBABILITIES = ("softmax", "sigmoid")
RAW = ("linear", "relu", "leaky_relu", "relu6", "elu", "selu", "gelu", "silu", "swish")
RAW += ("tanh", "softplus", "softsign")


def assert_loss_fits(model: "keras.Model | HasNetwork") -> None:
    """Assert that the loss of a compiled model expects what its last layer outputs.

    Keras is silent about most of these mistakes: the network then learns slowly, or
    nothing, or always predicts the same.

    Parameters
    ----------
    model : keras.Model
        Compiled, or anything with such a `network`. Losses other than cross-entropies,
        and custom activations, pass.

    Raises
    ------
    CheckError
        The two do not fit; the message says which of them to change.
    UserInputError
        No Keras model, or not compiled.
    """
    import_tensorflow()
    import keras

    network = getattr(model, "network", model)
    if not isinstance(network, keras.Model):
        raise UserInputError(
            f"A {type(model).__name__} was given; expected a compiled keras.Model."
        )
    if not network.compiled:
        raise UserInputError(
            f"{network.name!r} is not compiled, so it has no loss yet. Call "
            "model.compile(…) first, then this check."
        )
    sentences = about_loss(network)
    if sentences:
        raise CheckError(" ".join(sentences))


@dataclass(frozen=True)
class _Loss:
    """A cross-entropy: its name, "categorical" or "binary", of logits or not."""

    name: str
    kind: str
    from_logits: bool


@dataclass(frozen=True)
class _Output:
    """What a last layer outputs."""

    layer: str
    activation: str
    units: int


def about_loss(network: "keras.Model") -> list[str]:
    """A sentence on each output whose loss does not fit."""
    sentences = []
    for tensor, loss in _outputs_and_losses(network):
        expected, output = _cross_entropy(loss), _output(tensor)
        if expected and output and (sentence := _misfit(expected, output)):
            sentences.append(sentence)
    return sentences


def _outputs_and_losses(network: "keras.Model") -> Iterator[tuple]:
    """Each output of the network with its loss, as far as the two can be told."""
    outputs = getattr(network, "outputs", None) or []
    loss = getattr(network, "loss", None)
    if isinstance(loss, dict):
        named = dict(zip(getattr(network, "output_names", ()), outputs, strict=False))
        return ((named[name], each) for name, each in loss.items() if name in named)
    losses = loss if isinstance(loss, list | tuple) else [loss] * len(outputs)
    return zip(outputs, losses, strict=False)


def _cross_entropy(loss: object) -> _Loss | None:
    """A loss given by name, as an object or a function; None if no cross-entropy."""
    import keras

    options: dict[str, Any] = {}
    try:
        loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    except ValueError:
        return None
    if isinstance(loss, partial):
        options, loss = loss.keywords, loss.func
    name = getattr(loss, "__name__", type(loss).__name__)
    plain = name.replace("_", "").lower().removeprefix("sparse")
    kinds = [kind for kind in ("categorical", "binary") if plain.startswith(kind)]
    if not kinds or not plain.endswith("crossentropy") or "generalized" in plain:
        return None
    from_logits = options.get("from_logits", getattr(loss, "from_logits", False))
    return _Loss(name, kinds[0], bool(from_logits))


def _output(tensor: "keras.KerasTensor") -> _Output | None:
    """The layer that made an output; None if its activation is a custom one."""
    from keras import layers

    operation, node, index = tensor._keras_history
    if is_model(operation):
        return _output(operation.outputs[index])
    reshaping = layers.Dropout | layers.Reshape | layers.Flatten | layers.Identity
    linear = isinstance(operation, layers.Activation) and (
        operation.activation.__name__ == "linear"
    )
    if linear or isinstance(operation, reshaping):
        return _output(operation._inbound_nodes[node].input_tensors[0])
    inner = getattr(operation, "layer", operation)  # in TimeDistributed
    activation = getattr(inner, "activation", None)
    name = getattr(activation, "__name__", type(inner).__name__.lower())
    if name not in (*PROBABILITIES, *RAW):
        return None
    return _Output(operation.name, name, tensor.shape[-1])


def _misfit(loss: _Loss, output: _Output) -> str:
    """A sentence if a loss does not fit an output."""
    probabilities, units = output.activation in PROBABILITIES, output.units
    last = f"The last layer, {output.layer},"
    if units == 1 and (output.activation == "softmax" or loss.kind == "categorical"):
        softmax = output.activation == "softmax"
        over = "a softmax" if softmax else f"{loss.name}'s own normalisation"
        return (
            f"{last} has one output, and {over} over one number is always 1, whatever "
            "the picture: nothing is learned. For two classes take one sigmoid output "
            "and binary_crossentropy, or two softmax outputs and "
            "sparse_categorical_crossentropy; for more, one output for each class."
        )
    if loss.from_logits and probabilities:
        return (
            f"{last} outputs probabilities ({output.activation}), and the loss, "
            f"{loss.name} with from_logits=True, takes them for logits and squashes "
            "them a second time: all classes then look nearly the same to it. (Keras "
            "often notices and corrects it, but not with JAX or PyTorch.) Leave "
            "from_logits=True out, or give the last layer no activation."
        )
    if not loss.from_logits and not probabilities:
        linear = output.activation == "linear"
        what = "no activation" if linear else output.activation
        activation = "softmax" if loss.kind == "categorical" else "sigmoid"
        words = loss.name.split("_")
        name = "".join(word[:1].upper() + word[1:] for word in words)
        return (
            f"{last} outputs any numbers ({what}), and the loss, {loss.name}, takes "
            "them for probabilities: it cuts them off at 0 and 1, and where it cuts "
            f'there is no gradient. Give the last layer activation="{activation}", or '
            f"take the loss keras.losses.{name}(from_logits=True)."
        )
    if loss.kind == "categorical" and output.activation == "sigmoid":
        return (
            f"{last} outputs {units} separate probabilities (sigmoid), and the loss, "
            f"{loss.name}, expects one distribution over all classes. Keras trains as "
            "if there were a softmax, so the network's probabilities are not those "
            "that were trained, nor sum to 1. Classes that exclude each other: "
            'activation="softmax"; several at once: keep the sigmoid, take '
            "binary_crossentropy."
        )
    if loss.kind == "binary" and output.activation == "softmax" and (units or 0) > 2:
        return (
            f"{last} outputs one distribution over {units} classes (softmax), and the "
            f"loss, {loss.name}, takes each output by itself. Keras then counts "
            '"accuracy" output by output, too: a network that always predicts the same '
            f"class is right in {units - 2} of {units} outputs at least. Take "
            "categorical_crossentropy, or sparse_categorical_crossentropy for labels "
            "0, 1, 2, …"
        )
    return ""
