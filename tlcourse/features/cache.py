"""Rows that were computed once, on disk: features or activations, with checksums.

One SQLite file for each network and cut. Only files with a digest in their path, in a
folder that a CACHEDIR.TAG marks, are counted or removed; links are not followed.
"""

import errno
import functools
import hashlib
import os
import re
import sqlite3
import stat
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from .. import files, folders
from ..errors import callers_level

FOLDERS = ("features", "training", "shards")
_TABLE = (
    "CREATE TABLE IF NOT EXISTS rows "
    "(key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL)"
)
_DIGEST = re.compile(r"[0-9a-f]{20}")
# Files that go with another one or are being written, and are not counted.
_UNCOUNTED = re.compile(r"\.sqlite-journal$|/\.unfinished-")


class CacheWarning(UserWarning):
    """The cache cannot be used; results are right, and computed again next time."""


def digest_of(contents: Iterable[Any]) -> bytes:
    """What identifies bytes or arrays, one after the other: 16 bytes."""
    from xxhash import xxh3_128

    # Not SHA-256, which would take as long as everything else together: nobody forges
    # pictures against his own cache.
    digest = xxh3_128()
    for content in contents:
        is_array = isinstance(content, np.ndarray)
        digest.update(np.ascontiguousarray(content).data if is_array else content)
    return digest.digest()


def cache_file(name: str | None, *determined_by: object) -> str | None:
    """Name of the cache's file for rows that depend on all this; None: no cache."""
    digest = hashlib.sha256(repr(determined_by).encode()).hexdigest()[:20]
    return name and f"{name}-{digest}"


class RowCache:
    """Rows of one shape and dtype under keys of bytes; used in a `with` block.

    `name` is that of `cache_file`; in `shape`, -1 stands for what differs. What is
    absent is looked up in a class's cache (`TLCOURSE_SHARED_CACHE`).
    """

    def __init__(self, name: str | None, shape: tuple, dtype: DTypeLike) -> None:
        self.path = folders.cache_folder() / "features" / f"{name}.sqlite"
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._limit = limit() if name else 0
        self._own: sqlite3.Connection | None = None
        self._shared: sqlite3.Connection | None = None
        self._has_grown = False

    def __enter__(self) -> "RowCache":
        if self._limit:
            try:
                self._open()
            except (sqlite3.Error, OSError) as error:
                self._recover(error)
            if shared := folders.shared_cache_folder():
                with suppress(sqlite3.Error):
                    self._shared = _connect(shared / "features" / self.path.name, "ro")
        return self

    def __exit__(self, *reason: object) -> None:
        for connection in filter(None, (self._own, self._shared)):
            connection.close()
        if self._has_grown:
            make_room(self._limit, keep=self.path)

    def get(self, keys: Sequence[bytes]) -> dict[bytes, np.ndarray]:
        """The rows that are present and whole, by key."""
        rows: dict[bytes, np.ndarray] = {}
        for connection in filter(None, (self._own, self._shared)):
            absent = [key for key in dict.fromkeys(keys) if key not in rows]
            marks = ", ".join("?" * len(absent))
            query = f"SELECT * FROM rows WHERE key IN ({marks})"  # noqa: S608
            try:
                for key, value, checksum in connection.execute(query, absent):
                    if checksum == _checksum(key, value):
                        row = np.frombuffer(value, self.dtype)
                        rows[key] = row.reshape(self.shape)
            except (sqlite3.Error, ValueError) as error:
                if connection is self._own:
                    self._recover(error)
        return rows

    def put(self, rows: dict[bytes, np.ndarray]) -> None:
        """Keep all of these rows or, if that is impossible, none."""
        is_read_only = self.path.exists() and not os.access(self.path, os.W_OK)
        if not rows or not self._own or is_read_only:
            return
        values = []
        for key, row in rows.items():
            value = np.ascontiguousarray(row, self.dtype).tobytes()
            values.append((key, value, _checksum(key, value)))
        added = sum(len(value) for _, value, _ in values)
        try:
            if not self.path.exists():  # another process has cleared the cache
                self._own.close()
                self._open()
            if self.path.stat().st_size + added <= self._limit:
                with self._own as own:
                    own.execute("BEGIN IMMEDIATE")
                    insert = "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)"
                    own.executemany(insert, values)
                self._has_grown = True
        except (sqlite3.Error, OSError) as error:
            self._recover(error)

    def _open(self) -> None:
        folders.make_cache_folder(self.path.parent.name)
        if os.path.lexists(self.path) and not _is_regular(self.path):
            raise FileExistsError(errno.EEXIST, f"{self.path.name} is no regular file")
        self._own = _connect(self.path, "rwc")
        # Checksums find what a power cut has damaged; waiting for the disk is slow.
        self._own.execute("PRAGMA synchronous = OFF")
        self._own.execute(_TABLE)
        with suppress(OSError):
            os.utime(self.path)  # what was not used for longest is emptied first

    def _recover(self, error: Exception) -> None:
        """Begin a damaged file anew; if that is impossible, go on without a cache."""
        if self._own:
            self._own.close()
            self._own = None
        words = str(error)
        is_other = isinstance(error, sqlite3.OperationalError) and not (
            "malformed" in words or "no such" in words
        )
        if isinstance(error, sqlite3.DatabaseError) and not is_other:
            try:
                _remove(self.path)
                return self._open()
            except (sqlite3.Error, OSError) as second:
                error, self._own = second, None
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        _warn_once(
            f"The cache in {self.path.parent} cannot be used ({reason}). Results are "
            "right, but will be computed again. TLCOURSE_CACHE chooses another folder."
        )


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database to read ("ro"), or to change and, if need be, make it ("rwc")."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=60, isolation_level=None)


