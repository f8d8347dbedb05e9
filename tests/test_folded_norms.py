"""Frozen batch norms within convolutions: outputs and gradients are those of Keras."""

import numpy as np
import pytest
from tolerances import assert_agree

from tlcourse.native import import_tensorflow
from tlcourse.training.batches import Batches, LabelledRows

tf = import_tensorflow()
import keras  # noqa: E402
from keras import layers  # noqa: E402

from tlcourse.training.folded_norms import FoldedNorm, with_folded_norms  # noqa: E402
from tlcourse.training.keras_fit import Tail, assemble  # noqa: E402

NORM = {"trainable": False, "moving_mean_initializer": "random_normal"}
NORM |= {"beta_initializer": "random_normal", "gamma_initializer": "random_uniform"}
NORM |= {"moving_variance_initializer": keras.initializers.RandomUniform(0.5, 2)}


def network():
    """Every kind of convolution, two branches; two batch norms cannot be folded."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((9, 9, 3))
    x = layers.Conv2D(8, 3, strides=2, bias_initializer="random_normal")(inputs)
    x = layers.BatchNormalization(**NORM)(x)
    x = layers.DepthwiseConv2D(3, padding="same", depth_multiplier=2)(x)
    x = layers.BatchNormalization(**NORM, scale=False)(x)
    x = layers.Conv2D(6, 1, use_bias=False)(layers.ReLU()(x))
    x = read_twice = layers.BatchNormalization(**NORM, center=False)(x)
    x = layers.BatchNormalization(**NORM)(layers.Conv2D(6, 1, activation="relu")(x))
    x = layers.BatchNormalization()(layers.Conv2D(6, 1)(x))  # not frozen
    branches = [layers.Conv2D(6, size, padding="same")(x) for size in (1, 3)]
    branches = [layers.BatchNormalization(**NORM)(branch) for branch in branches]
    x = layers.GlobalAveragePooling2D()(layers.Add()([*branches, read_twice]))
    return keras.Model(inputs, x)


def gradients(model, inputs):
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(inputs, training=False)[:, 0])
    variables = model.trainable_variables
    found = tape.gradient(loss, [variable.value for variable in variables])
    paths = [variable.path for variable in variables]
    return dict(zip(paths, found, strict=True))


@pytest.mark.parametrize("is_part", [False, True])
def test_outputs_gradients_and_weights_are_those_of_the_network(is_part):
    plain = network()
    if is_part:  # behind a cut; its layers then belong to two networks
        plain = keras.Model(plain.layers[1].output, plain.output)
    plain = keras.Model(plain.input, layers.Dense(2, "softmax")(plain.output))
    folded = with_folded_norms(plain)
    kinds = [type(layer) for layer in folded.layers]
    assert kinds.count(FoldedNorm) == 5 - is_part
    assert kinds.count(layers.BatchNormalization) == 2 + is_part
    assert {*map(id, folded.weights)} == {*map(id, plain.weights)}
    shape = (4, *plain.input_shape[1:])
    inputs = np.random.default_rng(0).normal(size=shape).astype("float32")
    assert_agree(folded(inputs, training=False), plain(inputs, training=False))
    expected = gradients(plain, inputs)
    for path, gradient in gradients(folded, inputs).items():
        assert_agree(gradient, expected[path])


def test_a_tail_with_branches_becomes_one_network_again():
    """Folding changes the order in which Keras lists the weights of branches."""
    whole = network()
    cut = whole.layers[1].name
    tail = Tail(whole, cut, layers.Dense(2, "softmax"))
    inputs = np.random.default_rng(0).normal(size=(4, 9, 9, 3)).astype("float32")
    activations = keras.Model(whole.input, whole.get_layer(cut).output)(inputs)
    assembled = assemble(whole, cut, tail.unfolded.get_weights(), dropout=0.0)
    assert_agree(assembled(inputs, training=False), tail.model(activations))


@pytest.mark.parametrize("end", ["shared", "output"])
def test_a_convolution_with_another_reader_is_left_as_it_is(end):
    inputs = keras.Input((5, 5, 2))
    conv, norm = layers.Conv2D(2, 1), layers.BatchNormalization(**NORM)
    x = conv(inputs)
    outputs = [norm(x), layers.ReLU()(conv(x))] if end == "shared" else [x, norm(x)]
    plain = keras.Model(inputs, outputs)
    assert with_folded_norms(plain) is plain


def test_batches_do_not_make_malloc_return_each_tensor_to_the_system():
    """TensorFlow changes malloc's settings for the whole process, see `Batches`."""
    rows = LabelledRows(np.arange(4), np.arange(4) % 2, np.ones(4))
    batches = Batches(np.ones((4, 1, 3)), rows, 2)
    for dataset in (batches.training_set(2, seed=0), batches.in_order()):
        graph = dataset._as_serialized_graph().numpy()
        assert b"RangeDataset" in graph and b"GeneratorDataset" not in graph
