"""Which files in the cache's folder the course made: only these are counted or removed.

They lie in a folder that a CACHEDIR.TAG marks, their path contains a digest, and
databases have the course's application id. Everything else is left alone, and links
are not followed.
"""

import os
import re
import stat
import time
from contextlib import suppress
from pathlib import Path

from .. import files, folders

# Of rows, of converted networks, of stopped trainings, of what Dask's workers computed.
FOLDERS = ("features", "networks", "training", "shards")
TOLERANCE = 60  # seconds by which a file server's clock may be ahead of this one
_DIGEST = re.compile(r"[0-9a-f]{20}")
# Files that go with another one, and are not counted.
_BESIDE = re.compile(r".*(\.sqlite-(journal|wal|shm)|\.sha256|/_(job|set_aside)\.json)")
APPLICATION_ID = int.from_bytes(b"tlco", "big")  # of SQLite databases


def contents() -> list[tuple[Path, int]]:
    """The course's files in the cache and their bytes, what was used last first.

    What was used in the future was used before the clock was put right: it is older
    than all the rest.
    """
    now, own = time.time() + TOLERANCE, []
    for folder in own_folders()[1:]:
        for path in files.entries(folder):
            with suppress(OSError):  # another process has just removed it
                if _is_own(path):
                    used, size = path.stat().st_mtime, path.stat().st_size
                    own.append((used <= now, used, path, size))
    return [(path, size) for _, _, path, size in sorted(own, reverse=True)]


def own_folders() -> list[Path]:
    """The cache's folder and those in it that hold its files; none if not marked."""
    cache = folders.cache_folder()
    if not folders.is_cache(cache):
        return []
    found = [cache]
    for name in FOLDERS:
        if not os.path.islink(cache / name):
            for folder, inside, _ in os.walk(cache / name):
                found.append(Path(folder))
                inside[:] = [each for each in inside if _DIGEST.search(each)]
    return found


def unfinished() -> list[Path]:
    """What killed processes have left half written."""
    return [path for folder in own_folders() for path in files.left_over(folder)]


def left_alone() -> str:
    """Why the cache is not used, where its folder is somebody else's."""
    if not folders.is_foreign_cache():
        return ""
    return (
        f"{folders.cache_folder()} holds files and no {folders.CACHE_TAG} of the course: "
        "it is not used, and nothing in it is removed. Move it away, or set "
        "TLCOURSE_CACHE to another folder."
    )


def _is_own(path: Path) -> bool:
    """Whether the course made this file of the cache, to be counted and removed."""
    name = path.relative_to(folders.cache_folder()).as_posix()
    if path.name.startswith(files.UNFINISHED) or _BESIDE.fullmatch(name):
        return False
    if not is_own_or_damaged(path):
        return False
    is_database = path.suffix == ".sqlite" and application_id(path) is not None
    return is_database or bool(_DIGEST.search(name))


def is_own_or_damaged(path: Path) -> bool:
    """False for a link, for a device, and for the database of another program."""
    try:
        is_file = stat.S_ISREG(path.lstat().st_mode)
        return is_file and application_id(path) in (None, APPLICATION_ID)
    except OSError:
        return False


def application_id(path: Path) -> int | None:
    """Of a SQLite database; None for other files, such as an empty or a damaged one.

    Read without SQLite, which could change another program's file by opening it.
    """
    with open(path, "rb") as file:
        header = file.read(72)
    is_database = header.startswith(b"SQLite format 3\0") and len(header) == 72
    return int.from_bytes(header[68:], "big") if is_database else None
