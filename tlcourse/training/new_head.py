"""A new head on a frozen network, and the loss that belongs to it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .. import validation
from ..errors import UserInputError
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from .classifiers import FineTuned
from .freezing import freeze
from .probe import LinearProbe

if TYPE_CHECKING:
    import keras

MOST_UNITS = 1_000_000


def add_head(
    model: PretrainedModel | PretrainedTextModel,
    classes: int,
    hidden: int | Sequence[int] = (),
    dropout: float = 0.0,
    learning_rate: float = 1e-3,
) -> "keras.Model":
    """Put a new head on the frozen network and compile it.

    Two classes get one sigmoid output, (n, 1), and binary cross-entropy; more get
    softmax, (n, classes), and sparse categorical cross-entropy. Labels are whole
    numbers in both cases.

    Parameters
    ----------
    model : PretrainedModel or PretrainedTextModel
        It is copied, not changed.
    classes : int
    hidden : int or sequence of int
        Units of Dense layers with ReLU between the features and the output.
    dropout : float
        In front of the output.
    learning_rate : float or keras.optimizers.schedules.LearningRateSchedule
        Of Adam.

    Returns
    -------
    keras.Model
        Pixels, or token ids as `model.tokenize` returns them, → probabilities.

    Raises
    ------
    UserInputError
        No pretrained model, or a number out of range.

    Examples
    --------
    >>> import tlcourse as tl
    >>> network = tl.add_head(tl.load_pretrained_model(), classes=3)
    >>> network.output_shape
    (None, 3)
    """
    if not isinstance(model, PretrainedModel | PretrainedTextModel):
        raise UserInputError(
            f"add_head was given {type(model).__name__}; expected a pretrained model: "
            "model = tl.load_pretrained_model()."
        )
    classes = validation.whole_number("classes", classes, 2, MOST_UNITS)
    units = hidden if isinstance(hidden, list | tuple) else (hidden,)
    for number in units:
        validation.whole_number("hidden", number, 1, MOST_UNITS)
    dropout = validation.number("dropout", dropout, 0, 0.99)
    if not callable(learning_rate):  # a schedule is
        learning_rate = validation.number("learning_rate", learning_rate)
    network = model.copy_network()
    import keras

    x = network.output
    for index, number in enumerate(units, start=1):
        x = keras.layers.Dense(number, activation="relu", name=f"hidden_{index}")(x)
    if dropout:
        x = keras.layers.Dropout(dropout, name="dropout")(x)
    is_binary = classes == 2
    head = keras.layers.Dense(
        1 if is_binary else classes,
        activation="sigmoid" if is_binary else "softmax",
        name="new_head",
    )
    loss = "binary_crossentropy" if is_binary else "sparse_categorical_crossentropy"
    whole = keras.Model(network.inputs[0], head(x), name=f"{model.name}_with_head")
    freeze(whole)
    whole.compile(keras.optimizers.Adam(learning_rate), loss=loss, metrics=["accuracy"])
    return whole


def with_classifier(
    trained: FineTuned | LinearProbe, model: "PretrainedModel | None"
) -> "keras.Model":
    """What was trained, from pixels to probabilities, as one `keras.Model`."""
    if not isinstance(trained, LinearProbe):
        return trained.model
    if not isinstance(model, PretrainedModel):
        raise UserInputError(
            "A linear probe takes features, and an export takes pictures: give the "
            "pretrained model, tl.export(classifier, folder, dataset, model=model)."
        )
    network, head = model.copy_network(), trained.as_head()
    import keras  # not before TensorFlow was imported, without its log

    if network.output_shape[-1] != head.kernel.shape[0]:
        raise UserInputError(
            f"The classifier was trained on {head.kernel.shape[0]:,} features, "
            f"{model.name} has {network.output_shape[-1]:,}. Give its own model; "
            "features of chosen blocks are not exported."
        )
    outputs, name = head(network.output), f"{model.name}_with_probe"
    return keras.Model(network.inputs, outputs, name=name)
