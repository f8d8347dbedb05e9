"""BERT's encoder in Keras layers, and as an ONNX file, which needs no TensorFlow.

J. Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019. In Keras shorter sentences of a batch are padded. Padding is
all zeros before every layer, which is how it is recognised. In ONNX sentences of a
batch have the same number of tokens.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

PADDING = 0  # the id of [PAD]
# Layers that only answering has: vectors of the two texts of a pair, and the scores of
# a token as an answer's first and last.
TYPES, SPANS = "embeddings_types", "spans"


@dataclass(frozen=True)
class Shape:
    """The hyperparameters of a BERT."""

    layers: int
    heads: int  # of attention in each layer
    width: int  # size of a token's state
    wide: int  # size of the state between the two dense layers
    vocabulary: int
    longest: int  # tokens of a text
    activation: str = "gelu"  # or "relu", or "gelu_tanh", GELU's approximation
    epsilon: float = 1e-12  # of the layer normalisations


def encoder(shape: Shape, name: str = "bert") -> "keras.Model":
    """Build BERT with random weights: ids int32 (n, length) → features (n, width).

    A sentence's features are the average of its tokens' states after the last layer,
    without padding.
    """
    import keras
    from keras import layers, ops

    ids = keras.Input((None,), dtype="int32", name="token_ids")
    positions = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    tokens = layers.Embedding(shape.vocabulary, shape.width, name="embeddings_tokens")
    at = layers.Embedding(shape.longest, shape.width, name="embeddings_positions")
    norm = layers.LayerNormalization(epsilon=shape.epsilon, name="embeddings_norm")
    x = norm(tokens(ids) + at(positions))
    x = _zero_padding(x, ops.not_equal(ids, PADDING), "embeddings")
    for number in range(1, shape.layers + 1):
        x = _encoder_layer(x, shape, f"layer_{number}")
    average = layers.GlobalAveragePooling1D(name="average")
    return keras.Model(ids, average(x, mask=_is_token(x)), name=name)


def _encoder_layer(
    x: "keras.KerasTensor", shape: Shape, name: str
) -> "keras.KerasTensor":
    """One layer: (n, length, width) → the same shape."""
    from keras import layers, ops

    def normalized(x: "keras.KerasTensor", part: str) -> "keras.KerasTensor":
        norm = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_{part}")
        return norm(x)

    is_token = _is_token(x)
    attention = layers.MultiHeadAttention(
        shape.heads, shape.width // shape.heads, name=f"{name}_attention"
    )
    attended = attention(x, x, attention_mask=ops.expand_dims(is_token, axis=1))
    x = normalized(x + attended, "attention_norm")
    wide = layers.Dense(shape.wide, name=f"{name}_wide")(x)
    if shape.activation == "relu":
        wide = ops.relu(wide)
    else:
        wide = ops.gelu(wide, approximate=shape.activation == "gelu_tanh")
    x = x + layers.Dense(shape.width, name=f"{name}_narrow")(wide)
    return _zero_padding(normalized(x, "norm"), is_token, name)


def _is_token(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Which positions are no padding: (n, length, width) → bool (n, length)."""
    from keras import ops

    return ops.any(ops.not_equal(x, 0.0), axis=-1)


def _zero_padding(
    x: "keras.KerasTensor", is_token: "keras.KerasTensor", name: str
) -> "keras.KerasTensor":
    from keras import layers, ops

    kept = ops.expand_dims(ops.cast(is_token, "float32"), axis=-1)
    return layers.Multiply(name=f"{name}_states")([x, kept])


def attentions(network: "keras.Model", ids: np.ndarray) -> np.ndarray:
    """The attention weights of one sentence, float32 (layers, heads, tokens, tokens).

    `network` has the layers of `encoder`, `ids` are int32 (tokens,).
    """
    import keras

    blocks = [layer for layer in network.layers if layer.name.endswith("_states")]
    outputs = [layer.output for layer in blocks[:-1]]
    scores = []
    for number, x in enumerate(keras.Model(network.inputs[0], outputs)(ids[None]), 1):
        attention = network.get_layer(f"layer_{number}_attention")
        _, weights = attention(x, x, return_attention_scores=True)
        scores.append(np.asarray(weights)[0])
    return np.stack(scores)


