"""What a classifier got right and wrong."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .errors import UserInputError, printable


@dataclass(frozen=True)
class ConfusionMatrix:
    """How often each class was taken for which.

    Attributes:
        counts: int64 (classes, classes); row: the true class, column: the predicted one.
        class_names: the classes, in the order of rows and columns.
    """

    counts: np.ndarray
    class_names: list[str]

    @classmethod
    def of(cls, labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]) -> "ConfusionMatrix":
        """Count pairs of positions in `class_names`, both int (n,)."""
        size, labels, predicted = len(class_names), np.asarray(labels), np.asarray(predicted)
        if labels.ndim != 1 or labels.shape != predicted.shape or not labels.size:
            raise UserInputError(
                f"Labels have shape {labels.shape}, predictions {predicted.shape}; expected one of each for each row, "
                "and at least one row."
            )
        for positions in (labels, predicted):
            if positions.dtype.kind not in "ui" or positions.min() < 0 or positions.max() >= size:
                raise UserInputError(f"Expected places in class_names, whole numbers from 0 to {size - 1}.")
        pairs = labels.astype(np.int64) * size + predicted.astype(np.int64)
        return cls(np.bincount(pairs, minlength=size * size).reshape(size, size), list(class_names))

    @property
    def accuracy(self) -> float:
        """Share of the diagonal, in [0, 1]."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def recall(self) -> dict[str, float]:
        """For each class the share of its pictures that was recognised, in [0, 1]; NaN where there are none."""
        totals = self.counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return dict(zip(self.class_names, (np.diag(self.counts) / totals).tolist(), strict=True))

    def worst(self, top: int = 5) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: (true class, taken for, how often), the most frequent first."""
        mistakes = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-mistakes, axis=None, kind="stable")[:top]
        pairs = [np.unravel_index(place, mistakes.shape) for place in order]
        return [
            (self.class_names[true], self.class_names[taken], int(mistakes[true, taken]))
            for true, taken in pairs
            if mistakes[true, taken]
        ]

    def __str__(self) -> str:
        names = [printable(name) for name in self.class_names]
        width = max(6, *map(len, names)) + 1
        lines = ["true ↓  predicted →".ljust(width) + "".join(name.rjust(width) for name in names)]
        margin = len(lines[0]) - width * len(names)
        for name, row in zip(names, self.counts, strict=True):
            lines.append(name.ljust(margin) + "".join(f"{count:{width}d}" for count in row))
        return "\n".join(lines)

    __repr__ = __str__


def interval(right: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Between which accuracies the true one lies, with this confidence, when so many of so many were right.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927: unlike mean ± 2 standard
    errors it does not leave [0, 1], and says something where all were right.

    Raises:
        UserInputError: no pictures, or more right than there are.
    """
    from scipy.stats import binomtest

    if not 0 <= right <= of or not of:
        raise UserInputError(f"{right} of {of} right cannot be; expected 0 to {of}, of at least one.")
    low, high = binomtest(int(right), int(of)).proportion_ci(confidence, "wilson")
    return float(low), float(high)


def classification_report(labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]) -> str:
    """Precision, recall and F1 for each class, by scikit-learn, as text."""
    from sklearn.metrics import classification_report as report

    numbers, names = np.arange(len(class_names)), [printable(name) for name in class_names]
    return report(labels, predicted, labels=numbers, target_names=names, zero_division=0, digits=3)
