"""Figures of bars, points and shaded tables."""

from collections.abc import Sequence

import numpy as np
from matplotlib import ticker
from matplotlib.axes import Axes
from numpy.typing import ArrayLike

from ..errors import UserInputError
from ..foreign_text import escape_mathtext
from ..tables import Table
from ..training.evaluation import ConfusionMatrix
from .figure import (
    COLOURS,
    MARKERS,
    WIDTH,
    Figure,
    as_labels,
    check_lengths,
    describe,
    listed,
    new_figure,
    sentence,
)

MOST_COUNTED = 30  # classes; of more, the counts would be too small to read


def confusion(matrix: ConfusionMatrix, title: str | None = None) -> Figure:
    """Draw a confusion matrix: counts, and shades for the share of the true class.

    Parameters
    ----------
    matrix : ConfusionMatrix
        From `classifier.confusion(features, labels)`.
    title : str, optional
        The accuracy, if none is given.

    Examples
    --------
    >>> import tlcourse as tl
    >>> matrix = tl.ConfusionMatrix.of([0, 0, 1], [0, 1, 1], ["cat", "dog"])
    >>> tl.show.confusion(matrix).axes[0].get_title()
    'Accuracy 66.7%: the diagonal'
    """
    from sklearn.metrics import ConfusionMatrixDisplay

    names, counts = matrix.class_names, matrix.counts
    side = min(WIDTH, 2.2 + 0.55 * len(names))
    sheet, axes = new_figure(side, side)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    display = ConfusionMatrixDisplay(shares).plot(
        ax=axes,
        cmap="Blues",
        colorbar=False,
        im_kw={"vmin": 0, "vmax": 1},
        include_values=len(names) <= MOST_COUNTED,
    )
    if display.text_ is not None:
        for text, count in zip(display.text_.flat, counts.flat, strict=True):
            text.set_text(str(count))
    _name_rows_and_columns(axes, names, rotation=45)
    axes.set(xlabel="predicted class", ylabel="true class")
    axes.set_title(title or f"Accuracy {matrix.accuracy:.1%}: the diagonal")
    cells = (
        f"{count} of true class {names[true]} predicted as {names[predicted]}"
        for (true, predicted), count in np.ndenumerate(counts)
        if count
    )
    sheet.alt = f"Confusion matrix, accuracy {matrix.accuracy:.1%}: {listed(cells)}."
    columns = ("true class", *(f"predicted {name}" for name in names))
    sheet.table = Table(columns, list(zip(names, *counts.T.tolist(), strict=True)))
    return sheet


def attention(
    tokens: Sequence[str], weights: ArrayLike, title: str = "Attention between tokens"
) -> Figure:
    """Draw attention weights: a row for each query token, a column for each key.

    Parameters
    ----------
    tokens : sequence of str, length n
    weights : array_like of float, shape (n, n)
        Rows sum to 1: one head of `model.attentions(sentence)`, or an average.
    title : str
    """
    weights = np.asarray(weights)
    if weights.shape != (len(tokens), len(tokens)):
        raise UserInputError(
            f"weights has shape {weights.shape} for {len(tokens)} tokens; expected one "
            "row and one column for each. Of model.attentions(sentence) choose a layer "
            "and a head, or average over them."
        )
    side = min(WIDTH, 2.0 + 0.3 * len(tokens))
    sheet, axes = new_figure(side, side)
    image = axes.imshow(weights, cmap="Blues", vmin=0)
    _name_rows_and_columns(axes, tokens, rotation=60)
    axes.set(xlabel="attends to", ylabel="token", title=title)
    sheet.colorbar(image, shrink=0.7, label="attention weight")
    highest = (
        f"{token} to {tokens[row.argmax()]} {row.max():.2f}"
        for token, row in zip(tokens, weights, strict=True)
    )
    sheet.alt = f"{sentence(title)} Highest weight of each token: {listed(highest)}."
    columns = ("token", *(f"to {token}" for token in tokens))
    rounded = weights.T.round(2).tolist()
    sheet.table = Table(columns, list(zip(tokens, *rounded, strict=True)))
    return sheet


