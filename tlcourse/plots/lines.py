"""Figures of lines: what changes with labels or with epochs."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import ticker

from .figure import (
    COLOURS,
    MARKERS,
    SMALL,
    WIDTH,
    Figure,
    check_lengths,
    describe,
    name_legend,
    new_figure,
    sentence,
)


def learning_curve(curve: Any, title: str) -> Figure:
    """Draw the mean accuracy of each method, with a band of one standard deviation.

    Parameters
    ----------
    curve : LearningCurve
        From `tl.learning_curve`, or `tl.LearningCurve.of(tl.results(...))`.
    """
    methods = curve.points.items()
    return curves(
        [point.rows for point in next(iter(curve.points.values()))],
        {name: [100 * point.mean for point in points] for name, points in methods},
        {name: [100 * point.sd for point in points] for name, points in methods},
        "Labelled training examples",
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
    check_lengths(lines_of_means=means, lines_of_deviations=deviations)
    sheet, axes = new_figure(1, 0.45)
    cells = []
    for number, name in enumerate(means):
        mean, deviation = np.asarray(means[name]), np.asarray(deviations[name])
        check_lengths(x=x, means=mean, deviations=deviation)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        dash = ("-", "--", "-.", ":")[number % 4]
        axes.plot(x, mean, marker + dash, color=colour, label=str(number))
        upper = np.minimum(mean + deviation, highest)
        band: dict[str, Any] = {"color": colour, "alpha": 0.2, "linewidth": 0}
        axes.fill_between(x, mean - deviation, upper, **band)
        pairs = zip(mean, deviation, strict=True)
        cells.append([f"{value:.3g} ± {sd:.2g}" for value, sd in pairs])
    if logarithmic:
        axes.set_xscale("log")
    ticks = [f"{value:g}" for value in x]
    axes.set_xticks(x, ticks)
    axes.minorticks_off()
    axes.set(xlabel=xlabel, ylabel=ylabel, title=title)
    name_legend(axes, list(means))
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
    check_lengths(epochs=history.get("loss", ()), **history)
    epochs = epochs or len(history["loss"])
    shown = [key for key in ("loss", "accuracy") if {key, f"val_{key}"} & set(history)]
    size = (WIDTH * 0.5 * len(shown), WIDTH * 0.36)
    sheet = Figure(figsize=size, layout="constrained")
    panels = sheet.subplots(1, len(shown), squeeze=False)[0]
    lines: dict[str, Any] = {}
    for axes, key in zip(panels, shown, strict=True):
        for number, name in enumerate(("training", "validation")):
            column, colour = ("val_" if number else "") + key, COLOURS[number]
            if y := history.get(column):
                marker = MARKERS[number] + "-"
                axes.plot(range(1, len(y) + 1), y, marker, c=colour, label=name)
            if baseline and column in baseline:
                label = f"{name}, before"
                axes.axhline(baseline[column], ls=":", color=colour, label=label)
        axes.set(xlabel="epoch", ylabel=key, xlim=(0.5, epochs + 0.5))
        axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True, min_n_ticks=1))
        handles, labels = axes.get_legend_handles_labels()
        lines |= dict(zip(labels, handles, strict=True))
    below: dict[str, Any] = {"loc": "outside lower center", "ncols": len(lines)}
    sheet.legend([*lines.values()], [*lines], fontsize=SMALL, **below)
    sheet.suptitle(title, fontsize=10)
    cells = (np.round(values, 4).tolist() for values in history.values())
    rows = zip(range(1, len(history["loss"]) + 1), *cells, strict=True)
    return describe(sheet, title, ("epoch", *history), rows)
