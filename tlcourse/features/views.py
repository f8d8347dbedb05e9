"""Views: the same picture mirrored, turned or cropped. A frozen network sees each of them once, and they are kept."""

import hashlib
from collections.abc import Sequence

import numpy as np

from ..errors import UserInputError
from ..validation import shown
from .pictures import resize

AS_IS = "as is"
FLIPS = (AS_IS, "left-right", "upside-down", "half-turn")
"""For pictures without an up and down, such as textures, cells and the sky."""

MOST_VIEWS = 1000
_CROP = "crop "
_CROPPED_AREA = (
    0.6,
    1.0,
)  # share of the picture; C. Szegedy et al., "Going Deeper with Convolutions", 2015, used 0.08
_CROPPED_ASPECT = (3 / 4, 4 / 3)  # width to height, as there


def view_names(views: int | Sequence[str]) -> tuple[str, ...]:
    """The views by name.

    Args:
        views: names: "as is", "left-right", "upside-down", "half-turn", "crop 1", "crop 2", …; or how many, for
            everyday photographs: as is, left-right, then crops, every second of them mirrored.

    Raises:
        UserInputError: unknown names, the same one twice, or a number below 1.
    """
    if (
        isinstance(views, int | np.integer)
        and not isinstance(views, bool)
        and 1 <= views <= MOST_VIEWS
    ):
        return (AS_IS, "left-right", *(f"{_CROP}{i}" for i in range(1, views - 1)))[
            :views
        ]
    names = (
        (views,)
        if isinstance(views, str)
        else tuple(views)
        if isinstance(views, list | tuple)
        else ()
    )
    unknown = [name for name in names if not (name in FLIPS or _crop_number(name))]
    if unknown or not names or len(set(names)) < len(names):
        raise UserInputError(
            f"views is {shown(views)}; expected a number from 1, or different names out of {', '.join(FLIPS)}, crop 1, "
            "crop 2, …"
        )
    return names


def _crop_number(name: object) -> int:
    number = (
        name[len(_CROP) :] if isinstance(name, str) and name.startswith(_CROP) else ""
    )
    return int(number) if number.isascii() and number.isdigit() else 0


def is_resized(view: str) -> bool:
    """Whether Pillow resizes in it, so that the result depends on Pillow's version."""
    return view not in FLIPS


def apply_view(pixels: np.ndarray, view: str, seed: bytes) -> np.ndarray:
    """One view of a picture (h, w, 3), of the same shape and dtype; a crop depends on `seed`, and on nothing else."""
    if view == AS_IS:
        return pixels
    if view in FLIPS:
        rows = slice(None, None, -1 if view in ("upside-down", "half-turn") else 1)
        columns = slice(None, None, -1 if view in ("left-right", "half-turn") else 1)
        return pixels[rows, columns]
    return _crop(pixels, _crop_number(view), seed)


def _crop(pixels: np.ndarray, number: int, seed: bytes) -> np.ndarray:
    """A random part of the picture at the picture's size; even numbers are mirrored."""
    digest = hashlib.sha256(b"crop %d " % number + seed).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    height, width = pixels.shape[:2]
    area, aspect = (
        rng.uniform(*_CROPPED_AREA),
        np.exp(rng.uniform(*np.log(_CROPPED_ASPECT))),
    )
    part_height = min(height, max(1, round(height * np.sqrt(area / aspect))))
    part_width = min(width, max(1, round(width * np.sqrt(area * aspect))))
    top, left = (
        rng.integers(height - part_height + 1),
        rng.integers(width - part_width + 1),
    )
    part = pixels[top : top + part_height, left : left + part_width]
    if part.dtype != np.uint8:
        part = np.rint(part).astype(np.uint8)
    part = resize(np.ascontiguousarray(part), (height, width)).astype(pixels.dtype)
    return part[:, ::-1] if number % 2 == 0 else part
