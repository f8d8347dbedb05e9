"""Flags that were changed after `compile`, which does nothing."""

from typing import TYPE_CHECKING

from .names import some, weight_names

if TYPE_CHECKING:
    import keras


def stale(network: "keras.Model") -> str:
    """A sentence if `trainable` changed since the optimizer took its list of weights, which is at the first fit."""
    optimizer = network.optimizer if network.compiled else None
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    if optimizer is None or not optimizer.built:
        return ""
    names = weight_names(network)
    known = {
        id(weight)
        for weight in getattr(
            optimizer, "_trainable_variables", network.trainable_weights
        )
    }
    now = {id(weight) for weight in network.trainable_weights}
    frozen = [name for key, name in names.items() if key in known - now]
    unfrozen = [name for key, name in names.items() if key in now - known]
    parts = []
    if unfrozen:
        parts.append(
            f"{len(unfrozen)} weights were made trainable ({some(unfrozen)}) and are not trained"
        )
    if frozen:
        parts.append(
            f"{len(frozen)} weights were frozen ({some(frozen)}) and are trained all the same"
        )
    if not parts:
        return ""
    return (
        f"`trainable` was changed after compile(): {'; '.join(parts)}. Changing it without compiling again does "
        "nothing. Call model.compile(…) again, with a new optimizer (tl.freeze and tl.unfreeze do)."
    )
