"""The exercises of lesson 11, past one machine."""

from typing import Any

import numpy as np

from .core import NotYet, exercise
from .reading import array, number

PICTURES, MACHINES = 100e6, 50
UNCOMPRESSED = 1280 * 4  # bytes of a picture's features as they are in memory


def _number(answer: "Any", unit: str) -> float:
    value = number(answer, f"a number of {unit}")
    if not value > 0:
        raise NotYet(f"You gave {value:g}; a number of {unit} is above 0.")
    return value


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= 0.02 * other


@exercise(
    "11.1",
    "fifty machines",
    "a number of hours",
    "What does one machine with two workers do in a second, and what do fifty of them?",
    'measured["dask_2"]["pictures_per_second"] is one machine. Pictures / (machines × pictures a second) are seconds.',
    '100e6 / (50 * measured["dask_2"]["pictures_per_second"]) / 3600.',
)
def hours_on_fifty_machines(answer: "Any", measured: "dict[str, Any]") -> str:
    hours = _number(answer, "hours")
    speed = measured["dask_2"]["pictures_per_second"]
    right = PICTURES / (MACHINES * speed) / 3600
    if _close(hours, right):
        return (
            f"{right:.1f} hours on {MACHINES} machines, and {right * MACHINES:,.0f} machine-hours however many there "
            "are: more machines make it sooner, not cheaper. As long as nothing that they share becomes the bottleneck."
        )
    if _close(hours, right * MACHINES):
        raise NotYet(
            "Those are the machine-hours: what one machine alone would need. There are fifty."
        )
    if _close(hours, right * 3600) or _close(hours, right * 60):
        raise NotYet(
            f"Those are {'seconds' if _close(hours, right * 3600) else 'minutes'}. How many hours is that?"
        )
    if _close(hours, right / 2):
        raise NotYet(
            "The measured speed is already that of both workers together: do not count them twice."
        )
    if _close(hours, right * speed / measured["dask_1"]["pictures_per_second"]):
        raise NotYet(
            "That is with one worker a machine. Each has two cores, so take the measurement with two workers."
        )
    raise NotYet(
        f"You gave {hours:,.4g} hours. One machine does {speed:g} pictures a second; how many do fifty in an hour?"
    )


@exercise(
    "11.2",
    "how many terabytes?",
    "a number of terabytes",
    "The measurement says how many bytes a picture's row takes in the shards.",
    'measured["bytes_a_picture"], times the number of pictures. A terabyte is 10**12 bytes.',
    '100e6 * measured["bytes_a_picture"] / 1e12.',
)
def terabytes_of_features(answer: "Any", measured: "dict[str, Any]") -> str:
    terabytes = _number(answer, "terabytes")
    right = PICTURES * measured["bytes_a_picture"] / 1e12
    pictures = PICTURES * measured["file_bytes_a_picture"] / 1e12
    if _close(terabytes, right):
        return (
            f"{right:.2f} TB, beside {pictures:.1f} TB of the pictures themselves. The features are what you keep: "
            "every later question is asked of them, and the pictures are not read again."
        )
    if _close(terabytes, pictures):
        raise NotYet("Those are the pictures' own files. The features alone?")
    if _close(terabytes, PICTURES * UNCOMPRESSED / 1e12):
        raise NotYet(
            "That is what they take in memory, 4 bytes a number. In the shards they are compressed."
        )
    if _close(terabytes, right * 1000) or _close(terabytes, right * 1e6):
        raise NotYet(
            "The digits are right, but for the unit: a terabyte is 1,000 gigabytes, or 10**12 bytes."
        )
    raise NotYet(
        f"You gave {terabytes:,.4g}. Pictures times bytes a picture, over 10**12."
    )


@exercise(
    "11.3",
    "rows that may be used",
    "an array of True and False, one for each row",
    "A picture that could not be read has a row of NaN. NumPy can tell NaN from numbers.",
    "np.isfinite(features) says it of each number; .all(axis=1) makes one answer for each row.",
    "np.isfinite(features).all(axis=1).",
)
def usable_rows(answer: "Any", features: "Any") -> str:
    mask = array(answer, "an array of True and False, one for each row")
    right = np.isfinite(features).all(axis=1)
    if (
        mask.dtype.kind in "iu"
        and mask.ndim == 1
        and np.array_equal(np.sort(mask), np.flatnonzero(right))
    ):
        raise NotYet(
            "Those are the right rows, as numbers. Give True or False for each row: it fits the labels, too."
        )
    if mask.shape == np.shape(features):
        raise NotYet(
            "That is an answer for each number. One for each row: .all(axis=1)."
        )
    if mask.dtype != bool or mask.shape != right.shape:
        raise NotYet(
            f"You gave an array of shape {mask.shape} and type {mask.dtype}; expected True or False for each of the "
            f"{len(right)} rows."
        )
    if right.all():
        raise NotYet(
            "`features` holds no row of NaN any more. Run the cell that extracts them again."
        )
    if np.array_equal(mask, right):
        return (
            f"{right.sum()} of {len(right)} rows. Use the same mask for features and labels: dropping the rows from "
            "one of the two only gives every later picture its neighbour's label."
        )
    if np.array_equal(mask, ~right):
        raise NotYet("It is the other way round: True where a row may be used.")
    if mask.all():
        raise NotYet(
            "Not all of them: some pictures could not be read, and a warning named them."
        )
    raise NotYet(
        f"{(mask != right).sum()} rows are marked wrongly. A row may be used if none of its numbers is NaN."
    )
