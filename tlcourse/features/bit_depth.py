"""Grey pictures of 16 bits → 8: many cameras write 10 or 12 bits into files of 16."""

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
from .decoding import file_may_be_deep, open_image, read_file

DEPTHS = (8, 10, 12, 14, 16)  # bits that cameras and scanners have
Source: TypeAlias = str | PathLike | Image.Image
_MEASURING = threading.Lock()
_PHOTOMETRIC = 262  # TIFF's tag


def is_depth(bits: object) -> bool:
    """Whether this is one of `DEPTHS`; 16.0 is not."""
    return isinstance(bits, int | np.integer) and bits in DEPTHS


class BitDepth:
    """The bit depth of a set of deep grey pictures; `bits` where it is known.

    It is the smallest of `DEPTHS` that holds the highest level of the whole set: a dark
    picture stays darker than a bright one. The files are read when the first deep
    picture is met. Of deep colours Pillow keeps the upper bytes.
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
        """Bits by which a file's levels are scaled; None: it is not deep, or damaged."""
        with suppress(Exception):  # it is reported when its pixels are decoded
            image = open_image(content)
            if image.mode.startswith("I"):
                return self._chosen(image)
        return None

    def _chosen(self, image: Image.Image) -> int:
        return self.bits or BitDepth([image]).bits or DEPTHS[-1]

    def eight_bits(self, image: Image.Image, name: str) -> Image.Image:
        """The upper eight bits of a deep grey picture."""
        levels, bits = np.asarray(image), self._chosen(image)
        low, high = int(levels.min()), int(levels.max())
        if low < 0 or high >= 2**bits:
            raise PictureError(
                f"{name} has levels from {low:,} to {high:,}; expected 0 to "
                f"{2**bits - 1:,} ({bits} bits). Save it as 8-bit PNG or JPEG, or give "
                "the depth of all: tl.pictures.Pictures(paths, bits=16)."
            )
        is_inverted = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
        if image.mode != "I" and is_inverted:  # 0 is white
            levels = 2**bits - 1 - levels
        return Image.fromarray((levels >> (bits - 8)).astype(np.uint8))


def _bits_needed(source: Source) -> int:
    """Bits of a picture's highest level; 0: it is not deep, or damaged."""
    with suppress(Exception):  # it is reported when it is opened for its pixels
        if not isinstance(source, Image.Image):
            source = open_image(read_file(source) if file_may_be_deep(source) else b"")
        if source.mode.startswith("I"):
            levels = np.asarray(source)
            is_usable = levels.min() >= 0 and levels.max() < 2**16
            return int(levels.max()).bit_length() if is_usable else 0
    return 0
