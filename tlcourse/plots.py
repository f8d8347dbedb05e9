"""Figures, one call each: `tl.show.…`. Each function returns the figure, which a notebook shows where it is returned.

In a script: `tl.show.pictures(images).savefig("pictures.png")`. Colours are those of Okabe and Ito (2008), which
colour-blind readers tell apart and grey print keeps apart.
"""

import io
from collections.abc import Sequence

import numpy as np
from matplotlib import figure, ticker
from PIL import Image

from .errors import UserInputError
from .evaluation import ConfusionMatrix

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#F0E442", "#000000")
MARKERS = "osD^vP*X"
WIDTH = 8.0  # inches: the width of a notebook's page


class Figure(figure.Figure):
    """A Matplotlib figure that a notebook can show without pyplot, so that it is shown once and closed by itself."""

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=80, bbox_inches="tight")
        small = io.BytesIO()  # 256 colours are a third of the size and look the same
        Image.open(buffer).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(small, "png", optimize=True)
        return small.getvalue()


def pictures(images, titles: Sequence[str] | None = None, columns: int = 6, title: str | None = None) -> Figure:
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
    shape = images.shape if isinstance(images, np.ndarray) else ()
    if len(shape) == 2 or len(shape) == 3 and shape[2] == 3 < shape[1]:
        raise UserInputError(f"An array of shape {shape} is one picture; to show it, put it in a list: [picture].")
    if titles is not None:
        _equally_long(pictures=images, titles=titles)
    if columns < 1:
        raise UserInputError(f"columns is {columns}; it must be a whole number from 1.")
    columns = min(columns, count)
    rows = -(-count // columns)
    lines = 1 + max((str(text).count("\n") for text in titles), default=0) if titles is not None else 0
    side = min(WIDTH / columns, WIDTH / 2)
    sheet = Figure(figsize=(side * columns, rows * (side + 0.16 * lines)), layout="constrained")
    grid = sheet.subplots(rows, columns, squeeze=False).flat
    for place, axes in enumerate(grid):
        axes.axis("off")
        picture = images[place] if place < count else None
        if picture is not None:
            axes.imshow(_as_bytes(picture), cmap="gray", vmin=0, vmax=255)
            if titles is not None:
                axes.set_title(titles[place], fontsize=7 if columns > 5 else 8)
    if title:
        sheet.suptitle(title)
    return sheet


def _as_bytes(picture) -> np.ndarray:
    """uint8 (h, w) or (h, w, 3) of a picture with pixels in [0, 255]: Matplotlib takes fractions for [0, 1]."""
    picture = np.asarray(picture)
    if picture.ndim == 4 and len(picture) == 1:
        picture = picture[0]
    if picture.ndim == 3 and picture.shape[2] == 1:
        picture = picture[..., 0]
    if picture.dtype.kind not in "uifb" or not (picture.ndim == 2 or picture.ndim == 3 and picture.shape[2] in (3, 4)):
        raise UserInputError(
            f"A picture has shape {picture.shape} and type {picture.dtype}; expected numbers in [0, 255] in shape "
            "(h, w) or (h, w, 3)."
        )
    if not np.isfinite(picture).all():
        raise UserInputError("A picture holds NaN or infinite numbers; expected numbers in [0, 255].")
    if picture.dtype.kind == "f" and 0 < picture.max() <= 1:
        raise UserInputError("A picture's pixels were scaled to [0, 1]; expected 0 to 255. picture * 255 undoes it.")
    return picture if picture.dtype == np.uint8 else np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _equally_long(**values) -> None:
    """Refuse arguments that belong together and have different lengths, or none."""
    lengths = {name: len(value) for name, value in values.items()}
    if len(set(lengths.values())) > 1:
        given = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserInputError(f"Lengths differ: {given}. Each entry needs one of each.")
    if 0 in lengths.values():
        raise UserInputError(f"There is nothing to show: {', '.join(lengths)} are empty.")


def _as_places(labels, class_names: Sequence[str]) -> np.ndarray:
    """Labels as an array of places in `class_names`, int (n,), or a sentence."""
    labels = np.asarray(labels)
    if labels.ndim != 1 or labels.dtype.kind not in "uib" or labels.min() < 0 or labels.max() >= len(class_names):
        raise UserInputError(
            f"Labels were given with shape {labels.shape} and type {labels.dtype}; expected one place in class_names "
            f"for each entry, a whole number from 0 to {len(class_names) - 1}."
        )
    return labels.astype(int)


def predictions(images, guesses: list[list[tuple[str, float]]], columns: int = 3) -> Figure:
    """Pictures, each with the network's most probable labels beneath it, as `predict_labels` gives them."""
    _equally_long(pictures=images, guesses=guesses)
    texts = ["\n".join(f"{probability:.0%} {label}" for label, probability in best) for best in guesses]
    return pictures(images, texts, columns)


def confusion(matrix: ConfusionMatrix, title: str | None = None) -> Figure:
    """The confusion matrix as a table of counts; darker is more. The diagonal is what was right."""
    size = len(matrix.class_names)
    side = min(WIDTH, 2.2 + 0.55 * size)
    sheet = Figure(figsize=(side, side), layout="constrained")
    axes = sheet.subplots()
    share = matrix.counts / np.maximum(matrix.counts.sum(axis=1, keepdims=True), 1)
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (true, predicted), count in np.ndenumerate(matrix.counts):
        if size <= 30:
            axes.text(
                predicted, true, count, ha="center", va="center", color="w" if share[true, predicted] > 0.5 else "k"
            )
    axes.set_xticks(range(size), matrix.class_names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), matrix.class_names)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(title or f"{matrix.accuracy:.1%} right: the diagonal")
    return sheet


