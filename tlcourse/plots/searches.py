"""A figure of a search: what each of its trials came to."""

from collections.abc import Sequence

import numpy as np

from ..tables import Table
from .figure import COLOURS, MARKERS, WIDTH, Figure, equally_long, sentence


def trials(
    values: Sequence[float],
    scores: Sequence[float],
    default: float,
    xlabel: str,
    title: str,
) -> Figure:
    """The trials of a search as points, the first and the second half apart; dotted, what the default reaches.

    Args:
        values: of one hyperparameter, positive floats (n,), in the order of the trials; drawn on a logarithmic axis.
        scores: validation accuracy of each, in [0, 1], (n,).
        default: the default's validation accuracy.
        xlabel: name of the hyperparameter.
    """
    equally_long(values=values, scores=scores)
    tried, percent = np.asarray(values, float), 100 * np.asarray(scores, float)
    sheet = Figure(figsize=(WIDTH * 0.75, WIDTH * 0.4), layout="constrained")
    axes = sheet.subplots()
    half = (len(values) + 1) // 2
    for number, (part, name) in enumerate(
        ((slice(half), "first half"), (slice(half, None), "second half"))
    ):
        colour, marker = COLOURS[number], MARKERS[number]
        axes.scatter(
            values[part],
            percent[part],
            s=24,
            c=colour,
            marker=marker,
            alpha=0.75,
            label=name,
            linewidths=0,
        )
    axes.axhline(100 * default, color=COLOURS[-1], linestyle=":", label="default")
    axes.set_xscale("log")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.set(xlabel=xlabel, ylabel="validation accuracy (%)", title=title)
    best = int(percent.argmax())
    sheet.alt = (
        f"{sentence(title)} {len(values)} trials as points, validation accuracy by {xlabel}: "
        f"from {percent.min():.1f} % to "
        f"{percent[best]:.1f} %, the best at {tried[best]:.3g}; the default reaches {100 * default:.1f} %."
    )
    rows = [
        (number + 1, *pair)
        for number, pair in enumerate(
            zip(tried.tolist(), percent.tolist(), strict=True)
        )
    ]
    sheet.table = Table(
        ("trial", xlabel, "validation accuracy (%)"),
        [*rows, ("default", "", 100 * default)],
    )
    return sheet
