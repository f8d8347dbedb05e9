"""What a probe and a fine-tuned network have in common: probabilities become answers, and answers are judged."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from .errors import UserInputError
from .evaluation import ConfusionMatrix, classification_report

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


Inputs = TypeVar("Inputs", contravariant=True)  # what a predictor reads: features, pictures or sentences


class Predictor(Generic[Inputs]):
    """Something with `predict_proba`, and what follows from that.

    Attributes:
        classes: the labels, (classes,), in the order of `predict_proba`'s columns.
        class_names: their names.
    """

    def __init__(self, classes: np.ndarray, class_names: list[str] | None) -> None:
        self.classes = classes
        self.class_names = class_names or [str(label) for label in classes]

    def predict_proba(self, inputs: "Inputs") -> np.ndarray:
        """Probability of each class: (n, classes), rows sum to 1."""
        raise NotImplementedError

    def predict(self, inputs: "Inputs") -> np.ndarray:
        """The most probable label of each row, (n,), of the kind that was trained with: text stays text."""
        return self.classes[self._predicted(inputs)]

    def score(self, inputs: "Inputs", labels: "ArrayLike", sample_weight: "ArrayLike | None" = None) -> float:
        """Accuracy in [0, 1]: the share of rows (weighted if weights are given) whose prediction is the label."""
        truth, predicted = self._judged(inputs, labels)
        return float(np.average(truth == predicted, weights=check_weights(sample_weight, len(truth))))

    def confusion(self, inputs: "Inputs", labels: "ArrayLike") -> ConfusionMatrix:
        """How often each class was taken for which."""
        return ConfusionMatrix.of(*self._judged(inputs, labels), self.class_names)

    def report(self, inputs: "Inputs", labels: "ArrayLike") -> str:
        """Precision, recall and F1 for each class, as text."""
        return classification_report(*self._judged(inputs, labels), self.class_names)

    def _predicted(self, inputs: "Inputs") -> np.ndarray:
        return self.predict_proba(inputs).argmax(axis=1)

    def _judged(self, inputs: "Inputs", labels: "ArrayLike") -> tuple[np.ndarray, np.ndarray]:
        """True and predicted positions among the classes, from one pass over the inputs."""
        predicted = self._predicted(inputs)
        return self.positions(labels, len(predicted)), predicted

    def positions(self, labels: "ArrayLike", count: int) -> np.ndarray:
        """The labels' positions among the classes, int64 (count,)."""
        labels = check_labels(labels, count)
        unknown = sorted(set(labels.tolist()) - set(self.classes.tolist()))
        if unknown:
            raise UserInputError(f"The labels hold {unknown[0]!r}, which the classifier was never shown.")
        return np.searchsorted(self.classes, labels)


def check_labels(labels: "ArrayLike", count: int) -> np.ndarray:
    """Labels as an array (count,) of whole numbers or text, or a sentence."""
    array = as_array(labels, "labels")
    if array.ndim != 1 or len(array) != count:
        raise UserInputError(
            f"{count} rows of features came with labels of shape {array.shape}; expected one label for each row, in "
            "shape (n,). One-hot labels become numbers by labels.argmax(axis=1)."
        )
    if array.dtype.kind == "O" and all(isinstance(label, str) for label in array):
        array = array.astype(str)
    if array.dtype.kind == "f" and np.array_equal(array, np.rint(array)):
        array = array.astype(np.int64)
    if array.dtype.kind not in "uibU":
        raise UserInputError(f"Labels must be whole numbers or text; these are of type {array.dtype}.")
    return array


def as_array(values: "ArrayLike", name: str) -> np.ndarray:
    """The values as an array, or a sentence where their rows differ in length."""
    try:
        return np.asarray(values)
    except ValueError:  # NumPy's own message speaks of inhomogeneous parts
        wanted = {"features": "shape (n, d), as model.extract_features(images) gives them"}.get(name, "one each")
        raise UserInputError(f"The rows of the {name} differ in length; expected {wanted}.") from None


def check_weights(weights: "ArrayLike | None", count: int) -> np.ndarray:
    """Weights of the rows as float64 (count,), ones where there are none, or a sentence."""
    if weights is None:
        return np.ones(count)
    weights = as_array(weights, "sample_weight")
    if (
        weights.shape != (count,)
        or weights.dtype.kind not in "uifb"
        or not np.isfinite(weights).all()
        or (weights < 0).any()
        or not weights.any()
    ):
        raise UserInputError(
            f"sample_weight has shape {weights.shape} and type {weights.dtype}; expected {count} finite numbers, one "
            "for each row, none negative and not all zero."
        )
    return weights.astype(np.float64)


def names_of(classes: np.ndarray, class_names: Sequence[str] | None) -> list[str] | None:
    """The names of whole-number labels among all names, or None where the labels are names themselves."""
    if class_names is None or classes.dtype.kind == "U":
        return None
    if classes.min() < 0 or classes.max() >= len(class_names):
        raise UserInputError(
            f"The labels run from {classes.min()} to {classes.max()}, but {len(class_names)} class names were given; "
            "label 0 belongs to the first name."
        )
    return [str(class_names[int(label)]) for label in classes]