def to_onnx(weights: dict[str, list[np.ndarray]], shape: Shape, layers: int) -> bytes:
    """Build the file: token ids int32 (n, length) → states float32 (n, length, width).

    `weights` are by layer, as those of `encoder` have them; `layers` run, with 0 the
    embeddings alone. With those of `bert_folder.read_span_weights` among them the file
    takes token types, too, 0 in the first text and 1 in the second, and returns the
    logits of an answer's first and last token: float32 (n, length, 2).
    """
    from onnx import TensorProto, helper, numpy_helper

    heads, width = shape.heads, shape.width
    nodes: list = []
    arrays = {
        "zero": np.array([0]),
        "by head": np.array([0, 0, heads, width // heads]),
        "together": np.array([0, 0, width]),
    }
    for layer, parts in weights.items():
        if layer.endswith("_attention"):  # kernels (width, width), biases (width,)
            sizes = [(width, width), (width,)] * 4
            parts = [part.reshape(s) for part, s in zip(parts, sizes, strict=True)]
            scale = np.float32((width // heads) ** -0.5)  # divides the scores
            parts[:2] = [part * scale for part in parts[:2]]
        arrays |= {f"{layer} {number}": array for number, array in enumerate(parts)}

    def add(operator: str, *inputs: str, **attributes: Any) -> str:
        output = f"x{len(nodes)}"
        nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def norm(x: str, layer: str) -> str:
        parts = (f"{layer} 0", f"{layer} 1")
        return add("LayerNormalization", x, *parts, epsilon=shape.epsilon)

    def dense(x: str, layer: str, kernel: int = 0) -> str:
        product = add("MatMul", x, f"{layer} {kernel}")
        return add("Add", product, f"{layer} {kernel + 1}")

    def gelu(x: str) -> str:
        if shape.activation == "relu":
            return add("Relu", x)
        kind = "tanh" if shape.activation == "gelu_tanh" else "none"
        return add("Gelu", x, approximate=kind)

    length = add("Shape", "token_ids", start=1, end=2)
    positions = add("Slice", "embeddings_positions 0", "zero", length)
    tokens = add("Gather", "embeddings_tokens 0", "token_ids")
    x = add("Add", tokens, positions)
    inputs, size = ["token_ids"], width
    if TYPES in weights:
        x = add("Add", x, add("Gather", f"{TYPES} 0", "token_types"))
        inputs.append("token_types")
    x = norm(x, "embeddings_norm")
    for layer in (f"layer_{number}" for number in range(1, layers + 1)):
        attention = f"{layer}_attention"
        query, key, value = (
            add("Transpose", add("Reshape", dense(x, attention, i), "by head"), perm=p)
            for i, p in ((0, [0, 2, 1, 3]), (2, [0, 2, 3, 1]), (4, [0, 2, 1, 3]))
        )
        shares = add("Softmax", add("MatMul", query, key), axis=-1)
        mixed = add("Transpose", add("MatMul", shares, value), perm=[0, 2, 1, 3])
        mixed = dense(add("Reshape", mixed, "together"), attention, 6)
        x = norm(add("Add", x, mixed), f"{attention}_norm")
        wide = gelu(dense(x, f"{layer}_wide"))
        x = norm(add("Add", x, dense(wide, f"{layer}_narrow")), f"{layer}_norm")
    if SPANS in weights:
        x, size = dense(x, SPANS), 2
    infos = [
        helper.make_tensor_value_info(name, TensorProto.INT32, ["n", "l"])
        for name in inputs
    ]
    output = helper.make_tensor_value_info(x, TensorProto.FLOAT, ["n", "l", size])
    used = {name for node in nodes for name in node.input} & arrays.keys()
    graph = helper.make_graph(nodes, "bert", infos, [output])
    opsets = [helper.make_opsetid("", 20)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    for name in sorted(used):  # to make_graph, all would be copied, and copied again
        constant = numpy_helper.from_array(np.ascontiguousarray(arrays[name]), name)
        model.graph.initializer.append(constant)
    return model.SerializeToString()
