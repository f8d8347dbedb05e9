"""What was computed once for a picture is kept on disk: rows of features or activations, each with its checksum.

One SQLite file for everything that a network gives at one cut. SQLite brings what a cache needs to be trusted: a
write is whole or not there, two processes at once wait for each other, and a process killed in the middle of a write
leaves nothing half done. A row whose checksum does not fit was altered and counts as absent; a file that is no
database any more is begun anew. A cache that cannot be used at all (disk full, folder read-only) is done without.

Only files that the course made are read, counted or removed: they lie in a folder marked by a CACHEDIR.TAG, have names
of the course's form, and its databases have its application id. Everything else is left alone; no link inside is
followed.
"""

import errno
import hashlib
import os
import re
import sqlite3
import stat
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from ..errors import callers_level, printable
from ..files import (
    CACHE_TAG,
    UNFINISHED,
    cache_folder,
    clear_left_over,
    entries,
    is_cache,
    is_foreign_cache,
    left_over,
    make_cache_folder,
    shared_cache_folder,
    write_atomically,
)

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

DEFAULT_LIMIT = 5.0  # GB on disk, everything together
# Of rows, of converted networks, of trainings that were stopped, of what Dask's workers computed.
FOLDERS = ("features", "networks", "training", "shards")
_FETCHED = ("models", "dogs")  # not counted, and not cleared
_NAMES = re.compile(
    r"features/.*-[0-9a-f]{20}\.sqlite|networks/[0-9a-f]{24}-keras-.+\.tflite|training/.*-[0-9a-f]{24}\.npz|training/[^/]*-[0-9a-f]{24}/[^/]*\.(h5|json|bkp)|"
    r"shards/[0-9a-f]{24}/shard-\d{6,}\.parquet",
    re.DOTALL,
)
_NAMES_BESIDE = re.compile(
    r"features/.*\.sqlite-(journal|wal|shm)|networks/[0-9a-f]{24}-keras-.+\.sha256|"
    r"shards/[0-9a-f]{24}(/_job\.json|/_set_aside\.json)?|training/[^/]*-[0-9a-f]{24}",
    re.DOTALL,
)
_FORMAT = 1
_APPLICATION = int.from_bytes(
    b"tlco", "big"
)  # SQLite's application_id: by it a database is known for the course's
_HEADER, _SQLITE = (
    72,
    b"SQLite format 3\0",
)  # bytes of a database's header up to its application_id; how it begins
TOLERANCE = 60  # seconds by which a file server's clock may be ahead of ours
_WAIT = 60  # seconds for another process to finish its write
_SCHEMA = "CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL)"


class CacheWarning(UserWarning):
    """The cache cannot be used; results are right all the same, and computed again next time."""


def limit() -> int:
    """Bytes that the cache may hold: `TLCOURSE_CACHE_GB` (a number, 0 for no cache), or 5 GB."""
    chosen = os.environ.get("TLCOURSE_CACHE_GB", "")
    try:
        return (
            max(0, int(1e9 * float(chosen))) if chosen else int(1e9 * DEFAULT_LIMIT)
        )  # int refuses NaN
    except (ValueError, OverflowError):
        warnings.warn(
            f"TLCOURSE_CACHE_GB is {chosen!r}; expected a number of gigabytes. {DEFAULT_LIMIT:g} is used.",
            CacheWarning,
            stacklevel=callers_level(),
        )
        return int(1e9 * DEFAULT_LIMIT)


