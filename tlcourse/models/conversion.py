"""Networks for pictures as ONNX: parts of the bundled files, and Keras networks.

A bundled file has all blocks' outputs and, as initialisers named `<layer>/<weight>`,
the weights as Keras has them: so it is run as it is, and read for the Keras network.
"""

import gc
import hashlib
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..cards import bundled_file
from ..errors import TLCourseError, callers_level
from ..features import engine as engines
from ..features.cache import RowCache, cache_file, digest_of
from ..native import import_tensorflow, logging_silenced, stderr_silenced
from .efficientnet_lite import CLASSES, FEATURES, SCALING, block_layers, block_shapes

if TYPE_CHECKING:
    import keras
    import onnx

FEATURES_OUTPUT, CLASSIFIER_OUTPUT = "features", "probabilities"
# The keys under which a configuration names layers; elsewhere "relu" is a function.
_HOLD_NAMES = ("name", "keras_history", "input_layers", "output_layers")
LARGEST_DIFFERENCE = 1e-3  # between Keras and a converted network, of the largest value


def bundled_path(variant: str, precision: str = "float32") -> Path:
    """The path of a bundled file; DamagedFile if it is not the published one."""
    return bundled_file("weights", bundled_name(variant, precision))


def bundled_name(variant: str, precision: str = "float32") -> str:
    """The name of a bundled file."""
    return f"{variant}.onnx" if precision == "float32" else f"{variant}_int8.onnx"


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read a bundled file's weights as Keras has them: `<layer>/<weight>` → float32."""
    import onnx

    weights = {}
    for tensor in onnx.load(path).graph.initializer:
        if "/" in tensor.name:
            array = onnx.numpy_helper.to_array(tensor).astype(np.float32)
            axes = onnx_axes(tensor.name)
            weights[tensor.name] = array.transpose(np.argsort(axes)) if axes else array
    return weights


def onnx_axes(name: str) -> tuple[int, ...] | None:
    """Where ONNX has the axes of a Keras weight; None: where Keras has them."""
    if not name.endswith("conv/kernel"):
        return None
    return (2, 3, 0, 1) if name.endswith("depthwise_conv/kernel") else (3, 2, 0, 1)


def pooled(blocks: Sequence[str]) -> tuple[str, ...]:
    """Names of the outputs that are averages and maxima of these blocks."""
    kinds = ("average", "maximum")
    return tuple(f"{block}_{kind}" for block in blocks for kind in kinds)


def extract(
    path: Path,
    outputs: Sequence[str],
    size: tuple[int, int],
    weights: Mapping[str, np.ndarray] | None = None,
) -> "onnx.ModelProto":
    """Extract the part of a bundled file that computes these outputs.

    They are "features", "probabilities", a block's name for its activations, or
    `pooled`; `size` is (height, width) of the pictures. `weights`, by
    `<layer>/<weight>`, take the place of the bundled ones.
    """
    import onnx
    from onnx.utils import Extractor

    model, weights = onnx.load(path), weights or {}
    replace_weights(model, weights)
    for value in model.graph.output:
        if value.name == CLASSIFIER_OUTPUT and "classifier/bias" in weights:
            classes = value.type.tensor_type.shape.dim[1]
            classes.dim_value = weights["classifier/bias"].size
    _set_input_size(model, size)
    inputs = [value.name for value in model.graph.input]
    return Extractor(model).extract_model(inputs, list(dict.fromkeys(outputs)))


def replace_weights(
    model: "onnx.ModelProto", weights: Mapping[str, np.ndarray]
) -> None:
    """Put these weights, by `<layer>/<weight>`, in the place of a bundled file's own."""
    import onnx

    for tensor in model.graph.initializer:
        if tensor.name in weights:
            array, axes = weights[tensor.name], onnx_axes(tensor.name)
            array = np.ascontiguousarray(array.transpose(axes) if axes else array)
            tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))


def _set_input_size(model: "onnx.ModelProto", size: tuple[int, int]) -> None:
    """Change the height and width of a network's input, and leave those behind it open.

    `output_shape` says what they are.
    """
    graph = model.graph
    sides = graph.input[0].type.tensor_type.shape.dim[1:3]
    for side, pixels in zip(sides, size, strict=True):
        side.dim_value = pixels
    for value in graph.output:
        shape = value.type.tensor_type.shape.dim
        for side in shape[1:3] if len(shape) == 4 else ():
            side.Clear()
    del graph.value_info[:]


def bundled_engine(
    variant: str,
    precision: str,
    outputs: tuple[str, ...],
    size: tuple[int, int],
    key: str,
) -> engines.Engine:
    """Make the engine for the part of a bundled file; several outputs side by side.

    The network is loaded when the engine first runs, so that cached rows are returned
    without an import of onnx.
    """

    def content() -> bytes:
        path = bundled_path(variant, precision)  # checked again: it may have changed
        return extract(path, outputs, size).SerializeToString()

    shape = output_shape(variant, outputs, size)
    return engines.OnnxEngine(content, key, shape, outputs)


