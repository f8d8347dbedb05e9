"""Which weights training changed: those that were meant to change, and no others."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import CheckError, UserInputError
from ..models.blocks import batch_norms, containers, find_blocks, is_kernel, leaves
from .frozen import is_pretrained, some, stale, weight_names

if TYPE_CHECKING:
    import keras

    from ..models.blocks import HasNetwork

NOT_COMPILED = (
    "Was `trainable` changed after compile()? Changing it without compiling again does "
    "nothing (tl.freeze and tl.unfreeze compile)."
)


@dataclass(frozen=True)
class Weight:
    """One weight of a model at one moment."""

    value: np.ndarray = field(repr=False)  # a copy
    groups: frozenset[str]  # its block, its layer, and models around it
    kind: str  # "kernel", "norm", "statistic" (moving mean, variance) or "other"
    trainable: bool  # whether `fit` would train it

    @property
    def is_norm(self) -> bool:
        return self.kind in ("norm", "statistic")


@dataclass(frozen=True)
class Snapshot:
    """A model's weights at one moment. Made by `snapshot`."""

    name: str  # of the model
    weights: dict[str, Weight] = field(repr=False)  # from the input on
    blocks: tuple[str, ...] = field(repr=False)  # and "your layers", around them
    pretrained: bool  # whether the blocks look trained
    compiled: bool
    stale: str  # a sentence on `trainable` changed since the last `compile`, or ""


def snapshot(model: "keras.Model | HasNetwork") -> Snapshot:
    """Copy a model's weights, to be compared with those after training.

    Parameters
    ----------
    model : PretrainedModel, FineTuned or keras.Model
        Training it later does not change the copy.

    Returns
    -------
    Snapshot

    Raises
    ------
    UserInputError
        As `tl.freeze`.

    Examples
    --------
    >>> import tlcourse as tl
    >>> network = tl.add_head(tl.load_pretrained_model(), classes=2)
    >>> before = tl.checks.snapshot(network)
    >>> tl.checks.assert_changed(before, network, only=[])
    """
    parts = find_blocks(model)
    network, names = parts.network, weight_names(parts.network)
    groups: dict[str, set[str]] = {name: set() for name in names.values()}
    owners = list(parts.layers.items())
    owners += [(layer.name, [layer]) for layer in leaves(network)]
    owners += [(each.name, [each]) for each in list(containers(network))[1:]]
    for group, layers in owners:
        for weight in (weight for layer in layers for weight in layer.weights):
            groups[names[id(weight)]].add(group)
    norms = batch_norms(list(leaves(network)))
    kinds = {id(weight): "norm" for norm in norms for weight in norm.weights}
    for norm in norms:
        kinds[id(norm.moving_mean)] = kinds[id(norm.moving_variance)] = "statistic"
    trainable = {id(weight) for weight in network.trainable_weights}
    weights = {}
    for weight in network.weights:
        key, name = id(weight), names[id(weight)]
        kind = kinds.get(key, "kernel" if is_kernel(weight) else "other")
        groups_of = frozenset(groups[name])
        weights[name] = Weight(weight.numpy(), groups_of, kind, key in trainable)
    return Snapshot(
        network.name,
        weights,
        tuple(parts.layers),
        is_pretrained(parts),
        network.compiled,
        stale(network),
    )


def snapshots_of(before: object, after: object) -> tuple[Snapshot, Snapshot]:
    """Two snapshots, taken now of what is a model."""
    if before is after:
        raise UserInputError(
            "before and after are the same object, which cannot tell what changed. "
            "Call tl.checks.snapshot(model) before training and pass what it returns "
            "as before."
        )
    first, second = (
        each if isinstance(each, Snapshot) else snapshot(each)  # type: ignore[arg-type]
        for each in (before, after)
    )
    return first, second


