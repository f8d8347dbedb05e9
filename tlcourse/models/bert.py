"""BERT's encoder in Keras layers: token ids in, a sentence's features out.

J. Devlin, M.-W. Chang, K. Lee and K. Toutanova, "BERT: Pre-training of Deep
Bidirectional Transformers for Language Understanding", NAACL 2019. In every layer each
token attends to all tokens of its sentence, then two dense layers are applied to each
token; both times the input is added to the output, and the sum is normalised.

Shorter sentences of a batch are padded. Padding is all zeros before every layer, which
is how it is recognised.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

PADDING = 0  # the id of [PAD]


@dataclass(frozen=True)
class Shape:
    """The hyperparameters of a BERT.

    Attributes
    ----------
    layers, heads : int
        Encoder layers, and attention heads in each.
    width, wide : int
        Size of a token's state, and of the state between the two dense layers.
    vocabulary, longest : int
        Tokens in the vocabulary, and in the longest text.
    activation : {"gelu", "gelu_tanh", "relu"}
        Between the dense layers; "gelu_tanh" is GELU's approximation.
    epsilon : float
        Of the layer normalisations.
    """

    layers: int
    heads: int
    width: int
    wide: int
    vocabulary: int
    longest: int
    activation: str = "gelu"
    epsilon: float = 1e-12


def encoder(shape: Shape, name: str = "bert") -> "keras.Model":
    """Build BERT with random weights: ids int32 (n, length) → features (n, width).

    A sentence's features are the average of its tokens' states after the last layer,
    without padding.
    """
    import keras

    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = embeddings(ids, shape)
    for number in range(1, shape.layers + 1):
        x = encoder_layer(x, shape, f"layer_{number}")
    average = keras.layers.GlobalAveragePooling1D(name="average")
    return keras.Model(ids, average(x, mask=is_token(x)), name=name)


def embeddings(ids: "keras.KerasTensor", shape: Shape) -> "keras.KerasTensor":
    """The embedding of each token and that of its position, added and normalised."""
    from keras import layers, ops

    positions = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    width = shape.width
    tokens = layers.Embedding(shape.vocabulary, width, name="embeddings_tokens")
    position_layer = layers.Embedding(shape.longest, width, name="embeddings_positions")
    x = tokens(ids) + position_layer(positions)
    x = layers.LayerNormalization(epsilon=shape.epsilon, name="embeddings_norm")(x)
    return zero_padding(x, ops.not_equal(ids, PADDING), "embeddings")


def encoder_layer(
    x: "keras.KerasTensor", shape: Shape, name: str
) -> "keras.KerasTensor":
    """One layer: (n, length, width) → the same shape."""
    from keras import layers, ops

    there = is_token(x)
    attention = layers.MultiHeadAttention(
        shape.heads, shape.width // shape.heads, name=f"{name}_attention"
    )
    attended = attention(x, x, attention_mask=ops.expand_dims(there, axis=1))
    x = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_attention_norm")(
        x + attended
    )
    wide = layers.Dense(shape.wide, name=f"{name}_wide")(x)
    if shape.activation == "relu":
        wide = ops.relu(wide)
    else:
        wide = ops.gelu(wide, approximate=shape.activation == "gelu_tanh")
    x = x + layers.Dense(shape.width, name=f"{name}_narrow")(wide)
    x = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_norm")(x)
    return zero_padding(x, there, name)


def is_token(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Which positions are no padding: (n, length, width) → bool (n, length)."""
    from keras import ops

    return ops.any(ops.not_equal(x, 0.0), axis=-1)


def zero_padding(
    x: "keras.KerasTensor", there: "keras.KerasTensor", name: str
) -> "keras.KerasTensor":
    """Zeros where there is no token."""
    from keras import layers, ops

    kept = ops.expand_dims(ops.cast(there, "float32"), axis=-1)
    return layers.Multiply(name=f"{name}_states")([x, kept])


def attentions(network: "keras.Model", ids: np.ndarray) -> np.ndarray:
    """Compute the attention weights of a BERT, or of a network made from one.

    Parameters
    ----------
    network : keras.Model
        With the layers of `encoder`; it is not changed.
    ids : ndarray of shape (tokens,), int32
        Of one sentence.

    Returns
    -------
    ndarray of shape (layers, heads, tokens, tokens), float32
        How much a token (third axis) attends to each token (fourth axis); sums to 1. It
        does not explain the prediction (S. Jain and B. C. Wallace, "Attention is not
        Explanation", NAACL 2019).
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
