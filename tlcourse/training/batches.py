"""Which rows are for training and which for validation, and their batches."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import validation
from ..errors import UserInputError
from ..features.text import Ragged

if TYPE_CHECKING:
    import tensorflow as tf

BATCHES_SORTED = 16  # sentences of so many batches are sorted by length together


@dataclass(frozen=True)
class Rows:
    """Which rows of the inputs are meant: positions, classes and weights, each (m,)."""

    rows: np.ndarray  # int64, positions in the inputs
    targets: np.ndarray  # int64, positions in the sorted labels
    weights: np.ndarray  # float64

    def __len__(self) -> int:
        return len(self.rows)


def split_rows(
    labels: ArrayLike,
    sample_weight: ArrayLike | None,
    count: int,
    share: float,
    seed: int,
) -> tuple[np.ndarray, Rows, Rows | None]:
    """Classes, rows for training, and rows for validation (None if there are none).

    Of each class the same share is for validation, and at least one row for training.
    """
    labels = validation.labels(labels, count)
    weights = validation.weights(sample_weight, count)
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserInputError(
            f"All {len(labels)} labels are {classes[0].item()!r}; fine-tuning needs "
            "examples of at least two classes."
        )
    rng = np.random.default_rng(seed)
    held_out = []
    for target in range(len(classes)):
        rows = rng.permutation(np.flatnonzero(targets == target))
        held_out.append(rows[: min(round(share * len(rows)), len(rows) - 1)])
    held = np.sort(np.concatenate(held_out))
    train = np.setdiff1d(np.flatnonzero(weights), held)
    if len(np.unique(targets[train])) < len(classes):
        raise UserInputError(
            "A class has no row with a weight above 0 to train on: leave it out."
        )
    held = held[weights[held] > 0]
    training = Rows(train, targets[train], weights[train] / weights[train].mean())
    held_rows = Rows(held, targets[held], weights[held])
    return classes, training, held_rows if len(held) else None


@dataclass(frozen=True)
class Batches:
    """Cached activations with their labels, in batches for Keras' `fit`."""

    activations: np.ndarray | Ragged  # (n, copies, …) of pictures; (tokens, …)
    rows: Rows  # which of the n are meant
    classes: int

    def __len__(self) -> int:
        return len(self.rows)

    def training_set(self, batch_size: int, seed: int) -> "tf.data.Dataset":
        """Full batches: each epoch a new order, and a random copy of each picture.

        Sentences of similar length come together, so that little is padded.
        """
        batch_size = min(batch_size, len(self))
        rng = np.random.default_rng([seed, 1])

        def epoch() -> Iterator[tuple]:
            order = rng.permutation(len(self))
            copies = rng.integers(self._copies, size=len(order))
            full = len(order) // batch_size
            batches = np.split(order[: full * batch_size], full)
            if isinstance(self.activations, Ragged):
                lengths = self.activations.lengths[self.rows.rows]
                batches = _of_similar_length(batches, lengths, rng)
            yield from (self._batch(batch, copies[batch]) for batch in batches)

        return self._dataset(epoch, len(self) // batch_size)

    def in_order(self, batch_size: int = 16) -> "tf.data.Dataset":
        """Every row once, with the first copy of each picture, ordered as `order`."""
        batches = np.array_split(self.order, -(-len(self) // batch_size))
        return self._dataset(lambda: map(self._batch, batches), len(batches))

    @cached_property
    def order(self) -> np.ndarray:
        """Positions of the rows, sentences sorted by length: int64 (m,)."""
        if isinstance(self.activations, Ragged):
            return np.argsort(self.activations.lengths[self.rows.rows], kind="stable")
        return np.arange(len(self))

    @property
    def _copies(self) -> int:
        return 1 if isinstance(self.activations, Ragged) else self.activations.shape[1]

    def _batch(self, positions: np.ndarray, copies: Any = 0) -> tuple:
        """Activations, one-hot labels and weights of the rows at these positions."""
        rows = self.rows.rows[positions]
        if isinstance(self.activations, Ragged):
            x = self.activations.padded(rows)
        else:
            x = self.activations[rows, copies]
        y = np.eye(self.classes, dtype=np.float32)[self.rows.targets[positions]]
        return x, y, self.rows.weights[positions].astype(np.float32)

    def _dataset(self, epoch: Any, steps: int) -> "tf.data.Dataset":
        """A `tf.data.Dataset` of this many batches, made anew for each epoch."""
        # Keras takes the shapes of a PyDataset from its first two batches, and where
        # these are equally long would refuse sentences of another length.
        import tensorflow as tf

        if isinstance(self.activations, Ragged):
            dtype = self.activations.values.dtype
            shape = (None, None, *self.activations.values.shape[1:])
        else:
            dtype = self.activations.dtype
            shape = (None, *self.activations.shape[2:])
        signature = (
            tf.TensorSpec(shape, tf.as_dtype(dtype)),
            tf.TensorSpec((None, self.classes), tf.float32),
            tf.TensorSpec((None,), tf.float32),
        )
        dataset = tf.data.Dataset.from_generator(epoch, output_signature=signature)
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        return dataset.prefetch(2)


def _of_similar_length(
    batches: list[np.ndarray], lengths: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    by_length: list[np.ndarray] = []
    for start in range(0, len(batches), BATCHES_SORTED):
        some = batches[start : start + BATCHES_SORTED]
        together = np.concatenate(some)
        order = np.argsort(lengths[together], kind="stable")
        by_length += np.split(together[order], len(some))
    return [by_length[number] for number in rng.permutation(len(by_length))]
