"""A small network of Keras, trained in a second: what tests need a trained one for."""

import numpy as np

from tlcourse.features.compute import compute
from tlcourse.models.conversion import compile_network
from tlcourse.native import import_tensorflow
from tlcourse.training.classifiers import FineTuned

BLOCKS = ["stem", "block1a", "block2a", "head"]
PICTURES = np.random.default_rng(0).uniform(0, 255, (8, 8, 8, 3)).astype("float32")
LABELS = np.arange(8) % 2


def small_base(name="small"):
    """Four blocks of the bundled network's names: a convolution and a batch norm."""
    import_tensorflow()
    import keras
    from keras import layers

    pixels = keras.Input((8, 8, 3))
    x = layers.Rescaling(1 / 255)(pixels)
    for block in BLOCKS:
        x = layers.Conv2D(4, 3, padding="same", name=f"{block}_conv")(x)
        x = layers.BatchNormalization(name=f"{block}_bn")(x)
    return keras.Model(pixels, layers.GlobalAveragePooling2D()(x), name=name)


def small_network(shape, classes):
    """Pixels [0, 255], float32 (n, *shape) → probabilities (n, classes)."""
    import_tensorflow()
    import keras

    keras.utils.set_random_seed(0)
    pixels = keras.Input(shape, name="pixels")
    x = keras.layers.Rescaling(1 / 255)(pixels)
    for number, channels in enumerate((16, 32), start=1):
        x = keras.layers.Conv2D(
            channels, 3, 2, "same", activation="relu", name=f"conv_{number}"
        )(x)
    x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    head = keras.layers.Dense(classes, activation="softmax", name="head")
    return keras.Model(pixels, head(x), name="small_network")


def train_small_network(images, labels, class_names=None, steps=100):
    """A small network in the form in which `fine_tune` returns its own."""
    import keras

    images, labels = np.asarray(images), np.asarray(labels)
    if images.ndim == 3:
        images = np.repeat(images[..., None], 3, axis=-1)
    classes, targets = np.unique(labels, return_inverse=True)
    network = small_network(images.shape[1:], len(classes))
    network.compile(keras.optimizers.Adam(1e-2), "sparse_categorical_crossentropy")
    epochs = -(-steps // -(-len(images) // 32))
    network.fit(images.astype("float32"), targets, epochs=epochs, verbose=0)
    record = {
        "from_block": None,
        "augmentations": ["as is"],
        "rows": {"training": len(images), "validation": 0},
        "settings": {"epochs": epochs},
        "seconds": {"training": 1.0},
        "probe": {},
        "best_epoch": epochs,
    }
    history = {"loss": [1.0] * epochs}
    return FineTuned(lambda: network, classes, class_names, history, record, _read)


def _read(network, images):
    size = network.input_shape[1:3]
    return compute(compile_network(network), images, size)
