"""Rows that were computed once, on disk: features or activations, with checksums.

One SQLite file for each network and cut. SQLite brings what a cache needs: a write is
whole or absent, processes wait for each other, and one that is killed while it writes
leaves nothing half done. A row whose checksum differs counts as absent; a damaged file
is begun anew; where the cache cannot be used (disk full, folder read-only), everything
is computed without it.
"""

import errno
import hashlib
import os
import sqlite3
import warnings
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from .. import files, folders
from ..errors import callers_level
from .cache_files import APPLICATION_ID, contents, is_own_or_damaged, own_folders

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

DEFAULT_LIMIT = 5.0  # GB on disk, everything together
_WAIT = 60  # seconds for another process to finish its write
_FORMAT = 1  # SQLite's user_version


class CacheWarning(UserWarning):
    """The cache cannot be used; results are right, and computed again next time."""


def cache_file(name: str | None, *determined_by: object) -> str | None:
    """Name of the cache's file for rows that depend on all this; None: no cache."""
    digest = hashlib.sha256(repr(determined_by).encode()).hexdigest()[:20]
    return name and f"{name}-{digest}"


class RowCache:
    """Rows of one shape and dtype under keys of bytes; used in a `with` block.

    A read-only folder is read from and not written to. Rows that are absent are looked
    up in a class's common cache (`TLCOURSE_SHARED_CACHE`), which is never written to.

    Parameters
    ----------
    name : str or None
        Of the file; contains a digest of all that the rows depend on besides their
        keys. None: nothing is looked up or kept.
    shape : tuple of int
        Of a row; -1 where rows differ.
    dtype
        Of a row.
    """

    def __init__(
        self, name: str | None, shape: tuple[int, ...], dtype: "DTypeLike"
    ) -> None:
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
            self._shared = _open_shared(self.path.name)
        return self

    def __exit__(self, *reason: object) -> None:
        self._close()
        if self._shared:
            self._shared.close()
        if self._has_grown:
            make_room(self._limit, keep=self.path)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """The rows that are present and whole, by key."""
        keys = list(dict.fromkeys(keys))
        rows: dict[bytes, np.ndarray] = {}
        try:
            rows = self._read(self._own, keys)
        except (sqlite3.Error, ValueError) as error:
            self._recover(error)
        with suppress(sqlite3.Error, ValueError):
            rows |= self._read(self._shared, [key for key in keys if key not in rows])
        return rows

    def put(self, rows: dict[bytes, np.ndarray]) -> None:
        """Keep all of these rows or, if that is impossible, none."""
        try:
            if rows and self._own and os.access(self.path, os.W_OK):
                self._write(self._own, rows)
        except (sqlite3.Error, OSError) as error:
            self._recover(error)

    def _open(self) -> None:
        folders.make_cache_folder(self.path.parent.name)
        if os.path.lexists(self.path) and not is_own_or_damaged(self.path):
            reason = f"{self.path.name} was not made by the course, and is left alone"
            raise FileExistsError(errno.EEXIST, reason)
        self._own = connection = _connect(self.path, "rwc")
        # Checksums find what a power cut has damaged; waiting for the disk is slow.
        connection.execute("PRAGMA synchronous = OFF")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
            _begin_anew(connection)
        with suppress(OSError):
            os.utime(self.path)  # what was not used for longest is emptied first

    def _close(self) -> None:
        if self._own:
            self._own.close()
        self._own = None

    def _read(
        self, connection: sqlite3.Connection | None, keys: list[bytes]
    ) -> dict[bytes, np.ndarray]:
        if connection is None or not keys:
            return {}
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key, value, checksum FROM rows WHERE key IN ({marks})"  # noqa: S608
        return {
            key: np.frombuffer(value, self.dtype).reshape(self.shape)
            for key, value, checksum in connection.execute(query, keys)
            if checksum == _checksum(key, value)
        }

    def _write(
        self, connection: sqlite3.Connection, rows: dict[bytes, np.ndarray]
    ) -> None:
        values = {
            key: np.ascontiguousarray(row, self.dtype).tobytes()
            for key, row in rows.items()
        }
        added = sum(map(len, values.values()))
        if self.path.stat().st_size + added > self._limit:
            return
        with connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)",
                [(key, row, _checksum(key, row)) for key, row in values.items()],
            )
        self._has_grown = True

    def _recover(self, error: Exception) -> None:
        """Begin a damaged file anew; if that is impossible, go on without a cache."""
        self._close()
        if _is_damage(error):
            try:
                for end in ("", "-journal", "-wal", "-shm"):
                    self.path.with_name(self.path.name + end).unlink(missing_ok=True)
                return self._open()
            except (sqlite3.Error, OSError) as second:
                error = second
        self._close()
        _warn_once(self.path.parent, getattr(error, "strerror", None) or str(error))


