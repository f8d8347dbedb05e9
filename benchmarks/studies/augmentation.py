"""Lesson 04: does augmentation help a head on a frozen base? Stamps, few labels."""

import time

import numpy as np
from records import mean_sd

import tlcourse as tl
from tlcourse.native import import_tensorflow

import_tensorflow()
import keras  # noqa: E402

SEEDS = (0, 1, 2, 3, 4)
PER_CLASS, EPOCHS, BATCH = 5, 40, 10


def augmentation() -> dict:
    """Test accuracy with and without, on the same pictures of five random splits."""
    scores = {"without": [], "with": []}
    seconds = {name: [] for name in scores}
    for seed in SEEDS:
        data = tl.load_dataset("stamps", seed=seed)
        few, test = data.train.sample(PER_CLASS, seed), data.test
        for name in scores:
            start = time.perf_counter()
            network = trained(few, name == "with", seed)
            seconds[name].append(time.perf_counter() - start)
            answers = network.predict(as_array(test), verbose=0).argmax(axis=1)
            scores[name].append(float(np.mean(answers == test.labels)))
    differences = np.subtract(scores["with"], scores["without"])
    found = {
        name: {**mean_sd(scores[name]), "seconds": round(np.median(seconds[name]), 1)}
        for name in scores
    }
    return {**found, "difference": mean_sd(differences), "per_class": PER_CLASS}


def trained(split, is_augmented: bool, seed: int):
    """A softmax head on the frozen base, with the layers of lesson 04 in front."""
    keras.utils.set_random_seed(seed)
    base = tl.load_pretrained_model().copy_network()
    base.trainable = False
    inputs = keras.Input((224, 224, 3))
    filled = {"fill_mode": "constant", "fill_value": 255}
    layers = [
        keras.layers.RandomFlip("horizontal", seed=seed),
        keras.layers.RandomRotation(0.05, seed=seed, **filled),
        keras.layers.RandomZoom(0.2, seed=seed, **filled),
    ]
    x = keras.Sequential(layers)(inputs) if is_augmented else inputs
    x = keras.layers.Dropout(0.2)(base(x, training=False))
    outputs = keras.layers.Dense(len(split.class_names), activation="softmax")(x)
    network = keras.Model(inputs, outputs)
    network.compile(keras.optimizers.Adam(3e-3), "sparse_categorical_crossentropy")
    pixels = as_array(split)
    network.fit(pixels, split.labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return network


def as_array(split) -> np.ndarray:
    return np.stack([tl.pictures.resize(image, (224, 224)) for image in split.images])
