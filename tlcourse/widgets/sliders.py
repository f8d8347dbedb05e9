"""The freeze explorer and the label slider: move one number and read what follows."""

from functools import partial
from typing import Any

import numpy as np
from matplotlib import ticker

from .. import validation
from ..cards import results
from ..errors import UserInputError
from ..plots import learning_curve as draw_learning_curve
from ..plots.figure import COLOURS, Figure, new_figure
from ..training.learning_curves import LearningCurve
from .base import Answer, Widget

PICTURES = 1000  # of an epoch
STUDIED = "efficientnet_lite0"  # whose accuracy by the cut was measured
STUDY = ("blocks that learn", "mean", "sd")
STEPS = 25  # of the label slider, besides those that were measured


class FreezeExplorer(Widget):
    """A slider over the blocks of a network: what is frozen, and what that costs.

    Parameters, seconds for an epoch of 1,000 pictures and, where it was measured,
    accuracy are those of `make results`; seconds are interpolated.

    Parameters
    ----------
    model : str or PretrainedModel
        A published network, or its name: then nothing is loaded.

    Examples
    --------
    >>> import tlcourse as tl
    >>> answer = tl.widgets.FreezeExplorer("efficientnet_lite0").answer("block5c")
    >>> answer.text.splitlines()[0]
    'efficientnet_lite0: 12 of 18 blocks are frozen, up to block5c.'
    """

    control_class = "IntSlider"

    def __init__(self, model: Any = STUDIED) -> None:
        known = results("blocks")
        name = validation.one_of("model", getattr(model, "name", model), known)
        self._name, self._known = name, known[name]
        self._blocks = self._known["blocks"]
        count = len(self._blocks)
        bounds = {"value": count, "min": 0, "max": count, "continuous_update": False}
        self.options = {"description": "Blocks frozen", **bounds}

    def answer(self, frozen: int | str) -> Answer:
        """Answer for a cut.

        Parameters
        ----------
        frozen : int or str
            How many blocks are frozen, counted from the pixels, or the last frozen one
            by name.
        """
        names = [block["name"] for block in self._blocks]
        if isinstance(frozen, str):
            frozen = names.index(validation.one_of("frozen", frozen, names)) + 1
        return self._answer_to(validation.whole_number("frozen", frozen, 0, len(names)))

    def _answer_to(self, value: int) -> Answer:
        names, trained = [b["name"] for b in self._blocks], self._blocks[value:]
        head = self._known["features"] + 1
        parameters = sum(block["parameters"] for block in self._blocks) + head
        trainable = sum(block["trainable"] for block in trained) + head
        cut = f", up to {names[value - 1]}" if 0 < value < len(names) else ""
        text = (
            f"{self._name}: {value} of {len(names)} blocks are frozen{cut}.\n"
            f"Trainable: {trainable:,} of {parameters:,} parameters, "
            f"{100 * trainable / parameters:.3g} %, the head included.\n"
            f"An epoch of {PICTURES:,} pictures: about "
            f"{self._seconds('in_fit', len(trained)):.1f} s in fit, which computes the "
            "frozen blocks again in each epoch; about "
            f"{self._seconds('computed_once', len(trained)):.1f} s where they were "
            f"computed once.\nAccuracy: {self._accuracy(len(trained))}"
        )
        return Answer(text, partial(self._draw, value))

    def _seconds(self, way: str, trained: int) -> float:
        """Of an epoch; between measured cuts linear in the trainable multiply-adds."""
        work = np.cumsum([0, *(b["multiply_adds"] for b in self._blocks[::-1])])
        seconds = self._known["seconds"]
        a_picture = np.interp(work[trained], work[seconds["learning"]], seconds[way])
        return PICTURES * float(a_picture)

    def _accuracy(self, trained: int) -> str:
        study = results("solar_tuning.blocks") if self._name == STUDIED else {}
        accuracies = zip(*(study.get(key, ()) for key in STUDY), strict=True)
        for blocks, mean, sd in accuracies:
            if blocks == trained:
                return f"{mean:.1%} ± {sd:.1%} on solar cells."
        return "not measured at this cut."

    def _draw(self, frozen: int) -> Figure:
        """Parameters of each block."""
        count = len(self._blocks)
        sheet, axes = new_figure(0.6, max(0.4, 0.12 + 0.02 * count))
        sizes = [block["parameters"] for block in self._blocks]
        colours = ["#BBBBBB"] * frozen + [COLOURS[0]] * (count - frozen)
        bars = axes.barh(range(count), sizes, color=colours, edgecolor="white")
        for bar in bars[:frozen]:
            bar.set_hatch("////")
        names = [block["name"] for block in self._blocks]
        axes.set_yticks(range(count), names, fontsize=7)
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(ticker.EngFormatter())
        axes.set(xlabel="parameters", title="hatched: frozen")
        return sheet


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
