"""Which weights training changed, and how far."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import CheckError, UserInputError
from ..models.blocks import OWN, containers, find_blocks, is_kernel, is_model, leaves
from ..training.freezing import Network, about_distance, share_moved, some
from .frozen import is_pretrained, stale

STATISTICS = ("moving_mean", "moving_variance")


@dataclass(frozen=True)
class Snapshot:
    """A model's weights at one moment. Made by `snapshot`."""

    name: str  # of the model
    values: dict[str, np.ndarray] = field(repr=False)  # "layer/weight" → a copy
    kernels: set[str] = field(repr=False)  # those of the weights that multiply inputs
    groups: dict[str, list[str]] = field(repr=False)  # block or model → its layers
    blocks: list[str] = field(repr=False)
    pretrained: bool  # whether the blocks look trained
    excuse: str  # a sentence on why `fit` could not train it, or ""


def snapshot(model: Network) -> Snapshot:
    """Copy a model's weights, to be compared with those after training.

    Parameters
    ----------
    model : PretrainedModel, FineTuned or keras.Model
        As for `tl.freeze`. Training it later does not change the copy.

    Returns
    -------
    Snapshot

    Examples
    --------
    >>> import tlcourse as tl
    >>> model = tl.load_pretrained_model()
    >>> before = tl.checks.snapshot(model)
    >>> tl.checks.assert_changed(before, model, only=[])
    """
    parts = find_blocks(model)
    network, values, kernels, names = parts.network, {}, set(), {}
    for container in containers(network):
        prefix = "" if container is network else f"{container.name}/"
        for layer in container.layers:
            names[id(layer)] = f"{prefix}{layer.name}"
            for weight in [] if is_model(layer) else layer.weights:
                within = weight.path.rpartition(f"{layer.name}/")[2].replace("/", ".")
                name = f"{prefix}{layer.name}/{within}"
                values[name] = weight.numpy()
                kernels |= {name} if is_kernel(weight) else set()
    groups = {each.name: list(leaves(each)) for each in containers(network)}
    groups |= {layer.name: [layer] for layer in leaves(network)} | parts.layers
    layers = {name: [names[id(e)] for e in each] for name, each in groups.items()}
    excuse = stale(network)
    if not network.compiled:
        excuse = "The model is not compiled, so fit cannot have trained it."
    elif not network.trainable_weights:
        excuse = "Every layer is frozen. Unfreeze some (tl.unfreeze), then compile."
    pretrained, blocks = is_pretrained(parts), list(parts.blocks)
    return Snapshot(network.name, values, kernels, layers, blocks, pretrained, excuse)


def _snapshots(before: Any, after: Any) -> tuple[Snapshot, Snapshot]:
    """Two snapshots, taken now of what is a model."""
    if before is after:
        raise UserInputError(
            "before and after are the same object. Call tl.checks.snapshot(model) "
            "before training and pass what it returns as before."
        )
    first, second = (
        each if isinstance(each, Snapshot) else snapshot(each)
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
        around the pretrained part); []: none; None: anything, but not nothing.

    Raises
    ------
    CheckError
        Nothing changed; something else did; a layer that was meant to did not.
    """
    before, after = _snapshots(before, after)
    shapes = [{k: v.shape for k, v in each.values.items()} for each in (before, after)]
    if shapes[0] != shapes[1]:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have different "
            "weights; expected the same model before and after training."
        )
    names = [only] if isinstance(only, str) else list(only or ())
    for name in names:
        if name not in before.groups:
            raise UserInputError(
                f"only names {name!r}, which {before.name!r} does not have. Its blocks: "
                f"{', '.join(before.blocks)}; {OWN!r} and names of layers will do, too."
            )
    layers = {layer for name in names for layer in before.groups[name]}
    resting = STATISTICS if before.pretrained else ()  # they are not meant to change
    meant = {
        name
        for name in before.values
        if _layer(name) in layers and not name.endswith(resting)
    }
    changed = {
        name
        for name, value in after.values.items()
        if not np.array_equal(before.values[name], value, equal_nan=True)
    }
    why = after.excuse or (
        "Is the rate 0? Or was `trainable` changed after compile()? Changing it without "
        "compiling again does nothing (tl.freeze and tl.unfreeze compile)."
    )
    if not changed and (only is None or meant):
        raise CheckError(f"Nothing changed: all weights are as before. {why}")
    others = [name for name in after.values if name in changed - meant]
    if others and only is not None:
        raise CheckError(_about_others(after, others))
    batch_norms = {_layer(name) for name in after.values if name.endswith(STATISTICS)}
    expected = {_layer(name) for name in meant} - batch_norms  # those may rest
    unchanged = sorted(expected - {_layer(name) for name in changed})
    if unchanged:
        raise CheckError(
            f"Should have changed and did not: {some(unchanged)}. Frozen? {why}"
        )


def _layer(weight: str) -> str:
    return weight.rpartition("/")[0]


def _about_others(after: Snapshot, others: list[str]) -> str:
    text = f"{len(others)} weights changed that should have stayed: {some(others)}."
    statistics = [name for name in others if name.endswith(STATISTICS)]
    if statistics:
        text += (
            f" {statistics[0]} is a batch norm's running statistic. It follows the "
            "batches in fit, at any learning rate, as long as the batch norm itself is "
            "trainable; the pretrained features no longer fit it. Set trainable = False "
            "on the batch norms, last, and compile (tl.freeze and tl.unfreeze do)."
        )
    if len(statistics) < len(others):
        text += f" {after.excuse or 'Freeze them with tl.freeze before training.'}"
    return text


def moved(before: object, after: object) -> dict[str, float]:
    """How far each pretrained block has moved, as a share of its length.

    Parameters
    ----------
    before, after : Snapshot or model
        Before and after training.

    Returns
    -------
    dict of str to float
        Block → ‖after − before‖ / ‖before‖ over its kernels (and embeddings).
    """
    before, after = _snapshots(before, after)
    pairs: dict[str, list] = {}
    for block in before.blocks:
        for name in before.kernels & set(after.values):
            if _layer(name) in before.groups[block]:
                both = before.values[name], after.values[name]
                pairs.setdefault(block, []).append(both)
    if not before.pretrained or not pairs:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have no pretrained "
            "weights in common. Pass as before a snapshot, or the model itself, with "
            "its pretrained weights and before training."
        )
    return {block: share_moved(both) for block, both in pairs.items()}


def assert_still_pretrained(before: object, after: object) -> None:
    """Assert that training adapted the pretrained weights and did not replace them.

    Parameters
    ----------
    before, after : Snapshot or model
        As for `moved`.

    Raises
    ------
    CheckError
        A block has moved by more than a quarter of its length, or contains NaN.
    """
    if sentence := about_distance(moved(before, after)):
        raise CheckError(sentence)
