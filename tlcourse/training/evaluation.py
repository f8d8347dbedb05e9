"""What a classifier got right and wrong, and by how much one is better than another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import tables, validation
from ..errors import UserInputError, printable

if TYPE_CHECKING:
    import keras


MOST_CLASSES = 10_000  # a confusion matrix of so many classes has 0.8 GB


def keras_outputs(network: "keras.Model", inputs: ArrayLike) -> np.ndarray:
    """What a Keras network returns, in batches; `predict` would compile for each one."""
    inputs = np.asarray(inputs)
    batches = np.array_split(inputs, math.ceil(len(inputs) / 256))
    return np.concatenate([np.asarray(network(x, training=False)) for x in batches])


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

    counts: np.ndarray  # int64 (n_classes, n_classes); row: the true class
    class_names: list[str]  # in the order of rows and columns

    @classmethod
    def of(
        cls, labels: ArrayLike, predicted: ArrayLike, class_names: Sequence[str]
    ) -> "ConfusionMatrix":
        """Count pairs of positions in `class_names`, both int of shape (n,)."""
        from sklearn.metrics import confusion_matrix

        names = validation.class_names(class_names)
        if len(names) > MOST_CLASSES:
            raise UserInputError(f"class_names: at most {MOST_CLASSES:,} are counted.")
        true, other = np.asarray(labels), np.asarray(predicted)
        is_usable = true.ndim == 1 and true.shape == other.shape and true.size
        for positions in (true, other):
            is_usable = is_usable and positions.dtype.kind in "ui"
            is_usable = is_usable and 0 <= positions.min() <= positions.max() < len(
                names
            )
        if not is_usable:
            raise UserInputError(
                f"Labels have shape {true.shape}, predictions {other.shape}; expected "
                "for each row a position in class_names, a whole number from 0 to "
                f"{len(names) - 1}."
            )
        counts = confusion_matrix(true, other, labels=np.arange(len(names)))
        return cls(counts.astype(np.int64), names)

    @property
    def accuracy(self) -> float:
        """Share of the diagonal, in [0, 1]."""
        return float(np.trace(self.counts) / self.counts.sum())

    def worst(self, top: int = 5) -> list[tuple[str, str, int]]:
        """The most frequent mistakes: (true class, predicted class, how often)."""
        top = validation.whole_number("top", top)
        mistakes = self.counts - np.diag(np.diag(self.counts))
        order = np.argsort(-mistakes, axis=None, kind="stable")[:top]
        names = self.class_names
        pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
        counted = [(i, j, int(mistakes[i, j])) for i, j in pairs]
        return [(names[i], names[j], count) for i, j, count in counted if count]

    def __repr__(self) -> str:
        names = [printable(name) for name in self.class_names]
        cells = [["true ↓  predicted →", *names]]
        cells += [
            [n, *map(str, row)] for n, row in zip(names, self.counts, strict=True)
        ]
        return tables.as_text(cells)


def interval(right: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of an accuracy by Wilson's method (1927).

    `right` is how many of the `of` predictions were right. The interval has a width
    even where all are.

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
    """How a model compares with a simpler one on the same rows, by `paired_gain`."""

    rows: int  # that both models predicted
    gained: int  # rows that only the model gets right
    lost: int  # rows that only the simpler one gets right

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
    standard error of the paired differences, which is where (k - l)² > k + l with k
    rows gained and l lost. Both arguments are bool (n,): which rows are right.

    References
    ----------
    L. Breiman et al., "Classification and Regression Trees", 1984, section 3.4.3; Q.
    McNemar, "Note on the sampling error of the difference between correlated
    proportions", 1947.

    Examples
    --------
    >>> gain = paired_gain([True, True, False, False], [True, True, True, False])
    >>> gain.net, gain.exceeds_one_standard_error
    (1, False)
    """
    before = validation.as_array(simpler_right, "answers")
    after = validation.as_array(right, "answers")
    is_bool = before.dtype == after.dtype == np.bool_
    if before.shape != after.shape or before.ndim != 1 or not before.size * is_bool:
        raise UserInputError(
            f"The answers have shapes {before.shape} and {after.shape}; expected True "
            "(right) or False (wrong) for each row, of the same rows in both."
        )
    return Gain(len(before), int(np.sum(after & ~before)), int(np.sum(before & ~after)))
