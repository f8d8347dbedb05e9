"""Picture file → upright 8-bit RGB pixels: the one place where files are opened.

Many cameras and scanners write 10, 12 or 14 bits into files of 16, see `BitDepth`.
"""

import io
import threading
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from typing import TypeAlias

import numpy as np
from PIL import ExifTags, Image, ImageOps

from .. import files
from ..errors import PictureError, UserInputError, callers_level
from ..validation import shown

FORMATS = ("JPEG", "MPO", "PNG", "WebP", "GIF", "BMP", "TIFF")
_PILLOW_FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # opens MPO as JPEG
EXTENSIONS = frozenset(
    {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
)
MAX_PIXELS = 100_000_000  # 300 MB as uint8 RGB, above any camera that people own
MAX_BYTES = 1_000_000_000  # uncompressed 16-bit RGB of MAX_PIXELS takes 600 MB
MAX_SCANS = 100  # of a progressive JPEG: encoders write ten, and each costs a pass
DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners have

Source: TypeAlias = str | PathLike | Image.Image
_MEASURING = threading.Lock()
# All that Pillow takes for a TIFF.
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+", b"MM*\0", b"II\0*")


def read_file(path: str | PathLike) -> bytes:
    """The bytes of a regular file, up to `MAX_BYTES`; else a `PictureError`."""
    return files.read_file(files.as_path(path), MAX_BYTES, PictureError)


def open_image(content: bytes, name: str = "the picture") -> Image.Image:
    """A picture file's header, for `picture_errors`; pixels are decoded when needed.

    Only `FORMATS`: Pillow opens forty, and for EPS starts another program.
    """
    if not content:
        raise PictureError(f"{name} is empty (0 bytes). Replace or remove it.")
    image = Image.open(io.BytesIO(content), formats=_PILLOW_FORMATS)
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(
            f"{name} has {width} × {height} pixels; at most {MAX_PIXELS / 1e6:.0f} "
            "megapixels are opened."
        )
    start_of_scan = b"\xff\xda"
    if image.info.get("progressive") and content.count(start_of_scan) > MAX_SCANS:
        raise PictureError(f"{name} is a JPEG of more than {MAX_SCANS} scans.")
    return image


@contextmanager
def picture_errors(name: str) -> Iterator[None]:
    """Turn what Pillow raises about the picture `name` into a `PictureError`."""
    try:
        yield
    except PictureError:
        raise
    except Exception as error:  # decoders raise almost anything on damaged bytes
        reason = str(error).split("\n")[0].rstrip(".")
        if "cannot identify" in reason:
            reason = f"its content is none of {', '.join(FORMATS)}, or damaged"
        raise PictureError(
            f"{name} cannot be read as a picture: it is damaged, cut short or of "
            f"another kind ({reason}). Replace or remove it."
        ) from None


def open_picture(
    source: str | PathLike | bytes,
    at_least: tuple[int, int] | None = None,
    name: str | None = None,
    depth: "BitDepth | None" = None,
) -> Image.Image:
    """As `read_picture`, as an image in mode RGB; `name` is what an error calls it.

    A JPEG larger than `at_least` (height, width) is decoded at 1/2, 1/4 or 1/8 of its
    size if that is not smaller (DCT scaling), which is several times faster.
    """
    if isinstance(source, bytes):
        content, name, depth = source, name or "the picture", depth or BitDepth()
    else:
        content, name = read_file(source), name or str(source)
        depth = depth or BitDepth([source])
    with picture_errors(name), open_image(content, name) as image:
        if at_least and image.format in ("JPEG", "MPO"):
            is_turned = image.getexif().get(ExifTags.Base.Orientation, 1) > 4
            image.draft(None, at_least if is_turned else at_least[::-1])
        return as_rgb(image, name, depth, content)


def as_rgb(
    image: Image.Image, name: str, depth: "BitDepth", content: bytes = b""
) -> Image.Image:
    """An image of any mode as upright 8-bit RGB; `content` is its file's, if any."""
    if image.mode in ("F", "LAB"):  # of unknown range; needs a colour profile
        raise PictureError(
            f"{name} holds floating-point or CIELAB pixels. Save it as 8-bit PNG."
        )
    rgb, levels = image, _deep_levels(image, content)
    if levels is not None:
        is_inverted = getattr(image, "tag_v2", {}).get(262) == 0  # its colours' meaning
        bits = depth.bits or _depth_of(levels)
        rgb = _eight_bits(levels, bits, is_inverted and image.mode != "I", name)
        rgb.info["exif"] = image.info.get("exif")
    rgb = ImageOps.exif_transpose(rgb)
    if rgb.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in rgb.info:
        rgb = rgb.convert("RGBA")
        rgb = Image.alpha_composite(Image.new("RGBA", rgb.size, "white"), rgb)
    return rgb if rgb.mode == "RGB" else rgb.convert("RGB")


def is_depth(bits: object) -> bool:
    """Whether this is one of `DEPTHS`; 16.0 is not."""
    return isinstance(bits, int | np.integer) and bits in DEPTHS


class BitDepth:
    """The bit depth of a set of pictures of 16 bits; `bits` where it is known.

    It is the smallest of `DEPTHS` that holds the highest level of the whole set: a dark
    picture stays darker than a bright one. The files are read when it is asked for.
    """

    def __init__(self, sources: Iterable[Source] = (), bits: int | None = None) -> None:
        if bits is not None and not is_depth(bits):
            known = ", ".join(map(str, DEPTHS))
            raise UserInputError(f"bits is {shown(bits)}; expected one of {known}.")
        self._sources = list(sources) if bits is None else []
        self._bits = None if bits is None else int(bits)

    @property
    def bits(self) -> int | None:
        """One of `DEPTHS`; None where each picture has 8 bits."""
        with _MEASURING:
            sources, self._sources = self._sources, []
            if most := max(map(_measured, sources), default=0):
                self._bits = most
                if most < DEPTHS[-1]:
                    warnings.warn(
                        f"No 16-bit picture has a level above {2**most - 1:,}: they are "
                        f"taken as {most}-bit. If that is wrong, give the depth: "
                        "tl.pictures.Pictures(paths, bits=16).",
                        stacklevel=callers_level(),
                    )
        return self._bits


def _measured(source: Source) -> int:
    """The bit depth of one picture by itself; 0: it has 8 bits, or is damaged."""
    with suppress(Exception):  # it is reported when it is opened for its pixels
        content = b""
        if not isinstance(source, Image.Image):
            if not may_be_deep(files.read_file(files.as_path(source), first=26)):
                return 0  # without reading all of it
            content = read_file(source)
        image = source if isinstance(source, Image.Image) else open_image(content)
        levels = _deep_levels(image, content)
        return 0 if levels is None else _depth_of(levels)
    return 0


def may_be_deep(content: bytes) -> bool:
    """Whether a file that starts so may have over 8 bits: any TIFF, and 16-bit PNGs."""
    is_shallow = content[12:16] == b"IHDR" and content[24:25] != b"\x10"
    is_png = content.startswith(b"\x89PNG")
    return content.startswith(_TIFF) or (is_png and not is_shallow)


def _depth_of(levels: np.ndarray) -> int:
    highest = (levels[..., :3] if levels.ndim == 3 else levels).max()
    return next((bits for bits in DEPTHS if highest < 2**bits), DEPTHS[-1])


def _deep_levels(image: Image.Image, content: bytes) -> np.ndarray | None:
    """The levels (h, w) or (h, w, channels) of more than 8 bits; None: it has 8."""
    if image.mode.startswith("I"):
        return np.asarray(image)
    tiles = getattr(image, "tile", None)
    layout = tiles[0][3] if tiles else ""  # in Pillow's words
    layout = layout if isinstance(layout, str) else str(layout and layout[0])
    channels, is_deep, order = layout.partition(";16")
    if not is_deep:
        return None
    if channels not in ("RGB", "RGBA"):
        raise ValueError("16 bits per channel, not all of them used; save 8-bit PNG")
    # Of colours Pillow keeps the upper bytes. The lower ones come from decoding the
    # file once more, as if its bytes were in the other order.
    exchanged = f"{channels};16{'B' if order in ('L', 'N') else 'L'}"
    with open_image(content) as other:
        for number, tile in enumerate(other.tile):
            *where, old = tile
            new = exchanged if isinstance(old, str) else (exchanged, *old[1:])
            is_plain = type(tile) is tuple  # before Pillow 11
            other.tile[number] = (*where, new) if is_plain else type(tile)(*where, new)
        return np.asarray(image).astype(np.uint16) << 8 | np.asarray(other)


def _eight_bits(
    levels: np.ndarray, bits: int, is_inverted: bool, name: str
) -> Image.Image:
    """The upper eight of so many bits; alpha may have more."""
    has_alpha = levels.shape[2:] == (4,)
    colours = levels[..., :3] if has_alpha else levels
    low, high = int(colours.min()), int(colours.max())
    if low < 0 or high >= 2**bits:
        raise PictureError(
            f"{name} has levels from {low:,} to {high:,}; expected 0 to "
            f"{2**bits - 1:,} ({bits} bits). Save it as 8-bit PNG or JPEG, or give "
            "the depth of all: tl.pictures.Pictures(paths, bits=16)."
        )
    colours = 2**bits - 1 - colours if is_inverted else colours  # where 0 is white
    eight = (colours >> (bits - 8)).astype(np.uint8)
    if has_alpha:
        alpha = levels[..., 3:]
        alpha = alpha >> (bits - 8 if alpha.max() < 2**bits else 8)
        eight = np.concatenate([eight, alpha.astype(np.uint8)], axis=-1)
    return Image.fromarray(eight)
