"""Whether the loss expects what the last layer gives: probabilities or logits, one output or one a class.

Keras is silent about most of these: the network then learns slowly, or nothing, or always says the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from ..errors import GuardError, UserInputError
from ..models.blocks import is_model
from ..tensorflow_start import import_tensorflow

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork

PROBABILITIES = ("softmax", "sigmoid")
RAW = (
    "linear",
    "relu",
    "leaky_relu",
    "relu6",
    "elu",
    "selu",
    "gelu",
    "silu",
    "swish",
    "tanh",
    "softplus",
    "softsign",
)


def assert_loss_fits(model: "keras.Model | HasNetwork") -> None:
    """Assert that the loss of a compiled model expects what its last layer gives.

    Args:
        model: compiled `keras.Model`, or anything with such a `network`. Losses other than the cross-entropies, and
            activations of one's own, pass.

    Raises:
        GuardError: the two do not fit; the message says which of them to change.
        UserInputError: no Keras model, or not compiled.
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
            f"{network.name!r} is not compiled, so it has no loss yet. Call model.compile(…) first, then this guard."
        )
    sentences = about_loss(network)
    if sentences:
        raise GuardError(" ".join(sentences))


def about_loss(network: "keras.Model") -> list[str]:
    """Sentences on each output whose loss does not fit."""
    found = []
    for output, loss in _outputs_and_losses(network):
        expected, given = _expected(loss), _given(output)
        sentence = expected and given and _misfit(expected, given)
        found += [sentence] if sentence else []
    return found


@dataclass(frozen=True)
class _Expected:
    """What a loss wants: "categorical" or "binary" cross-entropy, of logits or of probabilities; its name."""

    kind: str
    from_logits: bool
    name: str


@dataclass(frozen=True)
class _Given:
    """What the last layer gives: its activation's name, how many numbers, its own name."""

    activation: str
    units: int
    layer: str


def _outputs_and_losses(network: "keras.Model") -> Iterator[tuple]:
    """Each output of the network with its loss, as far as the two can be told."""
    outputs, loss = (
        getattr(network, "outputs", None) or [],
        getattr(network, "loss", None),
    )
    if isinstance(loss, dict):
        named = dict(zip(getattr(network, "output_names", ()), outputs, strict=False))
        yield from ((named[name], one) for name, one in loss.items() if name in named)
    elif isinstance(loss, list | tuple):
        yield from zip(outputs, loss, strict=False)
    else:
        yield from ((output, loss) for output in outputs)


def _expected(loss: object) -> _Expected | None:
    """What a loss is, given by name, as an object or as a function; None for others than the cross-entropies."""
    import keras

    options: dict[str, Any] = {}
    try:
        loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    except ValueError:
        return None
    if isinstance(loss, partial):
        options, loss = loss.keywords, loss.func
    name = getattr(loss, "__name__", type(loss).__name__).replace("_", "").lower()
    kind = next(
        (
            kind
            for kind in ("categorical", "binary")
            if name.startswith((kind, f"sparse{kind}"))
        ),
        None,
    )
    if kind is None or not name.endswith("crossentropy") or "generalized" in name:
        return None
    from_logits = bool(options.get("from_logits", getattr(loss, "from_logits", False)))
    return _Expected(kind, from_logits, getattr(loss, "__name__", type(loss).__name__))


def _given(output: "keras.KerasTensor") -> _Given | None:
    """The activation that made this output; None where it cannot be told."""
    operation, node, place = output._keras_history
    if is_model(operation):
        return _given(operation.outputs[place])
    if _passes_on(operation):
        return _given(operation._inbound_nodes[node].input_tensors[0])
    inner = getattr(
        operation, "layer", operation
    )  # within keras.layers.TimeDistributed
    activation = getattr(
        getattr(inner, "activation", None), "__name__", type(inner).__name__.lower()
    )
    if activation not in (*PROBABILITIES, *RAW):
        return None
    return _Given(activation, output.shape[-1], operation.name)


def _passes_on(operation: "keras.Operation") -> bool:
    """Whether a layer gives the numbers that it is given, in another shape or type at most."""
    from keras import layers

    if isinstance(operation, layers.Activation):
        return operation.activation.__name__ == "linear"
    return isinstance(
        operation, layers.Dropout | layers.Reshape | layers.Flatten | layers.Identity
    )


def _misfit(expected: _Expected, given: _Given) -> str:
    """A sentence if a loss does not fit what it is given."""
    probabilities = given.activation in PROBABILITIES
    if given.units == 1 and (
        given.activation == "softmax" or expected.kind == "categorical"
    ):
        return (
            f"The last layer, {given.layer}, has one output, and {_normaliser(expected, given)} over one number is "
            "always 1, whatever the picture: nothing is learned. For two classes take one sigmoid output and "
            "binary_crossentropy, or two softmax outputs and sparse_categorical_crossentropy; for more, one output "
            "for each class."
        )
    if expected.from_logits and probabilities:
        return (
            f"The last layer, {given.layer}, gives probabilities ({given.activation}), and the loss, {expected.name} "
            "with from_logits=True, takes them for logits and squashes them a second time: all classes then look "
            "nearly the same to it. (With TensorFlow Keras often notices, warns and corrects it; with JAX or PyTorch "
            "it does not.) Leave from_logits=True out, or give the last layer no activation."
        )
    if not expected.from_logits and not probabilities:
        what = "no activation" if given.activation == "linear" else given.activation
        wanted = "softmax" if expected.kind == "categorical" else "sigmoid"
        return (
            f"The last layer, {given.layer}, gives any numbers ({what}), and the loss, {expected.name}, takes them for "
            "probabilities: it cuts them off at 0 and 1, and where it cuts there is no gradient. Give the last layer "
            f'activation="{wanted}", or take the loss keras.losses.{_class(expected)}(from_logits=True).'
        )
    if expected.kind == "categorical" and given.activation == "sigmoid":
        return (
            f"The last layer, {given.layer}, gives {given.units} separate probabilities (sigmoid), and the loss, "
            f"{expected.name}, wants one distribution over all classes. Keras trains as if there were a softmax, so "
            "the probabilities that the network gives are not those that were trained, nor sum to 1. Classes that "
            'exclude each other: activation="softmax"; several at once: keep the sigmoid, take binary_crossentropy.'
        )
    if (
        expected.kind == "binary"
        and given.activation == "softmax"
        and (given.units or 0) > 2
    ):
        return (
            f"The last layer, {given.layer}, gives one distribution over {given.units} classes (softmax), and the "
            f'loss, {expected.name}, judges every output by itself. Keras then counts "accuracy" output by output, '
            f"too: a network that always gives the same class is right in {given.units - 2} of {given.units} outputs "
            "at least. Take categorical_crossentropy, or sparse_categorical_crossentropy for labels 0, 1, 2, …"
        )
    return ""


def _normaliser(expected: _Expected, given: _Given) -> str:
    return (
        "a softmax"
        if given.activation == "softmax"
        else f"{expected.name}'s own normalisation"
    )


def _class(expected: _Expected) -> str:
    """The name of a loss as a class of keras.losses: "SparseCategoricalCrossentropy"."""
    return "".join(part[:1].upper() + part[1:] for part in expected.name.split("_"))
