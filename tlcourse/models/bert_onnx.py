"""BERT as an ONNX file, built from its weights: sentences need no TensorFlow.

The operators are those of `bert.encoder`. Sentences of a batch have the same number of
tokens, so there is no padding.
"""

import tempfile
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from ..native import logging_silenced
from .bert import Shape

OPSET, IR_VERSION = 20, 9  # the first with Gelu


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
    graph = _Graph(weights, shape)
    x = graph.embeddings("token_ids")
    for number in range(1, layers + 1):
        x = graph.encoder_layer(x, f"layer_{number}")
    ids = helper.make_tensor_value_info("token_ids", TensorProto.INT32, ["n", "length"])
    states = helper.make_tensor_value_info(
        x, TensorProto.FLOAT, ["n", "length", shape.width]
    )
    made = helper.make_graph(graph.nodes, "BERT", [ids], [states], graph.constants)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=IR_VERSION)
    return model.SerializeToString()


def quantize(content: bytes) -> bytes:
    """Quantize its matrix products to 8-bit integers, with dynamic ranges."""
    from onnxruntime import quantization

    model = onnx.load_model_from_string(content)
    with tempfile.TemporaryDirectory(prefix="tlcourse-") as folder, logging_silenced():
        small = Path(folder, "small.onnx")
        quantization.quantize_dynamic(
            model,
            small,
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=True,  # as in `onnx_file.quantize`
            weight_type=quantization.QuantType.QInt8,
        )
        return small.read_bytes()


class _Graph:
    """Collects operators and constants; each method returns its output's name."""

    def __init__(self, weights: dict[str, list[np.ndarray]], shape: Shape) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._weights, self._shape = weights, shape

    def embeddings(self, ids: str) -> str:
        tokens = self._add("Gather", [self._weight("embeddings_tokens"), ids])
        length = self._add("Shape", [ids], start=1, end=2)
        bounds = [self._constant(np.array([0])), length]
        positions = self._add("Slice", [self._weight("embeddings_positions"), *bounds])
        return self._norm(self._add("Add", [tokens, positions]), "embeddings_norm")

    def encoder_layer(self, x: str, name: str) -> str:
        attended = self._attention(x, self._weights[f"{name}_attention"])
        x = self._norm(self._add("Add", [x, attended]), f"{name}_attention_norm")
        y = self._activated(self._dense(x, *self._weights[f"{name}_wide"]))
        y = self._dense(y, *self._weights[f"{name}_narrow"])
        return self._norm(self._add("Add", [x, y]), f"{name}_norm")

    def _attention(self, x: str, arrays: list[np.ndarray]) -> str:
        heads, width = self._shape.heads, self._shape.width
        query, query_bias, key, key_bias, value, value_bias, out, out_bias = arrays
        # The scores' division by the root of a head's size, done to the query.
        scale = np.float32((width // heads) ** -0.5)
        query = self._by_head(x, query * scale, query_bias * scale, [0, 2, 1, 3])
        key = self._by_head(x, key, key_bias, [0, 2, 3, 1])
        value = self._by_head(x, value, value_bias, [0, 2, 1, 3])
        scores = self._add("Softmax", [self._add("MatMul", [query, key])], axis=-1)
        x = self._add("MatMul", [scores, value])
        x = self._add("Transpose", [x], perm=[0, 2, 1, 3])
        x = self._add("Reshape", [x, self._constant(np.array([0, 0, width]))])
        return self._dense(x, out.reshape(width, width), out_bias)

    def _by_head(
        self, x: str, kernel: np.ndarray, bias: np.ndarray, perm: list[int]
    ) -> str:
        """A dense layer's output, (n, length, width), with an axis for heads."""
        heads, width = self._shape.heads, self._shape.width
        x = self._dense(x, kernel.reshape(width, width), bias.reshape(width))
        sizes = self._constant(np.array([0, 0, heads, width // heads]))
        return self._add("Transpose", [self._add("Reshape", [x, sizes])], perm=perm)

    def _dense(self, x: str, kernel: np.ndarray, bias: np.ndarray) -> str:
        product = self._add("MatMul", [x, self._constant(kernel)])
        return self._add("Add", [product, self._constant(bias)])

    def _activated(self, x: str) -> str:
        if self._shape.activation == "relu":
            return self._add("Relu", [x])
        exact = self._shape.activation == "gelu"
        return self._add("Gelu", [x], approximate="none" if exact else "tanh")

    def _norm(self, x: str, name: str) -> str:
        scale, shift = map(self._constant, self._weights[name])
        return self._add(
            "LayerNormalization", [x, scale, shift], epsilon=self._shape.epsilon
        )

    def _weight(self, name: str) -> str:
        return self._constant(self._weights[name][0])

    def _constant(self, value: np.ndarray) -> str:
        name = f"constant_{len(self.constants)}"
        array = np.ascontiguousarray(value)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def _add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name
