"""How many bits the levels of 16-bit pictures take up: cameras of 10 or 12 bits write into the lower bits of 16."""

import threading
import warnings
from collections.abc import Iterable
from os import PathLike
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from ..errors import PictureError, UserInputError, callers_level
from ..files import read_file
from ..validation import shown
from .picture_formats import open_image

if TYPE_CHECKING:
    import PIL.Image

DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners have
Source: TypeAlias = "str | PathLike | bytes | PIL.Image.Image"
_HEAD = 26  # bytes of a file by which most pictures are known to be of 8 bits
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PHOTOMETRIC, _MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE = 262, 281, 341  # TIFF's tags
_MEASURING = threading.Lock()


def is_depth(bits: object) -> bool:
    """Whether this is one of `DEPTHS`; 16.0 is not."""
    return isinstance(bits, int | np.integer) and bits in DEPTHS


class BitDepth:
    """The bit depth of a set of pictures, for those 16-bit files that do not state their own.

    It is the smallest of `DEPTHS` that holds the highest level of all of them, and no fewer bits than a PNG's sBIT
    chunk says. One depth for the whole set keeps a dark picture darker than a light one, and does not depend on the
    order. The files are read when the first such picture is met; a set of ordinary pictures costs nothing.

    Parameters
    ----------
    sources
        The pictures of the set: paths, bytes of files, `PIL.Image.Image`.
    bits
        The depth where it is known, one of `DEPTHS`; then nothing is measured.

    Raises
    ------
    UserInputError
        `bits` is not one of `DEPTHS`.
    """

    def __init__(self, sources: Iterable[Source] = (), bits: int | None = None) -> None:
        if bits is not None and not is_depth(bits):
            raise UserInputError(
                f"bits is {shown(bits)}; expected one of {', '.join(map(str, DEPTHS))}."
            )
        self._sources: list[Source] | None = list(sources) if bits is None else None
        self._bits = None if bits is None else int(bits)

    @property
    def bits(self) -> int | None:
        """One of `DEPTHS`; None where every picture has 8 bits or states its depth."""
        with _MEASURING:
            if self._sources is not None:
                self._bits, number = _measure(self._sources)
                self._sources = None
                if self._bits is not None and self._bits < 16:
                    warnings.warn(
                        _about(self._bits, number), stacklevel=callers_level()
                    )
        return self._bits


def _about(bits: int, number: int) -> str:
    which = (
        "A picture of 16 bits has"
        if number == 1
        else f"{number:,} pictures of 16 bits have"
    )
    return (
        f"{which} no level above {2**bits - 1:,}, so levels are taken as {bits}-bit: 0 to {2**bits - 1:,}. If that is "
        "wrong, give the depth: tl.pictures.Pictures(paths, bits=16)."
    )


def _measure(sources: list[Source]) -> tuple[int | None, int]:
    """The smallest depth that holds these pictures' levels, and how many of them do not state it."""
    needed: list[int] = []
    for source in sources:
        try:
            bits = _needed(source)
        except Exception:  # it is reported when it is opened for its pixels
            bits = None
        if bits is not None:
            needed.append(bits)
        if bits is not None and bits > DEPTHS[-2]:
            break  # nothing needs more
    return (
        (next(depth for depth in DEPTHS if depth >= max(needed)), len(needed))
        if needed
        else (None, 0)
    )


def _needed(source: Source) -> int | None:
    """How many bits a picture's highest level needs; None where that is known without looking at its pixels."""
    if isinstance(source, str | PathLike):
        if not _may_be_deep(read_file(source, first=_HEAD)):
            return None
        source = read_file(source, error=PictureError)
    if not isinstance(source, bytes):
        return _highest(np.asarray(source)) if source.mode.startswith("I") else None
    if not _may_be_deep(source):
        return None
    with open_image(source) as image:
        header = _header(image)
        if not header.is_deep or header.stated:
            return None
        least = _significant_bits(source)
        levels = np.asarray(image)
    if header.low_bytes is None:
        found = _highest(levels)
        return None if found is None else max(found, least)
    high = int(
        levels[..., : _colours(levels)].max()
    )  # Pillow drops the lower eight bits
    return max(8 + high.bit_length(), least)


def _highest(levels: np.ndarray) -> int | None:
    highest = int(levels.max())
    return (
        highest.bit_length() if levels.min() >= 0 and highest < 2**16 else None
    )  # else the picture is refused


class _Header(NamedTuple):
    """What a file says before its pixels are decoded.

    Attributes:
        is_deep: more than eight bits a channel.
        stated: the bit depth if the file states it, or 0.
        inverted: 0 is white.
        low_bytes: Pillow's name of the pixels' layout with both bytes exchanged, where it decodes the upper byte alone;
            "" where it cannot decode the other; None where it decodes all bits.
    """

    is_deep: bool
    stated: int
    inverted: bool
    low_bytes: str | None


