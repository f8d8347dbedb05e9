"""Figures made of pictures: grids, answers, channels, heat maps."""

from collections.abc import Sequence
from textwrap import fill
from typing import Any, TypeAlias

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image

from .. import validation
from ..errors import UserInputError, printable
from ..features.pictures import Pictures, one_picture
from ..foreign_text import escape_mathtext
from .figure import SMALL, WIDTH, Figure, as_labels, check_lengths, listed

TITLE = 12  # points, Matplotlib's own
Images: TypeAlias = Sequence[ArrayLike | None] | np.ndarray | Pictures


def pictures(
    images: Images,
    titles: Sequence[str] | None = None,
    columns: int = 6,
    title: str | None = None,
) -> Figure:
    """Draw a grid of pictures.

    Parameters
    ----------
    images : Pictures, array of shape (n, h, w) or (n, h, w, 3), or list of pictures
        Pixels in [0, 255]; None in a list leaves a cell of the grid empty.
    titles : sequence of str, length n, optional
        Above each picture, of one line or several.
    columns : int
        Pictures in a row.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.show.pictures(tl.load_dataset("solar").test.images[:2], ["one", "two"]).alt
    '2 pictures: one; two.'
    """
    shape = images.shape if isinstance(images, np.ndarray) else ()
    if len(shape) == 2 or (len(shape) == 3 and shape[2] == 3 < shape[1]):
        raise UserInputError(f"An array of shape {shape} is one picture: [picture].")
    check_lengths(pictures=images, titles=titles)
    count = len(images)
    texts = [""] * count if titles is None else [str(text) for text in titles]
    columns = min(validation.whole_number("columns", columns, 1), count)
    rows, side = -(-count // columns), min(WIDTH / columns, WIDTH / 2)
    captions = [_wrapped(text, side) for text in texts]
    lines = 0 if titles is None else 1 + max(text.count("\n") for text in captions)
    size = (side * columns, rows * (side + 0.16 * lines))
    sheet = Figure(figsize=size, layout="constrained")
    grid = sheet.subplots(rows, columns, squeeze=False).ravel()
    for axes in grid:
        axes.axis("off")
    for row, (axes, text) in enumerate(zip(grid, captions, strict=False)):
        picture = images[row]
        if picture is not None:
            axes.imshow(_pixels(picture))
            text = "\n".join(map(escape_mathtext, text.split("\n")))
            axes.set_title(text, fontsize=SMALL)
    if title:
        sheet.suptitle(_wrapped(title, side * columns, TITLE))
    what = title or f"{count} picture{'s' * (count > 1)}"
    named = listed(text for text in texts if text)
    sheet.alt = f"{what}." if titles is None else f"{what}: {named}."
    return sheet


def _wrapped(text: str, width: float, size: int = SMALL) -> str:
    """A text whose lines are not longer than a picture is wide, in inches."""
    letters = max(1, int(72 * width / (0.6 * size)))  # a letter is 0.6 of its height
    lines = (fill(line, letters, break_long_words=False) for line in text.split("\n"))
    return "\n".join(lines)


def _pixels(picture: Any) -> np.ndarray:
    """uint8 (h, w, 3): Matplotlib would take fractions for [0, 1]."""
    array = np.asarray(picture)
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    return np.rint(np.asarray(one_picture(array))).astype(np.uint8)


def right_and_wrong(
    images: Images,
    labels: ArrayLike,
    probabilities: ArrayLike,
    class_names: Sequence[str],
    count: int = 6,
) -> Figure:
    """Draw two rows: the most confident right and the most confident wrong answers.

    The most confident answer of each class comes before the second of any class.

    Parameters
    ----------
    images
        As for `pictures`.
    labels : array_like of int, shape (n,)
        The true classes.
    probabilities : array_like of float, shape (n, classes)
        From `predict_proba`.
    count : int
        Pictures in a row.
    """
    check_lengths(images=images, labels=labels, probabilities=probabilities)
    labels, probabilities = as_labels(labels, class_names), np.asarray(probabilities)
    check_lengths(class_names=class_names, probabilities_of_a_picture=probabilities[0])
    predicted, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
    names = [printable(name) for name in class_names]
    right = _most_confident(predicted == labels, labels, sure, count)
    wrong = _most_confident(predicted != labels, labels, sure, count)
    texts = [f"RIGHT\n{names[labels[row]]}, {sure[row]:.0%} sure" for row in right]
    # Empty cells, so that the second row begins with the wrong answers.
    empty = max(0, len(wrong) - len(right)) if right else 0
    texts += [""] * empty + [
        f"WRONG: is {names[labels[row]]}\n{names[predicted[row]]}, {sure[row]:.0%} sure"
        for row in wrong
    ]
    shown = [*(images[row] for row in right), *[None] * empty]
    shown += [images[row] for row in wrong]
    return pictures(shown, texts, max(len(right), len(wrong)))


def _most_confident(
    chosen: np.ndarray, labels: np.ndarray, sure: np.ndarray, count: int
) -> list[int]:
    """Of the chosen rows the most confident of each class, then the second, …"""
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(-sure[rows], kind="stable")]
    own = labels[rows]
    rank = np.array([np.sum(own[:k] == label) for k, label in enumerate(own)], int)
    rows = rows[np.argsort(rank, kind="stable")][:count]
    return sorted(rows.tolist(), key=lambda row: labels[row])


