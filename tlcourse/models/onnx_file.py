"""ONNX files in 8-bit integers."""

import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

from ..native import logging_silenced


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
