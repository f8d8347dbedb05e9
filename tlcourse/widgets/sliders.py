"""The freeze explorer and the label slider: move one number and read what follows."""

from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from matplotlib import ticker

from .. import validation
from ..cards import results
from ..errors import UserInputError
from ..foreign_text import escape_mathtext
from ..models.block_counts import BlockCount, count_blocks
from ..models.blocks import find_blocks
from ..models.vision import PretrainedModel
from ..plots import learning_curve as draw_learning_curve
from ..plots.figure import COLOURS, WIDTH, Figure
from ..training.learning_curves import LearningCurve
from .base import Answer, Widget

PICTURES = 1000  # of an epoch
STUDIED = "efficientnet_lite0"  # whose accuracy by the cut was measured
STEPS = 25  # of the label slider, besides those that were measured


class FreezeExplorer(Widget):
    """A slider over the blocks of a network: what is frozen, and what that costs.

    Trainable parameters are counted. Seconds for an epoch of 1,000 pictures are
    interpolated from steps that `make results` measured. Accuracy is given where it was
    measured.

    Parameters
    ----------
    model : str, PretrainedModel or keras.Model
        A published network by its name (nothing is loaded), or a model as for
        `tl.freeze`. It is not changed.

    Raises
    ------
    UserInputError
        There is no network of this name; as `tl.freeze`.

    Examples
    --------
    >>> import tlcourse as tl
    >>> answer = tl.widgets.FreezeExplorer("efficientnet_lite0").answer("block5c")
    >>> answer.data["frozen"][-1], len(answer.data["trainable_blocks"])
    ('block5c', 6)
    """

    control_class = "IntSlider"

    def __init__(self, model: Any = STUDIED) -> None:
        known = results("blocks")
        if isinstance(model, str | PretrainedModel):
            self._name = getattr(model, "name", model)
            published: str | None = validation.one_of("model", self._name, known)
            self._blocks = _blocks_of(known[self._name])
            self._head = known[self._name]["features"] + 1
        else:
            parts, self._blocks = find_blocks(model), count_blocks(model)
            weights = [weight for layer in parts.own for weight in layer.weights]
            self._name = parts.network.name
            self._head = sum(int(np.prod(weight.shape)) for weight in weights)
            same = (name for name in known if _blocks_of(known[name]) == self._blocks)
            published = next(same, None)
        self._seconds = known[published]["seconds"] if published else None
        self._study = results("solar_tuning.blocks") if published == STUDIED else None
        count = len(self._blocks)
        bounds = {"value": count, "min": 0, "max": count, "continuous_update": False}
        self.options = {"description": "Blocks frozen", **bounds}

    def answer(self, frozen: int | str | None = None) -> Answer:
        """Answer for a cut.

        Parameters
        ----------
        frozen : int or str, optional
            How many blocks are frozen, counted from the pixels, or the last frozen one
            by name. All of them, if nothing is given.
        """
        names = [block.name for block in self._blocks]
        if frozen is None:
            frozen = len(names)
        elif isinstance(frozen, str):
            frozen = names.index(validation.one_of("frozen", frozen, names)) + 1
        return self._answer_to(validation.whole_number("frozen", frozen, 0, len(names)))

    def _answer_to(self, value: int) -> Answer:
        names, trained = [block.name for block in self._blocks], self._blocks[value:]
        parameters = sum(block.parameters for block in self._blocks) + self._head
        trainable = sum(block.trainable for block in trained) + self._head
        seconds, accuracy = self._seconds_per_epoch(value), self._accuracy(value)
        share = 100 * trainable / parameters
        cut = f", up to {names[value - 1]}" if 0 < value < len(names) else ""
        lines = [
            f"{self._name}: {value} of {len(names)} blocks are frozen{cut}.",
            f"Trainable: {trainable:,} of {parameters:,} parameters, {share:.3g} %, "
            "the head included.",
            "Seconds per epoch: not measured for this network.",
            "Accuracy: not measured at this cut.",
        ]
        if seconds:
            lines[2] = (
                f"An epoch of {PICTURES:,} pictures: about {seconds['in_fit']:.1f} s "
                "in fit, which computes the frozen blocks again in each epoch; about "
                f"{seconds['computed_once']:.1f} s where they were computed once."
            )
        if accuracy:
            mean, sd = accuracy["mean"], accuracy["sd"]
            lines[3] = f"Accuracy measured on solar cells: {mean:.1%} ± {sd:.1%}."
        data = {
            "network": self._name,
            "frozen": names[:value],
            "trainable_blocks": names[value:],
            "parameters": parameters,
            "trainable": trainable,
            "seconds_per_epoch": seconds,
            "accuracy": accuracy,
        }
        return Answer("\n".join(lines), data, partial(self._draw, value))

    def _seconds_per_epoch(self, frozen: int) -> dict[str, float]:
        """Between two measured cuts, linear in the trainable multiply-adds."""
        if self._seconds is None:
            return {}
        work = np.cumsum([0, *(block.multiply_adds for block in self._blocks[::-1])])
        here, measured = work[len(self._blocks) - frozen], self._seconds["learning"]
        return {
            way: PICTURES * float(np.interp(here, work[measured], self._seconds[way]))
            for way in ("in_fit", "computed_once")
        }

    def _accuracy(self, frozen: int) -> dict[str, float]:
        trainable = len(self._blocks) - frozen
        if not self._study or trainable not in self._study["blocks that learn"]:
            return {}
        index = self._study["blocks that learn"].index(trainable)
        return {kind: self._study[kind][index] for kind in ("mean", "sd")}

    def _draw(self, frozen: int) -> Figure:
        """Parameters of each block; by trainable blocks, accuracy and seconds."""
        count = len(self._blocks)
        size = (WIDTH, max(3.2, 1 + 0.17 * count))
        sheet = Figure(figsize=size, layout="constrained")
        columns = 1 + bool(self._study) + bool(self._seconds)
        left, *panels = sheet.subplots(1, columns, squeeze=False)[0]
        trainable = count - frozen
        style: dict[str, Any] = {
            "color": ["#BBBBBB"] * frozen + [COLOURS[0]] * trainable,
            "hatch": ["////"] * frozen + [""] * trainable,
        }
        sizes = [block.parameters for block in self._blocks]
        left.barh(range(count), sizes, edgecolor="white", **style)
        names = [escape_mathtext(block.name) for block in self._blocks]
        left.set_yticks(range(count), names, fontsize=7)
        left.invert_yaxis()
        left.xaxis.set_major_formatter(ticker.EngFormatter())
        left.set(xlabel="parameters", title="hatched: frozen")
        if self._study:
            percent = [100 * np.array(self._study[kind]) for kind in ("mean", "sd")]
            x, style = self._study["blocks that learn"], {"marker": "o", "capsize": 3}
            panels[0].errorbar(x, *percent, **style)
            panels[0].set(title="measured on solar cells", ylabel="accuracy (%)")
        if self._seconds:
            cuts = [self._seconds_per_epoch(count - k) for k in range(count + 1)]
            labels = {"in_fit": "in fit", "computed_once": "frozen part once"}
            for (way, label), dash in zip(labels.items(), ("-", "-."), strict=True):
                panels[-1].plot([cut[way] for cut in cuts], dash, label=label)
            panels[-1].set(ylabel="seconds per epoch", ylim=(0, None))
            panels[-1].legend(fontsize=7)
        for axes in panels:
            axes.axvline(trainable, color="k", linestyle="--")
            axes.set_xlabel("trainable blocks")
            axes.grid(alpha=0.3)
        return sheet


