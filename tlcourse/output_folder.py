"""The folder that a result is written into: checked before the work, and claimed against a second job."""

import hashlib
import json
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .errors import TLCourseError, UserInputError
from .files import UNFINISHED, check_clock


def check_goal(goal: Path) -> None:
    """Refuse a place where something is or where nothing can be written, and a clock by which nothing can.

    Raises:
        UserInputError: something is there already.
        TLCourseError: the folder above cannot be written to, or the clock was never set.
    """
    check_clock()
    if os.path.lexists(goal) and (goal.is_symlink() or not goal.is_dir() or any(goal.iterdir())):
        raise UserInputError(f"{goal} is there already; nothing was overwritten. Choose a new folder, or move it away.")
    above = next(path for path in goal.absolute().parents if os.path.lexists(path))
    try:
        tempfile.TemporaryFile(dir=above).close()
    except OSError as error:
        raise TLCourseError(
            f"{goal} cannot be written: {above} takes no files ({error.strerror or error}). Choose another folder."
        ) from error


@contextmanager
def claimed(goal: Path) -> Iterator[None]:
    """Keep other jobs out of a folder that will be written at the end of this one.

    A hidden file beside the folder says which process is at work; what a killed process has left counts for nothing.

    Raises:
        UserInputError: another job is at work on this folder.
        TLCourseError: the folder above cannot be written to.
    """
    above = goal.absolute().parent
    made = [path for path in (above, *above.parents) if not path.exists()]
    name = hashlib.sha256(os.fsencode(goal.name)).hexdigest()[:16]
    claim = above / f"{UNFINISHED}job-{name}"
    try:
        above.mkdir(parents=True, exist_ok=True)
        _write_claim(claim, goal)
    except OSError as error:
        raise TLCourseError(
            f"{goal} cannot be written: {above} takes no files ({error.strerror or error}). Choose another folder."
        ) from error
    try:
        yield
    finally:
        claim.unlink(missing_ok=True)
        for folder in made:
            with suppress(OSError):  # not empty: the job has succeeded
                folder.rmdir()


def _write_claim(claim: Path, goal: Path) -> None:
    import psutil

    if claim.exists() and _is_stale(claim):
        claim.unlink(missing_ok=True)
    holder = {"host": platform.node(), "process": os.getpid(), "started": psutil.Process().create_time()}
    try:
        with open(claim, "x", encoding="utf-8") as file:  # "x": of two jobs at the same moment one fails
            json.dump(holder, file)
    except FileExistsError:
        raise UserInputError(
            f"Another job is writing to {goal}. Wait until it has ended, or choose another folder. If none is running "
            f"any more, delete {claim}."
        ) from None


def _is_stale(claim: Path) -> bool:
    """Whether the process that made it was on this machine and has ended."""
    import psutil

    try:
        holder = json.loads(claim.read_text(encoding="utf-8"))
        if holder["host"] != platform.node():
            return False
        return abs(psutil.Process(holder["process"]).create_time() - holder["started"]) > 1
    except psutil.NoSuchProcess:
        return True
    except (OSError, ValueError, KeyError, TypeError, psutil.Error):  # being written at this moment, or unreadable
        return False
