"""The part of a network behind a cut, as a function that TensorFlow can differentiate: what fine-tuning trains.

It computes what Keras would, with the same variables, in fewer steps over memory. A frozen batch normalisation is a
factor and a shift for each channel: the factor goes into the kernel of the convolution before it (a few thousand
numbers, not a few million), so neither forward nor backward pass touches the pictures for it. A 1 × 1 convolution is a
matrix multiplication, whose backward pass TensorFlow computes twice as fast under that name.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

    pass


def tail(network: "keras.Model", start: "keras.KerasTensor") -> Callable:
    """`run(activations)` → the network's output: TensorFlow tensors of what `start` and the output stand for.

    Args:
        network: functional `keras.Model` of one output; its batch norms must be frozen.
        start: the `KerasTensor` inside it where the activations come in, or its input.

    Raises:
        ValueError: the output needs more than what comes in at `start`.
    """
    import keras

    steps = _steps(network, start)
    readers: dict[int, list[keras.Operation]] = {}
    for operation in steps:
        for tensor in keras.tree.flatten(operation.input):
            readers.setdefault(id(tensor), []).append(operation)

    def run(activations: "tf.Tensor") -> "tf.Tensor":
        values = {id(start): activations}
        for operation in steps:
            if (
                id(operation.output) in values
            ):  # a batch norm that is part of the convolution before it
                continue
            arguments, named = operation._inbound_nodes[0].arguments.fill_in(
                values
            )  # as Keras itself does
            norm = _norm_behind(operation, readers)
            if norm is not None:
                values[id(norm.output)] = _convolve_and_normalise(
                    arguments[0], operation, norm
                )
            elif isinstance(
                operation, keras.layers.BatchNormalization | keras.layers.Dropout
            ):
                values[id(operation.output)] = operation(
                    *arguments, **{**named, "training": False}
                )
            else:
                values[id(operation.output)] = operation(*arguments, **named)
        return values[id(network.outputs[0])]

    return run


def _steps(network: "keras.Model", start: "keras.KerasTensor") -> list:
    """The operations from `start` to the output, in the order in which they run."""
    import keras

    needed, steps = {id(network.outputs[0])}, []
    for operation in reversed(network.operations):
        if id(operation.output) in needed and operation.output is not start:
            if isinstance(operation, keras.layers.InputLayer):
                raise ValueError(
                    f"The output of {network.name} needs more than what comes in at {start.name}."
                )
            needed |= {id(tensor) for tensor in keras.tree.flatten(operation.input)}
            steps.append(operation)
    return steps[::-1]


def _norm_behind(
    operation: "keras.Operation", readers: dict[int, list]
) -> "keras.layers.Layer | None":
    """The batch norm that alone reads this convolution, if the two can be computed as one; else None."""
    from keras import layers

    plain = (
        type(operation) in (layers.Conv2D, layers.DepthwiseConv2D)
        and operation.activation.__name__ == "linear"
        and operation.dilation_rate in (1, (1, 1))
        and getattr(operation, "groups", 1) == 1
        and operation.data_format == "channels_last"
    )
    behind = readers.get(id(operation.output), []) if plain else []
    alone = len(behind) == 1 and isinstance(behind[0], layers.BatchNormalization)
    return behind[0] if alone and behind[0].axis in (-1, 3) else None


def _convolve_and_normalise(
    x: "tf.Tensor", convolution: "keras.layers.Layer", norm: "keras.layers.Layer"
) -> "tf.Tensor":
    import tensorflow as tf
    from keras import layers

    factor = tf.math.rsqrt(tf.convert_to_tensor(norm.moving_variance) + norm.epsilon)
    factor = factor * norm.gamma if norm.scale else factor
    shift = -norm.moving_mean * factor
    shift = shift + norm.beta if norm.center else shift
    if convolution.use_bias:
        shift = shift + convolution.bias * factor
    kernel, padding = (
        tf.convert_to_tensor(convolution.kernel),
        convolution.padding.upper(),
    )
    if isinstance(convolution, layers.DepthwiseConv2D):
        per_channel = tf.reshape(factor, (kernel.shape[2], kernel.shape[3]))
        y = tf.nn.depthwise_conv2d(
            x, kernel * per_channel, (1, *convolution.strides, 1), padding
        )
    elif convolution.kernel_size == (1, 1) and convolution.strides == (1, 1):
        y = tf.tensordot(x, kernel[0, 0] * factor, 1)
    else:
        y = tf.nn.conv2d(x, kernel * factor, convolution.strides, padding)
    return tf.nn.bias_add(y, shift)
