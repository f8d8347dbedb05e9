"""The folder that a result is written into: checked before the work, and claimed against a second job."""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import TLCourseError, UserInputError
from .files import UNFINISHED


def check_output_folder(folder: Path) -> None:
    """Refuse a path where something is or where nothing can be written, and a clock by which nothing can.

    Raises:
        UserInputError: something is there already.
        TLCourseError: the folder above cannot be written to, or the clock was never set.
    """
    check_clock()
    check_new(folder)
    above = next(path for path in folder.absolute().parents if os.path.lexists(path))
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise _unwritable(folder, above, error) from error


def check_clock() -> None:
    """Refuse, before the work, a clock before 1980, which no zip file can hold."""
    now = time.localtime(time.time())
    if now.tm_year < 1980:
        raise TLCourseError(
            f"This machine's clock says {time.strftime('%Y-%m-%d', now)}, and a "
            "network's file cannot hold a date before 1980. Set the clock and call "
            "again."
        )


def check_new(folder: Path) -> None:
    """Refuse a folder that holds something, a link, and a file.

    Raises:
        UserInputError: something is there already.
    """
    if os.path.lexists(folder) and (
        folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())
    ):
        raise UserInputError(
            f"{folder} is there already; nothing was overwritten. Choose a new folder, or move it away."
        )


def _unwritable(folder: Path, above: Path, error: OSError) -> TLCourseError:
    return TLCourseError(
        f"{folder} cannot be written: {above} takes no files ({error.strerror or error}). Choose another folder."
    )


@contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """Keep other jobs out of a folder that will be written at the end of this one.

    A hidden file beside the folder is locked as long as the job runs. The system ends the lock with the process,
    however that ends, so what a killed job has left keeps no other one out. Where the file system has no locks, as
    some network drives, the second of two jobs learns only at its end that the folder is there already.

    Raises:
        UserInputError: another job is at work on this folder.
        TLCourseError: the folder above cannot be written to.
    """
    above = folder.absolute().parent
    made = [path for path in (above, *above.parents) if not path.exists()]
    name = hashlib.sha256(os.fsencode(folder.name)).hexdigest()[:16]
    claim = above / f"{UNFINISHED}job-{name}"
    try:
        above.mkdir(parents=True, exist_ok=True)
        descriptor = _open_locked(claim)
    except OSError as error:
        if not (
            isinstance(error, PermissionError) and os.path.lexists(claim)
        ):  # another user's, then
            raise _unwritable(folder, above, error) from error
        descriptor = None
    if descriptor is None:
        raise UserInputError(
            f"Another job is writing to {folder}. Wait until it has ended, or choose another folder. If none is "
            f"running any more, delete {claim}."
        )
    try:
        yield
    finally:
        if _is_open_file(claim, descriptor):
            with suppress(OSError):  # Windows deletes no open file
                claim.unlink()
        os.close(descriptor)
        if sys.platform == "win32":
            with suppress(OSError):  # another job has opened it meanwhile
                claim.unlink()
        for parent in made:
            with suppress(OSError):  # not empty: the job has succeeded
                parent.rmdir()


def _open_locked(path: Path) -> int | None:
    """Open a file, and lock it until it is closed or the process ends; None where another process has locked it."""
    no_link = getattr(os, "O_NOFOLLOW", 0)
    for attempt in range(10):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | no_link, 0o666)
        except PermissionError:  # another user's, which may be locked all the same
            if not os.path.lexists(path):
                raise
            descriptor = os.open(path, os.O_RDONLY | no_link)
        try:
            _lock(descriptor)
        except (BlockingIOError, PermissionError):
            os.close(descriptor)
            return None
        except OSError:  # a file system without locks
            return descriptor
        # The job before may have ended and deleted it between `open` and the lock; where it never seems to be the
        # same file, the file system numbers its files anew.
        if _is_open_file(path, descriptor) or attempt == 9:
            return descriptor
        os.close(descriptor)
    return None


def _is_open_file(path: Path, descriptor: int) -> bool:
    """Whether the path still leads to the open file: it may have been deleted, and made again by another process."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except OSError:
        return False


def _lock(descriptor: int) -> None:
    """Lock an open file without waiting; BlockingIOError or PermissionError where another process has locked it."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
