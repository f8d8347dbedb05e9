"""Freeze and unfreeze by blocks, a table of what is frozen, and how far it moved."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np

from .. import tables
from ..errors import UserInputError, printable
from ..foreign_text import escape_html
from ..models import blocks
from ..models.blocks import Parts, batch_norms, containers, find_blocks, leaves
from ..validation import shown

if TYPE_CHECKING:
    import keras

Network: TypeAlias = "keras.Model | blocks.HasNetwork"
LISTED = 4  # names that a message lists before it says how many more there are
# Good fine-tunings of this course stay far below; rates a hundred times too high are
# beyond it after a few steps.
FAR = 0.25


def freeze(model: Network, up_to: str | int | None = None) -> "FreezeTable":
    """Freeze the pretrained part up to a block; everything after it becomes trainable.

    The flags are those of the layers, which a network and a model built on it share. A
    compiled model is compiled again, since Keras does not notice a changed flag.

    Parameters
    ----------
    model : PretrainedModel or keras.Model
        A Keras model must be built, and contain one pretrained network, flat or nested.
    up_to : str, int or None
        The last block to freeze, by name, or how many blocks from the input on; None:
        all. Layers around the pretrained part are always trainable.

    Returns
    -------
    FreezeTable

    Raises
    ------
    UserInputError
        Unknown block or count; no model, not built, or several pretrained networks.

    Examples
    --------
    >>> import tlcourse as tl
    >>> model = tl.load_pretrained_model()
    >>> tl.freeze(model, up_to=14).trainable < tl.freeze(model, up_to=3).trainable
    True
    """
    parts = find_blocks(model)
    names = list(parts.blocks)
    last = len(names) - 1
    if up_to is not None:
        last = block_index(names, up_to, "up_to", parts.network.name)
    return _apply(parts, names[: last + 1], names[last + 1 :])


def unfreeze(model: Network, from_block: str | int | None = None) -> "FreezeTable":
    """Make a block and all blocks after it trainable, except batch normalisation.

    Parameters
    ----------
    model
        As for `freeze`.
    from_block : str, int or None
        The first block to train, by name, or how many of the last blocks; None: all.
        Blocks in front of it stay as they are.

    Returns
    -------
    FreezeTable

    Raises
    ------
    UserInputError
        As `freeze`.

    Examples
    --------
    >>> import tlcourse as tl
    >>> frozen = tl.freeze(model := tl.load_pretrained_model())
    >>> [row.block for row in tl.unfreeze(model, 1).rows if row.state != "frozen"]
    ['head']
    """
    parts = find_blocks(model)
    names, first = list(parts.blocks), 0
    if from_block is not None:
        first = block_index(names, from_block, "from_block", parts.network.name)
    return _apply(parts, [], names[first:])


class Row(NamedTuple):
    """One block in a `FreezeTable`."""

    block: str
    state: str  # "frozen", "trainable" or "partly", whatever its batch norms are
    parameters: int
    share: float  # of all the model's parameters, in percent
    trainable: int  # how many of the parameters are


@dataclass(frozen=True)
class FreezeTable:
    """What is frozen in a model, block by block.

    The rows are plain tuples: `pandas.DataFrame(table.rows)`.
    """

    name: str  # of the model
    rows: list[Row]  # from the input on; layers around the pretrained part come last
    notes: tuple[str, ...] = ()  # on batch normalisation and on compiling
    warnings: tuple[str, ...] = ()  # on what is likely to be wrong

    @property
    def parameters(self) -> int:
        """How many parameters the model has."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """How many of them `fit` trains."""
        return sum(row.trainable for row in self.rows)

    def _cells(self) -> list[list[str]]:
        total = Row("all", "", self.parameters, 100.0, self.trainable)
        rows = [
            (*row[:3], f"{row.share:.1f} %", row.trainable)
            for row in (*self.rows, total)
        ]
        return tables.Table(Row._fields, rows).texts()

    def _sentences(self) -> list[str]:
        warnings = [f"Warning: {text}" for text in self.warnings]
        return [printable(text) for text in (*warnings, *self.notes)]

    def __repr__(self) -> str:
        table = tables.as_text(self._cells(), left=2)
        return "\n".join([printable(self.name), table, *self._sentences()])

    def _repr_html_(self) -> str:
        sentences = "".join(f"<p>{escape_html(text)}</p>" for text in self._sentences())
        return tables.as_html(self._cells(), self.name) + sentences


def table(
    parts: Parts, notes: Sequence[str] = (), warnings: Sequence[str] = ()
) -> FreezeTable:
    """The table of a model as it is now."""
    import keras

    normalisation = (keras.layers.BatchNormalization, keras.layers.Normalization)
    trained = {id(weight) for weight in parts.network.trainable_weights}
    total = sum(_count(layer.weights) for layer in leaves(parts.network)) or 1
    rows = []
    for block, layers in parts.layers.items():
        weights = {id(weight): weight for layer in layers for weight in layer.weights}
        count = _count(weights.values())
        trainable = _count(weight for key, weight in weights.items() if key in trained)
        flags = [
            any(id(weight) in trained for weight in layer.weights)
            for layer in layers
            if layer.weights and not isinstance(layer, normalisation)
        ]
        state = "partly" if trainable else "frozen"
        if trainable and all(flags):
            state = "trainable"
        rows.append(Row(block, state, count, 100 * count / total, trainable))
    return FreezeTable(parts.network.name, rows, tuple(notes), tuple(warnings))


def _count(weights: "Iterable[keras.Variable]") -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def block_index(names: list[str], block: str | int, argument: str, model: str) -> int:
    """The index of a block, by name or count: from the input, or from the output."""
    if isinstance(block, str) and block in names:
        return names.index(block)
    is_count = isinstance(block, int | np.integer) and not isinstance(block, bool)
    if not is_count or not 1 <= int(block) <= len(names):
        raise UserInputError(
            f"{argument} is {shown(block)}; expected the name of a block, how many of "
            f"them (1 to {len(names)}), or None for all. {model!r} has the blocks "
            f"{', '.join(names)}."
        )
    return int(block) - 1 if argument == "up_to" else len(names) - int(block)


def _apply(parts: Parts, frozen: list[str], trained: list[str]) -> FreezeTable:
    """Set the flags of these blocks, batch normalisation last, and compile again."""
    others = [name for name in parts.blocks if name not in (*frozen, *trained)]
    kept = [(layer, layer.trainable) for layer in _layers_within(parts, others)]
    # Containers first: their setter overwrites the flags within. A frozen container
    # would train a trainable layer all the same, but not count it as trainable.
    for layer in (*containers(parts.network), *parts.own):
        layer.trainable = True
    for layer, flag in kept:
        layer.trainable = flag
    for layer in _layers_within(parts, trained):
        layer.trainable = True
    for layer in _layers_within(parts, frozen):  # last: blocks may share a layer
        layer.trainable = False
    norms = batch_norms([layer for layers in parts.blocks.values() for layer in layers])
    for norm in norms:
        norm.trainable = False
    note = (
        f"Batch norm: the {len(norms)} of the pretrained part stay frozen: trainable, "
        "they would replace their means and variances by those of your batches."
    )
    return table(parts, [note] * bool(norms) + [_compile_again(parts.network)])


def _layers_within(parts: Parts, blocks: Iterable[str]) -> list:
    """The layers of these blocks, and the layers within them."""
    layers = [layer for block in blocks for layer in parts.blocks[block]]
    return [part for layer in layers for part in layer._flatten_layers()]


def _compile_again(network: "keras.Model") -> str:
    """Compile as before, with a new optimizer, and return a sentence about it."""
    import keras

    if not network.compiled or type(network).compile is not keras.Model.compile:
        network.compiled = False  # so that fit refuses
        return (
            f"Compile: {network.name!r} is not compiled, or has a compile method of "
            "its own. Compile the model that you train after this call."
        )
    settings = dict(network._compile_config.config)
    if (optimizer := settings["optimizer"]) is not None:
        config = optimizer.get_config()
        if callable(rate := getattr(optimizer, "_learning_rate", None)):
            config["learning_rate"] = rate  # a schedule is used again
        settings["optimizer"] = type(optimizer).from_config(config)
    network.compile(**settings)
    return (
        "Compile: the model was compiled again with the same loss and metrics, and a "
        f"new optimizer ({type(network.optimizer).__name__}), whose state is reset."
    )


# How far training has moved what was pretrained


def share_moved(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """‖after − before‖ / ‖before‖ over all arrays; infinite if any is not finite."""
    norms = [
        (np.linalg.norm(after - before), np.linalg.norm(before))
        for before, after in pairs
    ]
    distance, length = np.linalg.norm(np.array(norms, np.float64), axis=0)
    share = distance / length if length else 0.0
    return float(share) if np.isfinite(share) else float("inf")


def about_distance(shares: dict[str, float]) -> str:
    """A sentence if a block has moved too far."""
    far = [f"{block} {share:.0%}" for block, share in shares.items() if share > FAR]
    if not far:
        return ""
    return (
        f"{len(far)} of {len(shares)} blocks moved by more than {FAR:.0%} of their "
        f"length: {some(far)}. What was pretrained is mostly gone. Load the network "
        "again, and take a learning rate that is ten times smaller, or a hundred."
    )


def some(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")
