"""What was drawn, as a picture like those of `load_dataset("kanji")`."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from ..errors import UserInputError

SIDE, BOX = 28, 20  # MNIST: the picture, and the box that what was drawn is scaled into
_PEN = 1.9  # pixels, as most of the pens of the data set
_FINE = 8  # drawn so many times larger, then made small: edges become grey


def as_sign(drawing: Sequence | np.ndarray) -> np.ndarray:
    """Strokes, or a picture, as a network of lesson 06 is given it: uint8 (28, 28), white on black.

    As in MNIST, strokes are scaled into a 20 × 20 box and moved until their centre of mass is in the middle; the pen's
    width is the same for small and for large writing.

    Args:
        drawing: a list of strokes, each a list of points (x, y), y downwards; or uint8 (28, 28) as it is.

    Raises:
        UserInputError: neither; no points.
    """
    if isinstance(drawing, np.ndarray):
        if drawing.shape != (SIDE, SIDE) or drawing.dtype != np.uint8:
            raise UserInputError(
                f"The picture has shape {drawing.shape} and type {drawing.dtype}; expected uint8 ({SIDE}, {SIDE}), "
                "white on black, as kanji.test.images[0]; or a list of strokes."
            )
        return drawing
    return _rasterised([_points(stroke) for stroke in drawing])


def _points(stroke: Sequence) -> np.ndarray:
    try:
        points = np.asarray(stroke, np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if (
        points.ndim != 2
        or points.shape[1] != 2
        or not len(points)
        or not np.isfinite(points).all()
    ):
        raise UserInputError(
            "A stroke must be a list of points (x, y), at least one; for instance [(0, 5), (9, 5)]."
        )
    return points


def _rasterised(strokes: list[np.ndarray]) -> np.ndarray:
    if not strokes:
        raise UserInputError("Nothing has been drawn: the list of strokes is empty.")
    every = np.concatenate(strokes)
    low, extent = every.min(axis=0), np.ptp(every, axis=0).max()
    scale = (BOX - _PEN) / extent if extent else 1.0
    margin = (SIDE - np.ptp(every, axis=0) * scale) / 2
    fine = Image.new("L", (SIDE * _FINE, SIDE * _FINE))
    pen, radius = ImageDraw.Draw(fine), _PEN * _FINE / 2
    for stroke in strokes:
        path = [tuple(point) for point in ((stroke - low) * scale + margin) * _FINE]
        if len(path) > 1:
            pen.line(path, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (path[0], path[-1]):  # round ends
            pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return _centred(np.asarray(fine.resize((SIDE, SIDE), Image.Resampling.BOX)))


def _centred(picture: np.ndarray) -> np.ndarray:
    """Moved by whole pixels until the centre of mass is in the middle, and no further than the rim."""
    rows, columns = (
        np.arange(SIDE) @ picture.sum(axis=axis, dtype=float) / picture.sum()
        for axis in (1, 0)
    )
    moved = picture
    for axis, centre in ((0, rows), (1, columns)):
        used = np.flatnonzero(picture.any(axis=1 - axis))
        shift = int(
            np.clip(round((SIDE - 1) / 2 - centre), -used[0], SIDE - 1 - used[-1])
        )
        moved = np.roll(moved, shift, axis)
    return moved
