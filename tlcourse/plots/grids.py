"""Figures made of pictures: grids, answers, neighbours, what layers see and where networks look."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..errors import UserInputError, printable
from ..foreign_text import escape_mathtext
from .figure import WIDTH, Figure, as_places, equally_long, listed

if TYPE_CHECKING:
    from ..features.pictures import Pictures


def pictures(
    images: "Sequence[np.ndarray | None] | np.ndarray | Pictures",
    titles: Sequence[str] | None = None,
    columns: int = 6,
    title: str | None = None,
) -> Figure:
    """A grid of pictures.

    Args:
        images: `Pictures`, or array (n, h, w) or (n, h, w, 3) with pixels in [0, 255], or list of such pictures;
            None in a list leaves a place empty.
        titles: a line above each picture.
        columns: pictures in a row.
    """
    count = len(images)
    if count == 0:
        raise UserInputError("There are no pictures to show.")
    shape: tuple[int, ...] = images.shape if isinstance(images, np.ndarray) else ()
    if len(shape) == 2 or len(shape) == 3 and shape[2] == 3 < shape[1]:
        raise UserInputError(
            f"An array of shape {shape} is one picture; to show it, put it in a list: [picture]."
        )
    if titles is not None:
        equally_long(pictures=images, titles=titles)
    if columns < 1:
        raise UserInputError(f"columns is {columns}; it must be a whole number from 1.")
    columns = min(columns, count)
    rows = -(-count // columns)
    lines = (
        1 + max((str(text).count("\n") for text in titles), default=0)
        if titles is not None
        else 0
    )
    side = min(WIDTH / columns, WIDTH / 2)
    sheet = Figure(
        figsize=(side * columns, rows * (side + 0.16 * lines)), layout="constrained"
    )
    grid = sheet.subplots(rows, columns, squeeze=False).flat
    for place, axes in enumerate(grid):
        axes.axis("off")
        picture = images[place] if place < count else None
        if picture is not None:
            axes.imshow(_as_bytes(picture), cmap="gray", vmin=0, vmax=255)
            if titles is not None:
                axes.set_title(
                    "\n".join(map(escape_mathtext, str(titles[place]).split("\n"))),
                    fontsize=7 if columns > 5 else 8,
                )
    if title:
        sheet.suptitle(title)
    what = f"{count} picture{'s' * (count > 1)}"
    sheet.alt = (
        f"{title or what}: {listed(titles)}."
        if titles is not None
        else f"{title or what}."
    )
    return sheet


def _as_bytes(picture: np.ndarray) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3) of a picture with pixels in [0, 255]: Matplotlib takes fractions for [0, 1]."""
    picture = np.asarray(picture)
    if picture.ndim == 4 and len(picture) == 1:
        picture = picture[0]
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    if picture.dtype.kind not in "uifb" or not (
        picture.ndim == 2 or picture.ndim == 3 and picture.shape[2] in (3, 4)
    ):
        raise UserInputError(
            f"A picture has shape {picture.shape} and type {picture.dtype}; expected numbers in [0, 255] in shape "
            "(h, w) or (h, w, 3)."
        )
    if not np.isfinite(picture).all():
        raise UserInputError(
            "A picture holds NaN or infinite numbers; expected numbers in [0, 255]."
        )
    if picture.dtype.kind == "f" and 0 < picture.max() <= 1:
        raise UserInputError(
            "A picture's pixels were scaled to [0, 1]; expected 0 to 255. picture * 255 undoes it."
        )
    return (
        picture
        if picture.dtype == np.uint8
        else np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    )


def predictions(
    images: "Sequence[np.ndarray] | np.ndarray | Pictures",
    guesses: list[list[tuple[str, float]]],
    columns: int = 3,
) -> Figure:
    """Pictures, each with the network's most probable labels beneath it, as `predict_labels` gives them."""
    equally_long(pictures=images, guesses=guesses)
    texts = [
        "\n".join(
            f"{probability:.0%} {printable(label)}" for label, probability in best
        )
        for best in guesses
    ]
    return pictures(images, texts, columns)


