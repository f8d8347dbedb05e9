"""Arms: the course's network by Keras' own means; a recipe with a frozen base.

Keras' weights are also converted here for LiteRT and PyTorch.
"""

from pathlib import Path

import keras
import numpy as np
import protocol
import tensorflow as tf

import tlcourse as tl
from tlcourse.models.recipes import RECIPES
from tlcourse.models.weights import weights_file

BATCH = 32  # the default of `predict` and `image_dataset_from_directory`
VERSIONS = {"keras": keras.__version__, "tensorflow": tf.__version__}


def images(source: str):
    """`predict` on an .npy of pictures, or on Keras' pipeline for folders."""
    network, path = tl.load_pretrained_model().network, Path(source)
    size = network.input_shape[1:3]

    def from_folder():
        pictures = keras.utils.image_dataset_from_directory(
            path,
            labels=None,
            image_size=size,
            interpolation="bicubic",
            batch_size=BATCH,
            shuffle=False,
            verbose=False,
        )
        return network.predict(pictures.prefetch(tf.data.AUTOTUNE), verbose=0)

    def from_array():
        return network.predict(array, batch_size=BATCH, verbose=0)

    settings = f"predict, batches of {BATCH}"
    if path.is_dir():
        work = from_folder
        settings += ", image_dataset_from_directory, bicubic, prefetch(AUTOTUNE)"
    else:
        array, work = np.load(path), from_array
    work()
    return work, {"settings": settings, "versions": VERSIONS}


def convert(folder: str):
    """Write network.tflite, by the official converter, and weights.npz."""
    network = tl.load_pretrained_model().network
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    Path(folder, "network.tflite").write_bytes(converter.convert())
    weights = {weight.path: weight.numpy() for weight in network.weights}
    np.savez(Path(folder, "weights.npz"), **weights)
    return dict, {"settings": "converted", "versions": VERSIONS}


def random_weights(name: str):
    """Write random weights where Keras would keep the published ones (`KERAS_HOME`).

    How long a network takes does not depend on its weights; the published ones need
    internet.
    """
    recipe, file = RECIPES[name], weights_file(name)
    file.parent.mkdir(parents=True, exist_ok=True)
    build = getattr(keras.applications, recipe.application)
    shape = (recipe.size, recipe.size, 3)
    build(weights=None, include_top=False, input_shape=shape).save(file)
    return dict, {"settings": "random weights", "versions": VERSIONS}


def field_recipe(name: str, width: int, pictures: str):
    """The recipe as it is mostly written: a frozen base inside `fit`, run every epoch.

    InceptionV3: average pooling, Dense with ReLU, softmax (keras.io/api/applications,
    "Fine-tune InceptionV3 on a new set of classes"); VGG16: Flatten instead of pooling.
    Random flips, RMSprop, batches of 32. The work is one epoch over the pictures.
    """
    keras.utils.set_random_seed(0)
    recipe, layers, cells = RECIPES[name], keras.layers, np.load(pictures)
    module = getattr(keras.applications, name)
    base = getattr(keras.applications, recipe.application)(
        weights=None, include_top=False, input_shape=cells.shape[1:]
    )
    base.trainable = False
    flatten = layers.Flatten if name == "vgg16" else layers.GlobalAveragePooling2D
    pixels = keras.Input(cells.shape[1:])
    x = base(layers.RandomFlip("horizontal")(pixels), training=False)
    x = layers.Dense(width, "relu")(flatten()(x))
    network = keras.Model(pixels, layers.Dense(2, "softmax")(x))
    network.compile("rmsprop", "sparse_categorical_crossentropy")

    def prepare(pixels, labels):
        return module.preprocess_input(tf.cast(pixels, tf.float32)), labels

    labels = np.arange(len(cells)) % 2
    rows = tf.data.Dataset.from_tensor_slices((cells, labels)).cache().batch(32)
    batches = rows.map(prepare, tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)

    def work() -> dict:
        network.fit(batches, verbose=0)
        return {"pictures": len(cells)}

    work()
    settings = (
        f"frozen {recipe.application} at {recipe.size} px in fit, batches of 32, "
        f"Dense {width}, softmax, RandomFlip"
    )
    return work, {"settings": settings, "versions": VERSIONS}


def guide_recipe(rows: str, seed: int, frozen: int, unfrozen: int):
    """The recipe of Keras' guide on transfer learning, and its accuracy per epoch.

    The base inside `fit` behind random flips and rotations, average pooling, dropout
    0.2; `frozen` epochs of the head with Adam's defaults, then `unfrozen` ones of all
    layers at 1e-5 (keras.io/guides/transfer_learning, which trains on more pictures,
    for one or two epochs in each stage).
    """
    keras.utils.set_random_seed(seed)
    data, layers = dict(np.load(rows)), keras.layers
    base = tl.load_pretrained_model().network
    base.trainable = False
    pixels = keras.Input(data["train"].shape[1:])
    x = layers.RandomRotation(0.1)(layers.RandomFlip("horizontal")(pixels))
    x = layers.Dropout(0.2)(base(x, training=False))
    classes = int(data["train_labels"].max()) + 1
    network = keras.Model(pixels, layers.Dense(classes, "softmax")(x))
    curve = protocol.Curve(
        data, lambda pictures: network.predict(pictures, verbose=0).argmax(axis=1)
    )

    def train(epochs: int, rate: float) -> None:
        network.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
        for _ in range(epochs):
            network.fit(data["train"], data["train_labels"], verbose=0)
            curve.add()

    def work() -> dict:
        curve.start()
        train(frozen, 1e-3)
        base.trainable = True
        train(unfrozen, 1e-5)
        return curve.answer()

    settings = f"{frozen} epochs frozen, Adam 1e-3; {unfrozen} unfrozen, 1e-5"
    return work, {"settings": settings, "versions": VERSIONS}


protocol.run(images, convert, random_weights, field_recipe, guide_recipe)
