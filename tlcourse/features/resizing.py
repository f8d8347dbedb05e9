"""Pictures of any size → pixels at a network's input size."""

import math
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from .. import validation
from ..errors import UserInputError
from .decoding import BitDepth, as_rgb, open_picture

PREPARATION = 1  # raise it when `prepare` gives other pixels: cached rows are void then
MODES = ("squash", "crop", "pad")
BORDER = 1 / 16  # cropped at each side: 224 pixels of 256 stay, as usual on ImageNet
_BICUBIC = Image.Resampling.BICUBIC


class InputSize(NamedTuple):
    """The pixels that a network takes, and how pictures are resized: see `resize`."""

    height: int
    width: int
    resize: str = "squash"


def prepare(
    picture: bytes | np.ndarray,
    size: InputSize | tuple[int, int],
    name: str,
    depth: BitDepth,
) -> np.ndarray:
    """A file's bytes, or an array (h, w, 3), at a network's input size: (h, w, 3)."""
    height, width, mode = InputSize(*size)
    if isinstance(picture, bytes):
        # Twice the size, as Pillow's `thumbnail` does: "close to fair resampling".
        times = 2 / (1 - 2 * BORDER) if mode == "crop" else 2
        at_least = (math.ceil(times * height), math.ceil(times * width))
        image = open_picture(picture, at_least, name, depth)
        return np.asarray(_resized(image, height, width, mode))
    if picture.shape[:2] == (height, width):
        return picture
    if picture.dtype.kind == "f":
        picture = np.rint(picture)
    pixels = np.ascontiguousarray(picture, dtype=np.uint8)
    return np.asarray(_resized(Image.fromarray(pixels), height, width, mode))


def resize(
    picture: np.ndarray | Image.Image, size: tuple[int, int], mode: str = "squash"
) -> np.ndarray:
    """Resize a picture, bicubic with anti-aliasing; one of this size stays as it is.

    Parameters
    ----------
    picture : PIL.Image.Image, or uint8 array of shape (h, w, 3)
    size : tuple of int
        (height, width) in pixels.
    mode : {"squash", "crop", "pad"}
        "squash": the whole picture, its proportions changed. "crop": the largest part
        at the centre that has the proportions of `size`, and of that 7/8 of height and
        width, as networks are tested on ImageNet. "pad": the whole picture in its own
        proportions, white beside it.

    Returns
    -------
    uint8 array of shape (height, width, 3)

    Raises
    ------
    UserInputError
        Another picture, size or mode.

    Examples
    --------
    >>> import tlcourse as tl
    >>> photograph = tl.load_dataset("samples").test.images[0]
    >>> tl.pictures.resize(photograph, (224, 224)).shape
    (224, 224, 3)
    """
    height, width = validation.size(size)
    validation.one_of("mode", mode, MODES)
    if isinstance(picture, Image.Image) and picture.mode != "F":
        picture = as_rgb(picture, "the picture", BitDepth([picture]))
        return np.array(_resized(picture, height, width, mode))
    array = np.asarray(picture)
    if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] != 3:
        raise UserInputError(
            f"picture is {validation.shown(picture)}; expected a PIL image, or an array "
            "(height, width, 3) of uint8, as tl.pictures.read_picture(path) returns."
        )
    return np.array(_resized(Image.fromarray(array), height, width, mode))


def _resized(picture: Image.Image, height: int, width: int, mode: str) -> Image.Image:
    """An RGB picture of this size."""
    if picture.size == (width, height):
        return picture
    if mode == "crop":
        return ImageOps.fit(picture, (width, height), _BICUBIC, bleed=BORDER)
    if mode == "pad":
        return _padded(picture, height, width)
    return picture.resize((width, height), _BICUBIC)


def _padded(picture: Image.Image, height: int, width: int) -> Image.Image:
    """As `ImageOps.pad`, also of a picture so narrow that it would have no width."""
    scale = min(height / picture.height, width / picture.width)
    inside = [max(1, round(side * scale)) for side in picture.size]
    padded = Image.new(picture.mode, (width, height), "white")
    corner = (round((width - inside[0]) / 2), round((height - inside[1]) / 2))
    padded.paste(picture.resize(inside, _BICUBIC), corner)
    return padded
