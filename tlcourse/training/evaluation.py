"""What a classifier got right and wrong."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import validation
from ..errors import UserInputError, printable

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


MOST_CLASSES = 10_000  # whose confusion matrix has 0.8 GB


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
    def of(
        cls, labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]
    ) -> "ConfusionMatrix":
        """Count pairs of positions in `class_names`, both int (n,)."""
        names = validation.class_names(class_names)
        labels, predicted = (
            validation.as_array(labels, "labels"),
            validation.as_array(predicted, "predictions"),
        )
        size = len(names)
        if size > MOST_CLASSES:
            raise UserInputError(
                f"class_names holds {size:,} names; a confusion matrix has at most {MOST_CLASSES:,}."
            )
        if labels.ndim != 1 or labels.shape != predicted.shape or not labels.size:
            raise UserInputError(
                f"Labels have shape {labels.shape}, predictions {predicted.shape}; expected one of each for each row, "
                "and at least one row."
            )
        for positions in (labels, predicted):
            if (
                positions.dtype.kind not in "ui"
                or positions.min() < 0
                or positions.max() >= size
            ):
                raise UserInputError(
                    f"Expected places in class_names, whole numbers from 0 to {size - 1}."
                )
        pairs = labels.astype(np.int64) * size + predicted.astype(np.int64)
        return cls(np.bincount(pairs, minlength=size * size).reshape(size, size), names)

    @property
    def accuracy(self) -> float:
        """Share of the diagonal, in [0, 1]."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def recall(self) -> dict[str, float]:
        """For each class the share of its pictures that was recognised, in [0, 1]; NaN where there are none."""
        totals = self.counts.sum(axis=1)
        with np.errstate(invalid="ignore"):
            return dict(
                zip(
                    self.class_names,
                    (np.diag(self.counts) / totals).tolist(),
                    strict=True,
                )
            )

    def worst(self, top: int = 5) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: (true class, taken for, how often), the most frequent first."""
        top = validation.whole_number("top", top)
        mistakes = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-mistakes, axis=None, kind="stable")[:top]
        pairs = [np.unravel_index(place, mistakes.shape) for place in order]
        return [
            (
                self.class_names[true],
                self.class_names[taken],
                int(mistakes[true, taken]),
            )
            for true, taken in pairs
            if mistakes[true, taken]
        ]

    def __str__(self) -> str:
        names = [printable(name) for name in self.class_names]
        width = max(6, *map(len, names)) + 1
        lines = [
            "true ↓  predicted →".ljust(width)
            + "".join(name.rjust(width) for name in names)
        ]
        margin = len(lines[0]) - width * len(names)
        for name, row in zip(names, self.counts, strict=True):
            lines.append(
                name.ljust(margin) + "".join(f"{count:{width}d}" for count in row)
            )
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

    right, of = (
        validation.whole_number("right", right, -(2**53)),
        validation.whole_number("of", of, 0, 2**53),
    )
    confidence = validation.number("confidence", confidence, 0, 1)
    if not 0 <= right <= of or not of:
        raise UserInputError(
            f"{right} of {of} right cannot be; expected 0 to {of}, of at least one."
        )
    low, high = binomtest(int(right), int(of)).proportion_ci(confidence, "wilson")
    return float(low), float(high)


class Gain(NamedTuple):
    """How a model compares with a simpler one on the same rows. Made by `paired_gain`.

    Attributes
    ----------
    rows : int
        How many rows both models answered.
    gained : int
        Rows that the model gets right and the simpler one gets wrong.
    lost : int
        Rows that the model gets wrong and the simpler one gets right.
    """

    rows: int
    gained: int
    lost: int

    @property
    def net(self) -> int:
        """How many rows more the model gets right; negative where it gets fewer right."""
        return self.gained - self.lost

    @property
    def standard_error(self) -> float:
        """Standard error of `net` under the hypothesis of no difference, in rows: sqrt(gained + lost)."""
        return math.sqrt(self.gained + self.lost)

    @property
    def exceeds_one_standard_error(self) -> bool:
        """Whether the model is better than the simpler one by more than one standard error."""
        return (
            self.net > 0 and self.net**2 > self.gained + self.lost
        )  # whole numbers: no rounding decides


def paired_gain(simpler_right: "ArrayLike", right: "ArrayLike") -> Gain:
    """Compare two models on the same rows, for the one-standard-error rule: keep the simpler model unless the other
    one is better by more than one standard error.

    Both models answer the same rows, so the standard error is that of the paired differences
    d_i = right_i - simpler_right_i, not of the two accuracies. With k rows gained and l lost, mean(d) > sd(d) / sqrt(n)
    (sd with n - 1) holds exactly where (k - l)² > k + l, whatever n is; this is also McNemar's statistic above 1. A
    single row never suffices, and the error does not vanish where a model gets everything right, as that of one
    model's accuracy, sqrt(p (1 - p) / n), does.

    Parameters
    ----------
    simpler_right, right : array_like of bool, shape (n,)
        Which rows the simpler model and the other one get right.

    Returns
    -------
    Gain

    Raises
    ------
    UserInputError
        The two differ in length, are empty, or are not bool.

    References
    ----------
    L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and Regression Trees", 1984, section 3.4.3;
    T. Hastie, R. Tibshirani and J. Friedman, "The Elements of Statistical Learning", 2nd edition, section 7.10;
    Q. McNemar, "Note on the sampling error of the difference between correlated proportions", 1947.

    Examples
    --------
    >>> paired_gain([True, True, False, False], [True, True, True, False]).exceeds_one_standard_error
    False
    """
    before, after = (
        validation.as_array(simpler_right, "answers"),
        validation.as_array(right, "answers"),
    )
    both_bool = before.dtype == after.dtype == np.bool_
    if (
        before.shape != after.shape
        or before.ndim != 1
        or not before.size
        or not both_bool
    ):
        raise UserInputError(
            f"The answers have shapes {before.shape} and {after.shape} and types {before.dtype} and {after.dtype}; "
            "expected one True (right) or False (wrong) for each row, of the same rows in both."
        )
    return Gain(len(before), int(np.sum(after & ~before)), int(np.sum(before & ~after)))


def classification_report(
    labels: np.ndarray, predicted: np.ndarray, class_names: Sequence[str]
) -> str:
    """Precision, recall and F1 for each class, by scikit-learn, as text."""
    from sklearn.metrics import classification_report as report

    numbers, names = (
        np.arange(len(class_names)),
        [printable(name) for name in class_names],
    )
    return report(
        labels, predicted, labels=numbers, target_names=names, zero_division=0, digits=3
    )
