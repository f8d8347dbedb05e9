"""Picture files → arrays, whatever the camera, scanner or drawing program that made them."""

import io
import os
from collections.abc import Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .errors import PictureError, UserInputError

if TYPE_CHECKING:
    import PIL.Image

_ORIENTATION = 0x0112  # EXIF's tag
EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"})
MAX_PIXELS = 100_000_000  # 100 megapixels: 300 MB as uint8 RGB, above any camera that people own
_GAP = 2  # a JPEG is decoded at twice the size wanted or more, as Pillow's `thumbnail` does: "close to fair resampling"
MAX_BYTES = 1_000_000_000  # of a file; 100 megapixels of 16-bit RGB, without any compression, are 600 MB

PREPARATION = 1  # raise it when `prepare` gives other pixels than before: what was computed from them is then outdated


def read_picture(source: str | PathLike | bytes) -> np.ndarray:
    """Decode one picture to uint8 RGB, shape (height, width, 3), turned the way its EXIF orientation says.

    Greyscale, palette, CMYK and 16-bit pictures become 8-bit RGB; transparency is laid on white; of an
    animation the first frame is taken.

    Args:
        source: a path, or the bytes of a file.

    Raises:
        PictureError: no picture, cut short, damaged, or larger than `MAX_PIXELS`.
    """
    return np.asarray(open_picture(source))


def open_picture(
    source: str | PathLike | bytes, at_least: tuple[int, int] | None = None, name: str | None = None
) -> "PIL.Image.Image":
    """Like `read_picture`, as a `PIL.Image.Image` in mode RGB.

    Args:
        at_least: (height, width) that is enough. A larger JPEG is then decoded at 1/2, 1/4 or 1/8 of its size if that
            is not less: the codec leaves out what it need not compute (DCT scaling), which is several times faster
            than decoding all of it and making it smaller.
        name: what an error calls the picture; None: its path.
    """
    from PIL import Image, ImageOps

    name = name or ("the picture" if isinstance(source, bytes) else str(source))
    content = source if isinstance(source, bytes) else read_file(source)
    try:
        with Image.open(io.BytesIO(content)) as image:
            _refuse_bomb(name, *image.size)
            orientation = image.getexif().get(_ORIENTATION, 1)
            if at_least and image.format in ("JPEG", "MPO"):
                height, width = at_least
                image.draft(None, (height, width) if orientation in (5, 6, 7, 8) else (width, height))
            image.load()
            return _as_rgb(image if orientation == 1 else ImageOps.exif_transpose(image), name)
    except PictureError:
        raise
    except Image.DecompressionBombError as error:
        raise PictureError(f"{name} is too large to open safely ({error}). Make it smaller first.") from None
    except Exception as error:  # decoders raise almost anything on damaged bytes
        raise PictureError(f"{name} cannot be read as a picture: {_reason(error)}. Replace or remove it.") from None


