"""The exercises of lesson 04, Freezing layers and a new head."""

from functools import lru_cache
from typing import Any

import numpy as np

from .. import guards
from ..datasets import load_dataset
from ..errors import GuardError, UserInputError
from ..features.pictures import resize
from ..models.load import load_pretrained_model
from ..training.probe import LinearProbe
from .core import NotYet, exercise
from .reading import instance, near, shares, whole_number

FEATURES, WIDTH, CLASSES = 1280, 1024, 10


@exercise(
    "4.1",
    "count before you train",
    "a whole number",
    "A Dense layer has one weight for each pair of an input and an output. Is that all it has?",
    "inputs * outputs + outputs, for each of the two layers: the last term is the biases.",
    "(1280 * 1024 + 1024) + (1024 * 10 + 10).",
)
def count_of_weights(answer: "Any") -> str:
    kernels, biases = (FEATURES * WIDTH, WIDTH * CLASSES), (WIDTH, CLASSES)
    right, number = sum(kernels) + sum(biases), whole_number(answer)
    if number == right:
        return f"{right:,}, of which {100 * sum(biases) / right:.1f} % are biases."
    if number == sum(kernels):
        raise NotYet("These are the weights alone. Each output has a bias besides.")
    if number == 4:
        raise NotYet(
            "Four is the number of arrays: two kernels, two biases. How many numbers are in them?"
        )
    if number in (kernels[0] + biases[0], kernels[1] + biases[1]):
        raise NotYet("That is one of the two layers. The head has both.")
    if number == FEATURES * CLASSES + CLASSES:
        raise NotYet(
            "That is a head of one layer. The recipe puts a layer of 1,024 between."
        )
    if number > 4_000_000:
        raise NotYet("That counts the frozen network, too. Only the head is trained.")
    if number == 2048 * WIDTH + WIDTH + kernels[1] + biases[1]:
        raise NotYet(
            "That is the head on InceptionV3's 2,048 features. Our network has 1,280."
        )
    raise NotYet(
        f"{number:,} is not what the two layers hold. Work out each by itself: inputs × outputs + outputs."
    )


@exercise(
    "4.2",
    "unfreeze, and prove it",
    "the trained network",
    "A flag by itself changes nothing. What has to follow it before the training?",
    "Set layer.trainable for the layers of model.blocks['block7a'], batch norms excepted; compile; then fit.",
    "layer.trainable = layer.name in (*model.blocks['block7a'], 'new_head') for each layer, batch norms False; then "
    "my_network.compile(keras.optimizers.Adam(1e-3), loss='binary_crossentropy') and "
    "my_network.fit(cells[:32], learned.labels[:32], batch_size=4).",
)
def trained_block(answer: "Any", before: "Any") -> str:
    import keras

    instance(answer, keras.Model, "my_network, after it was trained")
    instance(
        before,
        guards.Snapshot,
        "`snapshot`, as tl.guards.snapshot made it before the training",
    )
    try:
        guards.assert_changed(before, answer, only=["block7a", "new_head"])
    except (GuardError, UserInputError) as error:
        raise NotYet(str(error)) from None
    if not all(np.isfinite(weights).all() for weights in answer.get_weights()):
        raise NotYet(
            "Some of its weights are NaN or infinite: the training diverged. Take a smaller learning rate."
        )
    if not answer.compiled or not int(answer.optimizer.iterations):
        raise NotYet(
            "Its optimizer has taken no step since compile, so no training changed it. Call fit after compile."
        )
    return "block7a and the new head have changed, and nothing else: not even the moving means of a batch norm."


@exercise(
    "4.3",
    "change the experiment",
    "a dictionary with the accuracies of 'probe' and 'wide'",
    "Both heads are trained on the same features. Only the layers between features and output differ.",
    "probe.score(judged_features, judged.labels) for the one; for the other compile, fit and evaluate a Sequential.",
    "wide = keras.Sequential([Dense(1024, activation='relu'), Dense(1, activation='sigmoid')]); compile with "
    "binary_crossentropy and metrics=['accuracy']; fit on features; wide.evaluate(judged_features, judged.labels)[1]. "
    "Leave `wide` under that name: the check evaluates it, too.",
)
def wide_head(answer: "Any", probe: "Any", wide: "Any") -> str:
    values = shares(answer, ("probe", "wide"))
    instance(
        probe, LinearProbe, "`probe`, as tl.train_classifier made it, after the answer"
    )
    features, labels = _validation()
    right = probe.score(features, labels)
    if values["wide"] >= 0.97:
        raise NotYet(
            "'wide' is right nearly always: that is the accuracy on the training rows. Take judged_features."
        )
    if values["wide"] <= 0.55:
        raise NotYet(
            "'wide' does no better than chance. Do output and loss fit: one sigmoid, binary_crossentropy?"
        )
    if not near(values["probe"], right):
        raise NotYet(
            f"The probe gets {right:.1%} on the judged cells, and not {values['probe']:.1%}."
        )
    accuracy = _accuracy_of_wide(wide, features, labels)
    if not near(values["wide"], accuracy):
        raise NotYet(
            f"Your network `wide` gets {accuracy:.1%} on the judged cells, and not {values['wide']:.1%}. Evaluate it "
            "on judged_features and judged.labels."
        )
    difference = 100 * (values["wide"] - values["probe"])
    return (
        f"{difference:+.1f} points for the wide head, on {len(labels)} cells: one is more than half a point, and "
        "another sample of cells may turn a few points around."
    )


@lru_cache(maxsize=1)
def _validation() -> tuple[np.ndarray, np.ndarray]:
    """Features and labels of the cells that the lesson calls judged."""
    cells = load_dataset("solar").validation.sample(per_class=80)
    images = [resize(image, (224, 224)) for image in cells.images]
    return load_pretrained_model().extract_features(images), cells.labels


def _accuracy_of_wide(wide: "Any", features: np.ndarray, labels: np.ndarray) -> float:
    """Of a trained network with the two layers that the exercise asks for."""
    import keras

    if wide is None:
        raise NotYet(
            "`wide` is still None. Give the trained network, too: the check evaluates it."
        )
    network = instance(wide, keras.Model, "the trained keras.Sequential as `wide`")
    units = [
        layer.units for layer in network.layers if isinstance(layer, keras.layers.Dense)
    ]
    if units != [WIDTH, 1]:
        raise NotYet(
            f"The Dense layers of `wide` have {units} units; expected {[WIDTH, 1]}."
        )
    if not network.built:
        raise NotYet(
            "`wide` has no weights yet. Compile it and call fit on `features` and `learned.labels`."
        )
    outputs = np.asarray(network(features)).ravel()
    if not np.isfinite(outputs).all():
        raise NotYet(
            "`wide` answers NaN: its training diverged. Take a smaller learning rate."
        )
    return float(np.mean((outputs > 0.5) == labels))