def assert_changed(
    before: object, after: object, only: str | Sequence[str] | None = None
) -> None:
    """Assert that training changed what it was meant to change, and nothing else.

    The running statistics of a pretrained network's batch norms are meant to stay, in
    blocks that are trained as well.

    Parameters
    ----------
    before, after : Snapshot
        `snapshot(model)` before and after training; `after` may be the model itself.
    only : str or list of str
        Blocks, layers or nested models that were meant to change ("your layers": those
        around the pretrained part); an empty list: none; None: anything may have
        changed, and something must have.

    Raises
    ------
    CheckError
        Nothing changed; something else did; a layer that was meant to did not.
    UserInputError
        Unknown name, or two different models.
    """
    before, after = snapshots_of(before, after)
    shapes = [
        {name: weight.value.shape for name, weight in each.weights.items()}
        for each in (before, after)
    ]
    if shapes[0] != shapes[1]:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have different "
            "weights; expected the same model before and after training."
        )
    changed = {
        name
        for name, weight in after.weights.items()
        if not _equal(before.weights[name].value, weight.value)
    }
    meant = _meant(before, [only] if isinstance(only, str) else list(only or ()))
    if not changed and (only is None or meant):
        raise CheckError(
            f"Nothing changed: all {len(after.weights)} weights of {after.name!r} are "
            f"as before. {_why_nothing(after)}"
        )
    if only is None:
        return
    others = [name for name in after.weights if name in changed - meant]
    unchanged = _unchanged_layers(after, meant, changed)
    sentences = [_about_others(after, others, only)] if others else []
    sentences += [_about_unchanged(after, unchanged)] if unchanged else []
    if sentences:
        raise CheckError(" ".join(sentences))


def _equal(before: np.ndarray, after: np.ndarray) -> bool:
    return np.array_equal(before, after, equal_nan=before.dtype.kind == "f")


def _meant(before: Snapshot, names: list[str]) -> set[str]:
    """Weights that were meant to change; pretrained statistics only if named."""
    meant: set[str] = set()
    for name in names:
        group = {w: each for w, each in before.weights.items() if name in each.groups}
        if name in before.weights:
            group[name] = before.weights[name]
        if not group and name not in before.blocks:
            raise UserInputError(
                f"only names {name!r}, which {before.name!r} does not have. Its "
                f"blocks: {', '.join(before.blocks)}; names of layers will do, too."
            )
        named = not before.pretrained or all(each.is_norm for each in group.values())
        meant |= {w for w, each in group.items() if named or each.kind != "statistic"}
    return meant


def _layer(weight: str) -> str:
    return weight.rpartition("/")[0]


def _unchanged_layers(after: Snapshot, meant: set[str], changed: set[str]) -> list[str]:
    """Layers that were meant to change and did not; batch norms may rest."""
    expected = {name for name in meant if not after.weights[name].is_norm} or meant
    moved = {_layer(name) for name in changed & expected}
    layers = dict.fromkeys(_layer(name) for name in after.weights if name in expected)
    return [layer for layer in layers if layer not in moved]


def _why_nothing(after: Snapshot) -> str:
    if after.stale:
        return after.stale
    if not after.compiled:
        return "The model is not compiled, so fit cannot have trained it. Compile it."
    if not any(weight.trainable for weight in after.weights.values()):
        return "Every layer is frozen. Unfreeze some (tl.unfreeze), then compile."
    return f"Was the model trained between the two? {NOT_COMPILED} Is the rate 0?"


def _about_others(after: Snapshot, others: list[str], only: str | Sequence[str]) -> str:
    names = only if isinstance(only, str) else ", ".join(only)
    text = (
        f"{_count(len(others), 'weight')} changed that should have stayed "
        f"({f'only {names}' if names else 'nothing'} was meant to change): "
        f"{some(others)}."
    )
    statistics = [name for name in others if after.weights[name].kind == "statistic"]
    if statistics:
        text += (
            f" {statistics[0]} is a batch norm's running statistic. It follows the "
            "batches in fit, without gradient and at any learning rate, as long as the "
            "batch norm itself is trainable; the pretrained features no longer fit it. "
            "Set trainable = False on the batch norms, last, and compile (tl.freeze "
            "and tl.unfreeze do)."
        )
    if len(statistics) < len(others):
        text += " " + (
            after.stale
            or f"{'The rest' if statistics else 'This'} was trainable when the model "
            "was compiled. Freeze it with tl.freeze before training."
        )
    return text


def _about_unchanged(after: Snapshot, layers: list[str]) -> str:
    trainable = {_layer(name) for name, w in after.weights.items() if w.trainable}
    frozen = [layer for layer in layers if layer not in trainable]
    why = after.stale or f"They are trainable now. {NOT_COMPILED}"
    if frozen and not after.stale:
        why = (
            f"{some(frozen)}: frozen. tl.unfreeze makes a block trainable and compiles "
            "the model again."
        )
    count = _count(len(layers), "layer")
    return f"{count} should have changed and did not: {some(layers)}. {why}"


def _count(count: int, what: str) -> str:
    return f"{count} {what}" + "s" * (count != 1)
