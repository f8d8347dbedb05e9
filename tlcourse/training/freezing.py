"""Freeze and unfreeze by blocks: flags, batch norm and `compile` in one call, and a table of what is frozen now."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from .. import tables
from ..errors import UserInputError, printable
from ..foreign_text import escape_html
from ..models.blocks import Parts, batch_norms, containers, find_blocks, leaves
from ..validation import shown

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork


def freeze(
    model: "keras.Model | HasNetwork", up_to: str | int | None = None
) -> "FreezeTable":
    """Freeze the pretrained part from the pixels up to a block; everything after it becomes trainable.

    The flags are those of the layers themselves: a network and a model built on it share their layers. A model that
    was compiled is compiled again, because Keras does not notice a changed flag once it has trained.

    Args:
        model: a `PretrainedModel`, or a built `keras.Model` with one pretrained network in it, flat or nested.
        up_to: the last block to be frozen, by name; or how many blocks, counted from the pixels, from 1; None: all
            of them. Layers put around the pretrained part are always trainable.

    Returns:
        A table of what is frozen now.

    Raises:
        UserInputError: unknown block, count out of range, not a model, not built, or two pretrained networks in it.
    """
    parts = find_blocks(model)
    frozen = len(parts.blocks) if up_to is None else _place(parts, up_to, "up_to") + 1
    return _set(
        parts, {block: place >= frozen for place, block in enumerate(parts.blocks)}
    )


def unfreeze(
    model: "keras.Model | HasNetwork", from_: str | int | None = None
) -> "FreezeTable":
    """Make a block and all blocks after it trainable, except their batch norm; blocks before it stay as they are.

    Args:
        model: as for `freeze`.
        from_: the first block to be trained, by name; or how many of the last blocks, from 1; None: all of them.

    Returns, Raises:
        As `freeze`.
    """
    parts = find_blocks(model)
    first = 0 if from_ is None else _place(parts, from_, "from_")
    return _set(
        parts,
        {block: place >= first or None for place, block in enumerate(parts.blocks)},
    )


class Row(NamedTuple):
    """One block in a `FreezeTable`: counts of numbers, and its share of all the model's numbers in percent."""

    block: str
    state: str  # "frozen", "trainable" or "partly"; a frozen batch norm does not make a trainable block "partly"
    parameters: int
    share: float
    trainable: int
    layers: tuple[str, ...]


@dataclass(frozen=True)
class FreezeTable:
    """What is frozen in a model, block by block. `table.rows` are plain tuples: `pandas.DataFrame(table.rows)`.

    Attributes:
        name: the model's name.
        rows: one `Row` a block, from the pixels on; the layers put around the pretrained part come last.
        notes: sentences on batch norm and on compiling.
        warnings: sentences on what is likely to be wrong.
    """

    name: str
    rows: list[Row]
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def parameters(self) -> int:
        """How many numbers the model holds."""
        return sum(row.parameters for row in self.rows)

    @property
    def trainable(self) -> int:
        """How many of them `fit` trains."""
        return sum(row.trainable for row in self.rows)

    def _cells(self) -> list[tuple[str, ...]]:
        lines = [
            (
                r.block,
                r.state,
                f"{r.parameters:,}",
                f"{r.share:.1f} %",
                f"{r.trainable:,}",
            )
            for r in self.rows
        ]
        total = ("all", "", f"{self.parameters:,}", "100.0 %", f"{self.trainable:,}")
        return [("block", "state", "parameters", "share", "trainable"), *lines, total]

    def _sentences(self) -> list[str]:
        return [
            printable(text)
            for text in (*(f"Warning: {text}" for text in self.warnings), *self.notes)
        ]

    def __repr__(self) -> str:
        return "\n".join(
            [
                printable(self.name),
                tables.as_text(self._cells(), left=2),
                *self._sentences(),
            ]
        )

    def _repr_html_(self) -> str:
        sentences = "".join(f"<p>{escape_html(text)}</p>" for text in self._sentences())
        return tables.as_html(self._cells(), self.name) + sentences


