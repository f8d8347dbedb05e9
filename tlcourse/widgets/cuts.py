"""The freeze explorer: move the cut through a network and read what it costs and what it has brought."""

from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserInputError
from ..evidence import results
from ..models.block_counts import BlockCount, count_blocks
from ..models.blocks import find_blocks
from ..models.vision import PretrainedModel
from .answer import Answer, as_page, as_table
from .cut_chart import CutChart
from .live import Live, spoken

if TYPE_CHECKING:
    import ipywidgets
    import keras

    from ..models.blocks import HasNetwork

PICTURES, BATCH = 1000, 32  # of an epoch and of a step, in what is expected
STUDIED = "efficientnet_lite0"  # the network of the study of cuts on solar cells


def freeze_explorer(
    model: "str | PretrainedModel | object" = STUDIED,
) -> "FreezeExplorer":
    """A slider over the blocks of a network: what is frozen, what that costs, and the accuracy measured at that cut.

    Args:
        model: a published network by its name (nothing of it is loaded), or a model as for `freeze`. It is looked at
            and stays as it is.

    Raises:
        UserInputError: unknown name; as `freeze`.
    """
    return FreezeExplorer(model)


def freezing_at(
    model: "str | PretrainedModel | object" = STUDIED, frozen: int | str | None = None
) -> Answer:
    """What the freeze explorer says at one cut.

    Counted: what is frozen, and the numbers that learn. Expected, for an epoch of 1,000 pictures in batches of 32:
    seconds, from steps that `make results` measured at some cuts of each published network, and memory, from the
    counts: 4 bytes for each number and, where it learns, for its gradient and Adam's two means; and for all that the
    layers that learn hand on. Measured: the accuracy at that cut, where it was.

    Args:
        model: as for `freeze_explorer`.
        frozen: how many blocks are frozen, counted from the pixels, or the last one by name; None: all of them.

    Raises:
        UserInputError: unknown name, block, or number of blocks; as `freeze`.
    """
    network = _network(model)
    return _answer(network, network.place(frozen), CutChart(network))


@dataclass(frozen=True, eq=False)
class Network:
    """What there is to know of a network's blocks.

    Attributes:
        blocks: from the pixels on.
        head: numbers outside the blocks; all of them learn.
        seconds: "learning" (blocks), "in_fit" and "computed_once" (seconds a picture, in training), or None.
        accuracy: "learning" (blocks), "mean" and "sd" in [0, 1], and "on" what, or None.
    """

    name: str
    blocks: list[BlockCount]
    head: int
    seconds: dict | None = None
    accuracy: dict | None = None

    def place(self, frozen: int | str | None) -> int:
        """How many blocks are frozen."""
        names, count = [block.name for block in self.blocks], len(self.blocks)
        if frozen is None:
            return count
        if isinstance(frozen, str) and frozen in names:
            return names.index(frozen) + 1
        if (
            isinstance(frozen, int | np.integer)
            and not isinstance(frozen, bool)
            and 0 <= frozen <= count
        ):
            return int(frozen)
        raise UserInputError(
            f"frozen is {frozen!r}; expected how many blocks are frozen, 0 to {count}, or the last one of "
            f"{self.name}: {', '.join(names)}."
        )

    @cached_property
    def parameters(self) -> int:
        return sum(block.parameters for block in self.blocks) + self.head

    def trainable(self, frozen: int) -> int:
        return sum(block.trainable for block in self.blocks[frozen:]) + self.head

    def seconds_an_epoch(self, frozen: int, way: str) -> float | None:
        """Between two measured cuts they rise with the multiply-adds of the blocks that learn."""
        if self.seconds is None:
            return None
        work = np.cumsum([0, *(block.multiply_adds for block in reversed(self.blocks))])
        measured = work[self.seconds["learning"]]
        return float(
            PICTURES
            * np.interp(work[len(self.blocks) - frozen], measured, self.seconds[way])
        )

    def megabytes(self, frozen: int) -> float:
        handed_on = sum(block.outputs for block in self.blocks[frozen:])
        return (
            4 * (self.parameters + 3 * self.trainable(frozen) + BATCH * handed_on) / 1e6
        )


def _network(model: "keras.Model | HasNetwork | str") -> Network:
    """A published network from what was counted and measured; another one from its layers."""
    name = model if isinstance(model, str) else getattr(model, "name", "")
    known = results("blocks")
    if isinstance(model, str) and model not in known:
        raise UserInputError(
            f"There is no network {model!r} here. There are {', '.join(known)}; or give a model."
        )
    if isinstance(model, str | PretrainedModel):
        return _published(name)
    blocks = count_blocks(model)
    parts = find_blocks(model)
    head = sum(
        int(np.prod(weight.shape)) for layer in parts.own for weight in layer.weights
    )
    same = next(
        (name for name, found in known.items() if _blocks(found) == blocks), None
    )
    seconds, accuracy = (
        (known[same]["seconds"], _accuracy(same)) if same else (None, None)
    )
    return Network(parts.network.name, blocks, head, seconds, accuracy)


@lru_cache
def _published(name: str) -> Network:
    found = results(f"blocks.{name}")
    return Network(
        name, _blocks(found), found["features"] + 1, found["seconds"], _accuracy(name)
    )


