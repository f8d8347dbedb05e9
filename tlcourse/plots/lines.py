"""Figures of what changes: with labels, epochs or trials."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker

from ..errors import UserInputError
from ..foreign_text import escape_mathtext
from ..tables import Table
from .figure import (
    COLOURS,
    DASHES,
    MARKERS,
    WIDTH,
    Figure,
    check_lengths,
    describe,
    new_figure,
    sentence,
)


def learning_curve(curve: Any, title: str) -> Figure:
    """Draw the mean accuracy of each method, with a band of one standard deviation.

    Parameters
    ----------
    curve : LearningCurve
        From `tl.learning_curve`, or `tl.LearningCurve.of(tl.results(...))`.
    title : str
    """
    methods = curve.points.items()
    return curves(
        [point.rows for point in next(iter(curve.points.values()))],
        {name: [100 * point.mean for point in points] for name, points in methods},
        {name: [100 * point.sd for point in points] for name, points in methods},
        "Labels in all",
        "Accuracy on the test set (%)",
        title,
        highest=100,
    )


def curves(
    x: Sequence[float],
    means: Mapping[str, Sequence[float]],
    deviations: Mapping[str, Sequence[float]],
    xlabel: str,
    ylabel: str,
    title: str,
    highest: float = np.inf,
    logarithmic: bool = True,
) -> Figure:
    """Draw lines of means with bands of one standard deviation up and down.

    Parameters
    ----------
    x : sequence of float, length k
    means, deviations : mapping of str to sequence of float, length k
        For each line its means and standard deviations.
    xlabel, ylabel, title : str
    highest : float
        What a value can be at most, 1 or 100 for accuracies; no band goes beyond.
    logarithmic : bool
        Whether the x axis is.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.show.curves([1], {"probe": [0.6]}, {"probe": [0.1]}, "x", "y", "Few").alt
    'Few. y by x, mean ± standard deviation. 1: probe 0.6 ± 0.1.'
    """
    if not means:
        raise UserInputError("There are no lines to show.")
    for name in means:
        lengths = {f"means of {name}": means[name]}
        lengths[f"deviations of {name}"] = deviations.get(name, ())
        check_lengths(x=x, **lengths)
    sheet, axes = new_figure(0.75 * WIDTH, 0.45 * WIDTH)
    cells = []
    for number, name in enumerate(means):
        mean, deviation = np.asarray(means[name]), np.asarray(deviations[name])
        colour = COLOURS[number % len(COLOURS)]
        axes.plot(
            x,
            mean,
            color=colour,
            linestyle=DASHES[number % len(DASHES)],
            marker=MARKERS[number % len(MARKERS)],
            label=str(number),
        )
        upper = np.minimum(mean + deviation, highest)
        axes.fill_between(
            x, mean - deviation, upper, color=colour, alpha=0.2, linewidth=0
        )
        pairs = zip(mean, deviation, strict=True)
        cells.append([f"{value:.3g} ± {sd:.2g}" for value, sd in pairs])
    if logarithmic:
        axes.set_xscale("log")
    ticks = [f"{value:g}" for value in x]
    axes.set_xticks(x, ticks)
    axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    axes.grid(alpha=0.3)
    if len(means) > 1:
        for text, name in zip(axes.legend().get_texts(), means, strict=True):
            text.set_text(escape_mathtext(name))
    title = f"{sentence(title)} {ylabel} by {xlabel}, mean ± standard deviation"
    return describe(sheet, title, (xlabel, *means), zip(ticks, *cells, strict=True))


def training(
    history: Mapping[str, Sequence[float]],
    title: str = "Training",
    epochs: int | None = None,
    baseline: Mapping[str, float] | None = None,
) -> Figure:
    """Draw loss and accuracy after each epoch, of training and validation.

    Parameters
    ----------
    history : mapping of str to sequence of float
        Keras' `History.history`: "loss", and any of "accuracy", "val_loss" and
        "val_accuracy", accuracies in [0, 1].
    title : str
    epochs : int, optional
        How many there will be, where training goes on: the width of the axis.
    baseline : mapping of str to float, optional
        "val_loss" and "val_accuracy" before training, drawn as dotted lines.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.show.training({"loss": [0.9, 0.5]}).alt
    'Training. 1: loss 0.9; 2: loss 0.5.'
    """
    if not history.get("loss"):
        raise UserInputError("There are no epochs to show.")
    check_lengths(**history)
    baseline, x = baseline or {}, range(1, len(history["loss"]) + 1)
    factors = {"loss": 1, "accuracy": 100}
    shown = [key for key in factors if {key, f"val_{key}"} & set(history)]
    size = (WIDTH * 0.45 * len(shown), WIDTH * 0.32)
    sheet = Figure(figsize=size, layout="constrained")
    panels = sheet.subplots(1, len(shown), squeeze=False)[0]
    for axes, key in zip(panels, shown, strict=True):
        for number, (name, column) in enumerate(
            {"training": key, "validation": f"val_{key}"}.items()
        ):
            style = {"color": COLOURS[number], "marker": MARKERS[number]}
            if column in history:
                values = np.multiply(factors[key], history[column])
                axes.plot(x, values, label=name, **style)
            if column in baseline:
                level = {"y": factors[key] * baseline[column], "color": COLOURS[number]}
                axes.axhline(linestyle=":", label=f"{name}, before", **level)
        axes.set(xlabel="Epoch", ylabel="Loss" if key == "loss" else "Accuracy (%)")
        axes.set_xlim(0.5, (epochs or len(x)) + 0.5)
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(alpha=0.3)
        axes.legend()
    sheet.suptitle(title, fontsize=10)
    cells = (np.round(values, 4).tolist() for values in history.values())
    rows = zip(x, *cells, strict=True)
    return describe(sheet, title, ("epoch", *history), rows)


def trials(
    values: Sequence[float],
    scores: Sequence[float],
    default: float,
    xlabel: str,
    title: str,
) -> Figure:
    """Draw the trials of a search; dotted, what the default reaches.

    Parameters
    ----------
    values : sequence of float, length n
        Of one hyperparameter, above 0, in the order of the trials.
    scores : sequence of float, length n
        Validation accuracies in [0, 1].
    default : float
        The default's validation accuracy.
    xlabel, title : str
    """
    check_lengths(values=values, scores=scores)
    tried, percent = np.asarray(values, float), 100 * np.asarray(scores, float)
    sheet, axes = new_figure(0.75 * WIDTH, 0.4 * WIDTH)
    half = (len(tried) + 1) // 2
    for number, name in enumerate(("first half", "second half")):
        part = slice(number * half, (number + 1) * half)
        axes.scatter(
            tried[part],
            percent[part],
            s=24,
            c=COLOURS[number],
            marker=MARKERS[number],
            alpha=0.75,
            linewidths=0,
            label=name,
        )
    axes.axhline(100 * default, color=COLOURS[-1], linestyle=":", label="default")
    axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set(xlabel=xlabel, ylabel="validation accuracy (%)", title=title)
    best = int(percent.argmax())
    sheet.alt = (
        f"{sentence(title)} {len(tried)} trials as points, validation accuracy by "
        f"{xlabel}: from {percent.min():.1f} % to {percent[best]:.1f} %, the best at "
        f"{tried[best]:.3g}; the default reaches {100 * default:.1f} %."
    )
    numbers = range(1, len(tried) + 1)
    rows = zip(numbers, tried.tolist(), percent.tolist(), strict=True)
    columns = ("trial", xlabel, "validation accuracy (%)")
    sheet.table = Table(columns, [*rows, ("default", "", 100 * default)])
    return sheet
