"""The loss fits the last layer and preprocessing the network, or the misfit is named."""

import numpy as np
import pytest

from tlcourse.checks import CheckError, assert_loss_fits, assert_preprocessing
from tlcourse.errors import UserInputError
from tlcourse.models.recipes import RECIPES

keras = pytest.importorskip("keras")
from keras import applications, layers, losses  # noqa: E402


def failure(action, *arguments, kind=CheckError) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments)
    return str(caught.value)


# The loss


def model(units=3, activation="softmax", loss="sparse_categorical_crossentropy"):
    last = layers.Dense(units, activation, name="answer")
    network = keras.Sequential([keras.Input((4,)), last])
    network.compile("sgd", loss)
    return network


SPARSE, BINARY = losses.SparseCategoricalCrossentropy, losses.BinaryCrossentropy
FITS = [
    (3, "softmax", "sparse_categorical_crossentropy"),
    (3, None, SPARSE(from_logits=True)),
    (1, "sigmoid", "binary_crossentropy"),
    (5, "sigmoid", BINARY()),
    (3, None, "mse"),
    (3, lambda x: keras.ops.softmax(2 * x), SPARSE()),
]


@pytest.mark.parametrize(("units", "activation", "loss"), FITS)
def test_a_loss_that_fits_or_is_no_cross_entropy_passes(units, activation, loss):
    assert_loss_fits(model(units, activation, loss))


MISFITS = [
    (3, None, "sparse_categorical_crossentropy", "any numbers (linear)"),
    (1, None, "bce", 'activation="sigmoid"'),
    (3, "softmax", SPARSE(from_logits=True), "Leave from_logits=True out"),
    (1, "softmax", "binary_crossentropy", "a softmax over one"),
    (3, "sigmoid", "categorical_crossentropy", "3 separate"),
    (4, "softmax", "binary_crossentropy", "over 4 classes"),
]


@pytest.mark.parametrize(("units", "activation", "loss", "words"), MISFITS)
def test_a_loss_that_does_not_fit_is_explained(units, activation, loss, words):
    assert words in failure(assert_loss_fits, model(units, activation, loss))


SOFTMAX = layers.Dense(3, "softmax")
ENDS = {
    "activation layer": lambda x: layers.Activation("softmax")(layers.Dense(3)(x)),
    "softmax layer": lambda x: layers.Softmax()(layers.Dense(3)(x)),
    "operation": lambda x: keras.ops.softmax(layers.Dense(3)(x)),
    "mixed precision": lambda x: layers.Activation("linear")(SOFTMAX(x)),
    "nested": lambda x: keras.Sequential([keras.Input((4,)), SOFTMAX])(x),
}


@pytest.mark.parametrize("end", ENDS)
def test_a_softmax_is_found_wherever_it_is(end):
    x = keras.Input((4,))
    network = keras.Model(x, ENDS[end](x))
    network.compile("sgd", SPARSE())
    assert_loss_fits(network)
    network.compile("sgd", SPARSE(from_logits=True))
    assert "(softmax)" in failure(assert_loss_fits, network)


@pytest.mark.parametrize("what", [[1], keras.Sequential([keras.Input((4,))])])
def test_what_is_not_compiled_gets_a_sentence(what):
    assert "first" in failure(assert_loss_fits, what, kind=UserInputError)


# Preprocessing


def copied(function):
    return lambda images: function(images.copy())


RIGHT = {
    "efficientnet_lite0": lambda images: (images - 127.0) / 128,
    "efficientnet_lite2": lambda images: images / 127.5 - 1,  # by less than a level
    "vgg16": copied(applications.vgg16.preprocess_input),
    "resnet50": copied(applications.resnet50.preprocess_input),
    "inception_v3": copied(applications.inception_v3.preprocess_input),
    "xception": keras.layers.Rescaling(1 / 127.5, offset=-1),
    "mobilenet_v2": lambda images: images / 127.5 - 1,
    "efficientnet_v2_b0": lambda images: images,
}


@pytest.mark.parametrize("name", RECIPES)
def test_right_preprocessing_passes(name):
    assert_preprocessing(name, RIGHT[name])


def in_keras(images):
    return keras.ops.cast(images, "float32") / 255


def in_torch_mode(images):
    images = np.array(images, float)
    return applications.imagenet_utils.preprocess_input(images, mode="torch")


WRONG = [
    ("vgg16", lambda x: x / 255, "scales the pixels to [0, 1]. vgg16 was trained"),
    ("vgg16", in_keras, "in_keras scales the pixels to [0, 1]."),
    ("vgg16", lambda x: x, "leaves the pixels as they are."),
    ("vgg16", lambda x: RIGHT["vgg16"](RIGHT["vgg16"](x * 1.0)), "twice"),
    ("mobilenet_v2", RIGHT["vgg16"], "mean, and exchanges red and blue."),
    ("mobilenet_v2", in_torch_mode, "mean and deviation."),
    ("mobilenet_v2", lambda x: x[..., ::-1] / 127.5 - 1, "is right, but exchanges"),
    ("mobilenet_v2", lambda x: x[:, ::2], "an array of shape (2, 112, 224, 3)"),
    ("efficientnet_lite0", lambda x: (x - 127) / 128, "Of uint8 pixels"),
    ("vgg16", applications.vgg16.preprocess_input, "is right, and changes its arg"),
]


@pytest.mark.parametrize(("name", "function", "words"), WRONG)
def test_of_wrong_preprocessing_it_says_what_it_does(name, function, words):
    assert words in failure(assert_preprocessing, name, function)


@pytest.mark.parametrize("name", ["alexnet", 7])
def test_what_is_no_model_for_pictures_gets_a_sentence(name):
    text = failure(assert_preprocessing, name, abs, kind=UserInputError)
    assert "efficientnet_lite0" in text
