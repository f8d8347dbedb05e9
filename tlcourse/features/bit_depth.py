"""16-bit pictures → 8 bits: many cameras write 10 or 12 bits into files of 16."""

import threading
import warnings
from collections.abc import Iterable
from os import PathLike
from typing import NamedTuple, TypeAlias

import numpy as np
from PIL import Image

from ..errors import PictureError, UserInputError, callers_level
from ..validation import shown
from .decoding import file_may_be_deep, may_be_deep, open_image, read_file

DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners have
Source: TypeAlias = str | PathLike | bytes | Image.Image
_PHOTOMETRIC, _MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE = 262, 281, 341  # TIFF's tags
_MEASURING = threading.Lock()


def is_depth(bits: object) -> bool:
    """Whether this is one of `DEPTHS`; 16.0 is not."""
    return isinstance(bits, int | np.integer) and bits in DEPTHS


class BitDepth:
    """The bit depth of a set of pictures, for 16-bit files that do not state their own.

    It is the smallest of `DEPTHS` that holds the highest level of the whole set, and no
    less than a PNG's sBIT chunk says. So a dark picture stays darker than a bright one.
    The files are read when the first such picture is met; a set of ordinary pictures
    costs nothing.

    Parameters
    ----------
    sources : iterable of path, bytes or PIL.Image.Image
        The pictures of the set.
    bits : int, optional
        The depth where it is known, one of `DEPTHS`; then nothing is measured.
    """

    def __init__(self, sources: Iterable[Source] = (), bits: int | None = None) -> None:
        if bits is not None and not is_depth(bits):
            known = ", ".join(map(str, DEPTHS))
            raise UserInputError(f"bits is {shown(bits)}; expected one of {known}.")
        self._sources = list(sources) if bits is None else []
        self._bits = None if bits is None else int(bits)

    @property
    def bits(self) -> int | None:
        """One of `DEPTHS`; None where each picture has 8 bits or states its depth."""
        with _MEASURING:
            sources, self._sources = self._sources, []
            if sources:
                self._measure(sources)
        return self._bits

    def _measure(self, sources: list[Source]) -> None:
        most = count = 0
        for source in sources:
            needed = _bits_needed(source)
            if needed is not None:
                most, count = max(most, needed), count + 1
            if most > DEPTHS[-2]:  # no other picture can need more
                break
        if not count:
            return
        self._bits = bits = next(depth for depth in DEPTHS if depth >= most)
        if bits < DEPTHS[-1]:
            which = f"{count:,} pictures of 16 bits have"
            highest = f"{2**bits - 1:,}"
            warnings.warn(
                f"{'A picture of 16 bits has' if count == 1 else which} no level above "
                f"{highest}, so levels are taken as {bits}-bit: 0 to {highest}. "
                "If that is wrong, give the depth: "
                "tl.pictures.Pictures(paths, bits=16).",
                stacklevel=callers_level(),
            )

    def bits_of(self, content: bytes) -> int | None:
        """Bits by which a file's levels are scaled; None: it has 8 or is damaged."""
        try:
            header = _header(open_image(content))
        except Exception:  # it is reported when its pixels are decoded
            return None
        return self._chosen(header, content) if header.is_deep else None

    def _chosen(self, header: "_Header", source: bytes | Image.Image) -> int:
        return header.stated or self.bits or BitDepth([source]).bits or DEPTHS[-1]

    def eight_bits(
        self, image: Image.Image, content: bytes | None, name: str
    ) -> Image.Image:
        """The upper eight bits of a loaded deep picture; any other one as it is.

        `content` is that of its file; None where the user opened or made the image.
        """
        if content is None:
            header = _Header(image.mode.startswith("I"))
        else:
            header = _header(open_image(content, name))
        if not header.is_deep:
            return image
        bits = self._chosen(header, image if content is None else content)
        if header.low_bytes is None:
            levels = np.asarray(image)
        elif bits == DEPTHS[-1]:  # Pillow has kept the upper bytes
            return image
        else:
            levels = _both_bytes(image, content or b"", header.low_bytes, bits, name)
        has_alpha = levels.shape[2:] == (4,)
        colours = levels[..., :3] if has_alpha else levels
        _check_range(colours, bits, name)
        parts = [(2**bits - 1 - colours if header.inverted else colours) >> (bits - 8)]
        if has_alpha:
            alpha = levels[..., 3:]
            parts.append(alpha >> (bits - 8 if alpha.max() < 2**bits else 8))
        eight = np.concatenate(parts, axis=-1) if has_alpha else parts[0]
        return Image.fromarray(eight.astype(np.uint8))


