"""Training and validation rows, and their batches for Keras' `fit`."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from .. import validation
from ..errors import UserInputError
from ..features.text import padded

if TYPE_CHECKING:
    import keras
    import tensorflow as tf

BATCHES_SORTED = 16  # sentences of so many batches are sorted by length together


class LabelledRows(NamedTuple):
    """Some rows of the inputs: positions, classes and weights, each (m,)."""

    positions: np.ndarray  # int64, in the inputs
    targets: np.ndarray  # int64, positions in the sorted labels
    weights: np.ndarray  # float64


def split_rows(
    labels: ArrayLike,
    sample_weight: ArrayLike | None,
    count: int,
    share: float,
    seed: int,
) -> tuple[np.ndarray, LabelledRows, LabelledRows]:
    """Classes, training rows and validation rows: of each class the same share."""
    share = validation.number("validation", share, 0, 0.999)
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
    relative = weights[train] / weights[train].mean()
    training = LabelledRows(train, targets[train], relative)
    return classes, training, LabelledRows(held, targets[held], weights[held])


@dataclass(frozen=True)
class Batches:
    """Cached activations with their labels, in batches for Keras' `fit`."""

    activations: np.ndarray | list  # (n, copies, …), or of sentences (tokens, …) each
    rows: LabelledRows  # which of the n are meant
    classes: int

    def __len__(self) -> int:
        return len(self.rows.positions)

    def training_set(
        self, batch_size: int, seed: int, label_smoothing: float = 0
    ) -> "tf.data.Dataset":
        """Full batches: each epoch a new order, and a random copy of each picture.

        Sentences of similar length come together, so that little is padded.
        """
        batch_size = min(batch_size, len(self))
        full = len(self) // batch_size
        rng = np.random.default_rng([seed, 1])
        inputs = self.activations
        copies_of_each = 1 if isinstance(inputs, list) else inputs.shape[1]

        def epoch() -> Iterator[tuple[np.ndarray, Any]]:
            order = rng.permutation(len(self))
            copies = rng.integers(copies_of_each, size=len(order))
            batches = np.split(order[: full * batch_size], full)
            if self._lengths is not None:
                batches = _of_similar_length(batches, self._lengths, rng)
            yield from ((batch, copies[batch]) for batch in batches)

        return self._dataset(epoch, full, label_smoothing)

    def in_order(
        self, batch_size: int = 16, label_smoothing: float = 0
    ) -> "tf.data.Dataset":
        """Every row once, with the first copy of each picture, ordered as `order`."""
        batches = np.array_split(self.order, -(-len(self) // batch_size))
        firsts = [(batch, 0) for batch in batches]
        return self._dataset(lambda: iter(firsts), len(batches), label_smoothing)

    def outputs(self, network: "keras.Model") -> np.ndarray:
        """What a network returns for the first copy of each row, as the rows are."""
        # Not `predict`: to trace it would take longer than most calls.
        batches = [network(inputs, training=False) for inputs, _, _ in self.in_order()]
        return np.concatenate(batches)[np.argsort(self.order, kind="stable")]

    @cached_property
    def order(self) -> np.ndarray:
        """Positions of the rows, sentences sorted by length: int64 (m,)."""
        rows = np.arange(len(self))
        return rows if self._lengths is None else self._lengths.argsort(kind="stable")

    @cached_property
    def _lengths(self) -> np.ndarray | None:
        """Each sentence's number of tokens."""
        if not isinstance(self.activations, list):
            return None
        return np.array([len(self.activations[row]) for row in self.rows.positions])

    def _inputs(self, batch: np.ndarray, copies: Any) -> np.ndarray:
        rows = self.rows.positions[batch]
        if isinstance(self.activations, list):
            return padded([self.activations[row] for row in rows])
        return self.activations[rows, copies]

    def _dataset(self, epoch: Any, steps: int, smoothing: float) -> "tf.data.Dataset":
        """Batches (activations, soft labels, weights), for one iterator at a time."""
        # Neither a PyDataset nor `from_generator`: on Python 3.11 TensorFlow then has
        # malloc return every tensor to the system (GeneratorDataset's
        # ApplyPython311MemoryPatch), and training takes twice as long.
        import tensorflow as tf

        soft = (1 - smoothing) * np.eye(self.classes) + smoothing / self.classes
        soft = soft.astype(np.float32)[self.rows.targets]
        weights = self.rows.weights.astype(np.float32)

        batches: list[tuple[np.ndarray, Any]] = []  # of the epoch that is running

        def load(step: int) -> tuple[np.ndarray, ...]:
            if step == 0:
                batches[:] = epoch()
            batch, copies = batches[step]
            return self._inputs(batch, copies), soft[batch], weights[batch]

        example = self._inputs(np.arange(1), 0)
        shape: list[int | None] = [None, *example.shape[1:]]
        if isinstance(self.activations, list):
            shape[1] = None  # sentences differ in length
        shapes = (shape, (None, self.classes), (None,))
        types = (example.dtype, np.float32, np.float32)

        def as_tensors(step: "tf.Tensor") -> tuple["tf.Tensor", ...]:
            tensors = tf.numpy_function(load, [step], types)
            return tuple(map(tf.ensure_shape, tensors, shapes))

        return tf.data.Dataset.range(steps).map(as_tensors).prefetch(2)


def _of_similar_length(
    batches: list[np.ndarray], lengths: np.ndarray, rng: np.random.Generator
) -> list[np.ndarray]:
    """Rows of some batches at a time sorted by length, the batches in random order."""
    by_length: list[np.ndarray] = []
    for start in range(0, len(batches), BATCHES_SORTED):
        some = batches[start : start + BATCHES_SORTED]
        together = np.concatenate(some)
        order = np.argsort(lengths[together], kind="stable")
        by_length += np.split(together[order], len(some))
    return [by_length[number] for number in rng.permutation(len(by_length))]
