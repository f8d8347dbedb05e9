"""ONNX files: quantized, and checked where somebody else may have written them."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DamagedFile
from ..files import read_file
from ..native import logging_silenced

if TYPE_CHECKING:
    import onnx

LARGEST_FILE = 1 << 30  # bytes; VGG16 with ImageNet's classes has 0.55 GB
LARGEST_SIZE = 1 << 16  # of an attribute: a kernel, a stride, padding, an axis
# What exported networks consist of. Loops, and whatever asks for memory by a number
# in the file, are not among it.
OPERATORS = frozenset(
    "Add AveragePool BatchNormalization Cast Clip Concat Constant Conv "
    "DequantizeLinear Div Erf Flatten Gather Gelu Gemm GlobalAveragePool "
    "GlobalMaxPool HardSigmoid HardSwish Identity LayerNormalization MatMul MaxPool "
    "Mul Pad Pow QuantizeLinear Reciprocal ReduceMax ReduceMean Relu Reshape Shape "
    "Sigmoid Slice Softmax Sqrt Squeeze Sub Sum Tanh Transpose Unsqueeze".split()
)


def quantize(content: bytes, pictures: Iterable[np.ndarray]) -> bytes:
    """Quantize a network to 8-bit integers: QDQ, weights per channel, static ranges.

    The activations' ranges are calibrated on `pictures`, (height, width, 3) in
    [0, 255] (B. Jacob et al., CVPR 2018). Weights have 7 bits: with 8, sums overflow on
    processors with AVX2 and without VNNI. Depthwise convolutions keep 8: they are
    computed otherwise, and their 9 or 25 weights per channel need them.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    int8 = quantization.QuantType.QInt8
    with tempfile.TemporaryDirectory(prefix="tlcourse-") as folder, logging_silenced():
        whole, folded, small = (Path(folder, f"{name}.onnx") for name in "abc")
        whole.write_bytes(content)
        quant_pre_process(whole, folded, skip_symbolic_shape=True)  # folds batch norms
        graph = onnx.load(folded).graph
        kernels = {t.name: tuple(t.dims) for t in graph.initializer}
        depthwise = [  # kernels that filter each channel by itself
            node.input[1]
            for node in graph.node
            if node.op_type == "Conv" and kernels.get(node.input[1], (0, 0))[1] == 1
        ]
        name = graph.input[0].name
        batches = ({name: np.float32(picture)[None]} for picture in pictures)
        calibration = SimpleNamespace(get_next=lambda: next(batches, None))
        eight_bits = {"quant_type": int8, "axis": 0, "symmetric": True}
        overrides = dict.fromkeys(depthwise, [eight_bits | {"reduce_range": False}])
        quantization.quantize_static(
            folded,
            small,
            calibration,
            quant_format=quantization.QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=int8,
            op_types_to_quantize=["Conv", "Add", "Clip", "Relu", "Gemm", "MatMul"],
            extra_options={"TensorQuantOverrides": overrides},
        )
        return small.read_bytes()


def quantize_text(content: bytes) -> bytes:
    """Quantize BERT's matrix products to 8-bit integers, with dynamic ranges."""
    import onnx
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory(prefix="tlcourse-") as folder, logging_silenced():
        small = Path(folder, "small.onnx")
        quantization.quantize_dynamic(
            onnx.load_model_from_string(content),
            small,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,
            weight_type=quantization.QuantType.QInt8,
        )
        return small.read_bytes()


def check_foreign(path: Path) -> bytes:
    """Read an ONNX file that somebody else may have written, if it is a plain network.

    Returns the bytes that were checked, wherever the path leads afterwards. Anything
    that no exported network has raises DamagedFile.
    """
    import onnx
    from google.protobuf.message import DecodeError

    content = read_file(path, LARGEST_FILE, DamagedFile)
    try:
        _check(onnx.load_model_from_string(content))
    except (
        DecodeError,
        ValueError,
        RecursionError,
        onnx.checker.ValidationError,
    ) as error:
        reason = str(error).split("\n")[0][:100] or "no ONNX"
        raise DamagedFile(f"{path} cannot be used as an ONNX file: {reason}.") from None
    return content


def _check(model: "onnx.ModelProto") -> None:
    """Raise a ValueError, or one of ONNX' own, about what no exported network has."""
    import onnx

    if not model.graph.node:
        raise ValueError("it has no network in it")
    if len(model.functions) or len(model.graph.sparse_initializer):
        raise ValueError("it defines operators of its own or sparse weights")
    tensors = list(model.graph.initializer)
    for node in model.graph.node:
        if node.domain not in ("", "ai.onnx") or node.op_type not in OPERATORS:
            name = f"{node.domain}.{node.op_type}".strip(".")
            raise ValueError(f"no exported network has the operator {name}")
        for attribute in node.attribute:
            if attribute.HasField("g") or attribute.graphs or attribute.tensors:
                raise ValueError(f"{node.op_type} has a network inside")
            largest = max(map(abs, (attribute.i, *attribute.ints)))
            if attribute.name != "value" and largest > LARGEST_SIZE:
                raise ValueError(f"{node.op_type} asks for {largest:,}")
            tensors += [attribute.t] if attribute.HasField("t") else []
    for tensor in tensors:
        if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
            raise ValueError("it keeps weights in another file")
    onnx.checker.check_model(model)
