"""How far training has moved pretrained weights from where they were."""

from collections.abc import Iterable

import numpy as np

from ..errors import CheckError, UserInputError
from ..models.blocks import OWN
from .changes import snapshots_of
from .frozen import some

# Good fine-tunings of this course stay far below; rates a hundred times too high are
# beyond it after a few steps.
FAR = 0.25


def moved(before: object, after: object) -> dict[str, float]:
    """How far each pretrained block has moved, as a share of its length.

    Parameters
    ----------
    before, after : Snapshot or model
        Before and after training; models too: what was loaded, and what `tl.fine_tune`
        made of it.

    Returns
    -------
    dict of str to float
        Block → ‖after − before‖ / ‖before‖ over its kernels (and embeddings); biases
        and batch norms are few and of another kind.

    Raises
    ------
    UserInputError
        No pretrained weights in common, or none at all.
    """
    before, after = snapshots_of(before, after)
    if not before.pretrained:
        raise UserInputError(
            f"{before.name!r} looks as it was initialised: there is nothing pretrained "
            "that training could lose. Pass as before a snapshot, or the model itself, "
            "with its pretrained weights and before training."
        )
    pairs: dict[str, list] = {}
    for name, weight in before.weights.items():
        other = after.weights.get(name)
        if weight.kind == "kernel" and other and other.kind == "kernel":
            for block in set(before.blocks) & weight.groups - {OWN}:
                pairs.setdefault(block, []).append((weight.value, other.value))
    if not pairs:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have no pretrained "
            "weights in common; expected the same network before and after training."
        )
    return {
        block: share_moved(pairs[block]) for block in before.blocks if block in pairs
    }


def share_moved(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """‖after − before‖ / ‖before‖ over all arrays; infinite if any is not finite."""
    norms = [
        (np.linalg.norm(after - before), np.linalg.norm(before))
        for before, after in pairs
    ]
    distance, length = np.linalg.norm(np.array(norms, np.float64), axis=0)
    share = distance / length if length else 0.0
    return float(share) if np.isfinite(share) else float("inf")


def assert_still_pretrained(before: object, after: object, limit: float = FAR) -> None:
    """Assert that training adapted the pretrained weights and did not replace them.

    Parameters
    ----------
    before, after : Snapshot or model
        As for `moved`.
    limit : float
        How far a block may move, as a share of its length; a long training with much
        data may rightly go further than the default.

    Raises
    ------
    CheckError
        A block has moved further, or contains NaN.
    UserInputError
        As `moved`.
    """
    sentence = about_distance(moved(before, after), limit)
    if sentence:
        raise CheckError(sentence)


def about_distance(shares: dict[str, float], limit: float = FAR) -> str:
    """A sentence if a block has moved further than the limit."""
    far = {block: share for block, share in shares.items() if not share <= limit}
    if not far:
        return ""
    listed = [
        f"{block} {f'{share:.0%}' if np.isfinite(share) else 'NaN'}"
        for block, share in far.items()
    ]
    return (
        f"{len(far)} of {len(shares)} blocks moved by more than {limit:.0%} of their "
        f"length: {some(listed)}. What was pretrained is mostly gone, as if training "
        "had started from random weights. Load the network again, and take a learning "
        "rate that is ten times smaller, or a hundred (1e-4 is a good first try with "
        "Adam)."
    )
