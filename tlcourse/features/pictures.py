"""Picture files → arrays, whatever the camera, scanner or drawing program that made them."""

import os
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .. import files, validation
from ..errors import PictureError, UserInputError, printable
from .bit_depth import BitDepth, bits_of, eight_bits, eight_bits_of_colour
from .picture_formats import open_image, sentences

if TYPE_CHECKING:
    import PIL.Image

_ORIENTATION = 0x0112  # EXIF's tag
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
)
_GAP = 2  # a JPEG is decoded at twice the size wanted or more, as Pillow's `thumbnail` does: "close to fair resampling"
MAX_BYTES = 1_000_000_000  # of a file; 100 megapixels of 16-bit RGB, without any compression, are 600 MB

PREPARATION = 1  # raise it when `prepare` gives other pixels than before: what was computed from them is then outdated


def read_picture(
    source: str | PathLike | bytes, depth: BitDepth | None = None
) -> np.ndarray:
    """Decode one picture to uint8 RGB, shape (height, width, 3), turned the way its EXIF orientation says.

    Greyscale, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency is laid on white; of an
    animation the first frame is taken. Levels of 10 or 12 bits in a file of 16 are scaled by the range of `depth`.

    Args:
        source: a path, or the bytes of a file: JPEG, MPO, PNG, WebP, GIF, BMP or TIFF.
        depth: of the set of pictures that this one belongs to; None: it is a set of its own.

    Raises:
        PictureError: no picture, of another format, cut short, damaged, or larger than `MAX_PIXELS`.
    """
    return np.asarray(open_picture(source, depth=depth))


def open_picture(
    source: str | PathLike | bytes,
    at_least: tuple[int, int] | None = None,
    name: str | None = None,
    depth: BitDepth | None = None,
) -> "PIL.Image.Image":
    """Like `read_picture`, as a `PIL.Image.Image` in mode RGB.

    Args:
        at_least: (height, width) that is enough. A larger JPEG is then decoded at 1/2, 1/4 or 1/8 of its size if that
            is not less: the codec leaves out what it need not compute (DCT scaling), which is several times faster
            than decoding all of it and making it smaller.
        name: what an error calls the picture; None: its path.
        depth: as for `read_picture`.
    """
    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    content = source if isinstance(source, bytes) else read_file(source)
    with sentences(name):
        bits = bits_of(content, depth)
        with open_image(content, name) as image:
            if at_least and image.format in ("JPEG", "MPO"):
                height, width = at_least
                turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
                image.draft(None, (height, width) if turned else (width, height))
            image.load()
            if bits and not image.mode.startswith("I"):
                return _turned(
                    _as_rgb(eight_bits_of_colour(image, content, bits[0], name), name),
                    image,
                )
            return _turned(_as_rgb(image, name, bits), image)


def as_pixels(image: "PIL.Image.Image", depth: BitDepth | None = None) -> np.ndarray:
    """A `PIL.Image.Image` in any mode, converted and turned as `read_picture` does it with a file."""
    with sentences("the picture"):
        image.load()
        return np.asarray(
            _turned(_as_rgb(image, "the picture", bits_of(image, depth)), image)
        )


def read_file(path: str | PathLike) -> bytes:
    """The bytes of a picture's file.

    Raises:
        PictureError: it does not exist, cannot be opened, is no regular file, is empty, or larger than `MAX_BYTES`.
    """
    try:
        content = files.read_file(
            files.as_path(path, "the picture"), MAX_BYTES, PictureError
        )
    except UserInputError as error:
        raise PictureError(f"{str(error).rstrip('.')}{_or_sentences(path)}.") from None
    if not content:
        raise PictureError(
            f"{path} cannot be read as a picture: it is empty (0 bytes). Replace or remove it."
        )
    return content


def picture_path(path: str | PathLike, what: str = "a picture") -> Path:
    """The path of a picture or of a folder, as it was given among images.

    Raises:
        UserInputError: as `files.as_path`; with a hint, since it may be a sentence that was meant for a text model.
    """
    try:
        return files.as_path(path, what)
    except UserInputError as error:
        raise UserInputError(
            f"{str(error).rstrip('.')}{_or_sentences(path)}."
        ) from None


def _or_sentences(path: str | PathLike) -> str:
    """What to do if this was never meant for a path."""
    if (
        not isinstance(path, str | PathLike)
        or os.path.lexists(path)
        or Path(path).suffix.lower() in EXTENSIONS
    ):
        return ""
    return "; for sentences load a text model: tl.load_pretrained_model('minilm')"


def prepare(
    picture: np.ndarray | bytes,
    size: tuple[int, int],
    name: str = "the picture",
    depth: BitDepth | None = None,
) -> np.ndarray:
    """A picture's array, or its file's bytes, at a network's size (height, width): (height, width, 3).

    uint8; or as it is, where an array has that size already.
    """
    if not isinstance(picture, np.ndarray):
        height, width = size
        return resize(
            open_picture(picture, (_GAP * height, _GAP * width), name, depth), size
        )
    if picture.shape[:2] == size:
        return picture
    if picture.dtype.kind == "f":
        picture = np.rint(picture)
    return resize(np.ascontiguousarray(picture, dtype=np.uint8), size)