def table(
    parts: Parts, notes: Sequence[str] = (), warnings: Sequence[str] = ()
) -> FreezeTable:
    """The table of a model as it stands."""
    trained = {
        id(weight) for weight in parts.network.trainable_weights
    }  # what `fit` asks, too
    total = sum(_count(layer.weights) for layer in leaves(parts.network)) or 1
    rows = []
    for block, layers in parts.layers.items():
        weights = {id(weight): weight for layer in layers for weight in layer.weights}
        learning = [weight for key, weight in weights.items() if key in trained]
        states = {
            any(id(weight) in trained for weight in layer.weights)
            for layer in layers
            if _learns(layer)
        }
        state = (
            "partly"
            if len(states) == 2 or (learning and True not in states)
            else "frozen"
        )
        if states == {True} or (learning and not states):
            state = "trainable"
        count = _count(weights.values())
        names = tuple(layer.name for layer in layers)
        rows.append(
            Row(block, state, count, 100 * count / total, _count(learning), names)
        )
    return FreezeTable(parts.network.name, rows, tuple(notes), tuple(warnings))


def _learns(layer: "keras.layers.Layer") -> bool:
    """Whether a layer has weights that a block's state depends on: frozen batch norm is no exception to trainable."""
    import keras

    passive = (keras.layers.BatchNormalization, keras.layers.Normalization)
    return bool(layer.weights) and not isinstance(layer, passive)


def _count(weights: "Iterable[keras.Variable]") -> int:
    return sum(math.prod(weight.shape) for weight in weights)


def _place(parts: Parts, wanted: str | int, argument: str) -> int:
    """The position of a block that is given by name or count: from the pixels for `up_to`, from the end for `from_`."""
    names = list(parts.blocks)
    if isinstance(wanted, str):
        if wanted not in names:
            raise UserInputError(
                f"{parts.network.name!r} has no block {shown(wanted)}. Its blocks: {', '.join(names)}."
            )
        return names.index(wanted)
    if isinstance(wanted, bool) or not isinstance(wanted, int | np.integer):
        raise UserInputError(
            f"{argument} is {shown(wanted)}; expected a block's name ({names[0]!r}, …, {names[-1]!r}), a whole "
            "number of blocks, or nothing for all of them."
        )
    if not 1 <= wanted <= len(names):
        other = (
            "To freeze nothing: tl.unfreeze(model)."
            if argument == "up_to"
            else "To train none: tl.freeze(model)."
        )
        raise UserInputError(
            f"{argument} is {shown(wanted)}; {parts.network.name!r} has {len(names)} blocks, so expected 1 to "
            f"{len(names)}. {other if wanted == 0 else 'Blocks: ' + ', '.join(names) + '.'}"
        )
    return int(wanted) - 1 if argument == "up_to" else len(names) - int(wanted)


def _set(parts: Parts, wanted: dict[str, bool | None]) -> FreezeTable:
    """Set every block's flags (None: as they are), batch norm last, and compile again."""
    network = parts.network
    settings = _compile_settings(
        network
    )  # may refuse, so it comes before anything is changed
    before = [(layer, layer.trainable) for layer in _flat(parts, None, wanted)]
    # Containers first: their setter overwrites the flags within. A frozen container round a trainable layer would
    # train it all the same, but its own trainable_weights would say that it does not.
    for model in containers(network):
        model.trainable = True
    for layer in parts.own:
        layer.trainable = True
    for layer, trainable in before:
        layer.trainable = trainable
    for trainable in (True, False):
        for layer in _flat(parts, trainable, wanted):
            layer.trainable = trainable
    norms = batch_norms([layer for layers in parts.blocks.values() for layer in layers])
    for norm in norms:
        norm.trainable = False
    return table(parts, [_about_norms(parts, norms), _compile(network, settings)])


