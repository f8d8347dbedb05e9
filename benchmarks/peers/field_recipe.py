"""Contestant: the recipe of the field as it is mostly written: a frozen base inside `fit`, run again at every epoch.

    python field_recipe.py inception_v3 | vgg16  WIDTH_OF_HEAD PICTURES

InceptionV3: average pooling, Dense 1024 with ReLU, softmax (keras.io/api/applications, "Fine-tune InceptionV3 on a
new set of classes"). VGG16: the same with Flatten in place of the pooling. Both with random flips, RMSprop and batches
of 32. One "go" is `fit` over PICTURES solar cells.
"""

import sys

import keras
import protocol
import solar
import tensorflow as tf

from tlcourse.models.recipes import RECIPES

name, width, number = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
keras.utils.set_random_seed(0)
recipe = RECIPES[name]
train = solar.draw(0).train.select(slice(number))
cells = solar.cells(train, recipe.size)
module = {
    "inception_v3": keras.applications.inception_v3,
    "vgg16": keras.applications.vgg16,
}[name]
shape = (recipe.size, recipe.size, 3)
base = getattr(keras.applications, recipe.application)(
    weights=None, include_top=False, input_shape=shape
)
base.trainable = False

pixels = keras.Input(shape)
x = keras.layers.RandomFlip("horizontal")(pixels)
x = base(x, training=False)
x = (
    keras.layers.GlobalAveragePooling2D()(x)
    if name == "inception_v3"
    else keras.layers.Flatten()(x)
)
x = keras.layers.Dense(width, activation="relu")(x)
network = keras.Model(pixels, keras.layers.Dense(2, activation="softmax")(x))
network.compile("rmsprop", "sparse_categorical_crossentropy")


def prepared(cells, labels):
    return module.preprocess_input(tf.cast(cells, tf.float32)), labels


batches = tf.data.Dataset.from_tensor_slices((cells, train.labels)).cache().batch(32)
batches = batches.map(prepared, num_parallel_calls=tf.data.AUTOTUNE).prefetch(
    tf.data.AUTOTUNE
)


def fit() -> dict:
    network.fit(batches, epochs=1, verbose=0)
    return {"pictures": len(cells)}


fit()
versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
settings = f"frozen {recipe.application} at {recipe.size} px in fit, batches of 32, Dense {width}, softmax, RandomFlip"
protocol.serve(fit, {"settings": settings, "versions": versions, "weights": "random"})
