"""Small networks in plain Keras, trained from scratch: what transfer is compared to.

The first is that of lessons 01 and 06, the second that of lesson 07 (Y. Kim, "Convolutional
Neural Networks for Sentence Classification", EMNLP 2014).
"""

import math
from functools import partial

import numpy as np

from tlcourse.native import import_tensorflow

tf = import_tensorflow()
import keras  # noqa: E402

EPOCHS, STEPS = 80, (300, 1500)
TEXT_EPOCHS, TEXT_STEPS = 20, (200, 1500)
BATCH = 32


def small_network(shape: tuple, classes: int, size: tuple | None = None, head=None):
    """Three convolutions, the average over all positions (or `head`), softmax."""
    layers, head = keras.layers, head or keras.layers.GlobalAveragePooling2D
    # With Keras' own initializer some of these networks die, as ReLU does.
    options = {"activation": "relu", "kernel_initializer": "he_uniform"}
    conv = partial(layers.Conv2D, kernel_size=3, padding="same", **options)
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Reshape((*shape[:2], -1)),
            *([layers.Resizing(*size)] if size else []),
            layers.Rescaling(1 / 255),
            conv(16, strides=2, name="conv_1"),
            conv(32, name="conv_2"),
            layers.MaxPooling2D(),
            conv(64, name="conv_3"),
            head(),
            layers.Dense(classes, activation="softmax"),
        ]
    )


def train(images, labels, size: tuple | None = None, weights=None, seed: int = 0):
    """Train a small network from scratch."""
    images = np.asarray(images)
    steps = number_of_steps(len(images), EPOCHS, STEPS)
    keras.utils.set_random_seed(seed)
    network = small_network(images.shape[1:], int(labels.max()) + 1, size)
    return fit(network, images, labels, weights, 5e-3, steps)


def train_text_network(tokens, labels, vocabulary: int, seed: int):
    """Vectors of tokens, one convolution over windows of three, maximum, softmax."""
    keras.utils.set_random_seed(seed)
    network = keras.Sequential(
        [
            keras.Input((None,), dtype="int32"),
            keras.layers.Embedding(vocabulary, 64),
            keras.layers.Conv1D(96, 3, padding="same", activation="relu"),
            keras.layers.GlobalMaxPooling1D(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(int(labels.max()) + 1, activation="softmax"),
        ]
    )
    steps = number_of_steps(len(tokens), TEXT_EPOCHS, TEXT_STEPS)
    return fit(network, tokens, labels, None, 2e-3, steps)


def fit(
    network, inputs, labels, weights, rate: float, steps: int, batch_size: int = BATCH
):
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    network.compile(
        keras.optimizers.Adam(schedule),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    parts = (inputs, labels, np.ones(len(labels)) if weights is None else weights)
    rows = tf.data.Dataset.from_tensor_slices(parts)
    batches = rows.shuffle(len(inputs)).repeat().batch(batch_size)
    network.fit(batches, steps_per_epoch=steps, verbose=0)
    return network


def number_of_steps(
    rows: int, epochs: int, bounds: tuple[int, int], batch_size: int = BATCH
) -> int:
    return int(np.clip(math.ceil(epochs * rows / batch_size), *bounds))
