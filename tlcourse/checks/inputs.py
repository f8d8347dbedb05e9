"""Whether a network gets the pixels, and a loss the outputs, that they expect."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets.bundled import load_samples
from ..errors import CheckError, UserInputError
from ..features.pictures import resize
from ..models.blocks import is_model
from ..models.recipes import RECIPES
from ..models.weights import preprocess
from ..native import import_tensorflow
from ..training.freezing import Network
from ..validation import one_of, shown

if TYPE_CHECKING:
    import keras

SAMPLES = ("astronaut", "coffee")  # in colour, with pixels from black to white
SIMILAR = 0.01  # share of the range: (x − 127) / 128 will do for x / 127.5 − 1
MEANS = np.array([123.675, 116.28, 103.53])  # of ImageNet, RGB, in pixels
DEVIATIONS = np.array([58.395, 57.12, 57.375])
EXPECTED = {
    "lite": "each pixel less 127, divided by 128: about -1 to 1",
    "scaled": "pixels scaled to [-1, 1]",
    "caffe": "blue, green, red in this order, each less ImageNet's mean",
    "raw": "pixels from 0 to 255 as they are",
}
RAW = ("linear", "relu", "relu6", "leaky_relu", "elu", "gelu", "silu", "tanh")


def assert_preprocessing(model: Any, function: Callable) -> None:
    """Assert that a function prepares pixels as a bare network expects them.

    What `tl.load_pretrained_model` loads preprocesses by itself.

    Parameters
    ----------
    model : PretrainedModel or str
        From `load_pretrained_model`, or its name; the weights are not needed.
    function : callable
        Pixels (n, height, width, 3) in [0, 255], uint8 or float32, RGB → the network's
        input. It is called with two photographs in both types.

    Raises
    ------
    CheckError
        It does something else, and what; or it changes its argument.

    Examples
    --------
    >>> import tlcourse as tl
    >>> scale = lambda images: images.astype("float32") / 127.5 - 1
    >>> tl.checks.assert_preprocessing("mobilenet_v2", scale)
    """
    name = one_of("model", getattr(model, "name", model), RECIPES)
    recipe, called = RECIPES[name], getattr(function, "__name__", "The function")
    samples = load_samples().test
    indices = [samples.class_names.index(sample) for sample in SAMPLES]
    size = (recipe.size, recipe.size)
    pictures = np.stack([resize(samples.images[index], size) for index in indices])
    for pixels in (pictures.astype(np.float32), pictures):
        before = pixels.copy()
        try:
            result = np.array(function(pixels))
        except Exception as error:
            raise UserInputError(
                f"{called} cannot be run on {pixels.dtype} pixels of shape "
                f"{pixels.shape} ({shown(error)}). Expected function(images)."
            ) from error
        problem = _problem(result, before, recipe.pixels)
        if problem:
            raise CheckError(
                f"Of {pixels.dtype} pixels {called} {problem} {name} was trained with "
                f"something else: {EXPECTED[recipe.pixels]}. Give the bare network "
                "model.preprocess(images); a network that preprocesses by itself, as "
                "those of this course do, the pixels as they are."
            )
        if not np.array_equal(pixels, before):
            raise CheckError(
                f"{called} is right, and changes its argument in place: pictures that "
                "come a second time are preprocessed twice. Give it a copy, "
                "function(images.copy()), or take model.preprocess(images)."
            )


def _problem(result: np.ndarray, pixels: np.ndarray, kind: str) -> str:
    """What a function does instead of the right preprocessing, or ""."""
    expected = preprocess(pixels, kind)
    if result.shape != expected.shape or result.dtype.kind not in "uif":
        return f"makes an array of shape {result.shape} and type {result.dtype}."
    x = pixels.astype(np.float64)
    known = {
        "is right": expected,
        "preprocesses twice": preprocess(expected, kind),
        "leaves the pixels as they are": x,
        "scales the pixels to [0, 1]": x / 255,
        "scales the pixels to [-1, 1]": x / 127.5 - 1,
        "subtracts ImageNet's mean": x - MEANS,
        "standardises by ImageNet's mean and deviation": (x - MEANS) / DEVIATIONS,
    }
    for what, reading in known.items():
        error = SIMILAR * np.ptp(reading)
        if np.abs(result - reading).max() <= error:
            return "" if what == "is right" else f"{what}."
        if np.abs(result - reading[..., ::-1]).max() <= error:
            link = "but" if what == "is right" else "and"
            return f"{what}, {link} exchanges red and blue."
    return f"makes numbers from {result.min():.3g} to {result.max():.3g}."


def assert_loss_fits(model: Network) -> None:
    """Assert that the loss of a compiled model expects what its last layer outputs.

    Keras is silent about most of these mistakes: the network then learns slowly, or
    nothing, or always predicts the same.

    Parameters
    ----------
    model : keras.Model
        Compiled, of one output, or anything with such a `network`. Losses other than
        cross-entropies, and custom activations, pass.

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
    if not isinstance(network, keras.Model) or not network.compiled:
        raise UserInputError(
            f"{shown(model)} is no compiled keras.Model, so it has no loss. Call "
            "model.compile(…) first, then this check."
        )
    if sentence := about_loss(network):
        raise CheckError(sentence)