def _bits_needed(source: Source) -> int | None:
    """Bits of a picture's highest level; None: it has 8, states them, or is damaged."""
    try:
        if isinstance(source, Image.Image):
            is_deep = source.mode.startswith("I")
            return _highest(np.asarray(source)) if is_deep else None
        if not isinstance(source, bytes):
            source = read_file(source) if file_may_be_deep(source) else b""
        if not may_be_deep(source):
            return None
        with open_image(source) as image:
            header = _header(image)
            if not header.is_deep or header.stated:
                return None
            levels = np.asarray(image)
    except Exception:  # it is reported when it is opened for its pixels
        return None
    if header.low_bytes is None:
        highest = _highest(levels)
    else:  # Pillow has decoded the upper bytes
        colours = levels[..., :3] if levels.shape[-1] == 4 else levels
        highest = 8 + int(colours.max()).bit_length()
    return None if highest is None else max(highest, _significant_bits(source))


def _highest(levels: np.ndarray) -> int | None:
    """Bits of the highest level; None where the picture will be refused."""
    highest = int(levels.max())
    return highest.bit_length() if levels.min() >= 0 and highest < 2**16 else None


class _Header(NamedTuple):
    """What a file says before its pixels are decoded."""

    is_deep: bool = False  # more than 8 bits per channel
    stated: int = 0  # the bit depth if the file states it
    inverted: bool = False  # 0 is white
    # Where Pillow decodes the upper bytes only: its name of the layout with both bytes
    # exchanged, or "" where it has none.
    low_bytes: str | None = None


def _header(image: Image.Image) -> _Header:
    tiles = getattr(image, "tile", None)
    layout = tiles[0][3] if tiles else ""
    if not isinstance(layout, str):
        layout = layout[0] if layout else ""
    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I"):
        inverted = image.mode != "I" and tags.get(_PHOTOMETRIC) == 0
        return _Header(True, 12 if layout == "I;12" else _stated(tags), inverted)
    name, is_deep, order = layout.partition(";16")
    if not is_deep:
        return _Header()
    exchanged = f"{name};16{'B' if order in ('L', 'N') else 'L'}"
    low_bytes = exchanged if name in ("RGB", "RGBA") else ""
    return _Header(True, _stated(tags), low_bytes=low_bytes)


def _stated(tags: dict) -> int:
    """The depth of which TIFF's MaxSampleValue is the highest level, or 0.

    Some programs write the highest level of this one picture into it instead.
    """
    depths = {2**depth - 1: depth for depth in DEPTHS[1:]}
    for tag in (_MAX_SAMPLE_VALUE, _S_MAX_SAMPLE_VALUE):
        value = tags.get(tag)
        value = max(value) if isinstance(value, tuple) and value else value
        if value in depths:
            return depths[value]
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


def _both_bytes(
    image: Image.Image, content: bytes, layout: str, bits: int, name: str
) -> np.ndarray:
    """Levels uint16 (h, w, channels) of a picture of which Pillow keeps the upper byte.

    The file is decoded once more, as if its bytes were in the other order.
    """
    with open_image(content, name) as other:
        if not layout:
            raise PictureError(
                f"{name} has {bits} bits in channels of 16, in mode {other.mode}. "
                "Save it as 8-bit PNG."
            )
        for number, tile in enumerate(other.tile):
            *where, arguments = tile
            is_text = isinstance(arguments, str)
            where.append(layout if is_text else (layout, *arguments[1:]))
            # A plain tuple before Pillow 11.
            is_plain = type(tile) is tuple
            other.tile[number] = tuple(where) if is_plain else type(tile)(*where)
        return np.asarray(image).astype(np.uint16) << 8 | np.asarray(other)


def _check_range(levels: np.ndarray, bits: int, name: str) -> None:
    low, high = int(levels.min()), int(levels.max())
    if low < 0 or high >= 2**16:
        raise PictureError(
            f"{name} holds whole numbers from {low:,} to {high:,}, of unknown range; "
            "expected grey levels of up to 16 bits, from 0. "
            "Save it as 8-bit PNG or JPEG."
        )
    if high >= 2**bits:
        raise PictureError(
            f"{name} has levels of up to {high:,}; {bits} bits, as the other pictures "
            f"have, end at {2**bits - 1:,}. Save it as 8-bit PNG or JPEG, or give the "
            "depth of all: tl.pictures.Pictures(paths, bits=16)."
        )