def right_and_wrong(images, labels, probabilities, class_names: Sequence[str], count: int = 6) -> Figure:
    """Two rows: of each class the pictures whose right answer was surest, and those whose wrong answer was surest.

    Args:
        images: the pictures that were predicted.
        labels: int (n,), their true classes.
        probabilities: float (n, classes), of the same pictures in the same order.
        class_names: names of the classes.
        count: pictures in a row.
    """
    _equally_long(images=images, labels=labels, probabilities=probabilities)
    labels, probabilities = _as_places(labels, class_names), np.asarray(probabilities)
    if probabilities.shape[1:] != (len(class_names),):
        raise UserInputError(
            f"Probabilities have shape {probabilities.shape}; expected a column for each of the {len(class_names)} "
            "class names, as classifier.predict_proba(features) gives them."
        )
    predicted, surest = probabilities.argmax(axis=1), probabilities.max(axis=1)
    right = _surest_of_each_class(predicted == labels, labels, surest, count)
    wrong = _surest_of_each_class(predicted != labels, labels, surest, count)
    texts = [f"RIGHT\n{class_names[labels[row]]}, {surest[row]:.0%} sure" for row in right]
    texts += [
        f"WRONG: is {class_names[labels[row]]}\n{class_names[predicted[row]]}, {surest[row]:.0%} sure" for row in wrong
    ]
    columns = max(len(right), len(wrong))
    blank = [None] * (columns - len(right))  # so that the second row holds the wrong ones only
    shown = [*(images[row] for row in right), *blank, *(images[row] for row in wrong)]
    return pictures(shown, texts[: len(right)] + [""] * len(blank) + texts[len(right) :], columns)


def _surest_of_each_class(candidates: np.ndarray, labels: np.ndarray, surest: np.ndarray, count: int) -> list[int]:
    """Rows where `candidates` is true: the surest of every class, then the second surest of every class, …"""
    rows = np.flatnonzero(candidates)
    rows = rows[np.argsort(-surest[rows], kind="stable")]
    rank = np.array([np.sum(labels[rows[:place]] == labels[row]) for place, row in enumerate(rows)], dtype=int)
    return sorted(rows[np.argsort(rank, kind="stable")][:count].tolist(), key=lambda row: labels[row])


def neighbours(query, query_title: str, images, titles: Sequence[str]) -> Figure:
    """A picture and, to its right, the pictures that are nearest to it."""
    _equally_long(pictures=images, titles=titles)
    return pictures([query, *images], [query_title, *titles], columns=len(titles) + 1)


def feature_map(points, labels, class_names: Sequence[str], title: str = "Pictures as points") -> Figure:
    """Features in two dimensions, one point a picture, one colour and marker a class.

    Args:
        points: float (n, 2), the features after a projection.
        labels: int (n,).
    """
    _equally_long(points=points, labels=labels)
    points, labels = np.asarray(points), _as_places(labels, class_names)
    if points.shape[1:] != (2,):
        raise UserInputError(f"Points have shape {points.shape}; expected two numbers each: (n, 2).")
    sheet = Figure(figsize=(WIDTH * 0.75, WIDTH * 0.55), layout="constrained")
    axes = sheet.subplots()
    for label, name in enumerate(class_names):
        rows = labels == label
        colour, marker = COLOURS[label % len(COLOURS)], MARKERS[label // len(COLOURS) % len(MARKERS)]
        if len(class_names) <= len(COLOURS):
            marker = MARKERS[label]
        axes.scatter(*points[rows].T, s=18, c=colour, marker=marker, alpha=0.75, label=name, linewidths=0)
    axes.legend(fontsize=8, loc="best")
    axes.set(xlabel="first direction", ylabel="second direction", title=title, xticks=[], yticks=[])
    return sheet


def curves(x: Sequence[float], means: dict, spreads: dict, xlabel: str, ylabel: str, title: str) -> Figure:
    """Lines of means with a band of one standard deviation up and down; x on a logarithmic axis.

    Args:
        x: where was measured, (k,).
        means, spreads: name of a line → its k means, its k standard deviations.
    """
    if not means:
        raise UserInputError("There are no lines to show.")
    for name in means:
        _equally_long(x=x, **{f"mean of {name}": means[name], f"spread of {name}": spreads.get(name, ())})
    sheet = Figure(figsize=(WIDTH * 0.75, WIDTH * 0.45), layout="constrained")
    axes = sheet.subplots()
    for number, (name, mean) in enumerate(means.items()):
        mean, spread = np.asarray(mean), np.asarray(spreads[name])
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        axes.plot(x, mean, marker=marker, color=colour, label=name)
        axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)
    axes.set_xscale("log")
    axes.set_xticks(x, [f"{value:g}" for value in x])
    axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(alpha=0.3)
    if len(means) > 1:
        axes.legend()
    return sheet


