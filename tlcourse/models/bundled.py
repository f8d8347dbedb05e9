"""The ONNX files of the bundled networks, and the Keras weights in them.

Each file has all blocks' outputs and, as initialisers named `<layer>/<weight>`, the
weights as Keras has them: so it is run as it is, and read for the Keras network.
"""

from pathlib import Path

import numpy as np

from .. import cards
from . import onnx_file

_ONNX_AXES = {"conv": (3, 2, 0, 1), "depthwise_conv": (2, 3, 0, 1)}  # of Keras' kernels


def file(variant: str, precision: str = "float32") -> Path:
    """The path of a bundled file.

    Raises
    ------
    DamagedFile
        It is missing, cut short or altered.
    """
    return cards.bundled_file("weights", file_name(variant, precision))


def file_name(variant: str, precision: str = "float32") -> str:
    """The name of a bundled file."""
    return f"{variant}.onnx" if precision == "float32" else f"{variant}_int8.onnx"


def read_weights(path: Path) -> dict[str, np.ndarray]:
    """Read a file's weights as Keras has them: `<layer>/<weight>` → float32."""
    from onnx import numpy_helper

    weights = {}
    for tensor in onnx_file.load(path).graph.initializer:
        if "/" in tensor.name:
            array = numpy_helper.to_array(tensor).astype(np.float32)
            axes = onnx_axes(tensor.name)
            weights[tensor.name] = array.transpose(np.argsort(axes)) if axes else array
    return weights


def onnx_axes(name: str) -> tuple[int, ...] | None:
    """Where ONNX has the axes of a Keras weight; None: where Keras has them."""
    layer, _, weight = name.partition("/")
    kind = "depthwise_conv" if layer.endswith("depthwise_conv") else "conv"
    return _ONNX_AXES[kind] if layer.endswith("conv") and weight == "kernel" else None
