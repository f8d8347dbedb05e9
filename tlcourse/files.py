"""Where the course keeps its files, and whether they are the right ones."""

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
from dataclasses import dataclass
from functools import cache
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

from .errors import (
    DamagedFile,
    TLCourseError,
    UserInputError,
    how_to_install,
    printable,
)
from .foreign_text import preformatted
from .validation import shown

CACHE, CACHE_TAG = "tlcourse-cache", "CACHEDIR.TAG"
CACHE_SIGNATURE = (
    b"Signature: 8a477f597d28d172789f06886806bc55"  # of https://bford.info/cachedir/
)


def data_folder() -> Path:
    """The folder of bundled data: `data/` inside an installed package, or beside the package in a checkout."""
    package = Path(__file__).resolve().parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / "weights" / "CARD.md").is_file():
            return folder
    raise TLCourseError(
        f"The course's bundled data was looked for in {package / 'data'} and {package.parent / 'data'} "
        f"and is in neither. Install the course again. {how_to_install()}."
    )


def cache_folder() -> Path:
    """The folder for what can be made or fetched again: `tlcourse-cache` in the folder that `TLCOURSE_CACHE` names, or
    in the user's cache folder. It need not exist; `make_cache_folder` makes it.
    """
    chosen = _folder_of_variable("TLCOURSE_CACHE")
    if chosen is None:
        import platformdirs

        chosen = Path(platformdirs.user_cache_dir("tlcourse", appauthor=False))
    return chosen / CACHE


def shared_cache_folder() -> Path | None:
    """A class's common cache, which is read where the user's own has nothing: `tlcourse-cache` in the folder that
    `TLCOURSE_SHARED_CACHE` names, or None.
    """
    chosen = _folder_of_variable("TLCOURSE_SHARED_CACHE")
    return chosen / CACHE if chosen else None


def _folder_of_variable(variable: str) -> Path | None:
    chosen = os.environ.get(variable)
    return as_path(chosen, variable) if chosen else None


def make_cache_folder(name: str = "") -> Path:
    """Make the cache's folder, marked by a CACHEDIR.TAG as the course's own, and perhaps a folder in it.

    Parameters
    ----------
    name : str
        Name of a folder in the cache.

    Returns
    -------
    Path
        The folder in the cache, or without `name` the cache's own.

    Raises
    ------
    OSError
        It cannot be made; the folder in the cache is a link; or the cache holds files and no tag: then they are
        someone else's.
    """
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    if is_foreign_cache():
        raise FileExistsError(
            errno.EEXIST,
            f"{cache} holds files and no {CACHE_TAG} of the course",
            str(cache),
        )
    if not is_cache(cache):
        text = (
            CACHE_SIGNATURE
            + b"\n# A cache of the course tlcourse; `tlcourse cache clear` empties it.\n"
        )
        write_atomically(cache / CACHE_TAG, lambda file: file.write(text))
    folder = cache / name
    if name and folder.is_symlink():
        raise FileExistsError(
            errno.EEXIST,
            f"{folder} is a link, which the cache does not follow",
            str(folder),
        )
    folder.mkdir(exist_ok=True)
    return folder


def is_cache(folder: Path) -> bool:
    """Whether a folder is marked as a cache of the course."""
    tag = folder / CACHE_TAG
    try:
        content = tag.read_bytes() if tag.is_file() and not tag.is_symlink() else b""
    except OSError:
        return False
    return content.startswith(CACHE_SIGNATURE) and b"tlcourse" in content


def is_foreign_cache() -> bool:
    """Whether the cache's folder holds files without being marked as the course's: nothing in it may be touched."""
    folder = cache_folder()
    try:
        # Looked at twice: another process may be marking it, and filling it, meanwhile.
        return (
            folder.is_dir()
            and not is_cache(folder)
            and not is_untouched(folder)
            and not is_cache(folder)
        )
    except OSError:  # what is in it cannot be seen
        return True


def sha256(path: Path) -> str:
    """SHA-256 of a file as 64 hexadecimal digits."""
    with open(path, "rb") as file:
        return (
            hashlib.file_digest(file, "sha256").hexdigest()
            if hasattr(hashlib, "file_digest")
            else _sha256(file)
        )


