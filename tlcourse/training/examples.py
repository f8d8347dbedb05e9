"""What is learned from and what is held out: rows, their classes and their weights."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..features.rows import Ragged
from ..validation import shown
from .predictor import Predictor

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..features.inputs import Images
    from ..models.text import PretrainedTextModel
    from ..models.vision import PretrainedModel
    from ..models.wordpiece import Sentences

BATCHES_SORTED = 16  # out of which batches of sentences of like length are made


@dataclass(frozen=True)
class Examples:
    """Rows to learn from or to be judged on.

    Attributes:
        activations: what comes in at the cut: (n, views, …) float16, or uint8 pixels; of sentences, which differ in
            length, a `Ragged` of float16 (tokens, width), or of token ids.
        rows: int64 (m,), which of the n are meant.
        targets: int64 (m,), their classes' positions.
        weights: float64 (m,), how much each of them counts.
    """

    activations: np.ndarray | Ragged
    rows: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def dtype(self) -> np.dtype:
        return self._content.dtype

    @property
    def _content(self) -> np.ndarray:
        return (
            self.activations.values
            if isinstance(self.activations, Ragged)
            else self.activations
        )

    def take(self, places: np.ndarray, views: np.ndarray | int = 0) -> np.ndarray:
        """Of these of the m rows one view each, as a batch; sentences are filled up with zeros to the longest."""
        if isinstance(self.activations, Ragged):
            return self.activations.padded(self.rows[places])
        return self.activations[self.rows[places], views]

    def outputs(self, run: Callable, size: int) -> np.ndarray:
        """What `run` makes of the first view of each row, (m, …): `size` rows at a time, like lengths together."""
        order = np.arange(len(self))
        if isinstance(self.activations, Ragged):
            order = np.argsort(self.activations.lengths[self.rows], kind="stable")
        found = np.concatenate(
            [
                run(self.take(order[at : at + size])).numpy()
                for at in range(0, len(self), size)
            ]
        )
        return found[np.argsort(order, kind="stable")]

    def shuffled(
        self, size: int, rng: np.random.Generator
    ) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch: batches of `size` places among the m rows, in random order, and a random view for each.

        Sentences of like length come together where they can, so that little is filled up: out of each
        `BATCHES_SORTED` batches' sentences in random order, the shortest are one batch, and so on.
        """
        order = rng.permutation(len(self))
        views = rng.integers(
            1 if isinstance(self.activations, Ragged) else self.activations.shape[1],
            size=len(order),
        )
        batches = [
            order[at : at + size] for at in range(0, len(order) - size + 1, size)
        ]
        if isinstance(self.activations, Ragged):
            batches = self._of_like_length(self.activations.lengths, batches, rng)
        yield from ((batch, views[batch]) for batch in batches)

    def _of_like_length(
        self, lengths: np.ndarray, batches: list[np.ndarray], rng: np.random.Generator
    ) -> list[np.ndarray]:
        found = []
        for at in range(0, len(batches), BATCHES_SORTED):
            together = np.concatenate(batches[at : at + BATCHES_SORTED])
            by_length = together[
                np.argsort(lengths[self.rows[together]], kind="stable")
            ]
            found += np.split(by_length, len(batches[at : at + BATCHES_SORTED]))
        return [found[place] for place in rng.permutation(len(found))]

    def pieces(self) -> Iterator[np.ndarray]:
        """The activations, some at a time, and the lengths they have: all that tells them from others."""
        if isinstance(self.activations, Ragged):
            yield self.activations.lengths
        content = self._content
        yield from (
            np.array_split(content, math.ceil(len(content) / 64))
            if len(content)
            else ()
        )


def count_of(
    model: "PretrainedModel | PretrainedTextModel",
    inputs: "Images | Sentences",
    labels: "ArrayLike",
) -> int:
    """How many inputs there are. A `tf.data.Dataset` does not say; as many as labels, then, until they are read."""
    count = model.count(inputs)
    return validation.as_array(labels, "labels").size if count is None else count


def share_of(validation: float | tuple) -> float:
    """The share that is held out of what is learned from."""
    if isinstance(validation, tuple):
        return 0
    is_number = isinstance(validation, int | float | np.number) and not isinstance(
        validation, bool
    )
    if not is_number or not 0 <= validation < 1:
        raise UserInputError(
            f"validation is {shown(validation)}; expected a share from 0 to below 1, or a pair (inputs, labels)."
        )
    return validation


class Chosen(NamedTuple):
    """`Examples` before there are activations."""

    rows: np.ndarray
    targets: np.ndarray
    weights: np.ndarray


def split(
    labels: "ArrayLike",
    sample_weight: "ArrayLike | None",
    count: int,
    share: float,
    seed: int,
) -> tuple[Chosen, Chosen | None, np.ndarray]:
    """What is learned from, what is held out of it (or None), and the classes."""
    labels, weights = (
        validation.labels(labels, count),
        validation.weights(sample_weight, count),
    )
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserInputError(
            f"All {len(labels)} labels are {classes[0].item()!r}; fine-tuning needs examples of at least two classes."
        )
    rng = np.random.default_rng(seed)
    parts = [
        rows[: min(round(share * len(rows)), len(rows) - 1)]
        for rows in (
            rng.permutation(np.flatnonzero(targets == position))
            for position in range(len(classes))
        )
    ]
    held = np.sort(np.concatenate(parts))
    kept = np.setdiff1d(np.flatnonzero(weights), held)
    if len(np.unique(targets[kept])) < len(classes):
        raise UserInputError(
            "A class has no row with a weight above 0 to learn from. Leave it out, or give it one."
        )
    judged = held[weights[held] > 0]
    learned = Chosen(kept, targets[kept], weights[kept] / weights[kept].mean())
    return (
        learned,
        Chosen(judged, targets[judged], weights[judged]) if len(judged) else None,
        classes,
    )


def given(
    model: "PretrainedModel | PretrainedTextModel",
    validation: tuple,
    classes: np.ndarray,
) -> Chosen:
    """The rows that were given to be judged on, all of the same weight."""
    if len(validation) != 2:
        raise UserInputError(
            f"validation has {len(validation)} parts; expected (inputs, labels)."
        )
    targets = Predictor(classes, None).positions(
        validation[1], count_of(model, *validation)
    )
    return Chosen(np.arange(len(targets)), targets, np.ones(len(targets)))
