"""Odd answers, which are right in no exercise."""

from unittest.mock import MagicMock

import numpy as np


def fails(*arguments, **options):
    raise ZeroDivisionError("an object of a learner fails")


METHODS = "eq ne lt gt le ge hash bool len iter contains float int index array repr str"
Failing = type(
    "Failing", (), dict.fromkeys([f"__{name}__" for name in METHODS.split()], fails)
)
Failing.__doc__ = "Every method of these objects raises an exception."


class WithoutMessage(Exception):
    """An exception whose own message cannot be read."""

    __str__ = __repr__ = fails


class Strange:
    """An object without a NumPy form, and whose repr is huge."""

    def __array__(self, *arguments, **options):
        raise WithoutMessage

    def __repr__(self):
        return "\x1b[31m" * 1_000_000


def own_dictionary():
    odd = {}
    odd["itself"] = odd
    return odd


def symbolic():
    import keras

    return keras.Input((3,))


def untrained():
    import keras

    return keras.Sequential([keras.layers.Dense(3)])


ODD = {  # name → what makes an answer that is right in no exercise
    "True": lambda: True,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "more digits than Python prints": lambda: 10**5000,
    "minus one": lambda: -1,
    "complex": lambda: 0.5 + 0j,
    "text": lambda: "0.5",
    "a function": lambda: fails,
    "an endless range": lambda: range(10**15),
    "a pretender": lambda: MagicMock(spec=float),
    "all methods fail": Failing,
    "no NumPy form": Strange,
    "a dictionary of what fails": lambda: {"mono": Failing(), "poly": Failing()},
    "a dictionary that holds itself": own_dictionary,
    "a ragged list": lambda: [[1], [2, 3]],
    "an empty array": lambda: np.array([]),
    "an array of objects": lambda: np.array([object(), None], dtype=object),
    "NaN in an array": lambda: np.full((7, 7), np.nan),
    "zeros for a map": lambda: np.zeros((7, 7)),
    "a masked array": lambda: np.ma.masked_all((7, 7)),
    "a symbolic tensor": symbolic,
    "an untrained network": untrained,
}
