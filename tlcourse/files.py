"""Paths, and files that are read and written whole."""

import errno
import hashlib
import json
import os
import platform
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from .errors import TLCourseError, UserInputError
from .validation import shown

MAX_BYTES = 100_000_000  # of a file that is read as a whole
# What is being written. It is followed by a digest of the machine, the process, and
# random characters.
UNFINISHED = ".unfinished-"
LONG_AGO = 24 * 3600  # seconds; what has not changed for so long nobody is writing


def sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def as_path(path: str | PathLike, what: str = "the path") -> Path:
    """A path that a user gave, with `~` expanded; an error calls it `what`."""
    text = os.fspath(path) if isinstance(path, str | PathLike) else None
    is_path = isinstance(text, str) and bool(text.strip())
    try:
        if is_path:
            os.lstat(str(text))
    except ValueError:  # a null character, half a surrogate pair
        is_path = False
    except OSError as error:
        is_path = error.errno != errno.ENAMETOOLONG
    if not is_path:
        raise UserInputError(
            f"{what} is {shown(path)}; expected the path of a file or folder. The "
            "current folder is '.'."
        )
    try:
        return Path(str(text)).expanduser()
    except RuntimeError:
        raise UserInputError(f"{what} is {text}; there is no such account.") from None


def read_file(
    path: str | PathLike,
    most: int = MAX_BYTES,
    error: type[TLCourseError] = UserInputError,
    first: int | None = None,
) -> bytes:
    """The bytes of a regular file; no device, and no pipe, which would be waited for.

    With `first` only so many. What cannot be read, is no regular file, or has more
    bytes than `most` raises `error`.
    """
    try:
        # Before it is opened, since a device may act on that, and once more after it.
        if stat.S_ISREG(os.stat(path).st_mode):
            with open(path, "rb", opener=_without_waiting) as file:
                if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                    if first is not None:
                        return file.read(first)
                    content = file.read(most + 1)
                    if len(content) <= most:
                        return content
                    raise error(f"{path} is larger than {most / 1e6:,.0f} MB.")
    except FileNotFoundError:
        raise error(
            f"{path} does not exist. Relative paths start at {Path.cwd()}."
        ) from None
    except (OSError, ValueError) as reason:  # ValueError: a path with a null character
        if isinstance(reason, TLCourseError):
            raise
        why = getattr(reason, "strerror", None) or reason
        raise error(f"{str(path)[:200]} cannot be opened: {why}.") from None
    what = "a folder" if os.path.isdir(path) else "a pipe or a device"
    raise error(f"{path} is {what}; expected a regular file.")


def _without_waiting(path: str, flags: int) -> int:
    """Open as `open` does, but never wait: a pipe may be there by now."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_json(path: Path, error: type[TLCourseError] = UserInputError) -> Any:
    """What a JSON file holds; raises as `read_file`, or because it is not JSON."""
    content = read_file(path, error=error)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as reason:
        raise error(f"{path} is not JSON ({str(reason)[:100]}).") from None


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file, and its folder, so that a reader gets the whole of it or nothing.

    `write` is given an open file. Where it cannot be written, or is a device or a
    pipe, OSError is raised and nothing is left behind.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "it is no regular file")
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_left_over(path.parent)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=_unfinished_prefix())
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(unfinished, 0o644)  # mkstemp's is for one user; a class shares a cache
        os.replace(unfinished, path)
    except BaseException as error:
        Path(unfinished).unlink(missing_ok=True)
        full = "requested and"  # in NumPy's words
        if isinstance(error, OSError) and full in str(error):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


@contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, to be filled and then renamed to it.

    However the filling ends, what was not renamed goes; after a killed process it
    stays, hidden, until the next one clears it away.
    """
    parent = target.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    clear_left_over(parent)
    with tempfile.TemporaryDirectory(prefix=_unfinished_prefix(), dir=parent) as hidden:
        inside = Path(hidden, "unfinished")  # the hidden one is for one user alone
        inside.mkdir()
        yield inside


def entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing where there is none, or it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def clear_left_over(folder: Path) -> None:
    """Remove what killed processes were writing in this folder, if it can be removed.

    What processes of other machines, or containers, began counts only once it has not
    changed for a day.
    """
    import psutil

    for path in entries(folder):
        match = re.fullmatch(rf"{UNFINISHED}(\w{{12}})-(\d+)-\w{{8}}", path.name)
        if match is None or path.is_symlink():
            continue
        if match[1] == _machine():
            is_dead = not psutil.pid_exists(int(match[2]))
        else:
            is_dead = _last_change(path) < time.time() - LONG_AGO
        if is_dead and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif is_dead:
            with suppress(OSError):
                path.unlink()


def _last_change(path: Path) -> float:
    try:
        return max(one.lstat().st_mtime for one in (path, *path.rglob("*")))
    except OSError:  # it is being changed
        return time.time()


def is_untouched(folder: Path) -> bool:
    """Whether a folder holds nothing but what is being written, or was left of that."""
    return all(path.name.startswith(UNFINISHED) for path in folder.iterdir())


def _unfinished_prefix() -> str:
    return f"{UNFINISHED}{_machine()}-{os.getpid()}-"


@cache
def _machine() -> str:
    """12 hexadecimal digits for the system, or container, that numbers processes."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii")
        known = boot + os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        import psutil

        known = f"{platform.node()} {psutil.boot_time():.0f}"
    return hashlib.sha256(known.encode()).hexdigest()[:12]