class RowCache:
    """Rows of one shape and dtype under keys of bytes; used in a `with` block.

    A folder that may only be read is read from and not written to. What is not there is looked for in a class's common
    cache (`TLCOURSE_SHARED_CACHE`), to which nothing is ever written.

    Args:
        name: of its file; says by itself what determines the rows. None: nothing is looked up or kept.
        shape, dtype: of a row.
    """

    def __init__(
        self, name: str | None, shape: tuple[int, ...], dtype: "DTypeLike"
    ) -> None:
        self.path = cache_folder() / "features" / f"{name}.sqlite"
        self.shape, self.dtype = shape, np.dtype(dtype)
        self._limit = limit() if name else 0
        self._connection: sqlite3.Connection | None = None
        self._shared: sqlite3.Connection | None = None
        self._added = False

    def __enter__(self) -> "RowCache":
        if self._limit:
            try:
                self._open()
            except (sqlite3.Error, OSError) as error:
                self._mend(error)
            self._shared = self._open_shared()
        return self

    def __exit__(self, *reason: object) -> None:
        self._close()
        if self._shared:
            self._shared.close()
        if self._added:
            make_room(self._limit, keep=self.path)

    def get(self, keys: Iterable[bytes]) -> dict[bytes, np.ndarray]:
        """The rows that are here and whole, by key."""
        wanted = list(dict.fromkeys(keys))
        found: dict[bytes, np.ndarray] = {}
        try:
            if self._connection:
                found = self._read(self._connection, wanted)
        except (sqlite3.Error, ValueError) as error:
            self._mend(error)
        if self._shared and len(found) < len(wanted):
            with suppress(sqlite3.Error, ValueError):
                found |= self._read(
                    self._shared, [key for key in wanted if key not in found]
                )
        return found

    def put(self, rows: dict[bytes, np.ndarray]) -> None:
        """Keep these rows: all of them or, if that cannot be, none."""
        try:
            if rows and self._connection and os.access(self.path, os.W_OK):
                self._write(rows)
        except (sqlite3.Error, OSError) as error:
            self._mend(error)

    def _open(self) -> None:
        make_cache_folder(self.path.parent.name)
        if _database(self.path) == "foreign":
            raise FileExistsError(
                errno.EEXIST,
                f"{self.path.name} was not made by the course, and is left alone",
            )
        self._connection = connection = sqlite3.connect(
            self.path, timeout=_WAIT, isolation_level=None
        )
        # Whether the disk has a write safely after a power cut is left to the checksums: waiting for it is slow.
        connection.execute("PRAGMA synchronous = OFF")
        if connection.execute("PRAGMA user_version").fetchone()[0] != _FORMAT:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute("DROP TABLE IF EXISTS rows")
            connection.execute(_SCHEMA)
            connection.execute(f"PRAGMA user_version = {_FORMAT}")
            connection.execute("COMMIT")
        with suppress(OSError):
            os.utime(
                self.path
            )  # used now: what has not been used for longest is dropped first

    def _open_shared(self) -> sqlite3.Connection | None:
        """The common cache's file of this name, to be read; None where there is none, or none that can be read."""
        folder = shared_cache_folder()
        if folder is None:
            return None
        address = (
            f"{(folder / 'features' / self.path.name).absolute().as_uri()}?mode=ro"
        )
        with suppress(sqlite3.Error):
            connection = sqlite3.connect(
                address, uri=True, timeout=_WAIT, isolation_level=None
            )
            with suppress(sqlite3.Error):
                found = [
                    connection.execute(f"PRAGMA {name}").fetchone()[0]
                    for name in ("application_id", "user_version")
                ]
                if found == [_APPLICATION, _FORMAT]:
                    return connection
            connection.close()
        return None

    def _close(self) -> None:
        if self._connection:
            self._connection.close()
        self._connection = None

    def _read(
        self, connection: sqlite3.Connection, keys: list[bytes]
    ) -> dict[bytes, np.ndarray]:
        marks = ", ".join("?" * len(keys))
        found = connection.execute(
            f"SELECT key, value, checksum FROM rows WHERE key IN ({marks})",  # noqa: S608 (question marks)
            keys,
        )
        return {
            key: np.frombuffer(value, self.dtype).reshape(self.shape)
            for key, value, checksum in found
            if checksum == _checksum(key, value)
        }

    def _write(self, rows: dict[bytes, np.ndarray]) -> None:
        connection = self._connection
        if (
            connection is None
            or self.path.stat().st_size + sum(row.nbytes for row in rows.values())
            > self._limit
        ):
            return
        values = [
            (key, np.ascontiguousarray(row, self.dtype).tobytes())
            for key, row in rows.items()
        ]
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(
                "INSERT OR REPLACE INTO rows VALUES (?, ?, ?)",
                [(key, value, _checksum(key, value)) for key, value in values],
            )
            connection.execute("COMMIT")
            self._added = True
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def _mend(self, error: Exception) -> None:
        """Begin a damaged file anew; where that cannot be, go on without a cache and say so."""
        self._close()
        if isinstance(error, sqlite3.DatabaseError) and _is_damage(error):
            try:
                for path in _files(self.path):
                    path.unlink(missing_ok=True)
                return self._open()
            except (sqlite3.Error, OSError) as second:
                error = second
        self._close()
        _say_unusable(self.path.parent, getattr(error, "strerror", None) or str(error))


