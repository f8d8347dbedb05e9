"""`apply_gradients` moves weights as Keras does, and lets go of the function that calls it."""

import gc

import numpy as np
import pytest

from tlcourse.tensorflow_start import import_tensorflow
from tlcourse.training.optimizing import apply_gradients

tf = import_tensorflow()
import keras  # noqa: E402


def trained(apply, steps=3):
    """Three weights, one of them a table of which some rows are used, after some steps with AdamW."""
    kernel, bias, table = (
        keras.Variable(
            np.linspace(-1, 1, np.prod(shape)).reshape(shape).astype("float32")
        )
        for shape in ((4, 3), (3,), (6, 4))
    )
    variables = [kernel, bias, table]
    rate = keras.optimizers.schedules.CosineDecay(1e-2, steps)
    optimizer = keras.optimizers.AdamW(rate, weight_decay=0.1)
    optimizer.exclude_from_weight_decay(var_list=[bias])
    optimizer.build(variables)

    @tf.function(autograph=False)
    def step():
        with tf.GradientTape() as tape:
            rows = tf.gather(tf.convert_to_tensor(table), [0, 2, 2])
            loss = tf.reduce_sum(
                tf.square(
                    rows @ tf.convert_to_tensor(kernel) + tf.convert_to_tensor(bias)
                )
            )
        apply(
            optimizer,
            tape.gradient(loss, [variable.value for variable in variables]),
            variables,
        )

    for _ in range(steps):
        step()
    return [np.asarray(variable) for variable in variables], int(optimizer.iterations)


def by_keras(optimizer, gradients, variables):
    optimizer.apply(gradients, variables)


def by_us(optimizer, gradients, variables):
    apply_gradients(
        optimizer, gradients, variables, decayed=[variables[0], variables[2]]
    )


def test_weights_move_as_keras_moves_them():
    (expected, count), (found, ours) = trained(by_keras), trained(by_us)
    assert count == ours == 3
    for one, other in zip(expected, found, strict=True):
        assert np.array_equal(one, other)


def functions():
    gc.collect()
    return sum(type(thing).__name__ == "FuncGraph" for thing in gc.get_objects())


@pytest.mark.parametrize("times", [1, 3])
def test_nothing_is_left_of_the_function_that_called_it(times):
    before = functions()
    for _ in range(times):
        trained(by_us)
    assert functions() == before
