"""The label slider: accuracies at a number of labels."""

from functools import partial

from .. import validation
from ..errors import UserInputError
from ..plots import learning_curve as draw_learning_curve
from ..plots.figure import COLOURS, Figure
from ..training.learning_curves import LearningCurve
from .base import Answer, Widget


class LabelSlider(Widget):
    """A slider over the numbers of labels that were measured: each method's accuracy.

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
    '20 labels of each class, 1,200 in all:'
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
        # Labels of each class → index into each method's points.
        labels = [point.labels or round(point.rows / self._classes) for point in points]
        self._index = {number: index for index, number in enumerate(labels)}
        self.options = {
            "value": list(self._index)[len(points) // 2],
            "options": [(f"{labels:g}", labels) for labels in self._index],
            "description": "Labels of each class",
            "continuous_update": False,
        }

    def answer(self, labels: float) -> Answer:
        """Answer for so many labels of each class, one of those that were measured."""
        number = validation.number("labels", labels)
        if number not in self._index:
            measured = ", ".join(f"{each:g}" for each in self._index)
            raise UserInputError(
                f"labels is {number:g}; expected one of {measured}, which were measured."
            )
        return self._answer_to(int(number))

    def _answer_to(self, value: int) -> Answer:
        index = self._index[value]
        points = {name: each[index] for name, each in self._curve.points.items()}
        total = f"{value * self._classes:,.0f} in all"
        lines = [f"{value:g} labels of each class, {total}:"]
        for method, point in sorted(points.items(), key=lambda item: -item[1].mean):
            lines.append(f"{method}: {point.mean:.1%} ± {point.sd:.1%}")
        means = [point.mean for point in points.values()]
        return Answer("\n".join(lines), partial(self._draw, value, means))

    def _draw(self, labels: float, means: list[float]) -> Figure:
        sheet = draw_learning_curve(self._curve, self._title)
        (axes,), rows = sheet.axes, labels * self._classes
        axes.axvline(rows, color="k", linestyle="--")
        for colour, mean in zip(COLOURS, means, strict=False):
            axes.plot(rows, 100 * mean, "o", ms=11, mfc="none", mew=2, color=colour)
        return sheet
