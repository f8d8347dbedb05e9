"""Augmented copies of a picture: mirrored, turned or cropped, the same each time."""

import hashlib
import re
from collections.abc import Sequence
from os import PathLike

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserInputError
from ..validation import one_of, shown
from ..validation import size as checked_size
from .cache import digest_of
from .decoding import read_file
from .pictures import as_pictures
from .resizing import MODES, InputSize, prepare
from .resizing import resize as resize_picture

AS_IS = "as is"
FLIPS = (AS_IS, "left-right", "upside-down", "half-turn")
"""For pictures without an up and down, such as textures, cells and the sky."""

MOST = 1000  # augmentations of one picture
# A crop's part of the picture's area, and width to height; as C. Szegedy et al., "Going
# Deeper with Convolutions", 2015, who cropped to as little as 0.08 of the area.
_AREA = (0.6, 1.0)
_ASPECT_RATIO = (3 / 4, 4 / 3)


def augment(
    image: ArrayLike | str | PathLike,
    names: int | Sequence[str] = 2,
    size: tuple[int, int] = (224, 224),
    resize: str = "squash",
) -> np.ndarray:
    """The augmented copies of one picture as a network gets them, to be looked at.

    Parameters
    ----------
    image : array or path
        One picture, as for `extract_features`.
    names : int or sequence of str
        How many copies, or their names, see `augmentation_names`.
    size : tuple of int
        (height, width) that the network takes, in pixels.
    resize : {"squash", "crop", "pad"}
        How the picture gets there, see `load_pretrained_model`.

    Returns
    -------
    uint8 array of shape (copies, height, width, 3)

    Examples
    --------
    >>> import tlcourse as tl
    >>> photograph = tl.load_dataset("samples").test.images.paths[0]
    >>> tl.augment(photograph, ("as is", "left-right", "crop 1"), size=(96, 96)).shape
    (3, 96, 96, 3)
    """
    names = augmentation_names(names)
    size_and_mode = InputSize(*checked_size(size), one_of("resize", resize, MODES))
    (picture,), _, depth = as_pictures([image])
    content = picture if isinstance(picture, np.ndarray) else read_file(picture)
    pixels = prepare(content, size_and_mode, "the picture", depth)
    copies = augmented(pixels, names, digest_of([content]))
    return np.rint(np.stack(copies)).astype(np.uint8)


def augmentation_names(augmentations: int | Sequence[str]) -> tuple[str, ...]:
    """The augmentations by name: those of `FLIPS`, "crop 1", "crop 2", …

    A number is how many, for everyday photographs: as is, left-right, then crops, every
    second of them mirrored.
    """
    names: tuple = ()
    if isinstance(augmentations, str):
        names = (augmentations,)
    elif isinstance(augmentations, list | tuple):
        names = tuple(augmentations)
    elif isinstance(augmentations, int | np.integer) and augmentations is not True:
        if 1 <= augmentations <= MOST:
            crops = (f"crop {number}" for number in range(1, augmentations - 1))
            names = (AS_IS, "left-right", *crops)[:augmentations]
    are_known = all(name in FLIPS or _crop_number(name) for name in names)
    if not names or not are_known or len(set(names)) < len(names):
        raise UserInputError(
            f"augmentations is {shown(augmentations)}; expected a number from 1, or "
            f"different names out of {', '.join(FLIPS)}, crop 1, crop 2, …"
        )
    return names


def _crop_number(name: object) -> int:
    """The number of a crop's name, or 0."""
    match = re.fullmatch(r"crop ([0-9]+)", name) if isinstance(name, str) else None
    return int(match[1]) if match else 0


def augmented(
    pixels: np.ndarray, names: Sequence[str], digest: bytes
) -> list[np.ndarray]:
    """Copies (h, w, 3) of its dtype; crops depend on their number and on `digest`."""
    copies = []
    for name in names:
        number = _crop_number(name)
        is_mirrored = name in ("left-right", "half-turn") or (number and not number % 2)
        copy = _crop(pixels, number, digest) if number else pixels
        copy = copy[::-1] if name in ("upside-down", "half-turn") else copy
        copies.append(copy[:, ::-1] if is_mirrored else copy)
    return copies


def _crop(pixels: np.ndarray, number: int, digest: bytes) -> np.ndarray:
    """A random part of the picture, resized to the picture's size."""
    seed = hashlib.sha256(b"crop %d " % number + digest).digest()
    rng = np.random.default_rng(int.from_bytes(seed[:8], "little"))
    height, width = pixels.shape[:2]
    area = rng.uniform(*_AREA)
    ratio = np.exp(rng.uniform(*np.log(_ASPECT_RATIO)))
    part_height = min(height, max(1, round(height * np.sqrt(area / ratio))))
    part_width = min(width, max(1, round(width * np.sqrt(area * ratio))))
    top = rng.integers(height - part_height + 1)
    left = rng.integers(width - part_width + 1)
    part = np.rint(pixels[top : top + part_height, left : left + part_width])
    return resize_picture(part.astype(np.uint8), (height, width)).astype(pixels.dtype)