def about_loss(network: "keras.Model") -> str:
    """A sentence if the loss does not fit the output, as far as both can be told."""
    import keras

    outputs, loss = getattr(network, "outputs", None) or [], network.loss
    if len(outputs) != 1 or isinstance(loss, list | tuple | dict):
        return ""
    loss = keras.losses.get(loss) if isinstance(loss, str) else loss
    loss_name = getattr(loss, "__name__", type(loss).__name__)
    plain = loss_name.replace("_", "").lower().removeprefix("sparse")
    layer, activation = _last_layer(outputs[0])
    units, last = outputs[0].shape[-1], f"The last layer, {layer},"
    from_logits = getattr(loss, "from_logits", False)
    is_categorical = plain == "categoricalcrossentropy"
    if not is_categorical and plain != "binarycrossentropy":
        return ""
    if units == 1 and (activation == "softmax" or is_categorical):
        return (
            f"{last} has one output, and a softmax over one number is always 1: nothing "
            "is learned. For two classes take one sigmoid output and "
            "binary_crossentropy; for more, one softmax output for each class."
        )
    if from_logits and activation in ("softmax", "sigmoid"):
        return (
            f"{last} outputs probabilities ({activation}), and the loss, {loss_name} "
            "with from_logits=True, squashes them a second time. Leave from_logits=True "
            "out, or give the last layer no activation."
        )
    if not from_logits and activation in RAW:
        right = "softmax" if is_categorical else "sigmoid"
        return (
            f"{last} outputs any numbers ({activation}), and the loss, {loss_name}, "
            f'takes them for probabilities. Give the last layer activation="{right}", '
            "or the loss from_logits=True."
        )
    if is_categorical and activation == "sigmoid":
        return (
            f"{last} outputs {units} separate probabilities (sigmoid), and the loss, "
            f"{loss_name}, expects one distribution over all classes. Take "
            'activation="softmax"; for several classes at once binary_crossentropy.'
        )
    if not is_categorical and activation == "softmax" and (units or 0) > 2:
        return (
            f"{last} outputs one distribution over {units} classes (softmax), and the "
            f"loss, {loss_name}, takes each output by itself. Take "
            "sparse_categorical_crossentropy for labels 0, 1, 2, …"
        )
    return ""


def _last_layer(tensor: "keras.KerasTensor") -> tuple[str, str]:
    """Name and activation of the layer that made an output; "" for a custom one."""
    operation, node, index = tensor._keras_history
    if is_model(operation):
        return _last_layer(operation.outputs[index])
    activation = getattr(operation, "activation", operation)
    kind = getattr(activation, "__name__", type(activation).__name__.lower())
    if kind == "linear" and type(operation).__name__ == "Activation":
        return _last_layer(operation._inbound_nodes[node].input_tensors[0])
    return operation.name, kind