def _blocks(found: dict) -> list[BlockCount]:
    return [BlockCount(**block) for block in found["blocks"]]


def _accuracy(name: str) -> dict | None:
    if name != STUDIED:
        return None
    study = results("solar_tuning")
    found = study["blocks"]
    return {
        "learning": found["blocks that learn"],
        "mean": found["mean"],
        "sd": found["sd"],
        "on": f"{study['cells']} solar cells",
    }


def _answer(network: Network, frozen: int, chart: CutChart) -> Answer:
    names = [block.name for block in network.blocks]
    data = {
        "network": network.name,
        "frozen": names[:frozen],
        "learning": names[frozen:],
        "parameters": network.parameters,
        "trainable": network.trainable(frozen),
        "seconds_an_epoch": {
            way: network.seconds_an_epoch(frozen, way)
            for way in ("in_fit", "computed_once")
        },
        "megabytes": network.megabytes(frozen),
        "accuracy": _measured(network, frozen),
        "blocks": [asdict(block) for block in network.blocks],
    }
    lines = [
        _cut(data),
        _counts(data),
        _seconds(data),
        _memory(data),
        _found(network, data),
    ]
    text = "\n".join(lines)

    def write() -> str:
        rows = [
            [
                block.name,
                "frozen" if place < frozen else "learns",
                f"{block.parameters:,}",
            ]
            for place, block in enumerate(network.blocks)
        ]
        table = as_table(
            ["block", "state", "numbers"],
            rows,
            f"The blocks of {network.name}, from the pixels on",
        )
        picture = chart.at(frozen, text).page()
        return f"{spoken(as_page(text))}{picture}<details><summary>Block by block</summary>{table}</details>"

    return Answer(text, data, lambda: chart.at(frozen, text).figure, write)


def _measured(network: Network, frozen: int) -> dict | None:
    """Mean and spread at this very cut."""
    learning = len(network.blocks) - frozen
    if network.accuracy is None or learning not in network.accuracy["learning"]:
        return None
    place = network.accuracy["learning"].index(learning)
    return {kind: network.accuracy[kind][place] for kind in ("mean", "sd")}


def _cut(data: dict) -> str:
    frozen, learning = data["frozen"], data["learning"]
    count = len(frozen) + len(learning)
    if not frozen:
        return (
            f"{data['network']}: none of {count} blocks is frozen; everything learns."
        )
    if not learning:
        return (
            f"{data['network']}: all {count} blocks are frozen; only the head learns."
        )
    which = (
        f"{learning[0]} to {learning[-1]} learn"
        if len(learning) > 1
        else f"{learning[0]} learns"
    )
    return f"{data['network']}: {len(frozen)} of {count} blocks are frozen, up to {frozen[-1]}; {which}."


def _counts(data: dict) -> str:
    share = 100 * data["trainable"] / data["parameters"]
    return f"Trainable: {data['trainable']:,} of {data['parameters']:,} numbers, {share:.3g} %, a head included."


def _seconds(data: dict) -> str:
    in_fit, once = data["seconds_an_epoch"].values()
    if in_fit is None:
        return "Seconds an epoch: not measured for this network."
    return (
        f"An epoch of {PICTURES:,} pictures: about {_rounded(in_fit)} s in fit, which computes the frozen part again "
        f"in each epoch; about {_rounded(once)} s where it was computed once."
    )


def _rounded(seconds: float) -> str:
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.1f}"


def _memory(data: dict) -> str:
    return f"Memory in training: about {data['megabytes']:,.0f} MB with batches of {BATCH}, counted and not measured."


def _found(network: Network, data: dict) -> str:
    if network.accuracy is None:
        return "Accuracy by the cut: not measured for this network."
    on, found = network.accuracy["on"], data["accuracy"]
    if found:
        return f"Accuracy at this cut, measured on {on}: {found['mean']:.1%} ± {found['sd']:.1%}."
    cuts = ", ".join(str(cut) for cut in network.accuracy["learning"])
    return f"Accuracy at this cut: not measured. On {on} it was where {cuts} blocks learn: see the figure."


class FreezeExplorer(Live):
    """The freeze explorer. Made by `freeze_explorer`."""

    def __init__(self, model: "keras.Model | HasNetwork | str") -> None:
        self._network = _network(model)
        self._chart = CutChart(self._network)

    @property
    def default(self) -> Answer:
        return self.at(len(self._network.blocks))

    def at(self, frozen: int | str | None = None) -> Answer:
        """What it says with so many blocks frozen."""
        return _answer(self._network, self._network.place(frozen), self._chart)

    def _make(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        count = len(self._network.blocks)
        self.slider = widgets.IntSlider(
            value=count,
            min=0,
            max=count,
            description="Blocks frozen",
            style={"description_width": "initial"},
        )
        self.slider.layout.width = "95%"
        self.page = widgets.HTML(self.default.page)
        self.slider.observe(lambda change: self._say(change["new"]), "value")
        return widgets.VBox([self.slider, self.page])

    def _say(self, frozen: int) -> None:
        self.page.value = self.at(frozen).page
