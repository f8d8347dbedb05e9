"""BERT as an ONNX file, made from its weights: sentences need no TensorFlow.

The operators are those of `bert.encoder`, in ONNX' textual form. Sentences of a batch
have the same number of tokens, so there is no padding.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx

from ..native import logging_silenced
from .bert import Shape

_HEADER = """<ir_version: 9, opset_import: ["" : 20]>
bert (int32[n, length] token_ids) => (float[n, length, {width}] x{layers}) {{
  by_token = Gather(embeddings_tokens_0, token_ids)
  length = Shape<start = 1, end = 2>(token_ids)
  by_position = Slice(embeddings_positions_0, zero, length)
  x = Add(by_token, by_position)
  x0 = LayerNormalization<epsilon = {epsilon}>(x, embeddings_norm_0, embeddings_norm_1)
"""
_LAYER = """
  {n}_q1 = MatMul({x}, {n}_attention_0)
  {n}_q2 = Add({n}_q1, {n}_attention_1)
  {n}_q3 = Reshape({n}_q2, by_head)
  {n}_q = Transpose<perm = [0, 2, 1, 3]>({n}_q3)
  {n}_k1 = MatMul({x}, {n}_attention_2)
  {n}_k2 = Add({n}_k1, {n}_attention_3)
  {n}_k3 = Reshape({n}_k2, by_head)
  {n}_k = Transpose<perm = [0, 2, 3, 1]>({n}_k3)
  {n}_v1 = MatMul({x}, {n}_attention_4)
  {n}_v2 = Add({n}_v1, {n}_attention_5)
  {n}_v3 = Reshape({n}_v2, by_head)
  {n}_v = Transpose<perm = [0, 2, 1, 3]>({n}_v3)
  {n}_scores = MatMul({n}_q, {n}_k)
  {n}_weights = Softmax<axis = -1>({n}_scores)
  {n}_a1 = MatMul({n}_weights, {n}_v)
  {n}_a2 = Transpose<perm = [0, 2, 1, 3]>({n}_a1)
  {n}_a3 = Reshape({n}_a2, together)
  {n}_a4 = MatMul({n}_a3, {n}_attention_6)
  {n}_a5 = Add({n}_a4, {n}_attention_7)
  {n}_a6 = Add({x}, {n}_a5)
  {n}_a = LayerNormalization<epsilon = {epsilon}>({n}_a6, {n}_attention_norm_0, \
{n}_attention_norm_1)
  {n}_w1 = MatMul({n}_a, {n}_wide_0)
  {n}_w2 = Add({n}_w1, {n}_wide_1)
  {n}_w = {activation}({n}_w2)
  {n}_n1 = MatMul({n}_w, {n}_narrow_0)
  {n}_n2 = Add({n}_n1, {n}_narrow_1)
  {n}_n = Add({n}_a, {n}_n2)
  {y} = LayerNormalization<epsilon = {epsilon}>({n}_n, {n}_norm_0, {n}_norm_1)
"""
_ACTIVATIONS = {"gelu": "Gelu", "gelu_tanh": 'Gelu<approximate = "tanh">'}


def build(weights: dict[str, list[np.ndarray]], shape: Shape, layers: int) -> bytes:
    """Build the file: token ids int32 (n, length) → states float32 (n, length, width).

    Parameters
    ----------
    weights : dict
        Layer's name → its arrays, as the layers of `bert.encoder` have them.
    shape : Shape
        Of the BERT.
    layers : int
        How many of its layers run; 0: the embeddings alone.
    """
    heads, width = shape.heads, shape.width
    settings = {
        "epsilon": f"{shape.epsilon:.17f}",
        "activation": _ACTIVATIONS.get(shape.activation, "Relu"),
    }
    text = _HEADER.format(width=width, layers=layers, **settings)
    for number in range(1, layers + 1):
        names = {"n": f"layer_{number}", "x": f"x{number - 1}", "y": f"x{number}"}
        text += _LAYER.format(**names, **settings)
    model = onnx.parser.parse_model(text + "}")
    constants = {
        "zero": np.array([0]),
        "by_head": np.array([0, 0, heads, width // heads]),
        "together": np.array([0, 0, width]),
    }
    for layer, arrays in weights.items():
        if layer.endswith("_attention"):
            arrays = _attention(arrays, width, heads)
        constants |= {f"{layer}_{i}": array for i, array in enumerate(arrays)}
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in constants.items()
        if name in used
    )
    return model.SerializeToString()


def _attention(arrays: list[np.ndarray], width: int, heads: int) -> list[np.ndarray]:
    """Kernels (width, width) and biases (width,); scores divided in the query."""
    arrays = [
        array.reshape(width, width) if number % 2 == 0 else array.reshape(width)
        for number, array in enumerate(arrays)
    ]
    scale = np.float32((width // heads) ** -0.5)
    return [arrays[0] * scale, arrays[1] * scale, *arrays[2:]]


def quantize(content: bytes) -> bytes:
    """Quantize its matrix products to 8-bit integers, with dynamic ranges."""
    from onnxruntime import quantization

    with tempfile.TemporaryDirectory(prefix="tlcourse-") as folder, logging_silenced():
        small = Path(folder, "small.onnx")
        quantization.quantize_dynamic(
            onnx.load_model_from_string(content),
            small,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,  # as in `onnx_file.quantize`
            weight_type=quantization.QuantType.QInt8,
        )
        return small.read_bytes()
