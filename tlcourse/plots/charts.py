"""Figures of numbers: shaded tables, points and bars."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from numpy.typing import ArrayLike

from ..errors import UserInputError
from ..foreign_text import escape_mathtext
from ..training.evaluation import ConfusionMatrix
from .figure import (
    COLOURS,
    MARKERS,
    SMALL,
    Figure,
    as_labels,
    check_lengths,
    describe,
    name_legend,
    new_figure,
)

MOST_COUNTED = 30  # classes; of more, the counts would be too small to read


def confusion(matrix: ConfusionMatrix, title: str | None = None) -> Figure:
    """Draw a confusion matrix: counts, and shades for the share of the true class.

    Parameters
    ----------
    matrix : ConfusionMatrix
        From `classifier.confusion(features, labels)`.
    title : str, optional
        Default: the accuracy.

    Examples
    --------
    >>> import tlcourse as tl
    >>> matrix = tl.ConfusionMatrix.of([0, 0, 1], [0, 1, 1], ["cat", "dog"])
    >>> tl.show.confusion(matrix).axes[0].get_title()
    'Accuracy 66.7%: the diagonal'
    """
    names, counts = matrix.class_names, matrix.counts
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    title = title or f"Accuracy {matrix.accuracy:.1%}: the diagonal"
    sheet, axes = _shaded(shares, names, "predicted class", "true class", title, 0.07)
    for (true, predicted), count in np.ndenumerate(counts):
        if len(names) <= MOST_COUNTED:
            colour = "white" if shares[true, predicted] > 0.5 else "black"
            axes.text(predicted, true, count, ha="center", va="center", color=colour)
    columns = ("true class", *(f"predicted {name}" for name in names))
    return describe(sheet, title, columns, zip(names, *counts.T.tolist(), strict=True))


def attention(
    tokens: Sequence[str], weights: ArrayLike, title: str = "Attention between tokens"
) -> Figure:
    """Draw attention weights: a row for each query token, a column for each key.

    Parameters
    ----------
    tokens : sequence of str, length n
    weights : array_like of float, shape (n, n)
        Rows sum to 1: one head of `model.attentions(sentence)`, or an average.
    """
    weights = np.asarray(weights)
    if weights.shape != (len(tokens), len(tokens)):
        raise UserInputError(
            f"weights has shape {weights.shape} for {len(tokens)} tokens; expected one "
            "row and one column for each."
        )
    sheet, axes = _shaded(weights, tokens, "attends to", "token", title, 0.04)
    sheet.colorbar(axes.images[0], shrink=0.7, label="attention weight")
    columns = ("token", *(f"to {token}" for token in tokens))
    rows = zip(tokens, *weights.T.round(2).tolist(), strict=True)
    return describe(sheet, title, columns, rows)


def _shaded(
    table: np.ndarray,
    names: Sequence[str],
    xlabel: str,
    ylabel: str,
    title: str,
    width: float,
) -> tuple[Figure, Axes]:
    """A square table of shares with names; `width`: that of a row on the page."""
    sheet, axes = new_figure(*2 * [min(1, 0.36 + width * len(names))])
    axes.imshow(table, cmap="Blues", vmin=0, vmax=1)
    texts, ticks = [escape_mathtext(name) for name in names], range(len(names))
    axes.set_xticks(ticks, texts, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, texts)
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    return sheet, axes


def feature_map(
    points: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str],
    title: str = "Pictures as points",
) -> Figure:
    """Draw features in two dimensions, with a colour and a marker for each class.

    Parameters
    ----------
    points : array_like of float, shape (n, 2)
        Features after a projection, such as scikit-learn's `PCA(2)`.
    labels : array_like of int, shape (n,), indices into `class_names`
    """
    check_lengths(points=points, labels=labels)
    points, labels = np.asarray(points), as_labels(labels, class_names)
    if points.shape[1:] != (2,):
        raise UserInputError(f"points has shape {points.shape}; expected (n, 2).")
    sheet, axes = new_figure(1, 0.55)
    rows = []
    for label, name in enumerate(class_names):
        own, colour = points[labels == label], COLOURS[label % len(COLOURS)]
        # Of 64 classes no two share colour and marker; of eight in a row, neither.
        marker = MARKERS[(label + label // len(COLOURS)) % len(MARKERS)]
        style: dict[str, Any] = {"s": 18, "c": colour, "marker": marker, "lw": 0}
        axes.scatter(*own.T, alpha=0.75, label=str(label), **style)
        if len(own):
            rows.append((name, len(own), *own.mean(axis=0).round(2).tolist()))
    name_legend(axes, class_names)
    axes.set(xlabel="first direction", ylabel="second direction", title=title)
    axes.set(xticks=[], yticks=[])
    columns = ("class", "points", "mean of first direction", "mean of second direction")
    return describe(sheet, title, columns, rows)


def bars(
    names: Sequence[str],
    values: Sequence[float],
    xlabel: str,
    title: str,
    deviations: Sequence[float] | None = None,
) -> Figure:
    """Draw horizontal bars, the first at the top, each with its value at its end.

    Parameters
    ----------
    names, values : sequence, length n
    deviations : sequence of float, length n, optional
        Standard deviations, drawn as lines and written after the values.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.show.bars(["probe", "scratch"], [80.5, 71.2], "accuracy, %", "Two ways").alt
    'Two ways. probe: accuracy, % 80.5; scratch: accuracy, % 71.2.'
    """
    check_lengths(names=names, values=values, deviations=deviations)
    numbers: Sequence = values
    texts = [f"{value:,.4g}" for value in values]
    if deviations is not None:
        pairs = zip(values, deviations, strict=True)
        numbers = texts = [f"{value:.1f} ± {sd:.1f}" for value, sd in pairs]
    sheet, axes = new_figure(0.75, 0.1 + 0.03 * len(names))
    style: dict[str, Any] = {"color": COLOURS[0], "ecolor": COLOURS[1], "capsize": 2}
    drawn = axes.barh(range(len(names)), values, xerr=deviations, **style)
    labels = axes.bar_label(drawn, labels=texts, padding=3, fontsize=SMALL)
    ticks = [escape_mathtext(name) for name in names]
    axes.set_yticks(range(len(names)), ticks, fontsize=SMALL)
    axes.invert_yaxis()
    axes.margins(x=0.2)
    axes.set(xlabel=xlabel, title=title)
    _make_room(sheet, axes, labels)
    return describe(sheet, title, ("bar", xlabel), zip(names, numbers, strict=True))


def _make_room(sheet: Figure, axes: Axes, texts: Sequence[Text]) -> None:
    """Widen the x axis until the texts are inside of its frame."""
    for _ in range(4):  # each time the texts move a little, with what they label
        sheet.draw_without_rendering()
        inner = Bbox.union([text.get_window_extent() for text in texts]).padded(4)
        frame, (left, right) = axes.get_window_extent(), axes.get_xlim()
        unit = (right - left) / frame.width
        left -= unit * max(0, frame.x0 - inner.x0)
        axes.set_xlim(left, right + unit * max(0, inner.x1 - frame.x1))


def points(
    x: Sequence[float],
    y: Sequence[float],
    xlabel: str,
    ylabel: str,
    title: str,
    names: Sequence[str] = (),
    level: float | None = None,
    deviations: Sequence[float] | None = None,
    logarithmic: bool = True,
) -> Figure:
    """Draw points, such as costs and what they bring, or a search's trials.

    Parameters
    ----------
    x, y : sequence of float, length n
        Values above 0, and what they bring.
    names : sequence of str, length n, optional
        Written beside the points; if none are given, they are numbered.
    level : float, optional
        Drawn as a dotted line: what y is by default.
    deviations : sequence of float, length n, optional
        Standard deviations or standard errors of y, drawn as error bars.
    logarithmic : bool
        Whether the x axis is; otherwise both axes show their 0.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.show.points([20], [1.5], "ms", "gain", "Cost", ["two"], deviations=[0.5]).alt
    'Cost. two: ms 20, gain 1.5 ± 0.5.'
    """
    names = list(names)
    numbers: Sequence = y
    check_lengths(x=x, y=y, names=names or x, deviations=deviations)
    sheet, axes = new_figure(0.75, 0.45)
    axes.scatter(x, y, s=24, alpha=0.75, linewidths=0, color=COLOURS[0])
    if deviations is not None:
        axes.errorbar(x, y, deviations, fmt="none", ecolor=COLOURS[0], alpha=0.4)
        pairs = zip(y, deviations, strict=True)
        numbers = [f"{value:.3g} ± {sd:.2g}" for value, sd in pairs]
    if level is not None:
        axes.axhline(level, color=COLOURS[-1], linestyle=":")
        title = f"{title} (dotted: the default, {level:.3g})"
    if logarithmic:
        axes.set_xscale("log")
    if names and logarithmic:  # few, within a decade or two
        axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()
    axes.margins(x=0.22 if names else 0.05, y=0.12)
    if not logarithmic:
        axes.update_datalim([(0, 0)])
        axes.set_xlim(0, max(x) * (1.5 if names else 1.05))
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    if names:
        _name_points(sheet, axes, np.column_stack([x, y]), names, deviations)
    rows = zip(names or range(1, len(x) + 1), x, numbers, strict=True)
    return describe(sheet, title, ("point", xlabel, ylabel), rows)


def _name_points(
    sheet: Figure,
    axes: Axes,
    points: np.ndarray,
    names: Sequence[str],
    deviations: Sequence[float] | None,
) -> None:
    """Names to the right of points (n, 2), or to the left where others are there."""
    style: dict[str, Any] = {"textcoords": "offset points", "fontsize": SMALL}
    texts = [
        axes.annotate(escape_mathtext(name), point, xytext=(6, -3), **style)
        for name, point in zip(names, points, strict=True)
    ]
    sheet.draw_without_rendering()
    up = np.zeros_like(points, float)
    up[:, 1] = 0 if deviations is None else deviations
    ends = [axes.transData.transform(points + sign * up) for sign in (-1, 1)]
    drawn = [Bbox(corners).padded(4) for corners in zip(*ends, strict=True)]
    for row, text in enumerate(texts):
        box = text.get_window_extent()
        if any(box.overlaps(other) for other in drawn[:row] + drawn[row + 1 :]):
            text.set(ha="right", x=-6)