def _as_rgb(
    image: "PIL.Image.Image", name: str, bits: tuple[int, bool] | None = None
) -> "PIL.Image.Image":
    from PIL import Image

    if image.mode == "F":
        raise PictureError(
            f"{name} holds floating-point pixels, whose range is unknown. Save it as 8-bit PNG or JPEG."
        )
    if image.mode == "LAB":  # Pillow converts it with a colour profile only
        raise PictureError(
            f"{name} holds CIELAB colours, which are not converted here. Save it as RGB."
        )
    if bits and image.mode.startswith("I"):
        image = eight_bits(image, *bits, name)
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _turned(image: "PIL.Image.Image", original: "PIL.Image.Image") -> "PIL.Image.Image":
    """The picture turned and mirrored as the EXIF orientation of the one that it was made of says."""
    from PIL.Image import Transpose

    ways = (
        *(
            Transpose.FLIP_LEFT_RIGHT,
            Transpose.ROTATE_180,
            Transpose.FLIP_TOP_BOTTOM,
            Transpose.TRANSPOSE,
        ),
        *(Transpose.ROTATE_270, Transpose.TRANSVERSE, Transpose.ROTATE_90),
    )
    orientation = original.getexif().get(
        _ORIENTATION, 1
    )  # after loading: Pillow has turned a TIFF by then
    return (
        image.transpose(ways[orientation - 2]) if orientation in range(2, 9) else image
    )


def resize(
    picture: "np.ndarray | PIL.Image.Image", size: tuple[int, int]
) -> np.ndarray:
    """The whole picture at `size` = (height, width), bicubic with anti-aliasing; uint8 (height, width, 3).

    Nothing is cropped: a defect at the edge of a solar cell or a dog at the edge of a photograph stays in.

    Args:
        picture: `PIL.Image.Image`, or uint8 array (h, w, 3).
    """
    from PIL import Image

    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)


class Pictures(Sequence):
    """A list of picture files that are decoded one by one when asked for, so that memory stays flat.

    `pictures[3]` is a uint8 array (height, width, 3); `pictures[2:5]`, `pictures[[0, 7]]` and `pictures[mask]`
    are `Pictures` again; `pictures.paths` are the files, `pictures.depth` the bit depth of all of them together.

    Args:
        paths: of the files.
        bits: of the levels of 16-bit files that do not state it; None: as many as the highest level of all needs.
        depth: instead of `bits`, that of a larger set, of which these are a part.

    Raises:
        UserInputError: `paths` is no list of paths.
    """

    def __init__(
        self,
        paths: Sequence[str | PathLike],
        bits: int | None = None,
        depth: BitDepth | None = None,
    ) -> None:
        if isinstance(paths, str | bytes | PathLike):
            raise UserInputError(
                f"paths is {validation.shown(paths)}; expected a list of paths. For one: [path]."
            )
        self.paths = [
            path if isinstance(path, Path) else files.as_path(path) for path in paths
        ]
        self.depth = depth or BitDepth(self.paths, bits)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: "Any") -> "Any":
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
        return (
            f"<{len(self)} pictures, first {printable(self.paths[0])}>"
            if self.paths
            else "<no pictures>"
        )


def list_pictures(folder: str | PathLike) -> list[Path]:
    """All picture files below a folder, by their extension, sorted; hidden files and folders are passed over.

    Raises:
        UserInputError: not a folder, or no picture below it.
    """
    folder = files.as_path(folder)
    if not os.path.isdir(
        folder
    ):  # unlike Path.is_dir, it says no to a name that is too long for one
        raise UserInputError(
            f"{str(folder)[:200]} is not a folder. Relative paths start at {Path.cwd()}{_or_sentences(folder)}."
        )
    paths, _, closed = files_below(folder)
    if closed:
        raise UserInputError(
            f"{closed[0][0]} {closed[0][1]}. Give yourself the right to read it, or leave it out."
        )
    if not paths:
        raise UserInputError(
            f"{folder} holds no pictures ({', '.join(sorted(EXTENSIONS))})."
        )
    return paths


class Below(NamedTuple):
    """What lies below a folder, each sorted; without hidden files and folders.

    Attributes:
        pictures: files that are pictures by their extension.
        others: everything else, with the reason why it is none.
        closed: folders that may not be read, with what the system says.
    """

    pictures: list[Path]
    others: list[tuple[Path, str]]
    closed: list[tuple[Path, str]]


def files_below(folder: Path) -> Below:
    """Look through a folder; links to folders are not followed: they may lead round in a circle."""
    below = Below([], [], [])

    def refused(error: OSError) -> None:
        reason = f"cannot be opened: {error.strerror}"
        below.closed.append((Path(error.filename), reason))

    for place, folders, names in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = (
            Path(place, name) for name in folders if os.path.islink(Path(place, name))
        )
        below.others.extend((path, "a link to a folder") for path in links)
        for path in (Path(place, name) for name in names if not name.startswith(".")):
            if path.suffix.lower() not in EXTENSIONS:
                below.others.append(
                    (path, f"no picture by its name: {path.suffix or 'no extension'}")
                )
            elif os.path.exists(path) and not os.path.isfile(path):
                below.others.append(
                    (path, "no regular file")
                )  # to open a pipe is to wait for whoever writes to it
            else:
                below.pictures.append(path)
    return Below(sorted(below.pictures), sorted(below.others), sorted(below.closed))
