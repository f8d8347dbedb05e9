"""What is learned from and what is held out: rows, their classes and their weights."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .errors import UserInputError
from .inputs import as_pictures
from .predictor import Predictor, as_array, check_labels, check_weights


@dataclass(frozen=True)
class Examples:
    """Rows to learn from or to be judged on.

    Attributes:
        activations: (n, views, …), what comes in at the cut; float16, or uint8 pixels.
        rows: int64 (m,), which of the n are meant.
        targets: int64 (m,), their classes' positions.
        weights: float64 (m,), how much each of them counts.
    """

    activations: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """The first view of each row, `size` at a time."""
        for at in range(0, len(self), size):
            yield self.activations[self.rows[at : at + size], 0]


def count_of(images, labels) -> int:
    """How many pictures there are. A `tf.data.Dataset` does not say; as many as labels, then, until they are read."""
    count = as_pictures(images)[1]
    return as_array(labels, "labels").size if count is None else count


def share_of(validation) -> float:
    """The share that is held out of what is learned from."""
    if isinstance(validation, tuple):
        return 0
    is_number = isinstance(validation, int | float | np.number) and not isinstance(validation, bool)
    if not is_number or not 0 <= validation < 1:
        raise UserInputError(
            f"validation is {validation!r}; expected a share from 0 to below 1, or a pair (images, labels)."
        )
    return validation


class Rows(NamedTuple):
    """`Examples` before there are activations."""

    rows: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def split(labels, sample_weight, count: int, share: float, seed: int) -> tuple[Rows, Rows | None, np.ndarray]:
    """What is learned from, what is held out of it (or None), and the classes."""
    labels, weights = check_labels(labels, count), check_weights(sample_weight, count)
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserInputError(
            f"All {len(labels)} labels are {classes[0].item()!r}; fine-tuning needs examples of at least two classes."
        )
    rng = np.random.default_rng(seed)
    held = [
        rows[: min(round(share * len(rows)), len(rows) - 1)]
        for rows in (rng.permutation(np.flatnonzero(targets == position)) for position in range(len(classes)))
    ]
    held = np.sort(np.concatenate(held))
    kept = np.setdiff1d(np.flatnonzero(weights), held)
    if len(np.unique(targets[kept])) < len(classes):
        raise UserInputError("A class has no row with a weight above 0 to learn from. Leave it out, or give it one.")
    judged = held[weights[held] > 0]
    learned = Rows(kept, targets[kept], weights[kept] / weights[kept].mean())
    return learned, Rows(judged, targets[judged], weights[judged]) if len(judged) else None, classes


def given(validation: tuple, classes: np.ndarray) -> Rows:
    """The rows that were given to be judged on, all of the same weight."""
    if len(validation) != 2:
        raise UserInputError(f"validation has {len(validation)} parts; expected (images, labels).")
    targets = Predictor(classes, None).positions(validation[1], count_of(*validation))
    return Rows(np.arange(len(targets)), targets, np.ones(len(targets)))
