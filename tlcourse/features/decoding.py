"""Picture file → RGB pixels: the one place where picture files are opened."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from PIL import Image

from .. import files
from ..errors import PictureError, UserInputError

if TYPE_CHECKING:
    from .bit_depth import BitDepth

FORMATS = ("JPEG", "MPO", "PNG", "WebP", "GIF", "BMP", "TIFF")
_PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # opens MPO as JPEG
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
)
MAX_PIXELS = 100_000_000  # 300 MB as uint8 RGB, above any camera that people own
MAX_BYTES = 1_000_000_000  # uncompressed 16-bit RGB of MAX_PIXELS takes 600 MB
MAX_SCANS = 100  # of a progressive JPEG: encoders write ten, and each costs a pass
PREPARATION = 1  # raise it when `prepare` gives other pixels: cached rows are void then

_HEAD = 26  # bytes of a file that tell whether it may be of more than 8 bits
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 0x0112  # EXIF's tag
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def open_image(content: bytes, name: str = "the picture") -> Image.Image:
    """The header of a picture file, as an image whose pixels are decoded when needed.

    Pillow by itself opens some forty formats, whatever the file is called, and starts
    another program for one of them (Ghostscript for EPS). Only `FORMATS` are opened
    here. Run it inside `picture_errors`, which explains what Pillow raises.
    """
    if not content:
        raise PictureError(f"{name} is empty (0 bytes). Replace or remove it.")
    image = Image.open(io.BytesIO(content), formats=_PILLOW_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{name} has {width} × {height} pixels; at most {MAX_PIXELS / 1e6:.0f} "
            "megapixels are opened. Make it smaller first."
        )
    if image.info.get("progressive") and _count_scans(content) > MAX_SCANS:
        raise PictureError(
            f"{name} is a JPEG of more than {MAX_SCANS} scans. "
            "Save it again in a picture editor."
        )
    return image


def _count_scans(content: bytes) -> int:
    """Scans of a JPEG, up to `MAX_SCANS` + 1, without those of embedded previews."""
    # In compressed data only zeros and restarts follow 0xff.
    markers = re.compile(rb"\xff([\x01-\xcf\xd8-\xfe])")
    start_of_scan, end, without_length = b"\xda", b"\xd9", (b"\x01", b"\xd8")
    position = scans = 0
    while scans <= MAX_SCANS and (match := markers.search(content, position)):
        marker, position = match[1], match.end()
        scans += marker == start_of_scan
        if marker == end:
            break
        if marker not in without_length:
            position += int.from_bytes(content[position : position + 2], "big")
    return scans


@contextmanager
def picture_errors(name: str) -> Iterator[None]:
    """Turn what Pillow raises about the picture `name` into a `PictureError`."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:  # decoders raise almost anything on damaged bytes
        text = str(error).split("\n")[0].rstrip(".")
        if "cannot identify" in text:
            text = f"its content is none of {', '.join(FORMATS)}, or damaged"
        raise PictureError(
            f"{name} cannot be read as a picture: it is damaged, cut short or of "
            f"another kind ({text}). Replace or remove it."
        ) from None


def picture_path(path: str | PathLike, what: str = "a picture") -> Path:
    """The path of a picture or folder, checked; if it looks like text, with a hint."""
    try:
        return files.as_path(path, what)
    except UserInputError as error:
        raise UserInputError(f"{str(error).rstrip('.')}{text_hint(path)}.") from None


def read_file(path: str | PathLike) -> bytes:
    """The bytes of a regular file, up to `MAX_BYTES`; else a `PictureError`."""
    try:
        return files.read_file(
            files.as_path(path, "the picture"), MAX_BYTES, PictureError
        )
    except UserInputError as error:
        raise PictureError(f"{str(error).rstrip('.')}{text_hint(path)}.") from None


def text_hint(path: object) -> str:
    """What to do if a path that leads nowhere was meant as a sentence."""
    if not isinstance(path, str | PathLike) or os.path.lexists(path):
        return ""
    if Path(path).suffix.lower() in EXTENSIONS:
        return ""
    return "; for sentences load a text model: tl.load_pretrained_model('minilm')"


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
        for path in (Path(parent, name) for name in folders):
            if os.path.islink(path):
                below.others.append((path, "a link to a folder"))
        for path in (Path(parent, name) for name in names if not name.startswith(".")):
            if path.suffix.lower() not in EXTENSIONS:
                kind = path.suffix or "no extension"
                below.others.append((path, f"no picture by its name: {kind}"))
            elif os.path.exists(path) and not os.path.isfile(path):
                below.others.append((path, "no regular file"))  # a pipe would wait
            else:
                below.pictures.append(path)
    return Below(sorted(below.pictures), sorted(below.others), sorted(below.closed))