def _header(image: "PIL.Image.Image") -> _Header:
    tile = getattr(image, "tile", None)
    layout = tile[0][3] if tile else ""
    layout = layout if isinstance(layout, str) else layout[0] if layout else ""
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I"):
        inverted = image.mode != "I" and tags.get(_PHOTOMETRIC) == 0
        return _Header(True, 12 if layout == "I;12" else _stated(tags), inverted, None)
    name, _, order = layout.partition(";16")
    if not order:
        return _Header(False, 0, False, None)
    swapped = (
        f"{name};16{'B' if order in ('L', 'N') else 'L'}"
        if name in ("RGB", "RGBA")
        else ""
    )
    return _Header(True, _stated(tags), False, swapped)


def _stated(tags: dict) -> int:
    """The depth of which TIFF's MaxSampleValue is the highest level; else it may be this one picture's highest."""
    for tag in (_MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE):
        value = tags.get(tag)
        value = max(value) if isinstance(value, tuple) and value else value
        for depth in DEPTHS[1:]:
            if value == 2**depth - 1:
                return depth
    return 0


def _significant_bits(content: bytes) -> int:
    """What a PNG's sBIT chunk says of its colours, at most 16, or 0."""
    at = 8
    while content.startswith(b"\x89PNG") and (length := content[at : at + 4]):
        kind, size = content[at + 4 : at + 8], int.from_bytes(length, "big")
        if kind == b"sBIT":
            return min(max(content[at + 8 : at + 8 + min(size, 3)], default=0), 16)
        if kind == b"IDAT":
            return 0
        at += 12 + size
    return 0


def _may_be_deep(content: bytes) -> bool:
    """False where the first bytes tell that no channel has more than eight bits."""
    return content.startswith(_TIFF) or (
        content.startswith(b"\x89PNG") and content[24:25] == b"\x10"
    )


def _colours(levels: np.ndarray) -> int:
    return 3 if levels.shape[-1] == 4 else levels.shape[-1]


def bits_of(
    content: "bytes | PIL.Image.Image", depth: BitDepth | None
) -> tuple[int, bool] | None:
    """A deep picture's bit depth, and whether 0 is white in it; None for one of eight bits.

    Parameters
    ----------
    content
        The bytes of a file, or a `PIL.Image.Image`.
    depth
        That of the set to which the picture belongs; None: it is a set of its own.
    """
    if isinstance(content, bytes):
        if not _may_be_deep(content):
            return None
        with open_image(content) as image:
            header = _header(image)
    else:
        header = _Header(content.mode.startswith("I"), 0, False, None)
    if not header.is_deep:
        return None
    bits = (
        header.stated
        or (depth and depth.bits)
        or BitDepth([content]).bits
        or DEPTHS[-1]
    )
    return bits, header.inverted


def eight_bits(
    image: "PIL.Image.Image", bits: int, inverted: bool, name: str
) -> "PIL.Image.Image":
    """A grey picture of up to 16 bits with its upper eight.

    Raises
    ------
    PictureError
        It holds negative levels, or higher ones than `bits` have.
    """
    from PIL import Image

    levels = np.asarray(image)
    low, high = int(levels.min()), int(levels.max())
    if low < 0 or high >= 2**16:
        raise PictureError(
            f"{name} holds whole numbers from {low:,} to {high:,}, of unknown range; expected grey levels of up to 16 "
            "bits, from 0. Save it as 8-bit PNG or JPEG."
        )
    _check_range(high, bits, name)
    levels = levels.astype(np.uint16)
    return Image.fromarray(
        ((2**bits - 1 - levels if inverted else levels) >> (bits - 8)).astype(np.uint8)
    )


def eight_bits_of_colour(
    image: "PIL.Image.Image", content: bytes, bits: int, name: str
) -> "PIL.Image.Image":
    """A colour picture of 16 bits a channel, of which Pillow keeps the upper byte, with the upper eight of `bits`.

    Raises
    ------
    PictureError
        It holds higher levels than `bits` have, or Pillow cannot give its lower bytes.
    """
    from PIL import Image

    if bits == DEPTHS[-1]:
        return image
    with open_image(content, name) as other:
        layout = _header(other).low_bytes
        if not layout:
            raise PictureError(
                f"{name} has {bits} bits in channels of 16, in mode {other.mode}. Save it as 8-bit PNG."
            )
        other.tile = [_with_layout(part, layout) for part in other.tile]
        levels = np.asarray(image).astype(np.uint16) << 8 | np.asarray(other)
    colours = levels[..., : _colours(levels)]
    _check_range(int(colours.max()), bits, name)
    eight = [colours >> (bits - 8)]
    if colours.shape != levels.shape:
        alpha = levels[..., 3:]
        eight.append(alpha >> (bits - 8 if alpha.max() < 2**bits else 8))
    return Image.fromarray(np.concatenate(eight, axis=-1).astype(np.uint8))


def _with_layout(part: tuple, layout: str) -> tuple:
    codec, extents, offset, arguments = part
    arguments = layout if isinstance(arguments, str) else (layout, *arguments[1:])
    return (
        part._replace(args=arguments)
        if hasattr(part, "_replace")
        else (codec, extents, offset, arguments)
    )


def _check_range(highest: int, bits: int, name: str) -> None:
    if highest >= 2**bits:
        raise PictureError(
            f"{name} has levels of up to {highest:,}; {bits} bits, as the other pictures have, end at {2**bits - 1:,}. "
            "Save it as 8-bit PNG or JPEG, or give the depth of all: tl.pictures.Pictures(paths, bits=16)."
        )