def _open_shared(name: str) -> sqlite3.Connection | None:
    """The common cache's file of this name, if there is one that can be read."""
    folder = folders.shared_cache_folder()
    path = folder and folder / "features" / name
    with suppress(sqlite3.Error, OSError):
        if path and path.stat().st_size and is_own_or_damaged(path):
            return _connect(path, "ro")
    return None


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open a database to read ("ro"), change ("rw") or also make it ("rwc")."""
    address = f"{path.absolute().as_uri()}?mode={mode}"
    return sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)


def _begin_anew(connection: sqlite3.Connection) -> None:
    with connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute("DROP TABLE IF EXISTS rows")
        columns = "key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL"
        connection.execute(f"CREATE TABLE rows ({columns})")
        connection.execute(f"PRAGMA user_version = {_FORMAT}")


def _checksum(key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(key + value).digest()[:16]


def _is_damage(error: Exception) -> bool:
    if isinstance(error, sqlite3.OperationalError):
        return "malformed" in str(error) or "no such" in str(error)
    return isinstance(error, sqlite3.DatabaseError)


def limit() -> int:
    """Bytes that the cache may hold: `TLCOURSE_CACHE_GB` (0: no cache), or 5 GB."""
    chosen = os.environ.get("TLCOURSE_CACHE_GB") or DEFAULT_LIMIT
    try:
        return max(0, int(1e9 * float(chosen)))
    except (ValueError, OverflowError):  # also of NaN and infinity
        warnings.warn(
            f"TLCOURSE_CACHE_GB is {chosen!r}; expected a number of gigabytes. "
            f"{DEFAULT_LIMIT:g} is used.",
            CacheWarning,
            stacklevel=callers_level(),
        )
        return int(1e9 * DEFAULT_LIMIT)


def keep(path: Path, write: Callable[[BinaryIO], object], size: int) -> bool:
    """Keep a file beside the rows; False where the limit or the disk does not allow it.

    `path` is in one of `cache_files.FOLDERS` and contains 20 digits of a digest;
    `write(file)` writes the content, of `size` bytes.
    """
    allowed = limit()
    if size > allowed:
        return False
    try:
        if path.is_relative_to(folders.cache_folder()):
            folders.make_cache_folder(path.parent.name)
        files.write_atomically(path, write)
    except OSError as error:
        _warn_once(path.parent, error.strerror or str(error))
        return False
    make_room(allowed, keep=path)
    return True


def make_room(allowed: int, keep: Path | None = None) -> None:
    """Empty what was not used for longest until all together is at most `allowed`."""
    total = 0
    for path, size in contents():
        total += size
        if total > allowed and path != keep:
            total -= size - _emptied(path)


def clear() -> int:
    """Empty the whole cache; the number of bytes that this set free."""
    before = sum(size for _, size in contents())
    make_room(0)
    for folder in own_folders():
        files.clear_left_over(folder)
    return before - sum(size for _, size in contents())


def _emptied(path: Path) -> int:
    """Empty one file of the cache; its size then.

    A database is emptied from within: removing the file under a process that is
    writing to it could damage it.
    """
    try:
        if path.suffix != ".sqlite":
            path.with_suffix(".sha256").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            return 0
        with closing(_connect(path, "rw")) as connection:
            # On a full disk there is no space for a journal.
            connection.execute("PRAGMA journal_mode = MEMORY")
            connection.execute("PRAGMA temp_store = MEMORY")
            _begin_anew(connection)
            connection.execute("VACUUM")
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            path.unlink(missing_ok=True)
    except OSError:
        pass
    return path.stat().st_size if path.exists() else 0


_warned: set[tuple[Path, str]] = set()


def _warn_once(folder: Path, reason: str) -> None:
    """Say that the cache cannot be used; not in every cell of a notebook."""
    if (folder, reason) in _warned:
        return
    _warned.add((folder, reason))
    warnings.warn(
        f"The cache in {folder} cannot be used ({reason.rstrip('.')}). Results are "
        "right all the same, but will be computed again next time. `tlcourse doctor` "
        "says how full it is; TLCOURSE_CACHE chooses another folder.",
        CacheWarning,
        stacklevel=callers_level(),
    )
