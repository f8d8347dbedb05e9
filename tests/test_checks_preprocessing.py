"""Right preprocessing passes; of wrong one the check says what it does instead."""

import numpy as np
import pytest

from tlcourse.checks import CheckError, assert_preprocessing
from tlcourse.errors import UserInputError
from tlcourse.models.recipes import RECIPES

keras = pytest.importorskip("keras")
applications = keras.applications


def failure(model, function, kind=CheckError) -> str:
    with pytest.raises(kind) as caught:
        assert_preprocessing(model, function)
    return str(caught.value)


def copied(function):
    return lambda images: function(images.copy())


RIGHT = {
    "efficientnet_lite0": lambda images: (images - 127.0) / 128,
    "efficientnet_lite2": lambda images: (images - 127.0) / 128,
    "vgg16": copied(applications.vgg16.preprocess_input),
    "resnet50": copied(applications.resnet50.preprocess_input),
    "inception_v3": copied(applications.inception_v3.preprocess_input),
    "xception": keras.layers.Rescaling(1 / 127.5, offset=-1),
    "mobilenet_v2": lambda images: images / 127.5 - 1,
    "efficientnet_v2_b0": lambda images: images,
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name):
    assert_preprocessing(name, RIGHT[name])


def test_there_is_a_right_one_for_each_network():
    assert set(RIGHT) == set(RECIPES)


def test_a_model_s_own_preprocess_passes(bundled_model):
    assert_preprocessing(bundled_model, bundled_model.preprocess)


def test_what_differs_by_less_than_a_grey_level_passes(bundled_model):
    assert_preprocessing(bundled_model, lambda images: images / 127.5 - 1)


def test_a_function_of_one_picture_will_do():
    def function(picture):
        height, width, channels = picture.shape
        return picture / 127.5 - 1

    assert_preprocessing("mobilenet_v2", function)


def in_tensorflow(images):
    import tensorflow as tf

    return tf.cast(images, tf.float32) / 255


def by_picture(images):
    return (images - images.mean((1, 2, 3), keepdims=True)) / images.std(
        (1, 2, 3), keepdims=True
    )


def in_torch_mode(images):
    images = np.array(images, float)
    return applications.imagenet_utils.preprocess_input(images, mode="torch")


MEANS = np.array([123.68, 116.779, 103.939])
WRONG = [
    ("vgg16", lambda x: x / 255, "scales the pixels to [0, 1]."),
    ("vgg16", in_tensorflow, "in_tensorflow scales the pixels to [0, 1]."),
    ("vgg16", keras.layers.Rescaling(1 / 255, name="by_255"), "by_255 scales"),
    ("vgg16", lambda x: x, "leaves the pixels as they are."),
    ("vgg16", copied(applications.mobilenet_v2.preprocess_input), "to [-1, 1]."),
    ("mobilenet_v2", RIGHT["vgg16"], "mean, and exchanges red and blue."),
    ("mobilenet_v2", lambda x: x - MEANS, "subtracts ImageNet's mean."),
    ("mobilenet_v2", in_torch_mode, "mean and divides by its deviation."),
    ("mobilenet_v2", lambda x: x[..., ::-1] / 127.5 - 1, "is right, but exchanges"),
    ("efficientnet_v2_b0", lambda x: x[..., ::-1], "is right, but exchanges"),
    ("vgg16", lambda x: x / 255 / 255, "scales the pixels to [0, 1] twice."),
    ("mobilenet_v2", by_picture, "standardises each picture"),
    ("mobilenet_v2", lambda x: (x - x.mean()) / x.std(), "deviation of all of them."),
    ("mobilenet_v2", lambda x: x * 3.0, "makes numbers from 0 to 765 of them"),
    ("mobilenet_v2", lambda x: x[:, ::2], "an array of shape (2, 112, 224, 3)"),
]


@pytest.mark.parametrize(("name", "function", "words"), WRONG)
def test_of_what_is_wrong_it_says_what_it_does(name, function, words):
    assert words in failure(name, function)


@pytest.mark.parametrize("name", ["efficientnet_lite0", "vgg16", "mobilenet_v2"])
def test_preprocessing_twice_is_named(name):
    assert "preprocesses twice." in failure(
        name, lambda images: RIGHT[name](RIGHT[name](images * 1.0))
    )


def test_the_message_says_what_the_network_expects():
    text = failure("vgg16", lambda images: images / 255)
    assert text.startswith("Your function scales the pixels to [0, 1]. vgg16 was")
    assert "blue, green, red" in text


def test_one_that_is_wrong_for_floats_alone_is_said_to_be():
    def scaled(images):
        return images / 127.5 - 1 if images.dtype == np.uint8 else images

    assert (
        "is right for whole numbers; of floats it leaves the pixels as they are."
        in failure("mobilenet_v2", scaled)
    )


def test_one_that_overflows_with_whole_numbers_is_said_to():
    text = failure("efficientnet_lite0", lambda images: (images - 127) / 128)
    assert "whole numbers (uint8) overflow" in text
    assert "images.astype('float32')" in text


def test_one_that_cannot_be_run_on_whole_numbers_is_judged_by_floats():
    def in_place(images):
        images /= 127.5
        return images - 1

    assert "in_place is right, and changes its argument in place" in failure(
        "mobilenet_v2", in_place
    )


def test_what_keras_changes_in_place_is_named():
    sentence = failure("vgg16", applications.vgg16.preprocess_input)
    assert (
        "preprocess_input is right, and changes its argument" in sentence
        and "images.copy()" in sentence
    )


def test_a_function_that_cannot_be_run_gets_a_sentence():
    sentence = failure(
        "vgg16", lambda images, labels: (images, labels), kind=UserInputError
    )
    assert (
        "cannot be run on pixels of shape (2, 224, 224, 3)" in sentence
        and "function(images)" in sentence
    )


@pytest.mark.parametrize("model", ["alexnet", 7])
def test_what_is_no_model_for_pictures_gets_a_sentence(model):
    assert "expected one of tl.load_pretrained_model() that takes pictures" in failure(
        model, abs, kind=UserInputError
    )


def test_a_model_that_reads_gets_a_sentence(small_bert):
    assert "that takes pictures, or its name: efficientnet_lite0" in failure(
        small_bert, abs, kind=UserInputError
    )