def _blocks_of(counted: dict) -> list[BlockCount]:
    return [BlockCount(**block) for block in counted["blocks"]]


class LabelSlider(Widget):
    """A slider over labels: how accurate each method is there, and which one leads.

    Between two measured numbers of labels, mean and standard deviation are
    interpolated in their logarithm.

    Parameters
    ----------
    curve : LearningCurve
        From `tl.learning_curve`, or `tl.LearningCurve.of(tl.results("kanji.ways"))`.
    title : str, optional
        Of the figure; the curve's name, if none is given.

    Raises
    ------
    UserInputError
        `curve` is no learning curve.

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
                f"curve is a {type(curve).__name__}; expected what tl.learning_curve "
                'returns, or tl.LearningCurve.of(tl.results("kanji.ways")).'
            )
        self._curve, self._title = curve, title or curve.name
        points = next(iter(curve.points.values()))
        self._classes = points[0].rows // (points[0].labels or points[0].rows)
        self._measured = [point.rows / self._classes for point in points]
        first, last = self._measured[0], self._measured[-1]
        between = np.rint(np.geomspace(first, last, STEPS)).clip(first, last)
        self.options = {
            "value": self._measured[len(points) // 2],
            "options": [
                (f"{labels:g}", labels)
                for labels in sorted({*self._measured, *between.tolist()})
            ],
            "description": "Labels of each class",
            "continuous_update": False,
        }

    def answer(self, labels: float) -> Answer:
        """Answer for so many labels of each class.

        Parameters
        ----------
        labels : float
            Between the fewest and the most that were measured.
        """
        first, last = self._measured[0], self._measured[-1]
        return self._answer_to(validation.number("labels", labels, first, last))

    def _answer_to(self, value: float) -> Answer:
        found = {
            method: self._interpolated(method, value) for method in self._curve.points
        }
        is_measured = bool(np.isclose(self._measured, value).any())
        how = "measured" if is_measured else "between two measured numbers"
        total = f"{value * self._classes:,.0f} in all"
        lines = [f"{value:g} labels of each class, {total} ({how}):"]
        for method in sorted(found, key=lambda method: -found[method]["mean"]):
            mean, sd = found[method]["mean"], found[method]["sd"]
            lines.append(f"{method}: {mean:.1%} ± {sd:.1%}")
        crossings = self._crossings()
        for each in crossings:
            where = "everywhere"
            if each["from_labels"] is not None:
                where = f"from {each['from_labels']:.2g} labels of each class on"
            lines.append(f"{each['better']!r} leads {each['behind']!r} {where}.")
        data = {
            "labels": value,
            "measured": is_measured,
            "accuracy": found,
            "crossings": crossings,
        }
        return Answer("\n".join(lines), data, partial(self._draw, value))

    def _interpolated(self, method: str, labels: float) -> dict[str, float]:
        at, points = np.log(self._measured), self._curve.points[method]
        return {
            kind: float(
                np.interp(np.log(labels), at, [getattr(p, kind) for p in points])
            )
            for kind in ("mean", "sd")
        }

    def _crossings(self) -> list[dict]:
        """From how many labels on one of two methods leads; None: everywhere."""
        crossings, curve = [], self._curve
        for pair in combinations(curve.points, 2):
            behind, better = sorted(pair, key=lambda name: curve.points[name][-1].mean)
            rows = curve.crossing(behind, better)
            if rows is not None:
                labels = rows / self._classes
                start = labels if labels > self._measured[0] else None
                crossing = {"behind": behind, "better": better, "from_labels": start}
                crossings.append(crossing)
        return crossings

    def _draw(self, labels: float) -> Figure:
        sheet = draw_learning_curve(self._curve, self._title)
        (axes,), rows = sheet.axes, labels * self._classes
        axes.axvline(rows, color="k", linestyle="--")
        for colour, method in zip(COLOURS, self._curve.points, strict=False):
            mean = 100 * self._interpolated(method, labels)["mean"]
            axes.plot(rows, mean, "o", ms=11, mfc="none", mew=2, color=colour)
        return sheet