def training(
    epochs: Sequence[dict], total: int | None = None, title: str = "Fine-tuning", probe: dict | None = None
) -> Figure:
    """Loss and accuracy after each epoch, side by side; dotted, what the probe had reached before.

    Args:
        epochs: `record["epochs"]` of a fine-tuned network: dictionaries with epoch, loss and perhaps
            validation_loss and validation_accuracy.
        total: how many epochs there will be: the width of the picture.
        probe: `record["probe"]`: a dictionary with validation_loss and validation_accuracy.
    """
    if not epochs:
        raise UserInputError("There are no epochs to show.")
    x = [row["epoch"] for row in epochs]
    panels = [("Loss", {"learned from": "loss", "held out": "validation_loss"}, 1)]
    if "validation_accuracy" in epochs[0]:
        panels.append(("Held-out accuracy (%)", {"held out": "validation_accuracy"}, 100))
    sheet = Figure(figsize=(WIDTH * 0.45 * len(panels), WIDTH * 0.32), layout="constrained")
    for axes, (label, lines, factor) in zip(sheet.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for name, key in lines.items():
            if key in epochs[0]:
                line = {"learned from": 0, "held out": 1}[name]  # one colour a name in both panels
                y = [factor * row[key] for row in epochs]
                axes.plot(x, y, label=name, color=COLOURS[line], marker=MARKERS[line])
        if probe and lines.get("held out") in probe:
            axes.axhline(factor * probe[lines["held out"]], label="probe, held out", color=COLOURS[1], linestyle=":")
        axes.set(xlabel="Epoch", ylabel=label, xlim=(0.5, (total or len(x)) + 0.5))
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    sheet.suptitle(title, fontsize=10)
    return sheet


def bars(names: Sequence[str], values: Sequence[float], xlabel: str, title: str) -> Figure:
    """Horizontal bars, the first on top, each with its value written at its end."""
    _equally_long(names=names, values=values)
    sheet = Figure(figsize=(WIDTH * 0.75, 0.8 + 0.24 * len(names)), layout="constrained")
    axes = sheet.subplots()
    drawn = axes.barh(range(len(names)), values, color=COLOURS[0])
    axes.bar_label(drawn, labels=[f"{value:,.4g}" for value in values], padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel=xlabel, title=title)
    return sheet


def channels(activations, titles: Sequence[str], count: int = 6) -> Figure:
    """What layers see: for each layer a row of its most active channels, brighter where the activation is higher.

    Args:
        activations: list of float arrays (h, w, channels), one for each layer.
        titles: a name for each layer.
    """
    _equally_long(activations=activations, titles=titles)
    for activation in activations:
        if np.ndim(activation) != 3:
            raise UserInputError(f"Activations have shape {np.shape(activation)}; expected (h, w, channels) a layer.")
    count = min(count, *(np.shape(activation)[-1] for activation in activations))
    sheet = Figure(figsize=(WIDTH, len(titles) * WIDTH / (count + 1)), layout="constrained")
    grid = sheet.subplots(len(titles), count, squeeze=False)
    for row, activation, name in zip(grid, activations, titles, strict=True):
        activation = np.asarray(activation)
        best = np.argsort(-activation.std(axis=(0, 1)), kind="stable")[:count]
        for axes, channel in zip(row, best, strict=True):
            axes.imshow(activation[..., channel], cmap="viridis")
            axes.set(xticks=[], yticks=[])
        row[0].set_ylabel(name, fontsize=8)
    return sheet


def labelled_points(names: Sequence[str], x, y, xlabel: str, ylabel: str, title: str) -> Figure:
    """One named point for each thing compared, its cost on a logarithmic x axis.

    Args:
        names: a name for each point, written to its right.
        x, y: positive floats (n,), floats (n,).
    """
    _equally_long(names=names, x=x, y=y)
    sheet = Figure(figsize=(WIDTH * 0.75, WIDTH * 0.45), layout="constrained")
    axes = sheet.subplots()
    axes.scatter(x, y, color=COLOURS[0])
    for name, *point in zip(names, x, y, strict=True):
        axes.annotate(name, point, xytext=(6, 0), textcoords="offset points", va="center", fontsize=8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.margins(x=0.22, y=0.12)
    axes.grid(alpha=0.3)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return sheet
