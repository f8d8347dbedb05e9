"""Results as rows: collected in memory or in a file, and parts of different lengths."""

import tempfile
from collections.abc import Sequence
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from ..errors import TLCourseError
from ..folders import cache_folder, make_cache_folder

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

LARGE = 16_000_000  # bytes of a result from which it is kept in a file, not in memory


class Rows:
    """Collects rows of one shape: in memory, or in a file once they are large."""

    def __init__(self, shape: tuple[int, ...], dtype: "DTypeLike") -> None:
        self._shape, self._dtype = tuple(shape), np.dtype(dtype)
        self._pending = self._count = 0  # bytes in memory, rows
        self._parts: list[np.ndarray] = []
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._count

    def append(self, row: np.ndarray) -> None:
        """Add one row (…), or several (n, …)."""
        part = row.astype(self._dtype, copy=False).reshape(-1, *self._shape)
        self._count += len(part)
        self._pending += part.nbytes
        self._parts.append(part)
        if self._pending > LARGE:
            self._write()

    def array(self) -> np.ndarray:
        """All rows, (n, …); from a file as a `numpy.memmap`.

        It can be changed like any array, and its file goes when the array goes.
        """
        if self._file is None:
            return np.concatenate(
                [np.zeros((0, *self._shape), self._dtype), *self._parts]
            )
        self._write()
        shape = (self._count, *self._shape)
        return np.memmap(self._file, self._dtype, mode="c", shape=shape)

    def _write(self) -> None:
        try:
            if self._file is None:
                self._file = _nameless_file()
            for part in self._parts:
                self._file.write(part.tobytes())
            self._file.flush()
        except OSError as error:
            raise TLCourseError(
                "The results are too large for memory, and could not be written to "
                f"{cache_folder()} ({error.strerror or error}). Make room there, or "
                "set TLCOURSE_CACHE to a folder on another disk."
            ) from error
        self._parts, self._pending = [], 0


def _nameless_file() -> IO[bytes]:
    """A file that goes when nothing uses it; not in /tmp, which may be memory."""
    try:
        return tempfile.TemporaryFile(dir=make_cache_folder())
    except OSError:
        return tempfile.TemporaryFile()


class Ragged(Sequence):
    """A list of arrays (tokens, …) of different lengths, in one array.

    Parameters
    ----------
    values : ndarray of shape (tokens of all, …)
        All parts one after the other; may be a `numpy.memmap`.
    lengths : array_like of shape (n,)
        Of the parts.

    Attributes
    ----------
    values : ndarray
    lengths : int64 array
    """

    def __init__(self, values: np.ndarray, lengths: "ArrayLike") -> None:
        self.values, self.lengths = values, np.asarray(lengths, np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: Any) -> Any:
        """One part, or of a slice a list of parts."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        return self.values[self._starts[index] : self._starts[index + 1]]

    def padded(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """These parts as one array (parts, longest of them, …), padded with zeros."""
        longest = max(int(self.lengths[index]) for index in indices)
        shape = (len(indices), longest, *self.values.shape[1:])
        padded = np.zeros(shape, self.values.dtype)
        for row, index in zip(padded, indices, strict=True):
            part = self[int(index)]
            row[: len(part)] = part
        return padded