def digest_of(content: bytes | np.ndarray) -> bytes:
    """What identifies a file or an array of pixels: 16 bytes."""
    from xxhash import xxh3_128_digest

    # Not SHA-256, which would take as long as everything else together: nobody forges
    # pictures against his own cache.
    if isinstance(content, np.ndarray):
        return xxh3_128_digest(np.ascontiguousarray(content).data)
    return xxh3_128_digest(content)


def may_be_deep(content: bytes) -> bool:
    """False where the first `_HEAD` bytes show that no channel exceeds 8 bits."""
    is_deep_png = content.startswith(b"\x89PNG") and content[24:25] == b"\x10"
    return content.startswith(_TIFF) or is_deep_png


def file_may_be_deep(path: str | PathLike) -> bool:
    """`may_be_deep` of a file, of which no more than its beginning is read."""
    return may_be_deep(files.read_file(path, first=_HEAD))


def decode(
    content: bytes,
    name: str,
    depth: "BitDepth",
    at_least: tuple[int, int] | None = None,
) -> Image.Image:
    """A picture file as an upright 8-bit RGB image.

    A JPEG larger than `at_least` (height, width) is decoded at 1/2, 1/4 or 1/8 of its
    size if that is not smaller: the codec leaves out what it need not compute (DCT
    scaling), which is several times faster than decoding and shrinking all of it.
    """
    with picture_errors(name), open_image(content, name) as image:
        if at_least and image.format in ("JPEG", "MPO"):
            is_turned = image.getexif().get(_ORIENTATION, 1) in (5, 6, 7, 8)
            image.draft(None, at_least if is_turned else at_least[::-1])
        image.load()
        deep = content if may_be_deep(content) else None
        return as_rgb(image, name, depth, deep)


def as_rgb(
    image: Image.Image, name: str, depth: "BitDepth", content: bytes | None = None
) -> Image.Image:
    """A loaded image of any mode as upright 8-bit RGB; transparency becomes white.

    `content` is that of the file, where it may be of more than 8 bits.
    """
    if image.mode in ("F", "LAB"):  # of unknown range; needs a colour profile
        raise PictureError(
            f"{name} holds floating-point or CIELAB pixels. Save it as 8-bit PNG."
        )
    rgb = image
    if content is not None or image.mode.startswith("I"):
        rgb = depth.eight_bits(image, content, name)
    if rgb.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in rgb.info:
        rgb = rgb.convert("RGBA")
        rgb = Image.alpha_composite(Image.new("RGBA", rgb.size, "white"), rgb)
    rgb = rgb if rgb.mode == "RGB" else rgb.convert("RGB")
    # Of the original, after loading: Pillow has turned a TIFF by then.
    turn = _TURNS.get(image.getexif().get(_ORIENTATION, 1))
    return rgb if turn is None else rgb.transpose(turn)


def prepare(
    picture: bytes | np.ndarray, size: tuple[int, int], name: str, depth: "BitDepth"
) -> np.ndarray:
    """A file's bytes, or an array (h, w, 3), at a network's input size, as uint8.

    An array that has this size already is returned as it is.
    """
    if isinstance(picture, bytes):
        # Twice the size, as Pillow's `thumbnail` does: "close to fair resampling".
        twice = (2 * size[0], 2 * size[1])
        return resize(decode(picture, name, depth, twice), size)
    if picture.shape[:2] == size:
        return picture
    if picture.dtype.kind == "f":
        picture = np.rint(picture)
    return resize(np.ascontiguousarray(picture, dtype=np.uint8), size)


def resize(picture: np.ndarray | Image.Image, size: tuple[int, int]) -> np.ndarray:
    """Resize the whole picture, bicubic with anti-aliasing; nothing is cropped.

    Parameters
    ----------
    picture : PIL.Image.Image, or uint8 array of shape (h, w, 3)
    size : tuple of int
        (height, width) in pixels.

    Returns
    -------
    uint8 array of shape (height, width, 3)

    Examples
    --------
    >>> import tlcourse as tl
    >>> photograph = tl.load_dataset("samples").test.images[0]
    >>> tl.pictures.resize(photograph, (224, 224)).shape
    (224, 224, 3)
    """
    if isinstance(picture, np.ndarray):
        picture = Image.fromarray(picture)
    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(picture)