def _name_rows_and_columns(axes: Axes, names: Sequence[str], rotation: float) -> None:
    texts, ticks = [escape_mathtext(name) for name in names], range(len(names))
    axes.set_xticks(ticks, texts, rotation=rotation, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, texts)


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
    labels : array_like of int, shape (n,)
        Positions in `class_names`.
    class_names : sequence of str
    title : str
    """
    check_lengths(points=points, labels=labels)
    points, labels = np.asarray(points), as_labels(labels, class_names)
    if points.shape[1:] != (2,):
        raise UserInputError(f"points has shape {points.shape}; expected (n, 2).")
    sheet, axes = new_figure(0.75 * WIDTH, 0.55 * WIDTH)
    rows = []
    for label, name in enumerate(class_names):
        own = points[labels == label]
        # Of 64 classes no two share colour and marker; of eight in a row, neither.
        axes.scatter(
            own[:, 0],
            own[:, 1],
            s=18,
            c=COLOURS[label % len(COLOURS)],
            marker=MARKERS[(label + label // len(COLOURS)) % len(MARKERS)],
            alpha=0.75,
            linewidths=0,
            label=str(label),
        )
        if len(own):
            rows.append((name, len(own), *own.mean(axis=0).round(2).tolist()))
    legend = axes.legend(fontsize=8, loc="best")
    for text, name in zip(legend.get_texts(), class_names, strict=True):
        text.set_text(escape_mathtext(name))
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
    xlabel, title : str
    deviations : sequence of float, length n, optional
        Standard deviations, drawn as lines and written behind the values.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.show.bars(["probe", "scratch"], [80.5, 71.2], "accuracy, %", "Two ways").alt
    'Two ways. probe: accuracy, % 80.5; scratch: accuracy, % 71.2.'
    """
    optional = {} if deviations is None else {"deviations": deviations}
    check_lengths(names=names, values=values, **optional)
    texts = [f"{value:,.4g}" for value in values]
    if deviations is not None:
        pairs = zip(values, deviations, strict=True)
        texts = [f"{value:.1f} ± {deviation:.1f}" for value, deviation in pairs]
    sheet, axes = new_figure(0.75 * WIDTH, 0.8 + 0.24 * len(names))
    drawn = axes.barh(
        range(len(names)),
        values,
        color=COLOURS[0],
        xerr=deviations,
        ecolor=COLOURS[1],
        capsize=2,
    )
    axes.bar_label(drawn, labels=texts, padding=3, fontsize=8)
    ticks = [escape_mathtext(name) for name in names]
    axes.set_yticks(range(len(names)), ticks, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.12 if deviations is None else 0.2)
    axes.set(xlabel=xlabel, title=title)
    numbers = values if deviations is None else texts
    return describe(sheet, title, ("bar", xlabel), zip(names, numbers, strict=True))


def labelled_points(
    names: Sequence[str],
    x: Sequence[float],
    y: Sequence[float],
    xlabel: str,
    ylabel: str,
    title: str,
) -> Figure:
    """Draw a named point for each thing compared, its cost on a logarithmic x axis.

    Parameters
    ----------
    names : sequence of str, length n
        Written to the right of the points.
    x, y : sequence of float, length n
        Costs above 0, and what they bring.
    xlabel, ylabel, title : str
    """
    check_lengths(names=names, x=x, y=y)
    sheet, axes = new_figure(0.75 * WIDTH, 0.45 * WIDTH)
    axes.scatter(x, y, color=COLOURS[0])
    points = list(zip(names, x, y, strict=True))
    for name, across, up in points:
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
    return describe(sheet, title, ("point", xlabel, ylabel), points)
