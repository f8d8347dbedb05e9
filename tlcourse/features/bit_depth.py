"""16-bit pictures → 8 bits: many cameras write 10 or 12 bits into files of 16."""

import threading
import warnings
from collections.abc import Iterable
from contextlib import suppress
from os import PathLike
from typing import TypeAlias

import numpy as np
from PIL import Image

from ..errors import PictureError, UserInputError, callers_level
from ..validation import shown
from .decoding import file_may_be_deep, may_be_deep, open_image, read_file

DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners have
Source: TypeAlias = str | PathLike | bytes | Image.Image
_MEASURING = threading.Lock()
_PHOTOMETRIC = 262  # TIFF's tag


def is_depth(bits: object) -> bool:
    """Whether this is one of `DEPTHS`; 16.0 is not."""
    return isinstance(bits, int | np.integer) and bits in DEPTHS


class BitDepth:
    """The bit depth of a set of pictures of 16 bits; `bits` where it is known.

    It is the smallest of `DEPTHS` that holds the highest level of the whole set: a dark
    picture stays darker than a bright one. The files are read when the first 16-bit
    picture is met.
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
            most = 0
            for source in sources:
                most = max(most, _bits_needed(source))
                if most > DEPTHS[-2]:  # no other picture can need more
                    break
            if most:
                self._bits = next(depth for depth in DEPTHS if depth >= most)
                if self._bits < DEPTHS[-1]:
                    warnings.warn(
                        f"No 16-bit picture has a level above {2**self._bits - 1:,}: "
                        f"they are taken as {self._bits}-bit. If that is wrong, give "
                        "the depth: tl.pictures.Pictures(paths, bits=16).",
                        stacklevel=callers_level(),
                    )
        return self._bits

    def bits_of(self, content: bytes) -> int | None:
        """Bits by which a file's levels are scaled; None: it has 8 or is damaged."""
        with suppress(Exception):  # it is reported when its pixels are decoded
            if _layout(open_image(content)):
                return self._chosen(content)
        return None

    def _chosen(self, source: bytes | Image.Image) -> int:
        return self.bits or BitDepth([source]).bits or DEPTHS[-1]

    def eight_bits(
        self, image: Image.Image, content: bytes | None, name: str
    ) -> Image.Image:
        """The upper eight bits of a loaded deep picture; any other one as it is.

        `content` is that of its file; None where the user opened or made the image.
        """
        header = image if content is None else open_image(content, name)
        layout = _layout(header)
        if not layout:
            return image
        bits = self._chosen(content or image)
        if image.mode.startswith("I"):
            levels = np.asarray(image)
        elif bits == DEPTHS[-1]:  # Pillow has kept the upper bytes
            return image
        else:
            levels = _both_bytes(image, content or b"", layout, name)
        colours = levels[..., :3] if levels.shape[2:] == (4,) else levels
        low, high = int(colours.min()), int(colours.max())
        if low < 0 or high >= 2**bits:
            raise PictureError(
                f"{name} has levels from {low:,} to {high:,}; expected 0 to "
                f"{2**bits - 1:,} ({bits} bits). Save it as 8-bit PNG or JPEG, or give "
                "the depth of all: tl.pictures.Pictures(paths, bits=16)."
            )
        is_inverted = getattr(header, "tag_v2", {}).get(_PHOTOMETRIC) == 0
        if image.mode != "I" and is_inverted:  # 0 is white
            colours = 2**bits - 1 - colours
        eight = (colours >> (bits - 8)).astype(np.uint8)
        if levels.shape[2:] == (4,):
            alpha = levels[..., 3:]
            alpha = alpha >> (bits - 8 if alpha.max() < 2**bits else 8)
            eight = np.concatenate([eight, alpha.astype(np.uint8)], axis=-1)
        return Image.fromarray(eight)


def _bits_needed(source: Source) -> int:
    """Bits of a picture's highest level; 0: it has 8, or is damaged."""
    with suppress(Exception):  # it is reported when it is opened for its pixels
        if not isinstance(source, bytes | Image.Image):
            source = read_file(source) if file_may_be_deep(source) else b""
        if isinstance(source, bytes):
            source = open_image(source if may_be_deep(source) else b"")
        if _layout(source):
            levels = np.asarray(source)
            if source.mode.startswith("I"):
                is_usable = levels.min() >= 0 and levels.max() < 2**16
                return int(levels.max()).bit_length() if is_usable else 0
            # Pillow has decoded the upper bytes.
            colours = levels[..., :3] if levels.shape[-1] == 4 else levels
            return 8 + int(colours.max()).bit_length()
    return 0


def _layout(image: Image.Image) -> str:
    """How the file holds its levels, in Pillow's words; "" where it has 8 bits."""
    tiles = getattr(image, "tile", None)
    layout = (tiles[0][3] if tiles else "") or ""
    layout = layout if isinstance(layout, str) else str(layout[0])
    if image.mode.startswith("I"):
        return layout or image.mode
    return layout if ";16" in layout else ""


def _both_bytes(
    image: Image.Image, content: bytes, layout: str, name: str
) -> np.ndarray:
    """Levels uint16 (h, w, channels) of colours, of which Pillow keeps the upper byte.

    The file is decoded once more, as if its bytes were in the other order.
    """
    channels, _, order = layout.partition(";16")
    with open_image(content, name) as other:
        if channels not in ("RGB", "RGBA"):
            raise PictureError(
                f"{name} has 16 bits per channel in mode {other.mode}, not all of "
                "them used. Save it as 8-bit PNG."
            )
        exchanged = f"{channels};16{'B' if order in ('L', 'N') else 'L'}"
        for number, tile in enumerate(other.tile):
            *where, arguments = tile
            is_text = isinstance(arguments, str)
            where.append(exchanged if is_text else (exchanged, *arguments[1:]))
            # A plain tuple before Pillow 11.
            is_plain = type(tile) is tuple
            other.tile[number] = tuple(where) if is_plain else type(tile)(*where)
        return np.asarray(image).astype(np.uint16) << 8 | np.asarray(other)
