"""A step of an optimizer inside a TensorFlow function."""


def apply_gradients(optimizer, gradients, variables, decayed=()) -> None:
    """What `optimizer.apply(gradients, variables)` does, without keeping the function for ever that calls it.

    Keras hands the update to TensorFlow's distribution strategy, which never lets go of the function that it was called
    in, nor of what that holds: a whole network, after each training.

    Args:
        optimizer: of Keras, built, without clipping, averaging or accumulation.
        gradients, variables: of the same length.
        decayed: the variables whose weights decay.
    """
    import tensorflow as tf

    rate, decay = tf.cast(optimizer.learning_rate, tf.float32), optimizer.weight_decay
    for variable in decayed:
        variable.value.assign_sub(variable.value * decay * rate)
    for gradient, variable in zip(gradients, variables, strict=True):
        optimizer.update_step(gradient, variable.value, rate)
    optimizer.iterations.assign_add(1)