_said: set[tuple[Path, str]] = (
    set()
)  # folders and what is wrong with them: a learner need not read it in every cell


def _say_unusable(folder: Path, reason: str) -> None:
    if (folder, reason) in _said:
        return
    _said.add((folder, reason))
    warnings.warn(
        f"The cache in {folder} cannot be used ({reason.rstrip('.')}). Results are right all the same, but will be "
        "computed again next time. `tlcourse doctor` says how full it is; TLCOURSE_CACHE chooses another folder.",
        CacheWarning,
        stacklevel=callers_level(),
    )


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    return (
        not isinstance(error, sqlite3.OperationalError)
        or "malformed" in str(error)
        or "no such" in str(error)
    )


def _checksum(key: bytes, value: bytes) -> bytes:
    return hashlib.sha256(key + value).digest()[:16]


def _files(path: Path) -> list[Path]:
    """A database, and what SQLite keeps beside it."""
    return [
        path,
        *(path.with_name(path.name + end) for end in ("-journal", "-wal", "-shm")),
    ]


def _database(path: Path) -> str:
    """Whose database a file is: "own", "foreign", "damaged" (none any more) or "new" (empty or absent)."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return "foreign"
        with open(
            path, "rb"
        ) as file:  # to open another program's by SQLite could change it
            header = file.read(_HEADER)
    except FileNotFoundError:
        return "new"
    except OSError:
        return "foreign"
    if not header.startswith(_SQLITE) or len(header) < _HEADER:
        return "damaged" if header else "new"
    return "own" if int.from_bytes(header[-4:], "big") == _APPLICATION else "foreign"


def unfinished() -> list[Path]:
    """What killed processes have left half written; `clear` takes it away."""
    return [path for folder in _folders() for path in left_over(folder)]


def _folders() -> list[Path]:
    """The cache's own folder and those in it that hold its files; none where it is not marked as the course's."""
    cache = cache_folder()
    if not is_cache(cache):
        return []
    inside = [path for path in map(cache.joinpath, FOLDERS) if _is_folder(path)]
    jobs = [
        path
        for folder in inside
        if folder.name in ("shards", "training")
        for path in entries(folder)
    ]
    named = [
        path
        for path in jobs
        if _NAMES_BESIDE.fullmatch(path.relative_to(cache).as_posix())
    ]
    return [cache, *inside, *filter(_is_folder, named)]


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path) and not os.path.islink(
        path
    )  # Path.is_dir raises where it may not look


def _files_of_cache() -> Iterator[tuple[Path, str, os.stat_result]]:
    """What is in the cache's folders: path; "own", "beside" (belongs to a file of its own) or "other"; status."""
    cache = cache_folder()
    for folder in _folders():
        for path in sorted(entries(folder)):
            try:
                status = path.lstat()
            except (
                OSError
            ):  # another process has just removed it, or it may not be seen
                continue
            yield path, _kind(path, path.relative_to(cache).as_posix(), status), status


def _kind(path: Path, name: str, status: os.stat_result) -> str:
    if name.rpartition("/")[2].startswith(UNFINISHED):
        return "beside"
    if stat.S_ISDIR(status.st_mode):
        return (
            "beside"
            if name in (*FOLDERS, *_FETCHED) or _NAMES_BESIDE.fullmatch(name)
            else "other"
        )
    if not stat.S_ISREG(status.st_mode):
        return "other"
    if name == CACHE_TAG or _NAMES_BESIDE.fullmatch(name):
        return "beside"
    if name.startswith("features/") and name.endswith(".sqlite"):
        database = _database(path)
        return (
            "own"
            if database == "own" or (database != "foreign" and _NAMES.fullmatch(name))
            else "other"
        )
    return "own" if _NAMES.fullmatch(name) else "other"