def right_and_wrong(
    images: "Sequence[np.ndarray] | np.ndarray | Pictures",
    labels: np.ndarray,
    probabilities: np.ndarray,
    class_names: Sequence[str],
    count: int = 6,
) -> Figure:
    """Two rows: of each class the pictures whose right answer was surest, and those whose wrong answer was surest.

    Args:
        images: the pictures that were predicted.
        labels: int (n,), their true classes.
        probabilities: float (n, classes), of the same pictures in the same order.
        class_names: names of the classes.
        count: pictures in a row.
    """
    equally_long(images=images, labels=labels, probabilities=probabilities)
    labels, probabilities = as_places(labels, class_names), np.asarray(probabilities)
    if probabilities.shape[1:] != (len(class_names),):
        raise UserInputError(
            f"Probabilities have shape {probabilities.shape}; expected a column for each of the {len(class_names)} "
            "class names, as classifier.predict_proba(features) gives them."
        )
    predicted, surest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = _surest_of_each_class(predicted == labels, labels, surest, count)
    wrong = _surest_of_each_class(predicted != labels, labels, surest, count)
    names = [printable(name) for name in class_names]
    texts = [f"RIGHT\n{names[labels[row]]}, {surest[row]:.0%} sure" for row in right]
    texts += [
        f"WRONG: is {names[labels[row]]}\n{names[predicted[row]]}, {surest[row]:.0%} sure"
        for row in wrong
    ]
    columns = max(len(right), len(wrong))
    blank = [None] * (
        columns - len(right)
    )  # so that the second row holds the wrong ones only
    shown = [*(images[row] for row in right), *blank, *(images[row] for row in wrong)]
    return pictures(
        shown, texts[: len(right)] + [""] * len(blank) + texts[len(right) :], columns
    )


def _surest_of_each_class(
    candidates: np.ndarray, labels: np.ndarray, surest: np.ndarray, count: int
) -> list[int]:
    """Rows where `candidates` is true: the surest of every class, then the second surest of every class, …"""
    rows = np.flatnonzero(candidates)
    rows = rows[np.argsort(-surest[rows], kind="stable")]
    rank = np.array(
        [np.sum(labels[rows[:place]] == labels[row]) for place, row in enumerate(rows)],
        dtype=int,
    )
    return sorted(
        rows[np.argsort(rank, kind="stable")][:count].tolist(),
        key=lambda row: labels[row],
    )


def neighbours(
    query: np.ndarray,
    query_title: str,
    images: "Sequence[np.ndarray] | np.ndarray | Pictures",
    titles: Sequence[str],
) -> Figure:
    """A picture and, to its right, the pictures that are nearest to it."""
    equally_long(pictures=images, titles=titles)
    return pictures([query, *images], [query_title, *titles], columns=len(titles) + 1)


def channels(activations: np.ndarray, titles: Sequence[str], count: int = 6) -> Figure:
    """What layers see: for each layer a row of its most active channels, brighter where the activation is higher.

    Args:
        activations: list of float arrays (h, w, channels), one for each layer.
        titles: a name for each layer.
    """
    equally_long(activations=activations, titles=titles)
    for activation in activations:
        if np.ndim(activation) != 3:
            raise UserInputError(
                f"Activations have shape {np.shape(activation)}; expected (h, w, channels) a layer."
            )
    count = min(count, *(np.shape(activation)[-1] for activation in activations))
    sheet = Figure(
        figsize=(WIDTH, len(titles) * WIDTH / (count + 1)), layout="constrained"
    )
    grid = sheet.subplots(len(titles), count, squeeze=False)
    for row, activation, name in zip(grid, activations, titles, strict=True):
        activation = np.asarray(activation)
        best = np.argsort(-activation.std(axis=(0, 1)), kind="stable")[:count]
        for axes, channel in zip(row, best, strict=True):
            axes.imshow(activation[..., channel], cmap="viridis")
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(escape_mathtext(name), fontsize=8)
    sheet.alt = f"What layers see: the {count} most active channels of each of {listed(titles)}."
    return sheet


def heat_maps(
    images: "Sequence[np.ndarray] | np.ndarray | Pictures",
    maps: Sequence[np.ndarray] | np.ndarray,
    titles: Sequence[str] | None = None,
    columns: int = 6,
    title: str | None = None,
) -> Figure:
    """Pictures in grey with a map laid over each, brighter and more yellow where it is higher.

    Args:
        images: as for `pictures`.
        maps: float (n, h, w) in [0, 1], as `tl.grad_cam` gives them; stretched over the picture.
        titles: a line above each picture.
        columns: pictures in a row.
    """
    equally_long(pictures=images, maps=maps)
    greys = [
        np.asarray(Image.fromarray(_as_bytes(picture)).convert("L"))
        for picture in images
    ]
    sheet = pictures(greys, titles, columns, title)
    for axes, grey, heat in zip(sheet.axes, greys, maps, strict=False):
        heat = np.asarray(heat, np.float32)
        if heat.ndim != 2 or not 0 <= heat.min() <= heat.max() <= 1:
            raise UserInputError(
                f"A map has shape {heat.shape} and runs from {heat.min():.3g} to {heat.max():.3g}; expected (h, w) in "
                "[0, 1], as tl.grad_cam gives it."
            )
        height, width = grey.shape
        # What is low stays as it is; only what is high is coloured.
        axes.imshow(
            heat,
            cmap="plasma",
            alpha=0.6 * heat,
            vmin=0,
            vmax=1,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )
    sheet.alt = f"Heat maps over {sheet.alt[:1].lower()}{sheet.alt[1:]}"
    return sheet
