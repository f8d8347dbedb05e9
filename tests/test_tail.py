"""The part of a network behind a cut computes what Keras computes, forwards and backwards."""

import numpy as np
import pytest

from tlcourse.training.tail import tail


@pytest.fixture(scope="module")
def network():
    """Convolutions with and without bias, depthwise, strided, 1 × 1; batch norms with and without gamma; a branch."""
    from tlcourse.tensorflow_start import import_tensorflow

    import_tensorflow()
    import keras
    from keras import layers

    keras.utils.set_random_seed(0)
    noise = {
        "moving_mean_initializer": "random_normal",
        "moving_variance_initializer": "random_uniform",
    }
    pixels = keras.Input((12, 12, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(pixels)
    x = layers.BatchNormalization(**noise, name="norm1")(x)
    cut = layers.ReLU(6, name="cut")(x)
    x = layers.Conv2D(16, 1, bias_initializer="random_normal")(cut)
    x = layers.BatchNormalization(**noise, scale=False, name="norm2")(x)
    x = layers.ReLU()(x)
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(**noise, center=False, name="norm3")(x)
    x = layers.SeparableConv2D(8, 3, padding="same")(x)
    x = layers.BatchNormalization(**noise, name="norm4")(x)
    activated = layers.Conv2D(8, 1, activation="relu")(
        x
    )  # not linear: its batch norm stays where it is
    x = layers.Add()([layers.BatchNormalization(**noise, name="norm5")(activated), cut])
    x = layers.Dropout(0.5)(x)
    network = keras.Model(pixels, layers.GlobalAveragePooling2D()(x))
    for layer in network.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.trainable = False
    return network


def batch(seed=0):
    return np.random.default_rng(seed).normal(size=(4, 12, 12, 3)).astype(np.float32)


def test_from_the_pixels_it_is_the_network(network):
    np.testing.assert_allclose(
        tail(network, network.inputs[0])(batch()),
        network(batch()),
        rtol=1e-5,
        atol=1e-6,
    )


def test_from_the_cut_it_is_the_rest_of_the_network(network):
    import keras

    cut = network.get_layer("cut").output
    activations = keras.Model(network.inputs, cut)(batch())
    np.testing.assert_allclose(
        tail(network, cut)(activations), network(batch()), rtol=1e-5, atol=1e-6
    )


def test_its_gradients_are_those_of_keras(network):
    import tensorflow as tf

    variables = [variable.value for variable in network.trainable_variables]
    gradients = []
    for run in (tail(network, network.inputs[0]), lambda x: network(x, training=False)):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(run(tf.constant(batch())) ** 2)
        gradients.append(tape.gradient(loss, variables))
    for ours, theirs in zip(*gradients, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4)


def test_the_variables_of_today_count_and_not_those_of_yesterday(network):
    import tensorflow as tf

    run = tf.function(tail(network, network.inputs[0]))
    before = run(tf.constant(batch())).numpy()
    beta = network.get_layer("norm5").beta
    beta.assign_add(np.ones(8, np.float32))
    try:
        np.testing.assert_allclose(
            run(tf.constant(batch())), before + 1, rtol=1e-5, atol=1e-5
        )
    finally:
        beta.assign_sub(np.ones(8, np.float32))


def test_a_cut_that_the_output_goes_past_is_refused(network):
    inside = network.get_layer("norm5").output
    with pytest.raises(ValueError, match="needs more than what comes in"):
        tail(network, inside)
