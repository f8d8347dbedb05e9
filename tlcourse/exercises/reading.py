"""Reading answers: what learners give, turned into what a judge compares, or a sentence on what is odd about it."""

from typing import Any

import numpy as np

from .core import NotYet

NEAR = 0.005  # accuracies that differ by less are the same: the last digits depend on the processor


def share(value: "Any", what: str = "the answer") -> float:
    """An accuracy or another share in [0, 1].

    Raises:
        NotYet: not one number, a percentage, or outside [0, 1].
    """
    array = np.asarray(value)
    if array.dtype.kind not in "uif" or array.ndim:
        kind = f"an array of shape {array.shape}" if array.ndim else f"{value!r}"
        raise NotYet(f"For {what} you gave {kind}; expected one number between 0 and 1.")
    number = float(array)
    if 1 < number <= 100:
        raise NotYet(
            f"For {what} you gave {number:g}. As a percentage that may be right, but shares are counted from 0 to 1 "
            "here, as score() does; the print turns them into percent."
        )
    if not 0 <= number <= 1:
        raise NotYet(f"For {what} you gave {number:g}; expected a share between 0 and 1.")
    return number


def near(one: float, other: float) -> bool:
    """Whether two shares are the same but for the last digits."""
    return abs(one - other) <= NEAR


def shares(answer: "Any", names: tuple[str, ...]) -> dict[str, float]:
    """A dictionary with a share under each of these names.

    Raises:
        NotYet: other names, or values that are no shares.
    """
    if not isinstance(answer, dict) or set(answer) != set(names):
        given = ", ".join(map(repr, answer)) if isinstance(answer, dict) else f"a {type(answer).__name__}"
        wanted = " and ".join(map(repr, names))
        raise NotYet(f"You gave {given}; expected a dictionary with {wanted}, and nothing else.")
    return {name: share(answer[name], f"{name!r}") for name in names}
