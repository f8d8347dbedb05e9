"""The freeze explorer's figure: drawn once, then only its cut is moved."""

from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from matplotlib import ticker

from ..foreign_text import escape_mathtext
from ..models.block_counts import BlockCount
from ..plots.figure import COLOURS, MARKERS, WIDTH, Figure
from .moving import Moving

if TYPE_CHECKING:
    from matplotlib.axes import Axes


_FROZEN, _LEARNS = "#BBBBBB", COLOURS[0]
_WAYS = {"in_fit": "all computed, in fit", "computed_once": "frozen part computed once"}


class _Network(Protocol):
    """What is drawn of a `cuts.Network`."""

    @property
    def blocks(self) -> list[BlockCount]: ...
    @property
    def accuracy(self) -> dict | None: ...
    def seconds_an_epoch(self, frozen: int, way: str) -> float | None: ...


class CutChart:
    """Numbers of each block; above the blocks that learn, the accuracy measured and the seconds expected."""

    def __init__(self, network: _Network) -> None:
        self._network = network
        self._moving: Moving | None = None

    def at(self, frozen: int, alt: str) -> Moving:
        """The figure with the cut behind so many blocks."""
        self._moving = moving = self._moving or self._draw()
        for place, bar in enumerate(self._bars):
            bar.set(
                facecolor=_FROZEN if place < frozen else _LEARNS,
                hatch="////" if place < frozen else "",
            )
        for line in self._cuts:
            line.set_xdata([len(self._network.blocks) - frozen] * 2)
        moving.figure.alt = alt
        return moving

    def _draw(self) -> Moving:
        network = self._network
        panels = [name for name in ("accuracy", "seconds") if getattr(network, name)]
        sheet = Figure(
            figsize=(WIDTH, max(3.2, 1 + 0.17 * len(network.blocks))),
            layout="constrained",
        )
        grid = sheet.add_gridspec(max(1, len(panels)), 2 if panels else 1)
        self._bars = self._blocks(sheet.add_subplot(grid[:, 0]))
        self._cuts = []
        for row, name in enumerate(panels):
            axes = sheet.add_subplot(grid[row, 1])
            getattr(self, f"_{name}")(axes)
            axes.set(xlabel="blocks that learn", xlim=(-0.5, len(network.blocks) + 0.5))
            axes.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
            axes.grid(alpha=0.3)
            self._cuts.append(
                axes.axvline(0, color="k", linestyle="--", label="the cut")
            )
            axes.legend(fontsize=7, loc="lower right")
        return Moving(sheet, [*self._bars, *self._cuts])

    def _blocks(self, axes: "Axes") -> list:
        names, numbers = zip(
            *((block.name, block.parameters) for block in self._network.blocks),
            strict=True,
        )
        bars = axes.barh(range(len(names)), numbers, edgecolor="white", linewidth=0)
        axes.set_yticks(
            range(len(names)), [escape_mathtext(name) for name in names], fontsize=7
        )
        axes.invert_yaxis()
        axes.xaxis.set_major_formatter(ticker.EngFormatter())
        axes.set(xlabel="numbers in the block", title="hatched: frozen")
        return list(bars)

    def _accuracy(self, axes: "Axes") -> None:
        found = cast(dict, self._network.accuracy)  # drawn where there is one
        percent = {
            kind: [100 * value for value in found[kind]] for kind in ("mean", "sd")
        }
        axes.errorbar(
            found["learning"], percent["mean"], percent["sd"], color=COLOURS[4], marker=MARKERS[0], capsize=3,
            label=f"measured on {found['on']}",
        )  # fmt: skip
        axes.set(ylabel="accuracy (%)")

    def _seconds(self, axes: "Axes") -> None:
        cuts = range(len(self._network.blocks) + 1)
        for number, (way, label) in enumerate(_WAYS.items()):
            seconds = [
                self._network.seconds_an_epoch(len(cuts) - 1 - learning, way)
                for learning in cuts
            ]
            axes.plot(
                cuts,
                np.array(seconds, float),
                color=COLOURS[number + 1],
                linestyle=("-", "-.")[number],
                label=label,
            )
        axes.set(ylabel="seconds an epoch", ylim=(0, None))
