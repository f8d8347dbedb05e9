"""A new head on a frozen network, and the loss that belongs to it: the two are made together, or they do not fit.

A loss that expects logits is silent about probabilities, and the other way round; the network then learns slowly or not
at all, and nothing says so. Here the last layer gives probabilities and the loss takes probabilities.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from .freezing import freeze

if TYPE_CHECKING:
    import keras


def add_head(
    model: PretrainedModel | PretrainedTextModel,
    classes: int,
    hidden: int | Sequence[int] = (),
    dropout: float = 0.0,
    learning_rate: float = 1e-3,
) -> "keras.Model":
    """The pretrained network, frozen, with a new head: a compiled `keras.Model`, pixels (of a text model
    token ids, as `model.tokenize` gives them) → probabilities.

    Two classes get one sigmoid output, (n, 1), the probability of class 1, and binary cross-entropy; more get softmax,
    (n, classes), and sparse categorical cross-entropy. Labels are whole numbers in both cases: `fit(images, labels)`.

    Args:
        model: from `load_pretrained_model`; it is copied, not changed.
        classes: how many, from 2.
        hidden: widths of Dense layers with ReLU between the features and the output.
        dropout: share of the numbers before the output that are left out at random in a step.
        learning_rate: of Adam.

    Raises:
        UserInputError: no pretrained model, fewer than two classes, widths or shares that cannot be.
    """
    if not isinstance(model, PretrainedModel | PretrainedTextModel):
        raise UserInputError(
            f"add_head was given {type(model).__name__}; expected a pretrained model: "
            "model = tl.load_pretrained_model()."
        )
    classes = validation.whole_number("classes", classes, 2, 1_000_000)
    widths = validation.elements(hidden) if np.iterable(hidden) else (hidden,)
    whole = all(
        isinstance(width, int | np.integer) and not isinstance(width, bool)
        for width in widths
    )
    if not whole or not all(1 <= width <= 1_000_000 for width in widths):
        raise UserInputError(
            f"hidden is {validation.shown(hidden)}; expected the widths of the layers between, whole numbers from 1."
        )
    dropout = validation.number("dropout", dropout, 0, 1)
    if dropout == 1:
        raise UserInputError("dropout is 1; expected a share from 0 to below 1.")
    if not callable(learning_rate):  # a schedule of Keras is
        learning_rate = validation.number("learning_rate", learning_rate)
    import keras

    network = model.copy_network()
    x = network.output
    for place, width in enumerate(widths, start=1):
        x = keras.layers.Dense(width, activation="relu", name=f"hidden_{place}")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    two = classes == 2
    outputs = keras.layers.Dense(
        1 if two else classes, "sigmoid" if two else "softmax", name="new_head"
    )(x)
    whole = keras.Model(network.inputs[0], outputs, name=f"{model.name}_with_head")
    freeze(whole)
    whole.compile(
        keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy" if two else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return whole
