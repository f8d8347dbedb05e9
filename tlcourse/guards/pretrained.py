"""How far training has carried pretrained weights from where they were: a rate that is too high leaves nothing of them.

Measured as ‖after − before‖ / ‖before‖ over the kernels of a block. Where a good fine-tuning ends and a ruined one
begins was measured, see `FAR`.
"""

from collections.abc import Iterable

import numpy as np

from ..errors import GuardError, UserInputError
from ..models.blocks import OWN
from .names import some
from .snapshots import before_and_after

FAR = 0.25


def moved(before: object, after: object) -> dict[str, float]:
    """How far each pretrained block has moved, as a share of its length: block's name → ‖after − before‖ / ‖before‖.

    Only kernels count (and embeddings): biases and batch norms are few and of another kind.

    Args:
        before, after: `snapshot(model)` before and after training, or models: what was loaded, and what
            `tl.fine_tune` made of it.

    Raises:
        UserInputError: two networks that have no pretrained weights in common; or nothing was pretrained.
    """
    before, after = before_and_after(before, after)
    if not before.pretrained:
        raise UserInputError(
            f"{before.name!r} looks as it was initialised: there is nothing pretrained that training could lose. Give "
            "as before a snapshot, or the model itself, with its pretrained weights and before training."
        )
    blocks = {}
    for block in before.blocks:
        names = [
            name
            for name in before.groups[block]
            if block != OWN and name in before.kernels & after.kernels
        ]
        if names:
            blocks[block] = share_moved(
                (before.weights[name], after.weights[name]) for name in names
            )
    if not blocks:
        raise UserInputError(
            f"before ({before.name!r}) and after ({after.name!r}) have no pretrained weights in common; expected the "
            "same network before and after training."
        )
    return blocks


def share_moved(pairs: Iterable[tuple[np.ndarray, np.ndarray]]) -> float:
    """‖after − before‖ / ‖before‖ over all these arrays together; infinite where something is not finite any more."""
    lengths = [
        (np.linalg.norm(after - before), np.linalg.norm(before))
        for before, after in pairs
    ]
    way, length = np.linalg.norm(np.array(lengths, np.float64), axis=0)
    share = way / length if length else 0.0
    return float(share) if np.isfinite(share) else float("inf")


def assert_still_pretrained(before: object, after: object, limit: float = FAR) -> None:
    """Assert that training adapted the pretrained weights, and did not replace them.

    Args:
        before, after: as for `moved`.
        limit: how far a block may move, as a share of its length. Good fine-tunings of this course stay far below the
            default, and rates a hundred times too high are beyond it after a few steps; a long training with much
            data may rightly go further.

    Raises:
        GuardError: a block has moved further, or holds NaN.
        UserInputError: as `moved`.
    """
    sentence = about_distance(moved(before, after), limit)
    if sentence:
        raise GuardError(sentence)


def about_distance(shares: dict[str, float], limit: float = FAR) -> str:
    """A sentence if a block has moved further than that."""
    far = {block: share for block, share in shares.items() if not share <= limit}
    if not far:
        return ""
    which = "1 block has" if len(far) == 1 else f"{len(far)} blocks have"
    listed = some(
        [
            f"{block} {share:.0%}" if np.isfinite(share) else f"{block} NaN"
            for block, share in far.items()
        ]
    )
    return (
        f"{which} moved by more than {limit:.0%} of their length: {listed}. What was pretrained is mostly gone, and "
        "training goes on as if it had begun from random numbers. Load the network again, and take a learning rate "
        "that is ten times smaller, or a hundred (1e-4 is a good first try with Adam)."
    )
