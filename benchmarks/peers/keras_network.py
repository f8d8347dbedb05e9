"""The course's network in plain Keras, without what tlcourse does to TensorFlow at its start."""

import keras

from tlcourse.models.efficientnet_lite import EfficientNetLite

SIZE = 224


def network() -> keras.Model:
    """Pixels [0, 255] (n, 224, 224, 3) → features (n, 1280), with the bundled weights."""
    pixels = keras.Input((SIZE, SIZE, 3))
    scaled = keras.layers.Rescaling(1 / 128, offset=-127 / 128)(pixels)
    features = EfficientNetLite(input_tensor=scaled, include_top=False, pooling="avg")
    return keras.Model(pixels, features.outputs[0])
