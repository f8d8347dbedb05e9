"""EfficientNet-Lite in ONNX: parts of the bundled files, also with other weights."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from . import bundled, onnx_file
from .efficientnet_lite import (
    CLASSES,
    FEATURES,
    SCALING,
    block_layers,
    block_shapes,
)

if TYPE_CHECKING:
    import keras

FEATURES_OUTPUT, CLASSIFIER_OUTPUT = "features", "probabilities"


def pooled(blocks: Sequence[str]) -> tuple[str, ...]:
    """Names of the outputs that are averages and maxima of these blocks."""
    return tuple(
        f"{block}_{kind}" for block in blocks for kind in ("average", "maximum")
    )


def output_shape(variant: str, outputs: Sequence[str]) -> tuple[int, ...]:
    """The shape of one picture's outputs, concatenated, without reading the file."""
    shapes = block_shapes(variant)
    if tuple(outputs) == (FEATURES_OUTPUT,):
        return (FEATURES,)
    if tuple(outputs) == (CLASSIFIER_OUTPUT,):
        return (CLASSES,)
    if tuple(outputs)[0] in shapes:
        return shapes[outputs[0]]
    return (sum(shapes[name.rpartition("_")[0]][-1] for name in outputs),)


def extract(
    variant: str,
    precision: str,
    outputs: Sequence[str],
    weights: Mapping[str, np.ndarray] | None = None,
) -> bytes:
    """Extract the part of a bundled file that computes these outputs.

    Parameters
    ----------
    variant, precision : str
        Which file.
    outputs : sequence of str
        "features", "probabilities", a block's name for its activations, or `pooled`.
    weights : mapping, optional
        Weights that take the place of the bundled ones, see `weights_of`.
    """
    from onnx import numpy_helper

    model = onnx_file.load(bundled.file(variant, precision))
    for tensor in model.graph.initializer:
        if weights and tensor.name in weights:
            array, axes = weights[tensor.name], bundled.onnx_axes(tensor.name)
            array = np.ascontiguousarray(array.transpose(axes) if axes else array)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    if weights and "classifier/bias" in weights:  # of a head, with classes of its own
        for value in model.graph.output:
            if value.name == CLASSIFIER_OUTPUT:
                classes = value.type.tensor_type.shape.dim[1]
                classes.dim_value = weights["classifier/bias"].size
    return onnx_file.subgraph(model, outputs)


def weights_of(network: "keras.Model") -> dict[str, np.ndarray]:
    """The present weights of a Keras network, named `<layer>/<weight>`."""
    return {
        f"{layer.name}/{weight.name}": weight.numpy()
        for layer in network.layers
        for weight in layer.weights
    }


def from_keras(network: "keras.Model") -> bytes | None:
    """Convert a Keras network that is a bundled one in other weights.

    That takes a moment, where Keras' export takes seconds and a gigabyte. Only names of
    layers are compared here, so the result has to be compared with the network.

    Parameters
    ----------
    network : keras.Model
        Pixels → features, or → probabilities of a dense head's classes.

    Returns
    -------
    bytes or None
        An ONNX file; None if it is another network.
    """
    import keras

    layers = [layer for layer in network.layers if layer.weights]
    output, weights = FEATURES_OUTPUT, weights_of(network)
    if layers and isinstance(layers[-1], keras.layers.Dense):
        head, output = layers.pop(), CLASSIFIER_OUTPUT
        if not head.use_bias or head.activation is not keras.activations.softmax:
            return None
        for part in ("kernel", "bias"):
            weights[f"classifier/{part}"] = weights.pop(f"{head.name}/{part}")
    for variant in SCALING:
        blocks = block_layers(variant).values()
        expected = [name for block in blocks for name in block]
        if [layer.name for layer in layers] == [
            name for name in expected if name.endswith(("_conv", "_bn"))
        ]:
            return extract(variant, "float32", (output,), weights)
    return None
