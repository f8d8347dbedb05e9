"""A zip file of pictures → a folder."""

import zipfile
from os import PathLike
from pathlib import Path, PurePosixPath

from ..errors import DamagedFile, TLCourseError, UserInputError, convert_errors
from ..files import as_path, unfinished_folder
from ..folders import check_output_folder

MAX_BYTES = 5_000_000_000  # unpacked
MAX_FILES = 200_000


def unpack(archive: str | PathLike, folder: str | PathLike) -> Path:
    """Unpack a zip file of pictures into a new folder, whole or not at all.

    Nothing is written outside the folder, and what would fill the disk is refused: a
    zip file of a few kilobytes can hold gigabytes.

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
    TLCourseError
        The archive is no whole zip file, holds too much, or paths that lead out of it;
        or the folder is not empty, or cannot be written.

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
    check_output_folder(target)
    disk = f"{source} could not be unpacked into {target}"
    damage = f"{source} is no zip file, or was altered"
    with (
        # zipfile and the decompressors raise a dozen kinds of exceptions.
        convert_errors(Exception, DamagedFile, damage, "Zip the folder again."),
        convert_errors(OSError, TLCourseError, disk, "Choose another folder."),
        zipfile.ZipFile(source) as opened,
        unfinished_folder(target) as unfinished,
    ):
        for entry in _checked_entries(opened, source):
            # zipfile itself stops where more comes than an entry says.
            opened.extract(entry, unfinished)
        if target.is_dir():
            target.rmdir()
        unfinished.rename(target)
    inside = [entry for entry in target.iterdir() if not entry.name.startswith(".")]
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else target


def _checked_entries(opened: zipfile.ZipFile, source: Path) -> list[zipfile.ZipInfo]:
    """The files in an archive, without what macOS adds."""
    entries = []
    for entry in opened.infolist():
        entry.filename = entry.filename.replace("\\", "/")  # as some programs write it
        path = PurePosixPath(entry.filename)
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            raise UserInputError(
                f"{source} holds {path}, which leads out of the folder. Zip the "
                "pictures' folder itself."
            )
        if not entry.is_dir() and "__MACOSX" not in path.parts:
            entries.append(entry)
    names = [entry.filename.casefold() for entry in entries]
    if len(set(names)) < len(names):
        raise UserInputError(
            f"{source} holds two files of one name. Zip the folder again."
        )
    size = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_FILES or size > MAX_BYTES:
        raise UserInputError(
            f"{source} would unpack to {len(entries):,} files and {size / 1e9:.1f} GB; "
            f"expected at most {MAX_FILES:,} and {MAX_BYTES / 1e9:.0f}."
        )
    return entries
