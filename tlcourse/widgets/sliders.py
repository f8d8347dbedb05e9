"""The label slider: accuracies at a number of labels."""

from functools import partial

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..plots import learning_curve as draw_learning_curve
from ..plots.figure import COLOURS, Figure
from ..training.learning_curves import LearningCurve
from .base import Answer, Widget

STEPS = 25  # of the label slider, besides those that were measured


class LabelSlider(Widget):
    """A slider over numbers of labels: the accuracy of each method there.

    Between two measured numbers of labels, mean and standard deviation are
    interpolated in their logarithm.

    Parameters
    ----------
    curve : LearningCurve
        From `tl.learning_curve`, or `tl.LearningCurve.of(tl.results("kanji.ways"))`.
    title : str, optional
        Of the figure; the curve's name, if none is given.

    Examples
    --------
    >>> import tlcourse as tl
    >>> curve = tl.LearningCurve.of(tl.results("kanji.ways"))
    >>> tl.widgets.LabelSlider(curve).answer(20).text.splitlines()[0]
    '20 labels of each class, 1,200 in all (measured):'
    """

    control_class = "SelectionSlider"

    def __init__(self, curve: LearningCurve, title: str | None = None) -> None:
        if not isinstance(curve, LearningCurve):
            raise UserInputError(
                f"curve is {validation.shown(curve)}; expected what tl.learning_curve "
                'returns, or tl.LearningCurve.of(tl.results("kanji.ways")).'
            )
        self._curve, self._title = curve, title or curve.name
        points = next(iter(curve.points.values()))
        self._classes = points[0].rows // (points[0].labels or points[0].rows)
        self._measured = [point.rows / self._classes for point in points]
        first, last = self._measured[0], self._measured[-1]
        between = np.rint(np.geomspace(first, last, STEPS)).clip(first, last)
        positions = sorted({*self._measured, *between.tolist()})
        self.options = {
            "value": self._measured[len(points) // 2],
            "options": [(f"{labels:g}", labels) for labels in positions],
            "description": "Labels of each class",
            "continuous_update": False,
        }

    def answer(self, labels: float) -> Answer:
        """Answer for so many labels of each class, between those that were measured."""
        first, last = self._measured[0], self._measured[-1]
        return self._answer_to(validation.number("labels", labels, first, last))

    def _answer_to(self, value: float) -> Answer:
        accuracies = {
            method: [self._interpolated(points, kind, value) for kind in ("mean", "sd")]
            for method, points in self._curve.points.items()
        }
        is_measured = bool(np.isclose(self._measured, value).any())
        how = "measured" if is_measured else "between two measured numbers"
        total = f"{value * self._classes:,.0f} in all"
        lines = [f"{value:g} labels of each class, {total} ({how}):"]
        for method, (mean, sd) in sorted(accuracies.items(), key=lambda m: -m[1][0]):
            lines.append(f"{method}: {mean:.1%} ± {sd:.1%}")
        means = [mean for mean, _ in accuracies.values()]
        return Answer("\n".join(lines), partial(self._draw, value, means))

    def _interpolated(self, points: list, kind: str, labels: float) -> float:
        values = [getattr(point, kind) for point in points]
        return float(np.interp(np.log(labels), np.log(self._measured), values))

    def _draw(self, labels: float, means: list[float]) -> Figure:
        sheet = draw_learning_curve(self._curve, self._title)
        (axes,), rows = sheet.axes, labels * self._classes
        axes.axvline(rows, color="k", linestyle="--")
        for colour, mean in zip(COLOURS, means, strict=False):
            axes.plot(rows, 100 * mean, "o", ms=11, mfc="none", mew=2, color=colour)
        return sheet
