"""A step of an optimizer inside a TensorFlow function."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras
    import tensorflow as tf


def apply_gradients(
    optimizer: "keras.Optimizer",
    gradients: "Sequence[tf.Tensor]",
    variables: "Sequence[keras.Variable]",
    decayed: "Sequence[keras.Variable]" = (),
    rate: "float | tf.Tensor | None" = None,
    decay: "float | tf.Tensor | None" = None,
) -> None:
    """What `optimizer.apply(gradients, variables)` does, without keeping the function for ever that calls it.

    Keras hands the update to TensorFlow's distribution strategy, which never lets go of the function that it was called
    in, nor of what that holds: a whole network, after each training.

    Args:
        optimizer: of Keras, built, without clipping, averaging or accumulation.
        gradients, variables: of the same length.
        decayed: the variables whose weights decay.
        rate, decay: learning rate and weight decay, numbers or scalar tensors, in place of the optimizer's own.
    """
    import tensorflow as tf

    rate = tf.cast(optimizer.learning_rate if rate is None else rate, tf.float32)
    decay = optimizer.weight_decay if decay is None else decay
    for variable in decayed:
        variable.value.assign_sub(variable.value * decay * rate)
    for gradient, variable in zip(gradients, variables, strict=True):
        optimizer.update_step(gradient, variable.value, rate)
    optimizer.iterations.assign_add(1)
