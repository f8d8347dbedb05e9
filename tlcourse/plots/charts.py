"""Figures made of lines, bars and points."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from matplotlib import ticker

from ..errors import UserInputError
from ..foreign_text import escape_mathtext
from ..tables import Table
from ..training.evaluation import ConfusionMatrix
from .figure import (
    COLOURS,
    DASHES,
    MARKERS,
    WIDTH,
    Figure,
    add_legend,
    as_places,
    equally_long,
    listed,
    sentence,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


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
                predicted,
                true,
                count,
                ha="center",
                va="center",
                color="w" if share[true, predicted] > 0.5 else "k",
            )
    names = [escape_mathtext(name) for name in matrix.class_names]
    axes.set_xticks(range(size), names, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(title or f"{matrix.accuracy:.1%} right: the diagonal")
    taken = (
        f"{count} of true class {matrix.class_names[true]} predicted as {matrix.class_names[predicted]}"
        for (true, predicted), count in np.ndenumerate(matrix.counts)
        if count
    )
    sheet.alt = f"Confusion matrix, {matrix.accuracy:.1%} right: {listed(taken)}."
    sheet.table = Table(
        ("true class", *(f"predicted {name}" for name in matrix.class_names)),
        [
            (name, *counts.tolist())
            for name, counts in zip(matrix.class_names, matrix.counts, strict=True)
        ],
    )
    return sheet


def attention(
    tokens: Sequence[str],
    weights: "ArrayLike",
    title: str = "Which token took how much from which",
) -> Figure:
    """Attention weights as a table of shades: a row a token that takes, a column a token that is taken from.

    Args:
        tokens: the n tokens.
        weights: float (n, n), rows sum to 1: one head's, or an average of `model.attentions(sentence)`.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(tokens), len(tokens)):
        raise UserInputError(
            f"Weights have shape {weights.shape} for {len(tokens)} tokens; expected one row and one column for each. "
            "Of model.attentions(sentence) choose a layer and a head, or average over them."
        )
    side = min(WIDTH, 2.0 + 0.3 * len(tokens))
    sheet = Figure(figsize=(side, side), layout="constrained")
    axes = sheet.subplots()
    shades = axes.imshow(weights, cmap="Blues", vmin=0)
    names = [escape_mathtext(token) for token in tokens]
    axes.set_xticks(
        range(len(tokens)), names, rotation=60, ha="right", rotation_mode="anchor"
    )
    axes.set_yticks(range(len(tokens)), names)
    axes.set(xlabel="taken from", ylabel="token")
    axes.set_title(title)
    sheet.colorbar(shades, shrink=0.7, label="share")
    most = (
        f"{token} from {tokens[row.argmax()]} {row.max():.2f}"
        for token, row in zip(tokens, weights, strict=True)
    )
    sheet.alt = (
        f"{sentence(title)} Of each token, from which it took most: {listed(most)}."
    )
    sheet.table = Table(
        ("token", *(f"from {token}" for token in tokens)),
        [
            (token, *row)
            for token, row in zip(tokens, weights.round(2).tolist(), strict=True)
        ],
    )
    return sheet


