"""What a classifier got right and wrong, and by how much one is better than another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import validation
from ..errors import UserInputError, printable

MOST_CLASSES = 10_000  # a confusion matrix of so many classes has 0.8 GB


@dataclass(frozen=True)
class ConfusionMatrix:
    """How often each class was predicted as which.

    Attributes
    ----------
    counts : ndarray of shape (n_classes, n_classes), int64
        Row: the true class; column: the predicted one.
    class_names : list of str
        The classes, in the order of rows and columns.

    Examples
    --------
    >>> matrix = ConfusionMatrix.of([0, 0, 1], [0, 1, 1], ["cat", "dog"])
    >>> matrix.counts.tolist()
    [[1, 1], [0, 1]]
    >>> matrix.worst()
    [('cat', 'dog', 1)]
    """

    counts: np.ndarray
    class_names: list[str]

    @classmethod
    def of(
        cls, labels: ArrayLike, predicted: ArrayLike, class_names: Sequence[str]
    ) -> "ConfusionMatrix":
        """Count pairs of positions in `class_names`.

        Parameters
        ----------
        labels, predicted : array_like of int, shape (n,)
            True and predicted classes, as positions in `class_names`.
        class_names : sequence of str

        Raises
        ------
        UserInputError
            The two differ in length or are empty, are no positions, or there are too
            many classes.
        """
        from sklearn.metrics import confusion_matrix

        names = validation.class_names(class_names)
        if len(names) > MOST_CLASSES:
            raise UserInputError(
                f"class_names holds {len(names):,} names; a confusion matrix has at "
                f"most {MOST_CLASSES:,} classes."
            )
        labels = validation.as_array(labels, "labels")
        predicted = validation.as_array(predicted, "predictions")
        if labels.ndim != 1 or labels.shape != predicted.shape or not labels.size:
            raise UserInputError(
                f"Labels have shape {labels.shape}, predictions {predicted.shape}; "
                "expected one of each for every row, and at least one row."
            )
        for positions in (labels, predicted):
            is_whole = positions.dtype.kind in "ui"
            if not is_whole or not 0 <= positions.min() <= positions.max() < len(names):
                raise UserInputError(
                    "Expected positions in class_names, whole numbers from 0 to "
                    f"{len(names) - 1}."
                )
        counts = confusion_matrix(labels, predicted, labels=np.arange(len(names)))
        return cls(counts.astype(np.int64), names)

    @property
    def accuracy(self) -> float:
        """Share of the diagonal, in [0, 1]."""
        return float(np.trace(self.counts) / self.counts.sum())

    @property
    def recall(self) -> dict[str, float]:
        """Class → share of its rows predicted right, in [0, 1]; NaN without rows."""
        with np.errstate(invalid="ignore"):
            shares = np.diag(self.counts) / self.counts.sum(axis=1)
        return dict(zip(self.class_names, shares.tolist(), strict=True))

    def worst(self, top: int = 5) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: (true class, predicted class, how often)."""
        top = validation.whole_number("top", top)
        mistakes = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-mistakes, axis=None, kind="stable")[:top]
        pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
        return [
            (
                self.class_names[true],
                self.class_names[other],
                int(mistakes[true, other]),
            )
            for true, other in pairs
            if mistakes[true, other]
        ]

    def __repr__(self) -> str:
        names = [printable(name) for name in self.class_names]
        width = max(6, *map(len, names)) + 1
        corner = "true ↓  predicted →"
        margin = max(width, len(corner))
        lines = [corner.ljust(margin) + "".join(name.rjust(width) for name in names)]
        for name, row in zip(names, self.counts, strict=True):
            cells = "".join(f"{count:{width}d}" for count in row)
            lines.append(name.ljust(margin) + cells)
        return "\n".join(lines)


def interval(right: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of an accuracy by Wilson's method.

    Unlike mean ± 2 standard errors it stays within [0, 1], and has a width even where
    every prediction was right.

    Parameters
    ----------
    right, of : int
        How many predictions were right, and how many there were.
    confidence : float
        In [0, 1].

    Returns
    -------
    (float, float)
        Lower and upper end, each in [0, 1].

    Raises
    ------
    UserInputError
        There were no predictions, or more are right than there were.

    References
    ----------
    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical
    Inference", Journal of the American Statistical Association, 1927.

    Examples
    --------
    >>> [round(end, 3) for end in interval(right=9, of=10)]
    [0.596, 0.982]
    """
    from scipy.stats import binomtest

    of = validation.whole_number("of", of, 1, 2**53)
    right = validation.whole_number("right", right, 0, of)
    confidence = validation.number("confidence", confidence, 0, 1)
    low, high = binomtest(right, of).proportion_ci(confidence, "wilson")
    return float(low), float(high)


class Gain(NamedTuple):
    """How a model compares with a simpler one on the same rows, by `paired_gain`.

    Attributes
    ----------
    rows : int
        How many rows both models predicted.
    gained, lost : int
        Rows that only the model gets right, and rows that only the simpler one does.
    """

    rows: int
    gained: int
    lost: int

    @property
    def net(self) -> int:
        """How many rows more the model gets right; negative if fewer."""
        return self.gained - self.lost

    @property
    def standard_error(self) -> float:
        """Standard error of `net` if there is no difference: sqrt(gained + lost)."""
        return math.sqrt(self.gained + self.lost)

    @property
    def exceeds_one_standard_error(self) -> bool:
        """Whether the model is better by more than one standard error."""
        return self.net > 0 and self.net**2 > self.gained + self.lost


def paired_gain(simpler_right: ArrayLike, right: ArrayLike) -> Gain:
    """Compare two models on the same rows, for the one-standard-error rule.

    The rule keeps the simpler model unless the other is better by more than one
    standard error. Both predict the same rows, so the standard error is that of the
    paired differences. With k rows gained and l lost, mean(d) > sd(d) / sqrt(n), sd
    with n - 1, holds exactly where (k - l)² > k + l, which is also McNemar's
    statistic above 1.

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
    L. Breiman, J. Friedman, R. Olshen and C. Stone, "Classification and Regression
    Trees", 1984, section 3.4.3; Q. McNemar, "Note on the sampling error of the
    difference between correlated proportions", 1947.

    Examples
    --------
    >>> gain = paired_gain([True, True, False, False], [True, True, True, False])
    >>> gain.net, gain.exceeds_one_standard_error
    (1, False)
    """
    before = validation.as_array(simpler_right, "answers")
    after = validation.as_array(right, "answers")
    is_bool = before.dtype == after.dtype == np.bool_
    if (
        before.shape != after.shape
        or before.ndim != 1
        or not before.size
        or not is_bool
    ):
        raise UserInputError(
            f"The answers have shapes {before.shape} and {after.shape} and types "
            f"{before.dtype} and {after.dtype}; expected True (right) or False (wrong) "
            "for each row, of the same rows in both."
        )
    return Gain(len(before), int(np.sum(after & ~before)), int(np.sum(before & ~after)))
