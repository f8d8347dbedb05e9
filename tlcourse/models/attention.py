"""What each token looked at: the attention weights inside a BERT."""

from typing import TYPE_CHECKING

import numpy as np

from .bert import is_token

if TYPE_CHECKING:
    import keras


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
