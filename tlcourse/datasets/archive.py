"""A zip file of pictures → a folder: for pictures that were uploaded or sent."""

import shutil
import stat
import zipfile
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import DamagedFile, TLCourseError, UserInputError
from ..files import as_path, unfinished_folder
from ..folders import check_new

MAX_BYTES = 5_000_000_000  # unpacked
MAX_FILES = 200_000


def unpack(archive: str | PathLike, folder: str | PathLike) -> Path:
    """Unpack a zip file of pictures into a new folder, whole or not at all.

    Nothing is written outside the folder, links are refused, and so is what would fill
    the disk: a zip file of a few kilobytes can hold gigabytes.

    Parameters
    ----------
    archive : str or path
        The zip file.
    folder : str or path
        A new folder, or an empty one.

    Returns
    -------
    Path
        The folder; or the only folder in it, if a folder was zipped.

    Raises
    ------
    UserInputError
        The archive does not exist, or holds paths that lead out of it, links, a
        password, one name twice, or too much; or the folder is not empty.
    DamagedFile
        It is no zip file, or was cut short or altered.
    TLCourseError
        The folder cannot be written.

    Examples
    --------
    >>> import zipfile
    >>> import tlcourse as tl
    >>> with zipfile.ZipFile("pictures.zip", "w") as archive:
    ...     archive.write(tl.load_dataset("samples").test.images.paths[0], "cup/1.jpg")
    >>> tl.datasets.unpack("pictures.zip", "my pictures").name
    'cup'
    """
    source, target = as_path(archive, "the archive"), as_path(folder, "the folder")
    if not source.is_file():
        raise UserInputError(
            f"{source} is not a file. Relative paths start at {Path.cwd()}."
        )
    check_new(target)
    try:
        with zipfile.ZipFile(source) as opened:
            entries = [entry for entry in opened.infolist() if not _is_ignored(entry)]
            _check(source, entries)
            _extract(opened, entries, target)
    except TLCourseError:
        raise
    except OSError as error:
        raise TLCourseError(
            f"{source} could not be unpacked into {target} ({error.strerror or error})."
        ) from error
    except Exception as error:  # zipfile and the decompressors raise a dozen kinds
        raise DamagedFile(
            f"{source} is no zip file, or was altered ({error}). Zip the folder again."
        ) from None
    inside = [entry for entry in target.iterdir() if not entry.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else target


def _is_ignored(entry: zipfile.ZipInfo) -> bool:
    """Folders, which are made for their files, and what macOS adds of its own."""
    return entry.is_dir() or PurePosixPath(entry.filename).parts[:1] == ("__MACOSX",)


def _check(source: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Refuse, before anything is written, what would harm."""
    paths = [PurePosixPath(entry.filename.replace("\\", "/")) for entry in entries]
    for path in paths:
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise UserInputError(
                f"{source} holds {path}, which leads out of the folder. Zip the "
                "pictures' folder itself."
            )
    size = sum(entry.file_size for entry in entries)
    faults = {
        "links": any(stat.S_ISLNK(entry.external_attr >> 16) for entry in entries),
        "files with a password": any(entry.flag_bits & 1 for entry in entries),
        "the same name twice": len(set(paths)) < len(paths),
        f"more than {MAX_FILES:,} files": len(entries) > MAX_FILES,
        f"more than {MAX_BYTES / 1e9:.0f} GB": size > MAX_BYTES,
    }
    for fault, is_so in faults.items():
        if is_so:
            raise UserInputError(f"{source} holds {fault}. Zip the folder again.")


def _extract(
    opened: zipfile.ZipFile, entries: list[zipfile.ZipInfo], target: Path
) -> None:
    with unfinished_folder(target) as unfinished:
        for entry in entries:
            path = unfinished / PurePosixPath(entry.filename)
            path.parent.mkdir(parents=True, exist_ok=True)
            # zipfile itself stops where more comes than the entry says.
            with opened.open(entry) as packed, open(path, "xb") as file:
                shutil.copyfileobj(packed, file)
        if target.is_dir():
            target.rmdir()
        unfinished.rename(target)
