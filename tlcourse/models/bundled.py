"""The ONNX files of EfficientNet-Lite that come with the course.

Each file has all blocks' outputs and, as initialisers named `<layer>/<weight>`, the
weights as Keras has them. So it is read in three ways: run as it is, as the weights of
the Keras network, and with the weights of a Keras network that was trained further.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .. import files
from . import onnx_file
from .efficientnet_lite import FEATURES, SCALING, block_layers, block_shapes

if TYPE_CHECKING:
    import keras

FEATURES_OUTPUT, CLASSIFIER_OUTPUT = "features", "probabilities"
_ONNX_AXES = {"conv": (3, 2, 0, 1), "depthwise_conv": (2, 3, 0, 1)}  # of Keras' kernels


def file(variant: str, precision: str = "float32") -> Path:
    """The path of a bundled file.

    Raises
    ------
    DamagedFile
        It is missing, cut short or altered.
    """
    return files.bundled_file("weights", file_name(variant, precision))


def file_name(variant: str, precision: str = "float32") -> str:
    return f"{variant}.onnx" if precision == "float32" else f"{variant}_int8.onnx"


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
        return (1000,)
    if tuple(outputs)[0] in shapes:
        return shapes[outputs[0]]
    return (sum(shapes[name.rpartition("_")[0]][-1] for name in outputs),)


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read a file's weights as Keras has them: `<layer>/<weight>` → float32."""
    from onnx import numpy_helper

    weights = {}
    for tensor in onnx_file.load(path).graph.initializer:
        if "/" in tensor.name:
            array = numpy_helper.to_array(tensor).astype(np.float32)
            axes = _axes(tensor.name)
            weights[tensor.name] = array.transpose(np.argsort(axes)) if axes else array
    return weights


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

    model = onnx_file.load(file(variant, precision))
    for tensor in model.graph.initializer:
        if weights and tensor.name in weights:
            array, axes = weights[tensor.name], _axes(tensor.name)
            array = np.ascontiguousarray(array.transpose(axes) if axes else array)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
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


def _axes(name: str) -> tuple[int, ...] | None:
    """Where ONNX has the axes of a Keras weight; None: where Keras has them."""
    layer, _, weight = name.partition("/")
    kind = "depthwise_conv" if layer.endswith("depthwise_conv") else "conv"
    return _ONNX_AXES[kind] if layer.endswith("conv") and weight == "kernel" else None
