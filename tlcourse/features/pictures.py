"""Whatever holds pictures → pictures one by one: files, or checked arrays."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from .. import files, validation
from ..errors import UserInputError, printable
from .decoding import EXTENSIONS, BitDepth, as_rgb, open_picture, picture_errors
from .resizing import resize

if TYPE_CHECKING:
    import tensorflow as tf

__all__ = ["Pictures", "read_picture", "resize"]

Images: TypeAlias = (
    "ArrayLike | Sequence[ArrayLike | str | PathLike] | str | PathLike | Pictures "
    "| tf.data.Dataset"
)
"""Whatever holds pictures, see `as_pictures`."""


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
        Another format, damaged, or more than 100 megapixels.

    Examples
    --------
    >>> import tlcourse as tl
    >>> path = tl.load_dataset("samples").test.images.paths[0]
    >>> tl.pictures.read_picture(path).dtype
    dtype('uint8')
    """
    return np.asarray(open_picture(source, depth=depth))


class Pictures(Sequence):
    """A list of picture files that are decoded when they are used, one by one.

    `pictures[3]` is a uint8 array (height, width, 3); `pictures[2:5]`,
    `pictures[[0, 7]]` and `pictures[mask]` are `Pictures` again.

    Parameters
    ----------
    paths : sequence of path
    bits : int, optional
        Bit depth of 16-bit files: 8, 10, 12, 14 or 16. None: as many bits as the
        highest level of all the files needs.
    depth : BitDepth, optional
        In place of `bits`: that of a larger set, of which these pictures are a part.

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
                f"paths is {validation.shown(paths)}; expected a list of paths: [path]."
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

    def __add__(self, other: "Pictures") -> "Pictures":
        depth = self.depth if self.depth is other.depth else None
        return Pictures(self.paths + other.paths, depth=depth)

    def __repr__(self) -> str:
        first = f", first {printable(self.paths[0])}" if self.paths else ""
        return f"<{len(self)} pictures{first}>"


def list_pictures(folder: str | PathLike) -> list[Path]:
    """All picture files below a folder, by their extension, sorted; no hidden ones."""
    folder = files.as_path(folder, "the folder")
    if not os.path.isdir(folder):
        raise UserInputError(f"{str(folder)[:200]} is not a folder.")
    below = files_below(folder)
    for path, reason in below.closed:
        raise UserInputError(f"{path} {reason}. Make it readable, or leave it out.")
    if not below.pictures:
        kinds = ", ".join(sorted(EXTENSIONS))
        raise UserInputError(f"{folder} holds no pictures ({kinds}).")
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
        links = (Path(parent, name) for name in folders)
        below.others.extend((x, "a link to a folder") for x in links if x.is_symlink())
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            if path.suffix.lower() not in EXTENSIONS:
                kind = path.suffix or "no extension"
                below.others.append((path, f"no picture by its name: {kind}"))
            elif os.path.exists(path) and not os.path.isfile(path):
                below.others.append((path, "no regular file"))  # a pipe would wait
            else:
                below.pictures.append(path)
    return Below(sorted(below.pictures), sorted(below.others), sorted(below.closed))


class Checked(NamedTuple):
    """Pictures ready to be read."""

    pictures: Iterable  # paths, or checked arrays (h, w, 3)
    total: int | None  # None of a tf.data.Dataset
    depth: BitDepth  # of all of them together


def as_pictures(images: Images, bits: int | None = None) -> Checked:
    """The pictures of any holder, checked one by one as they are used.

    Parameters
    ----------
    images
        Array (n, h, w), (n, h, w, 1) or (n, h, w, 3), or of one picture; uint8, or
        float with pixels in [0, 255]; a list of such arrays, of paths, or a mixture;
        `Pictures`; a folder (its picture files in sorted order); a `tf.data.Dataset`
        of pictures or (pictures, labels), batched or not.
    bits : int, optional
        See `Pictures`.
    """
    if isinstance(images, str | PathLike):
        path = _path(images)
        is_file = os.path.lexists(path) and not os.path.isdir(path)
        images = Pictures([path] if is_file else list_pictures(path), bits)
    if isinstance(images, Pictures):
        depth = images.depth if bits is None else BitDepth(bits=bits)
        return Checked(images.paths, len(images), depth)
    if hasattr(images, "as_numpy_iterator"):
        pictures = (x for batch in elements_of(images) for x in _from_array(batch))
        return Checked(pictures, None, BitDepth(bits=bits))
    if isinstance(images, Image.Image):
        images = [images]
    if isinstance(images, np.ndarray) and images.dtype.kind in "OU":
        images = list(images.flat)  # paths, or arrays of several sizes
    if isinstance(images, list | tuple):
        sources = [x for x in images if isinstance(x, str | PathLike | Image.Image)]
        depth = BitDepth(sources, bits)
        pictures = (one_picture(picture, depth) for picture in images)
        return Checked(pictures, len(images), depth)
    array = _from_array(np.asarray(images))
    return Checked(array, len(array), BitDepth(bits=bits))


def _path(path: str | PathLike) -> Path:
    """A path given by a user; what is neither a file nor named like one is refused."""
    with suppress(UserInputError):
        result = files.as_path(path)
        if result.suffix.lower() in EXTENSIONS or os.path.lexists(result):
            return result
    raise UserInputError(
        f"{validation.shown(str(path))} is no picture file and no folder of pictures. "
        "For sentences load a text model: tl.load_pretrained_model('minilm')."
    )


def one_picture(picture: Any, depth: BitDepth | None = None) -> np.ndarray | PathLike:
    """One picture, checked: a path, or an array (h, w, 3) with pixels in [0, 255]."""
    if isinstance(picture, str | PathLike):
        return _path(picture)
    if isinstance(picture, Image.Image) and picture.mode != "F":
        with picture_errors("the picture"):
            depth = depth or BitDepth([picture])
            return np.asarray(as_rgb(picture, "the picture", depth))
    try:
        array = np.asarray(picture)
    except ValueError:  # nested lists of different lengths
        array = np.empty(0, object)
    return _checked(array[np.newaxis], is_one=True)[0]


def _from_array(array: np.ndarray) -> np.ndarray:
    """The pictures of an array; a first axis counts pictures."""
    is_colour = (
        array.ndim == 3
        and array.shape[2] in (1, 3)
        and array.shape[1] != array.shape[2]
    )
    if array.ndim == 2 or is_colour:
        return _checked(array[np.newaxis], is_one=True)
    if array.ndim == 3 and len(array) == 3:
        raise UserInputError(
            f"An array of shape {array.shape} may be one picture, channels first, or "
            "three: pass array.transpose(1, 2, 0) or array[..., None]."
        )
    return _checked(array)


def elements_of(dataset: "tf.data.Dataset") -> Iterator[np.ndarray]:
    """The elements of a data set, without labels; batched or not."""
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise UserInputError("The tf.data.Dataset repeats for ever: add .take(n).")
    for element in dataset.as_numpy_iterator():
        yield np.asarray(element[0] if isinstance(element, tuple) else element)


def _checked(array: np.ndarray, is_one: bool = False) -> np.ndarray:
    """Pictures (n, h, w, 3) with pixels in [0, 255], without a copy of them."""
    is_grey = array.ndim == 3
    are_pictures = is_grey or (array.ndim == 4 and array.shape[-1] in (1, 3))
    if array.dtype.kind not in "uif" or not are_pictures or not array.size:
        raise UserInputError(
            f"Pictures have shape {array.shape[is_one:]} and type {array.dtype}; "
            "expected numbers in shape (n, height, width, 3), channels last and without "
            "alpha, or (n, height, width). Of a data set pass dataset.train.images."
        )
    low, high = float(array.min()), float(array.max())
    # One dark picture of whole numbers may have no pixel above 1, but not a whole set.
    is_scaled = 0 < high <= 1 and not (is_one and array.dtype.kind in "ui")
    if not 0 <= low <= high <= 255 or is_scaled:
        raise UserInputError(
            f"The pixels run from {low:.3g} to {high:.6g}; expected 0 to 255, not scaled "
            "or preprocessed, which each network does itself. images * 255 undoes a "
            "scaling to [0, 1]; 12 bits become 8 by images // 16."
        )
    array = array[..., np.newaxis] if is_grey else array
    return np.broadcast_to(array, (*array.shape[:3], 3))
