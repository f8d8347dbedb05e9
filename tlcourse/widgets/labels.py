"""The label slider: move along a learning curve and read how good each method is there, and from where on it leads."""

from collections.abc import Iterator
from itertools import combinations
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserInputError
from ..plots import learning_curve as draw_learning_curve
from ..plots.figure import COLOURS
from ..training.learning_curves import LearningCurve, Point
from .answer import Answer, as_page, as_table
from .live import Live, spoken
from .moving import Moving

if TYPE_CHECKING:
    import ipywidgets

STEPS = 25  # positions of the slider, beside those that were measured


def label_slider(curve: LearningCurve, title: str | None = None) -> "LabelSlider":
    """A slider over the labels of each class: the learning curves, a point that moves on each, and where they cross.

    Args:
        curve: from `learning_curve`, or `LearningCurve.of(tl.results("kanji.ways"))`.
        title: of the figure.

    Raises:
        UserInputError: no learning curve.
    """
    return LabelSlider(curve, title)


def accuracy_at(
    curve: LearningCurve, labels: float, title: str | None = None
) -> Answer:
    """What the label slider says at so many labels of each class.

    Where it was measured: mean and standard deviation over the draws. Between two measured numbers both are taken to
    change with the logarithm of the number of labels, and the text says so.

    Args:
        curve, title: as for `label_slider`.
        labels: of each class, between the fewest and the most that were measured.

    Raises:
        UserInputError: no learning curve; fewer or more labels than were measured.
    """
    return _answer(curve, labels, _Chart(_checked(curve), title))


def _checked(curve: LearningCurve) -> LearningCurve:
    if not isinstance(curve, LearningCurve):
        raise UserInputError(
            f"curve is a {type(curve).__name__}; expected what tl.learning_curve gives, or "
            'tl.LearningCurve.of(tl.results("kanji.ways")).'
        )
    return curve


def _classes(curve: LearningCurve) -> int:
    """How many classes: the rows of a point are its labels of each class times these."""
    point = next(iter(curve.points.values()))[0]
    return point.rows // (point.labels or point.rows)


def _measured(curve: LearningCurve) -> list[float]:
    """Labels of each class where it was measured; of all rows, their mean number."""
    classes = _classes(curve)
    return [point.rows / classes for point in next(iter(curve.points.values()))]


def _between(
    curve: LearningCurve, points: list[Point], labels: float
) -> tuple[float, float]:
    """Mean and standard deviation of a method at so many labels of each class."""
    at = np.log(_measured(curve))
    where = np.log(labels)
    mean, sd = (
        float(np.interp(where, at, [getattr(point, kind) for point in points]))
        for kind in ("mean", "sd")
    )
    return mean, sd


def _crossings(curve: LearningCurve) -> Iterator[tuple[str, str, float | None]]:
    """For each two methods: which is behind at first, which is better in the end, from how many labels of each class.

    None: the better one is so from the fewest labels on.
    """
    fewest = _measured(curve)[0]
    for pair in combinations(curve.points, 2):
        last = [curve.points[method][-1].mean for method in pair]
        behind, better = pair if last[1] > last[0] else pair[::-1]
        labels = curve.crossing(behind, better)
        if labels is not None:
            labels /= _classes(curve)
            yield behind, better, labels if labels > fewest else None


