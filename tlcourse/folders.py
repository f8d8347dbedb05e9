"""Folders: the course's cache, packs, and new folders for results."""

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from .errors import TLCourseError, UserInputError, convert_errors
from .files import as_path, is_untouched, write_atomically

CACHE, CACHE_TAG = "tlcourse-cache", "CACHEDIR.TAG"
# Of https://bford.info/cachedir/
CACHE_SIGNATURE = b"Signature: 8a477f597d28d172789f06886806bc55"


def cache_folder() -> Path:
    """The cache's folder, which need not exist.

    `tlcourse-cache` in the folder that TLCOURSE_CACHE names, or in the user's cache.
    """
    chosen = os.environ.get("TLCOURSE_CACHE")
    if chosen:
        return as_path(chosen, "TLCOURSE_CACHE") / CACHE
    import platformdirs

    return Path(platformdirs.user_cache_dir("tlcourse", appauthor=False)) / CACHE


def shared_cache_folder() -> Path | None:
    """A cache that many users read, named by TLCOURSE_SHARED_CACHE."""
    chosen = os.environ.get("TLCOURSE_SHARED_CACHE")
    return as_path(chosen, "TLCOURSE_SHARED_CACHE") / CACHE if chosen else None


def make_cache_folder(name: str = "") -> Path:
    """Make the cache, marked by a CACHEDIR.TAG, and a folder in it; returns the latter.

    OSError says that it cannot be made, that the folder in it is a link, or that the
    cache holds files and no tag, so that they are someone else's.
    """
    folder = cache_folder()
    folder.mkdir(parents=True, exist_ok=True)
    reason = left_alone()
    if name and (folder / name).is_symlink():
        reason = f"{folder / name} is a link, which the cache does not follow"
    if reason:
        raise FileExistsError(errno.EEXIST, reason, str(folder))
    if not is_cache(folder):
        comment = b"\n# A cache of tlcourse; `tlcourse cache clear` empties it.\n"
        text = CACHE_SIGNATURE + comment
        write_atomically(folder / CACHE_TAG, lambda file: file.write(text))
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def is_cache(folder: Path) -> bool:
    """Whether a folder is marked as a cache of the course."""
    tag, content = folder / CACHE_TAG, b""
    with suppress(OSError):
        content = tag.read_bytes() if tag.is_file() and not tag.is_symlink() else b""
    return content.startswith(CACHE_SIGNATURE) and b"tlcourse" in content


def left_alone() -> str:
    """Why the cache is not used, where its folder is somebody else's; or ""."""
    folder = cache_folder()
    with suppress(OSError):  # raised where it cannot be listed
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
    """How a data set or network gets to a machine without internet."""
    return (
        f"run `python -m workshop pack {name} FOLDER` in a checkout of the course on a "
        "machine that has the data, copy FOLDER, and set TLCOURSE_PACKS=FOLDER."
    )


def check_output_folder(folder: Path) -> None:
    """Refuse a folder that is not new or empty, or that cannot be written."""
    if os.path.lexists(folder) and (
        folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())
    ):
        raise UserInputError(
            f"{folder} is there already; nothing was overwritten. Choose a new folder."
        )
    if folder.resolve() == Path.cwd():
        raise UserInputError(
            f"{folder} is the current folder, which a new one would replace. Name a "
            "folder in it."
        )
    above = next(path for path in folder.absolute().parents if os.path.lexists(path))
    what = f"{folder} cannot be written: {above} takes no files"
    with convert_errors(OSError, TLCourseError, what, "Choose another folder."):
        tempfile.TemporaryFile(dir=above).close()