def output_shape(
    variant: str, outputs: Sequence[str], size: tuple[int, int]
) -> tuple[int, ...]:
    """The shape of these outputs for one picture, concatenated along the last axis.

    `outputs` and `size` are those of `extract`.
    """
    shapes: dict[str, tuple[int, ...]] = dict(block_shapes(variant, size))
    for block, shape in list(shapes.items()):
        shapes |= dict.fromkeys(pooled([block]), shape[-1:])
    shapes |= {FEATURES_OUTPUT: (FEATURES,), CLASSIFIER_OUTPUT: (CLASSES,)}
    *rest, _ = shapes[outputs[0]]
    return (*rest, sum(shapes[name][-1] for name in outputs))


def compile_network(network: "keras.Model") -> engines.Engine:
    """Make the engine for a Keras network with its present weights; few are kept.

    It is ONNX Runtime or, with a warning, TensorFlow where that cannot run it.
    """
    key = digest(network)

    def make() -> engines.Engine:
        try:
            shape, row = network.output_shape[1:], b"onnx"
            file = cache_file("network", key, metadata.version("keras"))
            with RowCache(file, (-1,), np.uint8) as cache:
                rows = cache.get([row])
                if row not in rows:
                    rows = {row: np.frombuffer(to_onnx(network), np.uint8)}
                    cache.put(rows)
            content = rows[row].tobytes()
            compiled = engines.OnnxEngine(content, f"{key}-float32", shape)
            compiled.start()
            return compiled
        except Exception as error:  # the converter and ONNX Runtime raise many kinds
            reason = str(error).strip().split("\n")[0][:200].rstrip(".")
            warnings.warn(
                f"ONNX Runtime cannot run {network.name} ({type(error).__name__}: "
                f"{reason}). TensorFlow runs it, which is slower.",
                stacklevel=callers_level(),
            )
            return engines.TensorFlowEngine(network, key)

    return engines.remembered((key, "compiled"), make)


def to_onnx(network: "keras.Model") -> bytes:
    """Convert a Keras network to ONNX, and compare both on one random picture."""
    shape = (1, *network.input_shape[1:])
    picture = np.random.default_rng(0).uniform(0, 255, shape).astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of inputs given as a list
        expected = np.asarray(network(picture, training=False))
    for convert in (_from_bundled, from_keras):
        if content := convert(network):
            actual = engines.OnnxEngine(content, "", ()).run(picture)
            if actual.shape == expected.shape:
                difference = np.abs(actual - expected).max()
                if difference <= LARGEST_DIFFERENCE * np.abs(expected).max():
                    return content
    raise TLCourseError("The converted network differs from Keras.")


def _from_bundled(network: "keras.Model") -> bytes | None:
    """Convert what may be a bundled network in other weights, by its layers' names.

    That takes a moment, Keras' export seconds and a gigabyte.
    """
    import keras

    layers = {layer.name: layer for layer in network.layers if layer.weights}
    output, last = FEATURES_OUTPUT, next(reversed(layers.values()), None)
    if isinstance(last, keras.layers.Dense) and last.use_bias:
        output = CLASSIFIER_OUTPUT
        layers["classifier"] = layers.pop(last.name)
    names = [name for name in layers if name != "classifier"]
    for variant in SCALING:
        known = [name for inside in block_layers(variant).values() for name in inside]
        if names == [name for name in known if name.endswith(("_conv", "_bn"))]:
            weights = {
                f"{name}/{weight.name}": weight.numpy()
                for name, layer in layers.items()
                for weight in layer.weights
            }
            size = network.input_shape[1:3]
            part = extract(bundled_path(variant), (output,), size, weights)
            return part.SerializeToString()
    return None


def from_keras(network: "keras.Model") -> bytes:
    """Convert a Keras network, of one input and one output, by Keras' own export."""
    import_tensorflow()
    with (
        tempfile.TemporaryDirectory(prefix="tlcourse-") as folder,
        warnings.catch_warnings(),
        stderr_silenced(),
        logging_silenced(),
    ):
        warnings.simplefilter("ignore")  # np.object in tf2onnx, inputs given as a list
        # Keras exports only networks that were called.
        network(np.zeros((1, *network.input_shape[1:]), np.float32))
        path = Path(folder, "network.onnx")
        network.export(path, format="onnx", verbose=False)
        content = path.read_bytes()
    gc.collect()  # networks refer to themselves in circles
    return content


def digest(network: "keras.Model") -> str:
    """A digest of a Keras network's configuration and weights.

    Names that Keras numbered, and what is frozen, do not count: neither changes the
    output.
    """
    operations = enumerate((network, *network.operations))
    positions = {operation.name: position for position, operation in operations}
    config = json.dumps(_numbered(network.get_config(), positions), default=str)
    weights = digest_of(np.asarray(weight) for weight in network.weights)
    return hashlib.sha256(config.encode() + weights).hexdigest()


def _numbered(config: Any, positions: dict[str, int], key: str = "") -> Any:
    """A configuration without "trainable", and with positions for layers' names."""
    if isinstance(config, dict):
        return {
            name: _numbered(value, positions, name)
            for name, value in config.items()
            if name != "trainable"
        }
    if isinstance(config, list | tuple):
        return [_numbered(value, positions, key) for value in config]
    is_name = key in _HOLD_NAMES and isinstance(config, str)
    return positions.get(config, config) if is_name else config