def _sha256(file: BinaryIO) -> str:  # Python 3.10 has no hashlib.file_digest
    digest = hashlib.sha256()
    while block := file.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


@dataclass(frozen=True)
class Card:
    """What is known of a data set or of weights: read from `data/<name>/CARD.md`.

    A notebook renders the Markdown of the course's own cards; whatever came with a folder or a pack is shown as text.

    Attributes:
        name: the folder's name.
        title, source, licence, built_by: one line each.
        files: file name → SHA-256 of the bundled files.
        text: the card's prose, in Markdown.
        bundled: whether all of it comes with the course.
    """

    name: str
    title: str
    source: str
    licence: str
    built_by: str
    files: dict[str, str]
    text: str
    bundled: bool = False

    def __str__(self) -> str:
        card = f"{self.title}\nSource: {self.source}\nLicence: {self.licence}\n\n{self.text.strip()}"
        return printable(card, lines=True)

    def _repr_markdown_(self) -> str | None:
        if not self.bundled:
            return None
        return f"**{self.title}**  \nSource: {self.source}  \nLicence: {self.licence}\n\n{self.text}"

    def _repr_html_(self) -> str | None:
        return None if self.bundled else preformatted(self)


def read_card(name: str) -> Card:
    """Read the card of a bundled folder.

    Raises:
        DamagedFile: the card is missing, or lacks one of the lines that every card has.
    """
    path = data_folder() / name / "CARD.md"
    try:
        _, front, text = path.read_text(encoding="utf-8").split("---\n", 2)
        fields = {
            key: re.findall(rf"^{key}: *(.+)$", front, re.MULTILINE)[0]
            .strip()
            .strip("\"'")
            for key in ("title", "source", "licence", "built_by")
        }
    except (OSError, ValueError, IndexError):
        raise DamagedFile(
            f"{path} is missing, or lacks its title, source, licence or built_by line. Restore it with "
            f"`git checkout -- data/{name}/CARD.md`, or install the course again."
        ) from None
    files = dict(re.findall(r"- name: *(\S+)\n\s+sha256: *([0-9a-f]{64})", front))
    return Card(name=name, files=files, text=text, bundled=True, **fields)


def bundled_file(folder: str, name: str) -> Path:
    """Path of a bundled file, after comparing it with the SHA-256 in the folder's card.

    Raises:
        DamagedFile: the file is missing, cut short or altered.
    """
    path = data_folder() / folder / name
    expected = read_card(folder).files[name]
    mend = f"Restore it with `git checkout -- data/{folder}/{name}`, or install the course again."
    if not path.is_file():
        raise DamagedFile(f"The bundled file {path} is missing. {mend}")
    found = sha256(path)
    if found != expected:
        raise DamagedFile(
            f"The bundled file {path} was altered or cut short: its SHA-256 is {found[:12]}…, "
            f"the card says {expected[:12]}…. {mend}"
        )
    return path


MAX_BYTES = (
    100_000_000  # of a file that is read as a whole, where the caller does not say
)
_LONGEST_NAME, _LONGEST_PATH = 255, 4096  # bytes that file systems and Linux take


def as_path(path: str | PathLike, what: str = "the path") -> Path:
    """A path that a user gave, with `~` expanded.

    Parameters
    ----------
    path
        As it was given.
    what
        What an error calls it: an argument or a variable.

    Raises
    ------
    UserInputError
        No path, an empty one, one with a null character or too long a name, or `~somebody` without such an account.
    """
    text = os.fspath(path) if isinstance(path, str | PathLike) else None
    if not isinstance(text, str):
        raise UserInputError(
            f"{what} is {shown(path)}; expected the path of a file or folder."
        )
    if not text.strip():
        raise UserInputError(
            f"{what} is empty; expected the path of a file or folder. The current folder is '.'."
        )
    if "\0" in text:
        raise UserInputError(
            f"{what} is {text[:200]!r}; a path cannot hold a null character."
        )
    try:
        lengths = [len(os.fsencode(part)) for part in (text, *Path(text).parts)]
    except UnicodeEncodeError:
        raise UserInputError(
            f"{what} is {text[:200]!r}, which no file can be called."
        ) from None
    if lengths[0] >= _LONGEST_PATH or max(lengths[1:], default=0) > _LONGEST_NAME:
        raise UserInputError(
            f"{what} is {text[:100]}…, of {len(text):,} characters: too long for the path of a file."
        )
    try:
        return Path(text).expanduser()
    except RuntimeError:
        if os.path.lexists(text):  # a file may be called ~this
            return Path(text)
        raise UserInputError(
            f"{what} is {text}; there is no account of that name here, or it has no home."
        ) from None


