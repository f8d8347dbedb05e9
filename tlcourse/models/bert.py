"""BERT's encoder in Keras layers, and as an ONNX file, which needs no TensorFlow.

J. Devlin, M.-W. Chang, K. Lee and K. Toutanova, "BERT: Pre-training of Deep
Bidirectional Transformers for Language Understanding", NAACL 2019. In every layer each
token attends to all tokens of its sentence, then two dense layers are applied to each
token; both times the input is added to the output, and the sum is normalised.

In Keras shorter sentences of a batch are padded. Padding is all zeros before every
layer, which is how it is recognised. In ONNX sentences of a batch have the same number
of tokens.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

PADDING = 0  # the id of [PAD]


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

    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = _embeddings(ids, shape)
    for number in range(1, shape.layers + 1):
        x = _encoder_layer(x, shape, f"layer_{number}")
    average = keras.layers.GlobalAveragePooling1D(name="average")
    return keras.Model(ids, average(x, mask=_is_token(x)), name=name)


def _embeddings(ids: "keras.KerasTensor", shape: Shape) -> "keras.KerasTensor":
    """The embedding of each token and that of its position, added and normalised."""
    from keras import layers, ops

    positions = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    width = shape.width
    tokens = layers.Embedding(shape.vocabulary, width, name="embeddings_tokens")
    position_layer = layers.Embedding(shape.longest, width, name="embeddings_positions")
    x = tokens(ids) + position_layer(positions)
    x = layers.LayerNormalization(epsilon=shape.epsilon, name="embeddings_norm")(x)
    return _zero_padding(x, ops.not_equal(ids, PADDING), "embeddings")


def _encoder_layer(
    x: "keras.KerasTensor", shape: Shape, name: str
) -> "keras.KerasTensor":
    """One layer: (n, length, width) → the same shape."""
    from keras import layers, ops

    def normalized(x: "keras.KerasTensor", part: str) -> "keras.KerasTensor":
        norm = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_{part}")
        return norm(x)

    there = _is_token(x)
    attention = layers.MultiHeadAttention(
        shape.heads, shape.width // shape.heads, name=f"{name}_attention"
    )
    attended = attention(x, x, attention_mask=ops.expand_dims(there, axis=1))
    x = normalized(x + attended, "attention_norm")
    wide = layers.Dense(shape.wide, name=f"{name}_wide")(x)
    if shape.activation == "relu":
        wide = ops.relu(wide)
    else:
        wide = ops.gelu(wide, approximate=shape.activation == "gelu_tanh")
    x = x + layers.Dense(shape.width, name=f"{name}_narrow")(wide)
    return _zero_padding(normalized(x, "norm"), there, name)


def _is_token(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Which positions are no padding: (n, length, width) → bool (n, length)."""
    from keras import ops

    return ops.any(ops.not_equal(x, 0.0), axis=-1)


def _zero_padding(
    x: "keras.KerasTensor", there: "keras.KerasTensor", name: str
) -> "keras.KerasTensor":
    from keras import layers, ops

    kept = ops.expand_dims(ops.cast(there, "float32"), axis=-1)
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


def to_onnx(weights: dict[str, list[np.ndarray]], shape: Shape, layers: int) -> bytes:
    """Build the file: token ids int32 (n, length) → states float32 (n, length, width).

    `weights` are by layer, as those of `encoder` have them; `layers` run, with 0 the
    embeddings alone.
    """
    import onnx

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
        if layer.endswith("_attention"):  # kernels (width, width), biases (width,)
            shapes = [(width, width), (width,)] * 4
            arrays = [a.reshape(s) for a, s in zip(arrays, shapes, strict=True)]
            scale = np.float32((width // heads) ** -0.5)  # divides the scores
            arrays[:2] = [arrays[0] * scale, arrays[1] * scale]
        constants |= {f"{layer}_{i}": array for i, array in enumerate(arrays)}
    used = {name for node in model.graph.node for name in node.input}
    model.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        for name, array in constants.items()
        if name in used
    )
    return model.SerializeToString()
