"""Odd answers, which are right in no exercise."""

from decimal import Decimal
from fractions import Fraction
from unittest.mock import MagicMock

import numpy as np

from tlcourse.exercises.checking import Check


def fails(*arguments, **options):
    raise ZeroDivisionError("an object of a learner fails")


METHODS = "eq ne lt gt le ge hash bool len iter contains float int index array repr str format getitem call abs sub add"
Failing = type(
    "Failing", (), dict.fromkeys([f"__{name}__" for name in METHODS.split()], fails)
)
Failing.__doc__ = "Every method of these objects raises an exception."


class WithoutClass:
    """isinstance asks for __class__, and that may fail as well."""

    @property
    def __class__(self):
        raise RuntimeError("no class")


class WithoutMessage(Exception):
    """An exception whose own message cannot be read."""

    __str__ = __repr__ = fails


class Strange:
    """An object whose NumPy form fails by an exception without a message, and whose repr is huge."""

    def __array__(self, *arguments, **options):
        raise WithoutMessage

    __float__ = __len__ = __array__

    def __repr__(self):
        return "\x1b[31m" * 10_000_000


class Huge(dict):
    """A dictionary whose keys fill a screen, and more."""

    def __init__(self):
        super().__init__((f"{number:0500}\n", 0.5) for number in range(1000))


def nested(depth=5000):
    inner = [0.5]
    for _ in range(depth):
        inner = [inner]
    return inner


def around():
    """A list and a dictionary that hold themselves."""
    chain = []
    chain.append(chain)
    return [chain, {"mono": chain}]


def own_dictionary():
    odd = {}
    odd["itself"] = odd
    return odd


def symbolic():
    import keras

    return keras.Input((3,))


def dataset():
    import tensorflow as tf

    return tf.data.Dataset.range(3)


def tensor(value):
    import tensorflow as tf

    return tf.constant(value)


def sparse():
    from scipy.sparse import eye

    return eye(8, 1000)


def untrained():
    import keras

    return keras.Sequential([keras.layers.Dense(3)])


ODD = {  # name → what makes an answer that is right in no exercise
    "True": lambda: True,
    "False": lambda: False,
    "NumPy's True": lambda: np.True_,
    "NaN": lambda: float("nan"),
    "infinity": lambda: float("inf"),
    "minus infinity": lambda: -np.inf,
    "a huge number": lambda: 10**400,
    "more digits than Python prints": lambda: 10**5000,
    "minus one": lambda: -1,
    "1e308": lambda: 1e308,
    "complex": lambda: 0.5 + 0j,
    "Decimal": lambda: Decimal("NaN"),
    "Fraction": lambda: Fraction(10**400, 3),
    "text": lambda: "0.5",
    "bytes": lambda: b"0.5",
    "an object": object,
    "a function": lambda: fails,
    "a class": lambda: np.ndarray,
    "a module": lambda: np,
    "the check": Check,
    "a generator": lambda: (number for number in (1, 2)),
    "an endless range": lambda: range(10**15),
    "a set": lambda: {0.5},
    "a set in a list": lambda: [{0.5}],
    "an exception": lambda: ValueError("no"),
    "a pretender": lambda: MagicMock(spec=float),
    "all methods fail": Failing,
    "no class": WithoutClass,
    "no message": Strange,
    "a dictionary of NaN": lambda: {float("nan"): float("nan")},
    "a dictionary of what fails": lambda: {"mono": Failing(), "poly": Failing()},
    "a huge dictionary": Huge,
    "a dictionary that holds itself": own_dictionary,
    "a list that holds itself": around,
    "a deep list": nested,
    "a ragged list": lambda: [[1], [2, 3]],
    "a list of nothing": lambda: [None, None],
    "an empty array": lambda: np.array([]),
    "an array of objects": lambda: np.array([object(), None], dtype=object),
    "an array of text": lambda: np.array(["0.5", "0.6"]),
    "an array of dates": lambda: np.array(["2026-01-01"], dtype="datetime64[D]"),
    "an array with names": lambda: np.zeros(3, [("a", "f4"), ("b", "i4")]),
    "NaN in an array": lambda: np.full((7, 7), np.nan),
    "NaN for eight rows": lambda: np.full((8, 1000), np.nan),
    "zeros for a map": lambda: np.zeros((7, 7)),
    "one row eight times": lambda: np.full((8, 1000), 1e-3),
    "a masked number": lambda: np.ma.masked,
    "a masked array": lambda: np.ma.masked_all((7, 7)),
    "a tensor of text": lambda: tensor("0.5"),
    "a tensor of NaN": lambda: tensor(float("nan")),
    "a symbolic tensor": symbolic,
    "a tf.data.Dataset": dataset,
    "a sparse matrix": sparse,
    "an untrained network": untrained,
}
