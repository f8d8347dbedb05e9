"""What a probe and a fine-tuned network have in common: probabilities become answers, and answers are judged."""

from typing import TYPE_CHECKING, Generic, TypeVar

import numpy as np

from .. import validation
from ..errors import UserInputError
from .evaluation import ConfusionMatrix, classification_report

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


Inputs = TypeVar(
    "Inputs", contravariant=True
)  # what a predictor reads: features, pictures or sentences


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

    def score(
        self,
        inputs: "Inputs",
        labels: "ArrayLike",
        sample_weight: "ArrayLike | None" = None,
    ) -> float:
        """Accuracy in [0, 1]: the share of rows (weighted if weights are given) whose prediction is the label."""
        truth, predicted = self._judged(inputs, labels)
        return float(
            np.average(
                truth == predicted,
                weights=validation.weights(sample_weight, len(truth)),
            )
        )

    def confusion(self, inputs: "Inputs", labels: "ArrayLike") -> ConfusionMatrix:
        """How often each class was taken for which."""
        return ConfusionMatrix.of(*self._judged(inputs, labels), self.class_names)

    def report(self, inputs: "Inputs", labels: "ArrayLike") -> str:
        """Precision, recall and F1 for each class, as text."""
        return classification_report(*self._judged(inputs, labels), self.class_names)

    def _predicted(self, inputs: "Inputs") -> np.ndarray:
        return self.predict_proba(inputs).argmax(axis=1)

    def _judged(
        self, inputs: "Inputs", labels: "ArrayLike"
    ) -> tuple[np.ndarray, np.ndarray]:
        """True and predicted positions among the classes, from one pass over the inputs."""
        predicted = self._predicted(inputs)
        return self.positions(labels, len(predicted)), predicted

    def positions(self, labels: "ArrayLike", count: int) -> np.ndarray:
        """The labels' positions among the classes, int64 (count,)."""
        labels = validation.labels(labels, count)
        unknown = sorted(set(labels.tolist()) - set(self.classes.tolist()))
        if unknown:
            label = validation.shown(unknown[0])
            raise UserInputError(
                f"The labels hold {label}, which the classifier was never shown."
            )
        return np.searchsorted(self.classes, labels)
