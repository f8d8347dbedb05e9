"""Folders: the course's cache, packs, and what a result is written into."""

import errno
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import TLCourseError, UserInputError
from .files import as_path, is_untouched, write_atomically

CACHE, CACHE_TAG = "tlcourse-cache", "CACHEDIR.TAG"
# Of https://bford.info/cachedir/
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"


def cache_folder() -> Path:
    """The folder for what can be made or fetched again; it need not exist.

    `tlcourse-cache` in the folder that TLCOURSE_CACHE names, or in the user's cache.
    """
    chosen = os.environ.get("TLCOURSE_CACHE")
    if chosen:
        return as_path(chosen, "TLCOURSE_CACHE") / CACHE
    import platformdirs

    return Path(platformdirs.user_cache_dir("tlcourse", appauthor=False)) / CACHE


def shared_cache_folder() -> Path | None:
    """A class's cache, read where the user's own has nothing: TLCOURSE_SHARED_CACHE."""
    chosen = os.environ.get("TLCOURSE_SHARED_CACHE")
    return as_path(chosen, "TLCOURSE_SHARED_CACHE") / CACHE if chosen else None


def make_cache_folder(name: str = "") -> Path:
    """Make the cache, marked by a CACHEDIR.TAG, and a folder in it; returns that.

    OSError says that it cannot be made; that the folder in it is a link; or that the
    cache holds files and no tag: then they are someone else's.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    if reason := left_alone():
        raise FileExistsError(errno.EEXIST, reason, str(folder))
    if not is_cache(folder):
        comment = b"\n# A cache of tlcourse; `tlcourse cache clear` empties it.\n"
        text = CACHE_SIGNATURE + comment
        write_atomically(folder / CACHE_TAG, lambda file: file.write(text))
    if name and (folder / name).is_symlink():
        reason = f"{folder / name} is a link, which the cache does not follow"
        raise FileExistsError(errno.EEXIST, reason, str(folder / name))
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def is_cache(folder: Path) -> bool:
    """Whether a folder is marked as a cache of the course."""
    tag = folder / CACHE_TAG
    try:
        content = tag.read_bytes() if tag.is_file() and not tag.is_symlink() else b""
    except OSError:
        return False
    return content.startswith(CACHE_SIGNATURE) and b"tlcourse" in content


def left_alone() -> str:
    """Why the cache is not used, where its folder is somebody else's; or nothing."""
    folder = cache_folder()
    with suppress(OSError):  # what is in it cannot be seen
        # Another process may be marking it, and filling it, meanwhile.
        if not folder.is_dir() or is_untouched(folder) or is_cache(folder):
            return ""
    return (
        f"{folder} holds files and no {CACHE_TAG} of the course: it is not used, and "
        "nothing in it is removed. Move it away, or set TLCOURSE_CACHE to another "
        "folder."
    )


def pack_folders() -> list[Path]:
    """The folders named by TLCOURSE_PACKS, which separates them as PATH does."""
    folders = os.environ.get("TLCOURSE_PACKS", "").split(os.pathsep)
    return [as_path(folder, "TLCOURSE_PACKS") for folder in folders if folder]


def how_to_carry(name: str) -> str:
    """What brings a data set, or a network for text, to a machine without internet."""
    return (
        f"run `python -m workshop pack {name} FOLDER` in a checkout of the course on a "
        "machine that has the data, copy FOLDER, and set TLCOURSE_PACKS=FOLDER."
    )


def check_new(folder: Path) -> None:
    """Refuse, with a UserInputError, a folder that holds something, a link, a file."""
    if os.path.lexists(folder) and (
        folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())
    ):
        raise UserInputError(
            f"{folder} is there already; nothing was overwritten. Choose a new folder."
        )


def check_output_folder(folder: Path) -> None:
    """Refuse, before the work, a folder that is not new or cannot be written."""
    check_new(folder)
    above = next(path for path in folder.absolute().parents if os.path.lexists(path))
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise TLCourseError(
            f"{folder} cannot be written: {above} takes no files "
            f"({error.strerror or error}). Choose another folder."
        ) from error


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep a user's other jobs out of a folder that is written at the end of this one.

    The lock is in the cache and ends with the process, however that ends. Where there
    is none (a cache that cannot be written, other users), the second of two jobs learns
    at its end that the folder is there already.
    """
    import filelock

    name = hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
    try:
        lock = filelock.FileLock(make_cache_folder("jobs") / name, blocking=False)
        lock.acquire()
    except filelock.Timeout:
        raise UserInputError(
            f"Another job is writing to {folder}. Wait until it has ended, or choose "
            "another folder."
        ) from None
    except (OSError, NotImplementedError):
        yield
        return
    try:
        yield
    finally:
        lock.release()
