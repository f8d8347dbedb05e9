"""What a classifier got right and wrong, and by how much one is better than another."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import tables, validation
from ..errors import UserInputError

if TYPE_CHECKING:
    import keras


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
    >>> matrix.counts.tolist(), matrix.worst()
    ([[1, 1], [0, 1]], [('cat', 'dog', 1)])
    """

    counts: np.ndarray
    class_names: list[str]

    @classmethod
    def of(
        cls, labels: ArrayLike, predicted: ArrayLike, class_names: Sequence[str]
    ) -> "ConfusionMatrix":
        """Count pairs of positions in `class_names`, both int of shape (n,)."""
        from sklearn.metrics import confusion_matrix

        names = validation.class_names(class_names)
        pairs = [np.asarray(labels), np.asarray(predicted)]
        known = set(range(len(names)))
        for each in pairs:
            is_whole = each.ndim == 1 and each.dtype.kind in "ui" and each.size
            if not is_whole or not set(each.tolist()) <= known:
                raise UserInputError(
                    f"Labels and predictions of shape {each.shape} are no positions in "
                    f"class_names, whole numbers from 0 to {len(names) - 1}."
                )
        if len(pairs[0]) != len(pairs[1]):
            raise UserInputError(
                f"There are {len(pairs[0])} labels and {len(pairs[1])} predictions."
            )
        counts = confusion_matrix(*pairs, labels=np.arange(len(names)))
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
        pairs = zip(*np.unravel_index(order, mistakes.shape), strict=True)
        names = self.class_names
        counted = [(names[i], names[j], int(mistakes[i, j])) for i, j in pairs]
        return [mistake for mistake in counted if mistake[2]]

    def __repr__(self) -> str:
        rows = zip(self.class_names, *self.counts.T.tolist(), strict=True)
        return repr(
            tables.Table(("true ↓  predicted →", *self.class_names), list(rows))
        )


def interval(right: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """Confidence interval of an accuracy, `right` of `of` predictions, by Wilson (1927).

    It has a width even where all are right.

    Examples
    --------
    >>> [round(end, 3) for end in interval(right=9, of=10)]
    [0.596, 0.982]
    """
    from scipy.stats import binomtest

    low, high = binomtest(right, of).proportion_ci(confidence, "wilson")
    return float(low), float(high)


class Gain(NamedTuple):
    """How a model compares with a simpler one on the same rows, by `paired_gain`."""

    rows: int  # that both models predicted
    net: int  # how many more the model gets right; negative if fewer
    standard_error: float  # of `net`, if the two are equally good

    @property
    def exceeds_one_standard_error(self) -> bool:
        """Whether the model is better by more than one standard error."""
        return self.net > self.standard_error


def paired_gain(
    simpler_right: ArrayLike, right: ArrayLike, groups: ArrayLike | None = None
) -> Gain:
    """Compare two models on the same rows, for the one-standard-error rule.

    The rule keeps the simpler model unless the other is better by more than one
    standard error of the paired differences, which is where (k - l)² > k + l with k
    rows gained and l lost (L. Breiman et al., "Classification and Regression Trees",
    1984, section 3.4.3). `simpler_right` and `right` are bool (n,): which rows are
    right. `groups` (n,), if given, says which rows are copies of one picture: these are
    right or wrong together, so their differences are summed before they are squared.

    Examples
    --------
    >>> gain = paired_gain([True, True, False, False], [True, True, True, False])
    >>> gain.net, gain.exceeds_one_standard_error
    (1, False)
    """
    before, after = np.asarray(simpler_right), np.asarray(right)
    is_bool = before.dtype == after.dtype == np.bool_
    if before.shape != after.shape or before.ndim != 1 or not before.size * is_bool:
        raise UserInputError(
            f"The answers have shapes {before.shape} and {after.shape}; expected True "
            "(right) or False (wrong) for each row, of the same rows in both."
        )
    difference = after.astype(int) - before
    if groups is None:
        groups = np.arange(len(difference))
    _, group = np.unique(groups, return_inverse=True)
    of_groups = np.bincount(group, weights=difference)
    error = float(np.sqrt(np.sum(of_groups**2)))
    return Gain(len(difference), int(difference.sum()), error)
