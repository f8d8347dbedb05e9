"""Results row by row: in memory, and in a file once they are large."""

import tempfile
from typing import IO, TYPE_CHECKING

import numpy as np

from ..errors import TLCourseError
from ..folders import cache_folder, make_cache_folder

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

LARGE = (
    16_000_000  # bytes of results from which they are kept in a file instead of memory
)


class Rows:
    """Collects rows of one shape; `len()` says how many there are."""

    def __init__(self, shape: tuple[int, ...], dtype: "DTypeLike") -> None:
        self._shape, self._dtype = tuple(shape), np.dtype(dtype)
        self._bytes = self._count = 0
        self._parts: list[np.ndarray] = []
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return self._count

    def append(self, row: np.ndarray) -> None:
        """One row, or several: (…) or (n, …)."""
        part = row.astype(self._dtype, copy=False).reshape(-1, *self._shape)
        self._count += len(part)
        self._bytes += part.nbytes
        if self._file is None and self._bytes <= LARGE:
            self._parts.append(part)
            return
        try:
            if self._file is None:
                self._file = _temporary_file()
                for earlier in self._parts:
                    self._file.write(earlier.tobytes())
                self._parts = []
            self._file.write(part.tobytes())
        except OSError as error:
            raise self._too_large(error) from error

    def array(self) -> np.ndarray:
        """All rows, (n, …); from a file they come as a `numpy.memmap`, which can be changed like any array."""
        if self._file is None:
            return (
                np.concatenate(self._parts)
                if self._parts
                else np.zeros((0, *self._shape), self._dtype)
            )
        try:
            self._file.flush()
        except OSError as error:
            raise self._too_large(error) from error
        return np.memmap(
            self._file, self._dtype, mode="c", shape=(self._count, *self._shape)
        )  # copy on write

    def _too_large(self, error: OSError) -> TLCourseError:
        return TLCourseError(
            f"The results are too large for memory ({self._bytes / 1e6:,.0f} MB so far), and could not be written to "
            f"{cache_folder()} ({error.strerror or error}). Make room there, or set TLCOURSE_CACHE to a folder on "
            "another disk."
        )


def _temporary_file() -> IO[bytes]:
    """A file without a name: it goes when nothing uses it any more. Not in /tmp, which may be memory itself."""
    try:
        return tempfile.TemporaryFile(dir=make_cache_folder())
    except OSError:
        return tempfile.TemporaryFile()