def _answer(curve: LearningCurve, labels: float, chart: "_Chart") -> Answer:
    measured = _measured(curve)
    if (
        not isinstance(labels, int | float | np.number)
        or not measured[0] <= labels <= measured[-1]
    ):
        raise UserInputError(
            f"labels is {labels!r}; measured were {measured[0]:g} to {measured[-1]:g} labels of each class."
        )
    here = any(abs(labels - known) < 1e-9 for known in measured)
    found = {
        method: _between(curve, points, labels)
        for method, points in curve.points.items()
    }
    order = sorted(found, key=lambda method: -found[method][0])
    how = "measured" if here else "between two measured numbers"
    lines = [
        f"{labels:g} labels of each class, {labels * _classes(curve):,.0f} in all ({how}):"
    ]
    lines += [
        f"{method}: {found[method][0]:.1%} ± {found[method][1]:.1%}" for method in order
    ]
    crossings = list(_crossings(curve))
    lines += [_crossing(*crossing) for crossing in crossings]
    text = "\n".join(lines)
    data = {
        "labels": labels,
        "measured": here,
        "accuracy": {
            method: {"mean": mean, "sd": sd} for method, (mean, sd) in found.items()
        },
        "crossings": [
            dict(zip(("behind", "better", "from_labels"), crossing, strict=True))
            for crossing in crossings
        ],
    }

    def write() -> str:
        rows = [
            [method, f"{found[method][0]:.1%}", f"± {found[method][1]:.1%}"]
            for method in order
        ]
        table = as_table(["method", "accuracy", "sd"], rows, lines[0].rstrip(":"))
        crossed = as_page("\n".join(_crossing(*crossing) for crossing in crossings))
        return spoken(table) + chart.at(labels, text).page() + crossed

    return Answer(text, data, lambda: chart.at(labels, text).figure, write)


def _crossing(behind: str, better: str, labels: float | None) -> str:
    if labels is None:
        return f"{better!r} is ahead of {behind!r} everywhere."
    return (
        f"{better!r} is ahead of {behind!r} from {labels:.2g} labels of each class on."
    )


class _Chart:
    """The learning curves, drawn once; then only the points are moved."""

    def __init__(self, curve: LearningCurve, title: str | None) -> None:
        self._curve, self._title = curve, title
        self._moving: Moving | None = None

    def at(self, labels: float, alt: str) -> Moving:
        self._moving = moving = self._moving or self._draw()
        where = labels * _classes(self._curve)
        self._line.set_xdata([where] * 2)
        for mark, points in self._marks:
            mark.set_data([where], [100 * _between(self._curve, points, labels)[0]])
        moving.figure.alt = alt
        return moving

    def _draw(self) -> Moving:
        sheet = draw_learning_curve(self._curve, self._title or self._curve.name)
        (axes,) = sheet.axes
        axes.set_xlim(
            axes.get_xlim()
        )  # as they are: nothing that is added may move them
        self._line = axes.axvline(axes.get_xlim()[0], color="k", linestyle="--")
        self._marks = [
            (
                axes.plot([], [], "o", ms=11, mfc="none", mew=2, color=COLOURS[number])[
                    0
                ],
                points,
            )
            for number, points in enumerate(self._curve.points.values())
        ]
        classes = _classes(self._curve)
        for _, better, labels in _crossings(self._curve):
            if labels is not None:
                points = self._curve.points[better]
                axes.plot(
                    labels * classes,
                    100 * _between(self._curve, points, labels)[0],
                    "kx",
                    ms=9,
                    mew=2,
                )
        return Moving(sheet, [self._line, *(mark for mark, _ in self._marks)])


class LabelSlider(Live):
    """The label slider. Made by `label_slider`."""

    def __init__(self, curve: LearningCurve, title: str | None) -> None:
        self._curve = _checked(curve)
        self._chart = _Chart(curve, title)

    @property
    def positions(self) -> list[float]:
        """Labels of each class that the slider can stand at: what was measured, and whole numbers between."""
        measured = _measured(self._curve)
        between = np.unique(np.rint(np.geomspace(measured[0], measured[-1], STEPS)))
        return sorted(
            {
                *measured,
                *between[(between >= measured[0]) & (between <= measured[-1])].tolist(),
            }
        )

    @property
    def default(self) -> Answer:
        measured = _measured(self._curve)
        return self.at(measured[len(measured) // 2])

    def at(self, labels: float) -> Answer:
        """What it says at so many labels of each class."""
        return _answer(self._curve, labels, self._chart)

    def _make(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        options = [(f"{labels:g}", labels) for labels in self.positions]
        self.slider = widgets.SelectionSlider(
            options=options,
            value=self.default.data["labels"],
            description="Labels of each class",
            style={"description_width": "initial"},
        )
        self.slider.layout.width = "95%"
        self.page = widgets.HTML(self.default.page)
        self.slider.observe(lambda change: self._say(change["new"]), "value")
        return widgets.VBox([self.slider, self.page])

    def _say(self, labels: float) -> None:
        self.page.value = self.at(labels).page
