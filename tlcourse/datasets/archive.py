"""A zip file of pictures → a folder: for pictures that were uploaded, or sent."""

import shutil
import stat
import zipfile
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import DamagedFile, TLCourseError, UserInputError
from ..files import as_path, unfinished_folder
from ..output_folder import check_new

MOST_BYTES = 5_000_000_000  # unpacked; far above what a course's disk and an evening's patience hold
MOST_FILES = 200_000
_PASSED_OVER = ("__MACOSX",)  # what macOS adds of its own


def unpack(archive: str | PathLike, folder: str | PathLike) -> Path:
    """Unpack a zip file of pictures into a new folder, whole or not at all.

    Nothing is written outside the folder, links are refused, and so is what would fill the disk: a zip file of a few
    kilobytes can hold gigabytes.

    Args:
        archive: the zip file.
        folder: a new one, or one that is empty.

    Returns:
        The folder; where all lies in one folder inside it, as when a folder was zipped, that one.

    Raises:
        UserInputError: no zip file, or one with paths that lead out of it, links, passwords, too many files or bytes;
            the folder holds something.
        DamagedFile: the archive was cut short or altered.
        TLCourseError: the folder cannot be written.
    """
    source, goal = as_path(archive, "the archive"), as_path(folder, "the folder")
    if not source.is_file():
        raise UserInputError(
            f"{source} is not a file. Relative paths start at {Path.cwd()}."
        )
    check_new(goal)
    try:
        with zipfile.ZipFile(source) as opened:
            _unpack(source, opened, goal)
    except TLCourseError:
        raise
    except OSError as error:
        raise TLCourseError(
            f"{source} could not be unpacked into {goal} ({error.strerror or error}). Nothing was left there. Make "
            "room, or choose another folder."
        ) from error
    except (
        Exception
    ) as error:  # zipfile and the decompressors raise a dozen kinds on damaged bytes
        raise DamagedFile(
            f"{source} cannot be unpacked ({error}): it is no zip file, or was cut short or altered. Zip the folder "
            "again."
        ) from None
    inside = [entry for entry in goal.iterdir() if not entry.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else goal


def _unpack(source: Path, opened: zipfile.ZipFile, goal: Path) -> None:
    entries = [
        entry
        for entry in opened.infolist()
        if not entry.is_dir() and not _is_passed_over(entry.filename)
    ]
    _check(source, entries)
    with unfinished_folder(goal) as inside:
        for entry in entries:
            place = inside / PurePosixPath(entry.filename)
            place.parent.mkdir(parents=True, exist_ok=True)
            with opened.open(entry) as packed, open(place, "xb") as file:
                shutil.copyfileobj(
                    packed, file
                )  # zipfile itself stops where more comes than the entry says
        if goal.is_dir():
            goal.rmdir()
        inside.rename(goal)


def _is_passed_over(name: str) -> bool:
    return PurePosixPath(name).parts[:1] == _PASSED_OVER


def _check(source: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse what would harm, before anything is written."""
    names = [PurePosixPath(entry.filename.replace("\\", "/")) for entry in entries]
    outside = next(
        (
            name
            for name in names
            if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]
        ),
        None,
    )
    if outside is not None:
        raise UserInputError(
            f"{source} holds {outside}, which leads out of the folder. Zip the pictures' folder itself."
        )
    if any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries):
        raise UserInputError(
            f"{source} holds links; expected files. Zip the pictures themselves."
        )
    if any(entry.flag_bits & 1 for entry in entries):
        raise UserInputError(
            f"{source} is locked with a password. Unpack it with the program that made it."
        )
    if len(set(names)) < len(names):
        raise UserInputError(
            f"{source} holds the same name twice; one would overwrite the other. Zip the folder again."
        )
    size = sum(entry.file_size for entry in entries)
    if size > MOST_BYTES or len(entries) > MOST_FILES:
        raise UserInputError(
            f"{source} would unpack to {len(entries):,} files and {size / 1e9:.1f} GB; at most {MOST_FILES:,} files "
            f"and {MOST_BYTES / 1e9:.0f} GB are unpacked."
        )
