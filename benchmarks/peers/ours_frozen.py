"""Contestant to field_recipe.py: the frozen base once, then the same head on its features, epoch by epoch.

    python ours_frozen.py inception_v3 | vgg16  WIDTH_OF_HEAD PICTURES ROWS

One "go" is `extract_features` of PICTURES solar cells, nothing cached, and one epoch of the head on ROWS features.
"""

import sys
import time

import numpy as np
import protocol
import solar

import tlcourse as tl

name, width, number, rows = sys.argv[1], *map(int, sys.argv[2:])
model = tl.load_pretrained_model(name)

import keras  # noqa: E402

cells = solar.cells(solar.draw(0).train.select(slice(number)), model.recipe.size)
random = np.random.default_rng(
    0
)  # the time of the head does not depend on the features' values
features = random.random((rows, model.feature_dim), np.float32)
labels = random.integers(0, 2, rows)
head = keras.Sequential(
    [
        keras.layers.Dense(width, activation="relu"),
        keras.layers.Dense(2, activation="softmax"),
    ]
)
head.compile("rmsprop", "sparse_categorical_crossentropy")


def once() -> dict:
    start = time.perf_counter()
    model.extract_features(cells, cache=False)
    between = time.perf_counter()
    head.fit(features, labels, batch_size=32, epochs=1, verbose=0)
    return {
        "pictures": len(cells),
        "features_seconds": between - start,
        "head_seconds": time.perf_counter() - between,
    }


once()
protocol.serve(
    once,
    {
        "settings": f"features once, then Dense {width} and softmax on them",
        "versions": {},
    },
)