def channels(
    activations: Sequence[ArrayLike], titles: Sequence[str], count: int = 6
) -> Figure:
    """Draw, for each layer, the channels whose activations vary most.

    Parameters
    ----------
    activations : sequence of array_like of float, shape (h, w, channels)
        Of one picture, one for each layer.
    titles : sequence of str, names of the layers
    count : int, channels of each
    """
    check_lengths(activations=activations, titles=titles)
    layers = [np.asarray(activation) for activation in activations]
    if any(layer.ndim != 3 for layer in layers):
        raise UserInputError("activations must be (h, w, channels) for each layer.")
    count = min(count, *(layer.shape[-1] for layer in layers))
    size = (WIDTH, len(layers) * WIDTH / (count + 1))
    sheet = Figure(figsize=size, layout="constrained")
    grid = sheet.subplots(len(layers), count, squeeze=False)
    for row, layer, name in zip(grid, layers, titles, strict=True):
        best = np.argsort(-layer.std(axis=(0, 1)), kind="stable")[:count]
        for axes, channel in zip(row, best, strict=True):
            axes.imshow(layer[..., channel], cmap="viridis")
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(escape_mathtext(name), fontsize=SMALL)
    sheet.alt = f"The {count} channels that vary most in each of {listed(titles)}."
    return sheet


def heat_maps(
    images: Images, maps: Sequence[ArrayLike], titles: Sequence[str] | None = None
) -> Figure:
    """Draw each picture and, beside it, its map over a grey copy: yellow is high.

    Parameters
    ----------
    images, titles
        As for `pictures`; two in a row.
    maps : array_like of float, shape (n, h, w)
        In [0, 1], as `tl.grad_cam` returns them; stretched over the pictures.
    """
    check_lengths(pictures=images, maps=maps, titles=titles)
    shown: list[np.ndarray] = []
    for picture in map(_pixels, images):
        shown += [picture, np.asarray(Image.fromarray(picture).convert("L"))]
    texts = [text for title in titles or () for text in (str(title), "its map")]
    sheet = pictures(shown, texts or None, columns=4)
    for axes, heat in zip(sheet.axes[1::2], maps, strict=False):
        lay_over(axes, np.asarray(heat, np.float32))
    about = "" if titles is None else f": {listed(titles)}"
    sheet.alt = f"Pictures, each beside its heat map ({len(shown) // 2} in all){about}."
    return sheet


def lay_over(axes: Axes, heat: np.ndarray) -> None:
    """Lay a map (h, w) in [0, 1] over the picture in an axes, transparent where low."""
    if heat.ndim != 2 or not 0 <= heat.min() <= heat.max() <= 1:
        raise UserInputError(
            f"A map has shape {heat.shape} and runs from {heat.min():.3g} to "
            f"{heat.max():.3g}; expected (h, w) in [0, 1], as tl.grad_cam returns."
        )
    where: Any = axes.images[0].get_extent()
    axes.imshow(heat, "plasma", vmin=0, vmax=1, alpha=0.6 * heat, extent=where)
