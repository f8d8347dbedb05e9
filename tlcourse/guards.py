"""Assertions that explain: what training changed, what is frozen, which pictures stand in two splits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from .blocks import Parts, batch_norms, find_blocks, leaves
from .duplicates import LeakageError, Pair, assert_disjoint
from .errors import GuardError, UserInputError
from .freezing import FreezeTable, table

__all__ = [
    "GuardError",
    "LeakageError",
    "Pair",
    "Snapshot",
    "assert_changed",
    "assert_disjoint",
    "frozen_report",
    "snapshot",
]

LISTED = 4  # names that a message lists before it says how many more there are


# What changed


@dataclass(frozen=True)
class Snapshot:
    """A model's weights at one moment. Made by `snapshot`.

    Attributes:
        name: the model's name.
        weights: weight's name → a copy of it, from the pixels on.
        groups: name of a block, layer or nested model → names of the weights in it.
        blocks: the names of the blocks, with "your layers" for what was put around them.
        statistics: names of the moving means and variances of batch norms.
        norms: names of all weights of batch norms.
        trainable: names of the weights that `fit` would train.
        compiled: whether the model was compiled.
        stale: sentence on `trainable` changed since the last `compile`, or "".
    """

    name: str
    weights: dict[str, np.ndarray] = field(repr=False)
    groups: dict[str, frozenset[str]] = field(repr=False)
    blocks: tuple[str, ...] = field(repr=False)
    statistics: frozenset[str] = field(repr=False)
    norms: frozenset[str] = field(repr=False)
    trainable: frozenset[str] = field(repr=False)
    compiled: bool
    stale: str


def snapshot(model) -> Snapshot:
    """Copy a model's weights, to be compared by `assert_changed` with those after training.

    Args:
        model: a `PretrainedModel` or a built `keras.Model`; training it later does not change the copy.

    Raises:
        UserInputError: as `tl.freeze`.
    """
    parts = find_blocks(model)
    names = _weight_names(parts.network)
    groups: dict[str, set] = {}
    for block, layers in parts.layers.items():
        groups.setdefault(block, set()).update(names[id(weight)] for layer in layers for weight in layer.weights)
    for layer in _layers_and_models(parts.network):
        groups.setdefault(layer.name, set()).update(names[id(weight)] for weight in layer.weights)
    norms = batch_norms(list(leaves(parts.network)))
    return Snapshot(
        parts.network.name,
        {names[id(weight)]: weight.numpy() for weight in parts.network.weights},
        {name: frozenset(weights) for name, weights in groups.items()},
        tuple(parts.layers),
        frozenset(names[id(weight)] for norm in norms for weight in (norm.moving_mean, norm.moving_variance)),
        frozenset(names[id(weight)] for norm in norms for weight in norm.weights),
        frozenset(names[id(weight)] for weight in parts.network.trainable_weights),
        parts.network.compiled,
        _stale(parts.network),
    )


def assert_changed(before, after, only: str | Sequence[str] | None = None) -> None:
    """Assert that training changed what it was meant to change, and nothing else.

    Args:
        before, after: `snapshot(model)` before and after training; `after` may be the model itself.
        only: names of the blocks, layers or nested models that were meant to change ("your layers": those around
            the pretrained part); an empty list: nothing was; None: anything may have changed, something must have.

    Raises:
        GuardError: nothing changed; something else changed; a layer that was meant to change did not.
        UserInputError: unknown name, or two different models.
    """
    if before is after:
        raise UserInputError(
            "before and after are the same object, which cannot tell what changed. Call tl.guards.snapshot(model) "
            "before training and give what it returns as before."
        )
    before, after = (side if isinstance(side, Snapshot) else snapshot(side) for side in (before, after))
    if {k: v.shape for k, v in before.weights.items()} != {k: v.shape for k, v in after.weights.items()}:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have different weights; expected the same model "
            "before and after training."
        )
    changed = [name for name in after.weights if not _same(before.weights[name], after.weights[name])]
    meant = _meant(after, only)
    if not changed and (only is None or meant):
        raise GuardError(
            f"Nothing changed: all {len(after.weights)} weights of {after.name!r} are as before. " + _why_nothing(after)
        )
    if only is None:
        return
    outside = [name for name in changed if name not in meant]
    idle = _idle(after, meant, set(changed))
    sentences = [_about_outside(after, outside, only)] if outside else []
    if idle:
        sentences.append(_about_idle(after, idle))
    if sentences:
        raise GuardError(" ".join(sentences))


def _same(before: np.ndarray, after: np.ndarray) -> bool:
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def _meant(after: Snapshot, only) -> set[str]:
    """The weights that were meant to change."""
    wanted = [only] if isinstance(only, str) else list(only or ())
    for name in wanted:
        if name not in after.groups and name not in after.weights:
            raise UserInputError(
                f"only names {name!r}, which {after.name!r} does not have. Its blocks: {', '.join(after.blocks)}; "
                "names of layers will do, too."
            )
    return {weight for name in wanted for weight in after.groups.get(name, {name})}


def _idle(after: Snapshot, meant: set[str], changed: set[str]) -> list[str]:
    """Layers that were meant to change and did not. Batch norm is to rest in a trained block."""
    layers: dict[str, bool] = {}
    expected = meant - after.norms or meant
    for weight in after.weights:
        if weight in expected:
            layer = weight.rpartition("/")[0]
            layers[layer] = layers.get(layer, False) or weight in changed
    return [layer for layer, moved in layers.items() if not moved]


def _why_nothing(after: Snapshot) -> str:
    if after.stale:
        return after.stale
    if not after.compiled:
        return "The model is not compiled, so fit cannot have trained it. Compile it, then train it."
    if not after.trainable:
        return "Every layer is frozen: `trainable` is False everywhere. Unfreeze some (tl.unfreeze), then compile."
    return (
        "Was the model trained between the two? Was `trainable` changed after compile()? Changing it without compiling "
        "again does nothing (tl.freeze and tl.unfreeze compile). Is the learning rate 0?"
    )


def _about_outside(after: Snapshot, outside: list[str], only) -> str:
    wanted = "nothing" if not len(only) else "only " + (only if isinstance(only, str) else ", ".join(only))
    which = "1 weight changed that was" if len(outside) == 1 else f"{len(outside)} weights changed that were"
    text = f"{which} to stay ({wanted} was meant to change): {_some(outside)}."
    moved = [name for name in outside if name in after.statistics]
    if moved:
        text += (
            f" {moved[0]} is a batch norm's running statistic. It follows the batches in fit, without gradient and at "
            "any learning rate, as long as the batch norm itself is trainable; the features that the pretrained "
            "network learned no longer fit it. Set trainable = False on the batch norms, last, and compile "
            "(tl.freeze and tl.unfreeze do)."
        )
    if len(moved) < len(outside):
        text += " " + (
            after.stale
            or f"{'The rest' if moved else 'This'} was trainable when the model was compiled. Freeze it with tl.freeze "
            "before training."
        )
    return text


def _about_idle(after: Snapshot, idle: list[str]) -> str:
    which = "1 layer was" if len(idle) == 1 else f"{len(idle)} layers were"
    text = f"{which} meant to change and did not: {_some(idle)}."
    if after.stale:
        return f"{text} {after.stale}"
    frozen = [layer for layer in idle if not any(name.rpartition("/")[0] == layer for name in after.trainable)]
    if frozen:
        return f"{text} {_some(frozen)}: frozen. tl.unfreeze makes a block trainable and compiles the model again."
    return (
        f"{text} They are trainable now. Was `trainable` changed after compile()? Changing it without compiling again "
        "does nothing."
    )


def _some(names: Sequence[str]) -> str:
    more = len(names) - LISTED
    return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


def _layers_and_models(model) -> Iterator:
    for layer in model.layers:
        yield layer
        yield from _layers_and_models(layer) if hasattr(layer, "layers") else ()


def _weight_names(network) -> dict[int, str]:
    """id of a weight → "nested model/layer/weight", the same in every process."""
    names: dict[int, str] = {}

    def walk(container, prefix: str) -> None:
        for layer in container.layers:
            if hasattr(layer, "layers"):
                walk(layer, f"{prefix}{layer.name}/")
            for weight in layer.weights:
                tail = weight.path.rpartition(f"{layer.name}/")[2]
                names.setdefault(id(weight), f"{prefix}{layer.name}/{tail}")

    walk(network, "")
    for weight in network.weights:  # weights of a subclassed model's own
        names.setdefault(id(weight), weight.path)
    return names


# What is frozen


def frozen_report(model) -> FreezeTable:
    """The table of `tl.freeze` for a model as it stands, with warnings on what is likely to be wrong.

    Args:
        model: as for `tl.freeze`. Nothing is changed.

    Raises:
        UserInputError: as `tl.freeze`.
    """
    parts = find_blocks(model)
    warnings = (_about_moving(parts), *_about_containers(parts.network), _stale(parts.network))
    compiled = "compiled" if parts.network.compiled else "not compiled yet"
    return table(parts, [f"The model is {compiled}."], [text for text in warnings if text])


def _about_moving(parts: Parts) -> str:
    blocks = [layer for layers in parts.blocks.values() for layer in layers]
    moving = [norm.name for norm in batch_norms(blocks) if norm.trainable]
    if not moving or not parts.known and all(layer.trainable for layer in blocks):  # trained from scratch, it seems
        return ""
    return (
        f"{len(moving)} batch norms would move in fit: {_some(moving)}. Their running means and variances follow your "
        "batches at any learning rate, and training=False in the call does not prevent it. tl.freeze and tl.unfreeze "
        "freeze them."
    )


def _about_containers(network) -> Iterator[str]:
    for model in (network, *(layer for layer in _layers_and_models(network) if hasattr(layer, "layers"))):
        inside = sum(weight.trainable for weight in model.weights)
        if not model.trainable and inside and model is network:
            yield f"{model.name}.trainable is False, so fit trains nothing, for all its {inside} trainable weights."
        elif not model.trainable and inside:
            yield (
                f"{model.name}.trainable is False and {model.name}.trainable_weights is empty, but fit trains {inside} "
                "of its weights: layers within were made trainable afterwards. Ask the whole model, not the base; "
                "tl.freeze(model, up_to=…) sets both."
            )


def _stale(network) -> str:
    """A sentence if `trainable` changed since the optimizer took its list of weights, which is at the first fit."""
    optimizer = network.optimizer if network.compiled else None
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not optimizer.built:
        return ""
    names = _weight_names(network)
    known = {id(weight) for weight in getattr(optimizer, "_trainable_variables", network.trainable_weights)}
    now = {id(weight) for weight in network.trainable_weights}
    frozen = [name for key, name in names.items() if key in known - now]
    unfrozen = [name for key, name in names.items() if key in now - known]
    parts = []
    if unfrozen:
        parts.append(f"{len(unfrozen)} weights were made trainable ({_some(unfrozen)}) and are not trained")
    if frozen:
        parts.append(f"{len(frozen)} weights were frozen ({_some(frozen)}) and are trained all the same")
    if not parts:
        return ""
    return (
        f"`trainable` was changed after compile(): {'; '.join(parts)}. Changing it without compiling again does "
        "nothing. Call model.compile(…) again, with a new optimizer (tl.freeze and tl.unfreeze do)."
    )