def read_file(
    path: str | PathLike,
    most: int = MAX_BYTES,
    error: type[TLCourseError] = UserInputError,
    first: int | None = None,
) -> bytes:
    """The bytes of a regular file; no device, and no pipe, which would be waited for.

    Parameters
    ----------
    path
        Of the file.
    most
        Bytes that it may have.
    error
        What is raised.
    first
        So many bytes of its beginning; None: all of it.

    Raises
    ------
    TLCourseError
        It does not exist, cannot be opened, is no regular file, or too large; of the class `error`.
    """
    try:
        kind = os.stat(
            path
        ).st_mode  # before it is opened: a device may act on that, and a pipe waits
        if stat.S_ISREG(kind):
            with open(path, "rb", opener=_without_waiting) as file:
                kind, size = (
                    os.fstat(file.fileno()).st_mode,
                    os.fstat(file.fileno()).st_size,
                )
                if stat.S_ISREG(kind) and first is not None:
                    return file.read(first)
                if stat.S_ISREG(kind) and size <= most:
                    content = file.read(most + 1)  # it may have grown
                    size = len(content)
                    if size <= most:
                        return content
    except FileNotFoundError:
        raise error(
            f"{path} does not exist. Check the path; relative paths start at {Path.cwd()}."
        ) from None
    except (OSError, ValueError) as reason:  # ValueError: a path with a null character
        raise error(
            f"{str(path)[:200]} cannot be opened: {getattr(reason, 'strerror', None) or reason}."
        ) from None
    if not stat.S_ISREG(kind):
        raise error(f"{path} is {_kind(kind)}; expected a regular file.")
    raise error(
        f"{path} is larger than {most / 1e6:,.0f} MB, which is the most that is read. Make it smaller first."
    )


def _without_waiting(path: str, flags: int) -> int:
    """Opens a file as `open` does, but never waits: a pipe may have taken its place since it was looked at."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _kind(mode: int) -> str:
    for is_one, name in (
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
        (stat.S_ISCHR, "a device"),
        (stat.S_ISBLK, "a device"),
    ):
        if is_one(mode):
            return name
    return "no regular file"


def read_text(
    path: str | PathLike,
    most: int = MAX_BYTES,
    error: type[TLCourseError] = UserInputError,
) -> str:
    """The text of a regular file in UTF-8, as `read_file` reads it; line ends become ``\\n``.

    Raises
    ------
    TLCourseError
        As `read_file`; or it is not UTF-8.
    """
    try:
        text = read_file(path, most, error).decode("utf-8")
    except UnicodeDecodeError:
        raise error(
            f"{path} is not text in UTF-8. Save it again in UTF-8, or copy it again."
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_json(
    path: str | PathLike,
    most: int = MAX_BYTES,
    error: type[TLCourseError] = UserInputError,
) -> "Any":
    """What a JSON file holds, read as `read_text` reads it.

    Raises
    ------
    TLCourseError
        As `read_text`; or it is not JSON.
    """
    try:
        return json.loads(read_text(path, most, error))
    except (ValueError, RecursionError) as reason:
        if isinstance(reason, TLCourseError):
            raise
        raise error(f"{path} is not JSON ({str(reason)[:100]}).") from None


# What is being written, file or folder; behind it the machine's name, a digest that tells it from others of this name,
# the process, and random characters.
UNFINISHED = ".unfinished-"
LONG_AGO = (
    24 * 3600
)  # seconds; nobody writes any longer to what has not changed for so long


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write a file so that a reader finds the whole of it or nothing of it, whatever happens meanwhile.

    Only where a process is killed its unfinished file stays, hidden, until the next one comes by and clears it away.

    Args:
        path: of the file; its folder is made if need be.
        write: writes the content to an open file.

    Raises:
        OSError: it cannot be written; nothing is left behind then. Devices and pipes are not replaced.
    """
    if (
        path.exists() and not path.is_file() and not path.is_dir()
    ):  # of a folder the system says it
        raise OSError(errno.EINVAL, "it is no regular file")
    path.parent.mkdir(parents=True, exist_ok=True)
    clear_left_over(path.parent)
    handle, unfinished = tempfile.mkstemp(dir=path.parent, prefix=_unfinished_prefix())
    try:
        with os.fdopen(handle, "wb") as file:
            write(file)
        os.chmod(
            unfinished, 0o644
        )  # mkstemp's is for one user alone; a class shares its cache
        os.replace(unfinished, path)
    except BaseException as error:
        Path(unfinished).unlink(missing_ok=True)
        if isinstance(error, OSError) and "requested and" in str(
            error
        ):  # numpy's words for it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


