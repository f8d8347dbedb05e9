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
# Prefix of temporary names; digits for the machine, the process and chance follow.
UNFINISHED = ".unfinished-"
LONG_AGO = 24 * 3600  # seconds without a change: no other machine writes any longer


def sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def as_path(path: str | PathLike, what: str = "the path") -> Path:
    """A path given by a user: as it is where it exists, else with `~` expanded.

    Anything that cannot be a path raises UserInputError, which calls it `what`.
    """
    try:
        text = os.fspath(path)
        if not isinstance(text, str) or not text.strip():
            raise TypeError
        if os.path.lexists(text):
            return Path(text)
        result = Path(text).expanduser()
        os.lstat(result)
        return result
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:  # it need not exist
            return result
    except (TypeError, ValueError, RuntimeError):
        pass  # ValueError: a null character; RuntimeError: `~name` without an account
    raise UserInputError(
        f"{what} is {shown(path)}; expected the path of a file or folder. The current "
        "folder is '.'."
    )


def read_file(
    path: str | PathLike,
    most: int = MAX_BYTES,
    error: type[TLCourseError] = UserInputError,
    first: int | None = None,
) -> bytes:
    """The bytes of a regular file (with `first`, only so many), or `error`.

    Pipes and devices are refused, since reading them may never end; so is a file of
    more than `most` bytes.
    """
    try:
        is_regular = stat.S_ISREG(os.stat(path).st_mode)
        content = b""
        if is_regular:
            with open(path, "rb") as file:
                content = file.read(most + 1 if first is None else first)
    except (OSError, ValueError) as reason:  # ValueError: a path with a null character
        why = getattr(reason, "strerror", None) or reason
        if isinstance(reason, FileNotFoundError):
            why = "it does not exist"
        raise error(
            f"{str(path)[:200]} cannot be opened: {why}. Relative paths start at "
            f"{Path.cwd()}."
        ) from None
    if not is_regular:
        raise error(f"{path} is a folder, pipe or device; expected a regular file.")
    if first is None and len(content) > most:
        raise error(f"{path} is larger than {most / 1e6:,.0f} MB.")
    return content


def read_json(path: Path, error: type[TLCourseError] = UserInputError) -> Any:
    """The content of a JSON file; raises `error` as `read_file` does."""
    content = read_file(path, error=error)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as reason:
        raise error(f"{path} is not JSON ({str(reason)[:100]}).") from None


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file, and its folder, so that a reader gets all of it or nothing.

    `write` is given an open file. If it fails, or `path` is a device or a pipe, OSError
    is raised and nothing is left behind.
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
    finally:
        Path(unfinished).unlink(missing_ok=True)


@contextmanager
def unfinished_folder(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, to be filled and then renamed to it.

    What was not renamed is removed at the end; after a killed process, by the next
    call.
    """
    parent = target.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    clear_left_over(parent)
    with tempfile.TemporaryDirectory(prefix=_unfinished_prefix(), dir=parent) as hidden:
        inside = Path(hidden, "unfinished")  # the hidden one is for one user alone
        inside.mkdir()
        yield inside


def entries(folder: Path) -> list[Path]:
    """The entries of a folder; none where there is no folder, or it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def is_untouched(folder: Path) -> bool:
    """Whether a folder holds nothing but unfinished files and folders."""
    return all(path.name.startswith(UNFINISHED) for path in folder.iterdir())


def clear_left_over(folder: Path) -> None:
    """Remove what killed processes were writing in this folder, if it can be removed.

    A process of another machine, or container, counts as killed once what it wrote has
    not changed for a day.
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


def _unfinished_prefix() -> str:
    return f"{UNFINISHED}{_machine()}-{os.getpid()}-"


@cache
def _machine() -> str:
    """12 hexadecimal digits for the machine, or container, that numbers processes."""
    return hashlib.sha256(platform.node().encode()).hexdigest()[:12]