def feature_map(
    points: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    title: str = "Pictures as points",
) -> Figure:
    """Features in two dimensions, one point a picture, one colour and marker a class.

    Args:
        points: float (n, 2), the features after a projection.
        labels: int (n,).
    """
    equally_long(points=points, labels=labels)
    points, labels = np.asarray(points), as_places(labels, class_names)
    if points.shape[1:] != (2,):
        raise UserInputError(
            f"Points have shape {points.shape}; expected two numbers each: (n, 2)."
        )
    sheet = Figure(figsize=(WIDTH * 0.75, WIDTH * 0.55), layout="constrained")
    axes = sheet.subplots()
    drawn = []
    for label, name in enumerate(class_names):
        rows = labels == label
        # Of 64 classes no two have the same colour and marker, and of any eight in a row no two share either.
        colour, marker = (
            COLOURS[label % len(COLOURS)],
            MARKERS[(label + label // len(COLOURS)) % len(MARKERS)],
        )
        across, up = points[rows].T
        drawn.append(
            axes.scatter(
                across,
                up,
                s=18,
                c=colour,
                marker=marker,
                alpha=0.75,
                label=name,
                linewidths=0,
            )
        )
    add_legend(axes, drawn, class_names, fontsize=8, loc="best")
    axes.set(
        xlabel="first direction",
        ylabel="second direction",
        title=title,
        xticks=[],
        yticks=[],
    )
    present = [
        (name, points[labels == label])
        for label, name in enumerate(class_names)
        if np.any(labels == label)
    ]
    rows = [
        (name, len(own), *own.mean(axis=0).round(2).tolist()) for name, own in present
    ]
    sheet.table = Table(
        ("class", "points", "mean, first direction", "mean, second direction"), rows
    )
    centres = (
        f"{name}: {count} points around {x:.2g}, {y:.2g}" for name, count, x, y in rows
    )
    sheet.alt = (
        f"{sentence(title)} Points in two dimensions, by class. {listed(centres)}."
    )
    return sheet


class _Curve(Protocol):
    """What is drawn of a `LearningCurve`: of each method the points, with their `rows`, `mean` and `sd`."""

    @property
    def points(self) -> dict[str, list]: ...


def learning_curve(curve: _Curve, title: str) -> Figure:
    """A `LearningCurve`: mean accuracy of each method by number of labels, with a band of one standard deviation."""
    means = {
        method: [100 * point.mean for point in points]
        for method, points in curve.points.items()
    }
    spreads = {
        method: [100 * point.sd for point in points]
        for method, points in curve.points.items()
    }
    rows = [point.rows for point in next(iter(curve.points.values()))]
    return curves(
        rows,
        means,
        spreads,
        "Labels in all",
        "Accuracy on the test split (%)",
        title,
        highest=100,
    )


def curves(
    x: Sequence[float],
    means: dict,
    spreads: dict,
    xlabel: str,
    ylabel: str,
    title: str,
    highest: float | None = None,
    logarithmic: bool = True,
) -> Figure:
    """Lines of means with a band of one standard deviation up and down.

    Args:
        x: where was measured, (k,).
        means, spreads: name of a line → its k means, its k standard deviations.
        highest: what a value can be at most: 1 or 100 for accuracies; no band goes beyond.
        logarithmic: whether x is.
    """
    if not means:
        raise UserInputError("There are no lines to show.")
    for name in means:
        equally_long(
            x=x,
            **{
                f"mean of {name}": means[name],
                f"spread of {name}": spreads.get(name, ()),
            },
        )
    sheet = Figure(figsize=(WIDTH * 0.75, WIDTH * 0.45), layout="constrained")
    axes = sheet.subplots()
    drawn = []
    for number, (name, mean) in enumerate(means.items()):
        mean, spread = np.asarray(mean), np.asarray(spreads[name])
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        drawn += axes.plot(
            x,
            mean,
            DASHES[number % len(DASHES)],
            marker=marker,
            color=colour,
            label=name,
        )
        upper = np.minimum(mean + spread, np.inf if highest is None else highest)
        axes.fill_between(x, mean - spread, upper, color=colour, alpha=0.2, linewidth=0)
    if logarithmic:
        axes.set_xscale("log")
    axes.set_xticks(x, [f"{value:g}" for value in x])
    axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(alpha=0.3)
    if len(means) > 1:
        add_legend(axes, drawn, means)
    told = {
        name: [
            f"{y:.3g} ± {sd:.2g}"
            for y, sd in zip(means[name], spreads[name], strict=True)
        ]
        for name in means
    }
    sheet.table = Table(
        (xlabel, *means),
        list(zip((f"{at:g}" for at in x), *told.values(), strict=True)),
    )
    lines = (
        f"{name}: "
        + ", ".join(f"{text} at {at:g}" for at, text in zip(x, texts, strict=True))
        for name, texts in told.items()
    )
    sheet.alt = f"{sentence(title)} {ylabel} by {xlabel}, mean and standard deviation. {listed(lines)}."
    return sheet


def training(
    epochs: Sequence[dict],
    total: int | None = None,
    title: str = "Fine-tuning",
    probe: dict | None = None,
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
        panels.append(
            ("Held-out accuracy (%)", {"held out": "validation_accuracy"}, 100)
        )
    sheet = Figure(
        figsize=(WIDTH * 0.45 * len(panels), WIDTH * 0.32), layout="constrained"
    )
    for axes, (label, lines, factor) in zip(
        sheet.subplots(1, len(panels), squeeze=False)[0], panels, strict=True
    ):
        for name, key in lines.items():
            if key in epochs[0]:
                line = {"learned from": 0, "held out": 1}[
                    name
                ]  # one colour a name in both panels
                y = [factor * row[key] for row in epochs]
                axes.plot(x, y, label=name, color=COLOURS[line], marker=MARKERS[line])
        if probe and lines.get("held out") in probe:
            axes.axhline(
                factor * probe[lines["held out"]],
                label="probe, held out",
                color=COLOURS[1],
                linestyle=":",
            )
        axes.set(xlabel="Epoch", ylabel=label, xlim=(0.5, (total or len(x)) + 0.5))
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    sheet.suptitle(title, fontsize=10)
    named = {
        "loss": "loss",
        "validation_loss": "held-out loss",
        "validation_accuracy": "held-out accuracy",
    }
    named = {key: name for key, name in named.items() if key in epochs[0]}
    curves = (
        f"{name} from {epochs[0][key]:.3g} to {epochs[-1][key]:.3g}"
        for key, name in named.items()
    )
    sheet.alt = f"{sentence(title)} Epochs {x[0]} to {x[-1]}: {listed(curves)}."
    sheet.table = Table(
        ("epoch", *named.values()),
        [(row["epoch"], *(round(row[key], 4) for key in named)) for row in epochs],
    )
    return sheet


def bars(
    names: Sequence[str],
    values: Sequence[float],
    xlabel: str,
    title: str,
    spreads: Sequence[float] | None = None,
) -> Figure:
    """Horizontal bars, the first on top, each with its value written at its end.

    Args:
        names, values: of the bars.
        spreads: a standard deviation for each, drawn as a line to both sides and written behind the value; or None.
    """
    equally_long(
        names=names, values=values, **({} if spreads is None else {"spreads": spreads})
    )
    said = [f"{value:,.4g}" for value in values]
    if spreads is not None:
        said = [
            f"{value:.1f} ± {spread:.1f}"
            for value, spread in zip(values, spreads, strict=True)
        ]
    sheet = Figure(
        figsize=(WIDTH * 0.75, 0.8 + 0.24 * len(names)), layout="constrained"
    )
    axes = sheet.subplots()
    drawn = axes.barh(
        range(len(names)),
        values,
        color=COLOURS[0],
        xerr=spreads,
        ecolor=COLOURS[1],
        capsize=2,
    )
    axes.bar_label(drawn, labels=said, padding=3, fontsize=8)
    axes.set_yticks(
        range(len(names)), [escape_mathtext(name) for name in names], fontsize=8
    )
    axes.invert_yaxis()
    axes.margins(x=0.12 if spreads is None else 0.2)
    axes.set(xlabel=xlabel, title=title)
    sheet.alt = f"{sentence(title)} Bars, {xlabel}: {listed(f'{n} {text}' for n, text in zip(names, said, strict=True))}."
    sheet.table = Table(
        ("bar", xlabel),
        list(zip(names, values if spreads is None else said, strict=True)),
    )
    return sheet


def labelled_points(
    names: Sequence[str],
    x: Sequence[float],
    y: Sequence[float],
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """One named point for each thing compared, its cost on a logarithmic x axis.

    Args:
        names: a name for each point, written to its right.
        x, y: positive floats (n,), floats (n,).
    """
    equally_long(names=names, x=x, y=y)
    sheet = Figure(figsize=(WIDTH * 0.75, WIDTH * 0.45), layout="constrained")
    axes = sheet.subplots()
    axes.scatter(x, y, color=COLOURS[0])
    for name, across, up in zip(names, x, y, strict=True):
        axes.annotate(
            escape_mathtext(name),
            (across, up),
            xytext=(6, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.margins(x=0.22, y=0.12)
    axes.grid(alpha=0.3)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    places = (
        f"{name}: {a:.3g}, {b:.3g}" for name, a, b in zip(names, x, y, strict=True)
    )
    sheet.alt = f"{sentence(title)} Points, {xlabel} and {ylabel}. {listed(places)}."
    sheet.table = Table(("point", xlabel, ylabel), list(zip(names, x, y, strict=True)))
    return sheet