@contextmanager
def unfinished_folder(goal: Path) -> Iterator[Path]:
    """A new folder beside `goal`, to be filled and then renamed to it, so that `goal` is whole or is not there.

    Whatever ends the filling, the folder goes; only where a process is killed it stays, hidden, until the next one
    comes by and clears it away.

    Raises:
        OSError: the folder cannot be made.
    """
    parent = goal.absolute().parent
    parent.mkdir(parents=True, exist_ok=True)
    clear_left_over(parent)
    with tempfile.TemporaryDirectory(prefix=_unfinished_prefix(), dir=parent) as hidden:
        inside = Path(
            hidden, "unfinished"
        )  # with permissions as any other folder; the hidden one's are for one user alone
        inside.mkdir()
        yield inside


def entries(folder: Path) -> list[Path]:
    """What is in a folder; nothing where there is no such folder, or it cannot be read."""
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def left_over(folder: Path) -> list[Path]:
    """What was being written in this folder by processes of this machine that were killed: nobody will finish it.

    Containers, and machines that share a disk, may have the same name. So what was begun by another one of this name,
    or before this one was started again, counts only once it has not changed for a day.
    """
    import psutil

    found = []
    pattern = re.compile(
        rf"{re.escape(f'{UNFINISHED}{platform.node()}')}-([0-9a-f]{{8}})-(\d+)-[a-z0-9_]{{8}}"
    )
    for path in entries(folder):
        name = pattern.fullmatch(path.name)
        if name is None or os.path.islink(path):
            continue
        machine, process = name.groups()
        if (
            not psutil.pid_exists(int(process))
            if machine == _machine()
            else _is_unchanged_since_long(path)
        ):
            found.append(path)
    return found


def _is_unchanged_since_long(path: Path) -> bool:
    try:
        changes = [one.lstat().st_mtime for one in (path, *path.rglob("*"))]
    except OSError:  # it is being changed
        return False
    return max(changes) < time.time() - LONG_AGO


def clear_left_over(folder: Path) -> None:
    """Remove it; what cannot be removed stays."""
    for path in left_over(folder):
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def check_clock() -> None:
    """Refuse, before the work, to write archives by a clock that was never set.

    Raises:
        TLCourseError: it is before 1980, the first year that a zip file, such as model.keras, can hold.
    """
    now = time.localtime(time.time())
    if now.tm_year < 1980:
        raise TLCourseError(
            f"This machine's clock says {time.strftime('%Y-%m-%d', now)}, and a network's file cannot hold a date "
            "before 1980. Set the clock and call again."
        )


def is_untouched(folder: Path) -> bool:
    """Whether nothing is in a folder, but perhaps what is being written, or what a killed process has left of that."""
    return all(path.name.startswith(UNFINISHED) for path in folder.iterdir())


def _unfinished_prefix() -> str:
    return f"{UNFINISHED}{platform.node()}-{_machine()}-{os.getpid()}-"


@cache
def _machine() -> str:
    """8 hexadecimal digits for the system whose process numbers are ours: this machine since it was started, or this
    container.
    """
    try:
        known = Path("/proc/sys/kernel/random/boot_id").read_text(
            "ascii"
        ) + os.readlink("/proc/self/ns/pid")
    except OSError:  # not Linux
        import psutil

        known = f"{psutil.boot_time():.0f}"
    return hashlib.sha256(known.encode()).hexdigest()[:8]
