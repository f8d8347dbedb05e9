"""BERT's encoder, out of Keras' own layers: token ids in, features of the sentence out.

J. Devlin, M.-W. Chang, K. Lee and K. Toutanova, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL 2019. Every layer lets each token look at all tokens of its sentence (attention), then works on
each token by itself (two dense layers); what comes out is added to what came in, and brought to one scale, both times.

The shorter sentences of a batch are filled up with padding. Padding is all zeros in front of every layer, and so known.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import keras

PADDING = 0  # the id of [PAD]


@dataclass(frozen=True)
class Shape:
    """How large a BERT is.

    Attributes:
        layers, heads: how many layers, and heads of attention in each.
        width: numbers that describe a token.
        wide: numbers between a layer's two dense layers.
        vocabulary: tokens that it knows.
        longest: tokens of the longest text that it reads.
        activation: between the dense layers, "gelu", "gelu_tanh" (its approximation) or "relu".
        epsilon: of the layer normalisations.
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
    """BERT without its weights: `keras.Model`, token ids int32 (n, length) → features float32 (n, width).

    A sentence's features are the average of its tokens' states behind the last layer, padding left out.
    """
    import keras

    ids = keras.Input((None,), dtype="int32", name="token_ids")
    x = embeddings(ids, shape)
    for number in range(1, shape.layers + 1):
        x = encoder_layer(x, shape, f"layer_{number}")
    average = keras.layers.GlobalAveragePooling1D(name="average")
    return keras.Model(ids, average(x, mask=is_token(x)), name=name)


def embeddings(ids: "keras.KerasTensor", shape: Shape) -> "keras.KerasTensor":
    """A vector for each token and one for its place in the sentence, added and brought to one scale."""
    from keras import layers, ops

    places = ops.cumsum(ops.ones_like(ids), axis=1) - 1
    tokens = layers.Embedding(shape.vocabulary, shape.width, name="embeddings_tokens")(
        ids
    )
    x = tokens + layers.Embedding(shape.longest, shape.width, name="embeddings_places")(
        places
    )
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
    wide = activated(layers.Dense(shape.wide, name=f"{name}_wide")(x), shape.activation)
    x = x + layers.Dense(shape.width, name=f"{name}_narrow")(wide)
    x = layers.LayerNormalization(epsilon=shape.epsilon, name=f"{name}_norm")(x)
    return zero_padding(x, there, name)


def activated(x: "keras.KerasTensor", activation: str) -> "keras.KerasTensor":
    from keras import ops

    return (
        ops.relu(x)
        if activation == "relu"
        else ops.gelu(x, approximate=activation == "gelu_tanh")
    )


def is_token(x: "keras.KerasTensor") -> "keras.KerasTensor":
    """Which places are no padding: (n, length, width) → bool (n, length)."""
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
    """The attention weights of a BERT, or of a network made from one, with its present weights.

    Args:
        network: `keras.Model` with the layers of `bert.encoder`; it is not changed.
        ids: of one sentence's tokens, int32 (tokens,).

    Returns:
        float32 (layers, heads, tokens, tokens): how much a token (third axis) takes from each token (fourth axis);
        these sum to 1. A weight says where a token took something from, not what that did to the answer (S. Jain and
        B. C. Wallace, "Attention is not Explanation", NAACL 2019).
    """
    import keras

    names = [layer.name for layer in network.layers]
    count = sum(
        name.startswith("layer_") and name.endswith("_attention") for name in names
    )
    before = ["embeddings", *(f"layer_{number}" for number in range(1, count))]
    states = keras.Model(
        network.inputs[0],
        [network.get_layer(f"{block}_states").output for block in before],
    )
    found = []
    for number, x in enumerate(states(ids[None]), start=1):
        attention = network.get_layer(f"layer_{number}_attention")
        mask = keras.ops.expand_dims(is_token(x), axis=1)
        _, weights = attention(x, x, attention_mask=mask, return_attention_scores=True)
        found.append(np.asarray(weights)[0])
    return np.stack(found)
