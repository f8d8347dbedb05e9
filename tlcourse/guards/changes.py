"""What training changed: what it was meant to change, all of it, and nothing else."""

from collections.abc import Sequence

import numpy as np

from ..errors import GuardError, UserInputError
from .names import some
from .snapshots import Snapshot, before_and_after


def assert_changed(
    before: object, after: object, only: str | Sequence[str] | None = None
) -> None:
    """Assert that training changed what it was meant to change, and nothing else.

    The running statistics of a pretrained network's batch norms are meant to stay, in blocks that are trained as well.

    Args:
        before, after: `snapshot(model)` before and after training; `after` may be the model itself.
        only: names of the blocks, layers or nested models that were meant to change ("your layers": those around
            the pretrained part); an empty list: nothing was; None: anything may have changed, something must have.

    Raises:
        GuardError: nothing changed; something else changed; a layer that was meant to change did not.
        UserInputError: unknown name, or two different models.
    """
    before, after = before_and_after(before, after)
    if {k: v.shape for k, v in before.weights.items()} != {
        k: v.shape for k, v in after.weights.items()
    }:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have different weights; expected the same model "
            "before and after training."
        )
    changed = [
        name
        for name in after.weights
        if not _same(before.weights[name], after.weights[name])
    ]
    meant = _meant(before, only)
    if not changed and (only is None or meant):
        raise GuardError(
            f"Nothing changed: all {len(after.weights)} weights of {after.name!r} are as before. "
            + _why_nothing(after)
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


def _meant(before: Snapshot, only: str | Sequence[str] | None) -> set[str]:
    """The weights that were meant to change; the statistics of a pretrained batch norm only if it was named itself."""
    wanted = [only] if isinstance(only, str) else list(only or ())
    for name in wanted:
        if name not in before.groups and name not in before.weights:
            raise UserInputError(
                f"only names {name!r}, which {before.name!r} does not have. Its blocks: {', '.join(before.blocks)}; "
                "names of layers will do, too."
            )
    resting = before.statistics if before.pretrained else frozenset()
    groups = [before.groups.get(name, frozenset({name})) for name in wanted]
    return {
        weight
        for group in groups
        for weight in (group if group <= before.norms else group - resting)
    }


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


def _about_outside(
    after: Snapshot, outside: list[str], only: str | Sequence[str]
) -> str:
    wanted = (
        "nothing"
        if not len(only)
        else "only " + (only if isinstance(only, str) else ", ".join(only))
    )
    which = (
        "1 weight changed that was"
        if len(outside) == 1
        else f"{len(outside)} weights changed that were"
    )
    text = f"{which} to stay ({wanted} was meant to change): {some(outside)}."
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
    text = f"{which} meant to change and did not: {some(idle)}."
    if after.stale:
        return f"{text} {after.stale}"
    frozen = [
        layer
        for layer in idle
        if not any(name.rpartition("/")[0] == layer for name in after.trainable)
    ]
    if frozen:
        return f"{text} {some(frozen)}: frozen. tl.unfreeze makes a block trainable and compiles the model again."
    return (
        f"{text} They are trainable now. Was `trainable` changed after compile()? Changing it without compiling again "
        "does nothing."
    )