def left_alone() -> str:
    """A sentence on what stands in the cache's folder without being the course's; empty where there is nothing."""
    folder = cache_folder()
    if is_foreign_cache():
        return (
            f"{folder} holds files and no {CACHE_TAG} of the course: it is not used, and nothing in it is removed. "
            "Move it away, or set TLCOURSE_CACHE to another folder."
        )
    names = [
        printable(str(path.relative_to(folder)))
        for path, kind, _ in _files_of_cache()
        if kind == "other"
    ]
    if not names:
        return ""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return f"In {folder} the course did not make, and leaves alone: {', '.join(names[:3])}{more}."


def contents() -> list[tuple[Path, int]]:
    """The cache's own files and their sizes in bytes, what was used last first.

    What was used in the future was used before somebody put the clock right: it is older than all the rest.
    """
    found, now = [], time.time() + TOLERANCE
    for path, kind, status in _files_of_cache():
        if kind == "own":
            found.append(
                (status.st_mtime <= now, status.st_mtime, path, status.st_size)
            )
    return [(path, size) for _, _, path, size in sorted(found, reverse=True)]


def keep(path: Path, write: Callable[[BinaryIO], object], size: int) -> bool:
    """Keep a file beside the rows and make room for it; False where the limit does not allow it, or, said, the disk.

    Args:
        path: of the file.
        write: writes its content to an open file.
        size: of the content, in bytes.
    """
    allowed = limit()
    if size > allowed:
        return False
    try:
        if path.is_relative_to(cache_folder()):
            make_cache_folder(path.parent.name)
        write_atomically(path, write)
    except OSError as error:
        _say_unusable(path.parent, error.strerror or str(error))
        return False
    make_room(allowed, keep=path)
    return True


def make_room(allowed: int, keep: Path | None = None) -> None:
    """Empty what was not used for longest until everything together is at most `allowed` bytes."""
    total = 0
    for path, size in contents():
        total += size
        if total > allowed and path != keep:
            total -= size - _emptied(path)


def clear() -> int:
    """Empty the whole cache; the number of bytes that this set free."""
    before = sum(size for _, size in contents())
    for path, _ in contents():
        _emptied(path)
    for folder in _folders():
        clear_left_over(folder)
    return before - sum(size for _, size in contents())


def _emptied(path: Path) -> int:
    """Empty one file of the cache, and its size then.

    A database is emptied from within: to take the file away under a process that is writing to it is the one way to
    damage it.
    """
    try:
        if path.suffix != ".sqlite":
            path.with_suffix(".sha256").unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            return 0
        address = (
            f"{path.absolute().as_uri()}?mode=rw"  # one that is gone is not made again
        )
        with closing(
            sqlite3.connect(address, uri=True, timeout=_WAIT, isolation_level=None)
        ) as connection:
            try:
                _empty(connection)
            except sqlite3.OperationalError as error:
                if "full" not in str(error):
                    raise
                # On a full disk there is no room for the journal by which an interrupted change is taken back.
                connection.execute("PRAGMA journal_mode = MEMORY")
                connection.execute("PRAGMA temp_store = MEMORY")
                _empty(connection)
    except sqlite3.DatabaseError as error:
        if _is_damage(error):
            path.unlink(missing_ok=True)
    except OSError:
        pass
    return path.stat().st_size if path.exists() else 0


def _empty(connection: sqlite3.Connection) -> None:
    connection.execute(
        f"PRAGMA application_id = {_APPLICATION}"
    )  # a file of 0 bytes has none yet
    connection.execute("DROP TABLE IF EXISTS rows")
    connection.execute(_SCHEMA)
    connection.execute(f"PRAGMA user_version = {_FORMAT}")
    connection.execute("VACUUM")