def _checksum(key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(key + value).digest()[:16]


@functools.cache  # not in every cell of a notebook
def _warn_once(text: str) -> None:
    warnings.warn(text, CacheWarning, stacklevel=callers_level())


def limit() -> int:
    """Bytes that the cache may hold: `TLCOURSE_CACHE_GB` (0: no cache), or 5 GB."""
    chosen = os.environ.get("TLCOURSE_CACHE_GB") or 5
    try:
        return max(0, int(1e9 * float(chosen)))
    except (ValueError, OverflowError):  # also of NaN and infinity
        _warn_once(f"TLCOURSE_CACHE_GB is {chosen!r}; expected gigabytes. 5 is used.")
        return 5_000_000_000


def contents() -> list[tuple[Path, int]]:
    """The course's files in the cache and their bytes, what was used last first."""
    own = []
    for folder, names in _own_folders():
        for path in (folder / name for name in names):
            relative = path.relative_to(folders.cache_folder()).as_posix()
            is_own = _DIGEST.search(relative) and not _UNCOUNTED.search(relative)
            with suppress(OSError):  # another process has just removed it
                if is_own and _is_regular(path):
                    own.append((path.stat().st_mtime, path, path.stat().st_size))
    return [(path, size) for _, path, size in sorted(own, reverse=True)]


def make_room(allowed: int, keep: Path | None = None) -> None:
    """Remove what was not used for longest until all is at most `allowed` bytes."""
    total = 0
    for path, size in contents():
        total += size
        if total > allowed and path != keep:
            with suppress(OSError):
                _remove(path)
                total -= size


def clear() -> int:
    """Empty the whole cache; the number of bytes that this set free."""
    before = sum(size for _, size in contents())
    make_room(0)
    for folder, _ in _own_folders():
        files.clear_left_over(folder)
    return before - sum(size for _, size in contents())


def _own_folders() -> Iterator[tuple[Path, list[str]]]:
    """The cache's folder, if it is marked, and those in it with the names of files."""
    cache = folders.cache_folder()
    if folders.is_cache(cache):
        yield cache, []
        for path in (cache / name for name in FOLDERS):
            for folder, inside, names in os.walk(path) if not path.is_symlink() else ():
                inside[:] = [name for name in inside if _DIGEST.search(name)]
                yield Path(folder), names


def _is_regular(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _remove(path: Path) -> None:
    """Remove a file and, of a database, what SQLite wrote beside it."""
    for end in ("", "-journal"):
        path.with_name(path.name + end).unlink(missing_ok=True)
