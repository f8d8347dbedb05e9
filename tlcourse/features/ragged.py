"""Rows of different lengths, one after the other in one array: the states of each sentence's tokens."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class Ragged(Sequence):
    """A list of arrays (tokens, …) of different lengths.

    Attributes:
        values: (tokens of all, …), all parts one after the other; may be a `numpy.memmap`.
        lengths: int64 (n,), of the parts.
    """

    def __init__(self, values: np.ndarray, lengths: "ArrayLike") -> None:
        self.values, self.lengths = values, np.asarray(lengths, np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, place: "Any") -> "Any":
        """One part; of a slice, a list of them."""
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        place = range(len(self))[place]
        return self.values[self._starts[place] : self._starts[place + 1]]

    def padded(self, places: Sequence[int] | np.ndarray) -> np.ndarray:
        """These parts as one array (parts, longest of them, …), filled up with zeros."""
        longest = max(int(self.lengths[place]) for place in places)
        filled = np.zeros(
            (len(places), longest, *self.values.shape[1:]), self.values.dtype
        )
        for row, place in zip(filled, places, strict=True):
            part = self[int(place)]
            row[: len(part)] = part
        return filled