def read_file(path: str | PathLike) -> bytes:
    """The bytes of a picture's file.

    Raises:
        PictureError: it does not exist, cannot be opened, or is larger than `MAX_BYTES`.
    """
    try:
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_BYTES:
                raise PictureError(
                    f"{path} is {size / 1e9:.1f} GB; pictures of up to {MAX_BYTES / 1e9:.0f} GB are opened. "
                    "Make it smaller first."
                )
            return file.read()
    except FileNotFoundError:
        raise PictureError(
            f"{path} does not exist. Check the path; relative paths start at {Path.cwd()}{_or_sentences(path)}."
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        reason = getattr(error, "strerror", None) or error
        raise PictureError(f"{str(path)[:200]} cannot be opened: {reason}{_or_sentences(path)}.") from None


def _or_sentences(path: str | PathLike) -> str:
    """What to do if this was never meant for a path."""
    if Path(path).suffix.lower() in EXTENSIONS:
        return ""
    return "; for sentences load a text model: tl.load_pretrained_model('minilm')"


def prepare(picture: np.ndarray | bytes, size: tuple[int, int], name: str = "the picture") -> np.ndarray:
    """A picture's array, or its file's bytes, at a network's size (height, width): (height, width, 3).

    uint8; or as it is, where an array has that size already.
    """
    if not isinstance(picture, np.ndarray):
        height, width = size
        return resize(open_picture(picture, (_GAP * height, _GAP * width), name), size)
    if picture.shape[:2] == size:
        return picture
    if picture.dtype.kind == "f":
        picture = np.rint(picture)
    return resize(np.ascontiguousarray(picture, dtype=np.uint8), size)


def _reason(error: Exception) -> str:
    text = str(error).split("\n")[0].rstrip(".")
    if "cannot identify" in text:
        return "its content is in no picture format that Pillow knows"
    if any(sign in text.lower() for sign in ("truncated", "broken data", "end of")):
        return f"it was cut short ({text})"
    return f"it is damaged ({type(error).__name__}: {text})"


def _refuse_bomb(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{name} is {width} × {height} = {width * height / 1e6:.0f} megapixels; at most "
            f"{MAX_PIXELS / 1e6:.0f} are opened. Make it smaller first."
        )


def _as_rgb(image: "PIL.Image.Image", name: str) -> "PIL.Image.Image":
    from PIL import Image

    if image.mode == "F":
        raise PictureError(f"{name} holds floating-point pixels, whose range is unknown. Save it as 8-bit PNG or JPEG.")
    if image.mode.startswith("I"):  # 16-bit greyscale: keep the upper eight bits
        levels = np.asarray(image)
        image = Image.fromarray((levels.clip(0, 65535) >> 8).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(background, image)
    return image if image.mode == "RGB" else image.convert("RGB")


def resize(picture: "np.ndarray | PIL.Image.Image", size: tuple[int, int]) -> np.ndarray:
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
    are `Pictures` again; `pictures.paths` are the files.
    """

    def __init__(self, paths: Sequence[str | PathLike]) -> None:
        self.paths = [Path(path) for path in paths]

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: "Any") -> "Any":
        if isinstance(index, int | np.integer):
            return read_picture(self.paths[index])
        chosen = np.arange(len(self.paths))[index]
        return Pictures([self.paths[i] for i in chosen])

    def __iter__(self) -> Iterator[np.ndarray]:
        return (read_picture(path) for path in self.paths)

    def __repr__(self) -> str:
        return f"<{len(self)} pictures, first {self.paths[0]}>" if self.paths else "<no pictures>"


def list_pictures(folder: str | PathLike) -> list[Path]:
    """All picture files below a folder, by their extension, sorted; hidden files and folders are passed over.

    Raises:
        UserInputError: not a folder, or no picture below it.
    """
    folder = Path(folder).expanduser()
    if not os.path.isdir(folder):  # unlike Path.is_dir, it says no to a name that is too long for one
        raise UserInputError(
            f"{str(folder)[:200]} is not a folder. Relative paths start at {Path.cwd()}{_or_sentences(folder)}."
        )
    paths, _, closed = files_below(folder)
    if closed:
        raise UserInputError(f"{closed[0][0]} {closed[0][1]}. Give yourself the right to read it, or leave it out.")
    if not paths:
        raise UserInputError(f"{folder} holds no pictures ({', '.join(sorted(EXTENSIONS))}).")
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
    refused = lambda error: below.closed.append((Path(error.filename), f"cannot be opened: {error.strerror}"))  # noqa: E731
    for place, folders, files in os.walk(folder, onerror=refused):
        folders[:] = [name for name in folders if not name.startswith(".")]
        links = (Path(place, name) for name in folders if os.path.islink(Path(place, name)))
        below.others.extend((path, "a link to a folder") for path in links)
        for path in (Path(place, name) for name in files if not name.startswith(".")):
            if path.suffix.lower() not in EXTENSIONS:
                below.others.append((path, f"no picture by its name: {path.suffix or 'no extension'}"))
            elif os.path.exists(path) and not os.path.isfile(path):
                below.others.append((path, "no regular file"))  # to open a pipe is to wait for whoever writes to it
            else:
                below.pictures.append(path)
    return Below(sorted(below.pictures), sorted(below.others), sorted(below.closed))
