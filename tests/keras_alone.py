"""Exercises of lessons 03 to 05 in a kernel that has Keras and no tlcourse.

    python keras_alone.py FOLDER

FOLDER holds what the lessons have made before the exercises. Each answer is written there:
a network as NAME.keras, what `fit` returned and numbers as JSON. Some are wrong on purpose.
"""

import json
import sys
from pathlib import Path

sys.modules["tlcourse"] = None  # an import of it fails

import keras  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

FOLDER = Path(sys.argv[1])
lesson = np.load(FOLDER / "arrays.npz")
inputs = keras.Input((224, 224, 3))


def pretrained():
    return keras.models.load_model(FOLDER / "classifier.keras")


def base():
    """The pretrained network without its final layers: pictures → features."""
    network = pretrained()
    return keras.Model(network.input, network.layers[-2].output)


def save(name, network):
    network.save(FOLDER / f"{name}.keras")


def same_architecture():
    """Exercise 3.2."""
    clone = keras.models.clone_model(base())
    save("3.2 right", keras.Model(inputs, clone(inputs, training=False)))
    clone.set_weights(base().get_weights())
    save("3.2 pretrained", keras.Model(inputs, clone(inputs, training=False)))


def earlier_block(layer):
    """Exercise 3.3, and the same at the end of the network."""
    network, accuracies = base(), {}
    for row, end in {"right": layer, "last block": "head_relu6"}.items():
        early = keras.Model(network.input, network.get_layer(end).output)
        pooled = keras.Sequential([early, keras.layers.GlobalAveragePooling2D()])
        features = [
            pooled.predict(lesson[f"{part}_images"], verbose=0)
            for part in ("train", "test")
        ]
        regression = LogisticRegression(C=1e-2, max_iter=1000)
        probe = make_pipeline(StandardScaler(), regression)
        probe.fit(features[0], lesson["train_labels"])
        accuracies[row] = probe.score(features[1], lesson["test_labels"])
    (FOLDER / "3.3.json").write_text(json.dumps(accuracies), encoding="utf-8")


def five_steps():
    """Exercise 4.2; with two outputs; and with a base that was not frozen."""
    for row, units in {"right": 1, "output": 2}.items():
        frozen = base()
        frozen.trainable = False
        activation = "sigmoid" if units == 1 else "softmax"
        head = keras.layers.Dense(units, activation=activation)
        network = keras.Model(inputs, head(frozen(inputs, training=False)))
        trained = keras.Sequential([keras.Input((1280,)), head])
        trained.compile(keras.optimizers.Adam(1e-2), "binary_crossentropy")
        labels = lesson["cell_labels"]
        targets = labels if units == 1 else keras.utils.to_categorical(labels)
        trained.fit(lesson["features"], targets, batch_size=8, epochs=5, verbose=0)
        save(f"4.2 {row}", network)
    careless = base()
    head = keras.layers.Dense(1, activation="sigmoid")
    network = keras.Model(inputs, head(careless(inputs)))
    network.compile(keras.optimizers.Adam(1e-4), "binary_crossentropy")
    network.fit(lesson["cells"][::20], lesson["cell_labels"][::20], verbose=0)
    save("4.2 not frozen", network)


def dropout():
    """Exercise 4.3, and the same without dropout."""
    for row, rate in {"right": 0.5, "no dropout": 0}.items():
        layers = [
            keras.Input((1280,)),
            keras.layers.Dense(64, activation="relu"),
            *([keras.layers.Dropout(rate)] if rate else []),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
        head = keras.Sequential(layers)
        head.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
        others = lesson["other_features"], lesson["other_labels"]
        history = head.fit(
            lesson["features"],
            lesson["cell_labels"],
            epochs=15,
            validation_data=others,
            verbose=0,
        ).history
        save(f"4.3 {row}", head)
        (FOLDER / f"4.3 {row}.json").write_text(json.dumps(history), encoding="utf-8")


def one_block():
    """Exercise 5.3, and the same with batch normalization."""
    for row in ("right", "changed"):
        network = keras.models.load_model(FOLDER / "5.3 before.keras")
        layers = next(layer for layer in network.layers if hasattr(layer, "layers"))
        for layer in layers.layers:
            is_normalization = isinstance(layer, keras.layers.BatchNormalization)
            is_late = layer.name.startswith("block7a")
            layer.trainable = is_late and (row == "changed" or not is_normalization)
        network.compile(keras.optimizers.Adam(1e-3), "binary_crossentropy")
        cells, labels = lesson["cells"][:32], lesson["cell_labels"][:32]
        network.fit(cells, labels, batch_size=16, verbose=0)
        save(f"5.3 {row}", network)


same_architecture()
earlier_block("block4c_add")
five_steps()
dropout()
one_block()