def _flat(parts: Parts, choice: bool | None, wanted: dict) -> list:
    """The layers, and the layers within them, of all blocks that are to be so."""
    chosen = [
        layer
        for block, layers in parts.blocks.items()
        if wanted[block] is choice
        for layer in layers
    ]
    return [part for layer in chosen for part in layer._flatten_layers()]


def _about_norms(parts: Parts, norms: list) -> str:
    part = "the pretrained part" if parts.known else "the blocks"
    if not norms:
        return f"Batch norm: there is none in {part}."
    return (
        f"Batch norm: the {len(norms)} of {part} stay frozen in every block. Trainable, they would replace the means "
        "and variances they were trained with by those of your batches, at any learning rate."
    )


def _compile_settings(network: "keras.Model") -> dict | None:
    """What the model was compiled with, the optimizer made anew; None if it was not, or not by Keras' own `compile`."""
    import keras

    if not network.compiled or type(network).compile is not keras.Model.compile:
        return None
    if hasattr(
        network, "_compile_config"
    ):  # the objects themselves: a loss of one's own need not be registered
        settings = dict(network._compile_config.config)
    else:
        settings = keras.saving.deserialize_keras_object(network.get_compile_config())
    return {**settings, "optimizer": _fresh(settings["optimizer"], network)}


def _fresh(
    optimizer: "keras.Optimizer | None", network: "keras.Model"
) -> "keras.Optimizer | None":
    """An optimizer of the same configuration without state."""
    if optimizer is None:
        return None
    rate = getattr(optimizer, "_learning_rate", None)
    try:
        if callable(
            rate
        ):  # the schedule itself goes on: one's own need not be registered, nor have a configuration
            optimizer._learning_rate = 0.0
        config = optimizer.get_config()
        fresh = type(optimizer).from_config(
            {**config, "learning_rate": rate} if callable(rate) else config
        )
    except Exception as error:  # an optimizer of one's own may raise anything
        raise UserInputError(
            f"The optimizer {type(optimizer).__name__} cannot be made anew from its get_config() ({error}), so the "
            "model cannot be compiled again. Freeze first, then compile."
        ) from error
    finally:
        if callable(rate):
            optimizer._learning_rate = rate
    # What weight decay spares is not in the configuration.
    spared = getattr(optimizer, "_exclude_from_weight_decay", ())
    pattern = getattr(optimizer, "_exclude_from_weight_decay_pattern", None)
    if spared or pattern:
        weights = [
            weight for weight in network.weights if optimizer._var_key(weight) in spared
        ]
        fresh.exclude_from_weight_decay(weights, [pattern.pattern] if pattern else None)
    return fresh


def _compile(network: "keras.Model", settings: dict | None) -> str:
    """Compile again, and a sentence on what that means."""
    if settings is None:
        was_compiled = network.compiled
        network.compiled = False  # so that `fit` refuses, where it would go on with the former flags in silence
        if was_compiled:
            return (
                f"Compile: {network.name!r} has a compile method of its own. Compile it again before fit; "
                "without, fit would refuse."
            )
        return (
            f"Compile: {network.name!r} is not compiled. Compile the model that you train after this call, not before: "
            "one that was compiled before does not notice."
        )
    network.compile(**settings)
    optimizer = network.optimizer
    if optimizer is None:
        return "Compile: the model was compiled again as before, without an optimizer."
    return (
        f"Compile: the model was compiled again with the same loss and metrics. {type(optimizer).__name__} starts anew "
        f"({_rate(optimizer)}): what it remembered of earlier steps belonged to another set of weights."
    )


def _rate(optimizer: "keras.Optimizer") -> str:
    rate = getattr(optimizer, "_learning_rate", None)
    if callable(rate):
        name = getattr(rate, "__name__", type(rate).__name__)
        return f"learning-rate schedule {name}, from its first step"
    return f"learning rate {float(optimizer.learning_rate):.3g}"
