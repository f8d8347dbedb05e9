"""How much arithmetic a network needs for one picture, or for one sentence, from the shapes of its layers."""

from math import prod


def flops_of(network) -> int:
    """Floating-point operations of one picture's forward pass: a multiplication and an addition count as two.

    Convolutions and dense layers are counted; batch norms (folded into the convolutions by every engine here),
    activations, additions and pooling are below one percent and are not, as in published counts of multiply-adds.

    Args:
        network: `keras.Model` with a fixed input size, built of Conv2D, DepthwiseConv2D and Dense layers.
    """
    return sum(2 * _multiply_adds(layer) for layer in network.layers)


def _multiply_adds(layer) -> int:
    """Each position of the output needs every number of the kernel that leads to one of its channels."""
    kind = type(layer).__name__
    if kind == "SeparableConv2D":
        raise ValueError(
            f"The layer {layer.name} is a SeparableConv2D, whose two steps are not counted here yet."
        )
    if kind not in ("Conv2D", "DepthwiseConv2D", "Dense"):
        return 0
    positions = prod(layer.output.shape[1:-1])
    return positions * prod(layer.kernel.shape)


def flops_of_bert(layers: int, width: int, inner: int, tokens: int) -> int:
    """Floating-point operations of one sentence's way through BERT: a multiplication and an addition count as two.

    Counted are the matrix multiplications: queries, keys, values and output; weights of attention and what they weigh;
    the two dense layers. Softmax, GELU, layer norms and the tables of embeddings are not.

    Args:
        layers, width, inner: of the network (num_hidden_layers, hidden_size, intermediate_size).
        tokens: of the sentence.
    """
    dense = 4 * width**2 + 2 * width * inner
    attention = 2 * tokens * width
    return 2 * tokens * layers * (dense + attention)
