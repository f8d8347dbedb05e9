"""Picture files as a list of arrays: `Pictures`, `read_picture`, `resize`."""

import os
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from .. import files, validation
from ..errors import UserInputError, printable
from .bit_depth import BitDepth
from .decoding import EXTENSIONS, decode, read_file, resize, text_hint

__all__ = ["Pictures", "list_pictures", "open_picture", "read_picture", "resize"]


def read_picture(
    source: str | PathLike | bytes, depth: BitDepth | None = None
) -> np.ndarray:
    """Decode one picture, turned the way its EXIF orientation says.

    Grey, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency becomes
    white; of an animation the first frame is read.

    Parameters
    ----------
    source : path or bytes
        A JPEG, MPO, PNG, WebP, GIF, BMP or TIFF file, or its content.
    depth : BitDepth, optional
        Of the set that a 16-bit picture belongs to; None: it is a set of its own.

    Returns
    -------
    uint8 array of shape (height, width, 3)

    Raises
    ------
    PictureError
        Another format, cut short, damaged, or more than 100 megapixels.

    Examples
    --------
    >>> import tlcourse as tl
    >>> path = tl.load_dataset("samples").test.images.paths[0]
    >>> picture = tl.pictures.read_picture(path)
    >>> picture.dtype, picture.shape[2]
    (dtype('uint8'), 3)
    """
    return np.asarray(open_picture(source, depth=depth))


def open_picture(
    source: str | PathLike | bytes,
    at_least: tuple[int, int] | None = None,
    name: str | None = None,
    depth: BitDepth | None = None,
) -> Image.Image:
    """Like `read_picture`, as a `PIL.Image.Image` in mode RGB.

    Parameters
    ----------
    source, depth
        As for `read_picture`.
    at_least : tuple of int, optional
        (height, width) that is enough: a larger JPEG may be decoded at 1/2, 1/4 or 1/8
        of its size, which is faster.
    name : str, optional
        What an error calls the picture; None: its path.
    """
    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    content = source if isinstance(source, bytes) else read_file(source)
    return decode(content, name, depth or BitDepth([content]), at_least)


class Pictures(Sequence):
    """A list of picture files that are decoded when they are used, one by one.

    `pictures[3]` is a uint8 array (height, width, 3); `pictures[2:5]`,
    `pictures[[0, 7]]` and `pictures[mask]` are `Pictures` again.

    Parameters
    ----------
    paths : sequence of path
    bits : int, optional
        Bit depth of 16-bit files that do not state it: 8, 10, 12, 14 or 16. None: as
        many bits as the highest level of all the files needs.
    depth : BitDepth, optional
        In place of `bits`: that of a larger set, of which these pictures are a part.

    Attributes
    ----------
    paths : list of Path
    depth : BitDepth
        Of all the files together.

    Raises
    ------
    UserInputError
        `paths` is no list of paths, or `bits` none of the numbers above.

    Examples
    --------
    >>> import tlcourse as tl
    >>> pictures = tl.pictures.Pictures(tl.load_dataset("samples").test.images.paths)
    >>> len(pictures[:2]), pictures[0].dtype
    (2, dtype('uint8'))
    """

    def __init__(
        self,
        paths: Sequence[str | PathLike],
        bits: int | None = None,
        depth: BitDepth | None = None,
    ) -> None:
        if isinstance(paths, str | bytes | PathLike):
            raise UserInputError(
                f"paths is {validation.shown(paths)}; expected a list of paths. "
                "For one: [path]."
            )
        self.paths = [
            path if isinstance(path, Path) else files.as_path(path) for path in paths
        ]
        self.depth = depth or BitDepth(self.paths, bits)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int | np.integer):
            return read_picture(self.paths[index], self.depth)
        chosen = np.arange(len(self.paths))[index]
        return Pictures([self.paths[i] for i in chosen], depth=self.depth)

    def __iter__(self) -> Iterator[np.ndarray]:
        return (read_picture(path, self.depth) for path in self.paths)

    def __add__(self, other: "Pictures") -> "Pictures":
        paths = self.paths + other.paths
        return Pictures(paths, depth=self.depth if self.depth is other.depth else None)

    def __repr__(self) -> str:
        if not self.paths:
            return "<no pictures>"
        return f"<{len(self)} pictures, first {printable(self.paths[0])}>"


def list_pictures(folder: str | PathLike) -> list[Path]:
    """All picture files below a folder, by their extension, sorted.

    Hidden files and folders are left out.

    Raises
    ------
    UserInputError
        Not a folder, one that cannot be read, or no picture below it.
    """
    folder = files.as_path(folder)
    # Unlike Path.is_dir, this is False for a name that is too long for a file.
    if not os.path.isdir(folder):
        raise UserInputError(
            f"{str(folder)[:200]} is not a folder. Relative paths start at "
            f"{Path.cwd()}{text_hint(folder)}."
        )
    below = files_below(folder)
    if below.closed:
        path, reason = below.closed[0]
        raise UserInputError(
            f"{path} {reason}. Give yourself the right to read it, or leave it out."
        )
    if not below.pictures:
        raise UserInputError(
            f"{folder} holds no pictures ({', '.join(sorted(EXTENSIONS))})."
        )
    return below.pictures


class Below(NamedTuple):
    """What lies below a folder, each list sorted; without hidden files and folders."""

    pictures: list[Path]  # by their extension
    others: list[tuple[Path, str]]  # with the reason why they are none
    closed: list[tuple[Path, str]]  # folders that may not be read, with the reason


def files_below(folder: Path) -> Below:
    """Search a folder; links to folders are not followed: they may form a circle."""
    below = Below([], [], [])

    def on_error(error: OSError) -> None:
        reason = f"cannot be opened: {error.strerror}"
        below.closed.append((Path(error.filename), reason))

    for parent, folders, names in os.walk(folder, onerror=on_error):
        folders[:] = [name for name in folders if not name.startswith(".")]
        subfolders = (Path(parent, name) for name in folders)
        below.others.extend(
            (path, "a link to a folder") for path in subfolders if os.path.islink(path)
        )
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            if path.suffix.lower() not in EXTENSIONS:
                kind = path.suffix or "no extension"
                below.others.append((path, f"no picture by its name: {kind}"))
            elif os.path.exists(path) and not os.path.isfile(path):
                # Opening a pipe would wait for somebody to write to it.
                below.others.append((path, "no regular file"))
            else:
                below.pictures.append(path)
    return Below(sorted(below.pictures), sorted(below.others), sorted(below.closed))
