"""Grad-CAM points where the evidence is, and nowhere else."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.native import import_tensorflow
from tlcourse.training.classifiers import FineTuned
from tlcourse.training.grad_cam import grad_cam


@pytest.fixture(scope="module")
def spot_finder():
    """The brighter a picture, the more probable is "spot"; one layer copies pixels."""
    import_tensorflow()
    import keras

    pixels = keras.Input((16, 24, 3))
    copy = keras.layers.Conv2D(1, 1, name="copy")
    average = keras.layers.GlobalAveragePooling2D(name="average")(copy(pixels))
    head = keras.layers.Dense(2, "softmax", name="head")
    network = keras.Model(pixels, head(average), name="spot_finder")
    copy.set_weights([np.full((1, 1, 3, 1), 1 / 765), np.zeros(1)])
    head.set_weights([np.array([[-9.0, 9.0]]), np.array([3.0, 0.0])])
    network.trainable = False
    return FineTuned(lambda: network, np.array(["none", "spot"]), None, {}, {}, None)


@pytest.fixture
def spots():
    """Two dark pictures with a bright spot, upper left and lower right."""
    pictures = np.zeros((2, 16, 24), np.uint8)
    pictures[0, 2:6, 3:7] = 255
    pictures[1, 10:14, 16:22] = 255
    return pictures


def test_the_evidence_is_where_the_spot_is(spot_finder, spots):
    many = np.concatenate([spots] * 5)  # more than a batch
    maps = grad_cam(spot_finder, many, "spot")
    assert maps.shape == (10, 16, 24) and maps.dtype == np.float32
    np.testing.assert_allclose(maps, many / 255, atol=1e-5)


def test_the_default_is_the_predicted_class(spot_finder, spots):
    bright = np.full((1, 16, 24), 200, np.uint8)
    np.testing.assert_allclose(grad_cam(spot_finder, bright), 1, atol=1e-5)
    assert not grad_cam(spot_finder, spots).any()  # predicted: none


def test_pictures_are_resized_as_in_training(spot_finder, spots):
    network, classes = spot_finder.model, spot_finder.classes_
    how = {"resize": "crop"}
    cropping = FineTuned(lambda: network, classes, None, {}, how, None)
    high = np.concatenate([np.full_like(spots, 9), spots, np.full_like(spots, 9)], 1)
    colour = np.repeat(high[..., np.newaxis], 3, axis=-1)
    cropped = [tl.pictures.resize(each, (16, 24), "crop") for each in colour]
    expected = grad_cam(spot_finder, cropped, "spot")
    np.testing.assert_array_equal(grad_cam(cropping, high, "spot"), expected)
    assert np.abs(grad_cam(spot_finder, high, "spot") - expected).max() > 0.1


def test_a_layer_of_a_network_of_keras_can_be_chosen(spots):
    import keras

    keras.utils.set_random_seed(0)
    pixels = keras.Input((16, 24, 3))
    maps = keras.layers.Conv2D(4, 3, activation="relu", name="conv_1")(pixels)
    maps = keras.layers.Conv2D(4, 3, 2, activation="relu", name="conv_2")(maps)
    average = keras.layers.GlobalAveragePooling2D()(maps)
    network = keras.Model(pixels, keras.layers.Dense(2, "softmax")(average))
    early, late = (grad_cam(network, spots, 0, layer=f"conv_{i}") for i in (1, 2))
    assert not np.array_equal(early, late)
    np.testing.assert_array_equal(late, grad_cam(network, spots, 0))
    with pytest.raises(UserInputError, match="conv_1"):
        grad_cam(network, spots, layer="head")


def test_what_takes_no_pictures_or_knows_no_such_class_is_refused(
    spot_finder, spots, small_bert
):
    with pytest.raises(UserInputError, match="crack"):
        grad_cam(spot_finder, spots, "crack")
    for other in (small_bert.network, tl.LinearProbe()):
        with pytest.raises(UserInputError, match="pictures"):
            grad_cam(other, spots)
