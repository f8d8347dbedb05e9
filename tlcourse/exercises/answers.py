"""What an answer may be: each kind reads an answer, or says what was expected.

NaN, infinity, True, text, masked values and objects whose own methods fail are no
numbers; this is decided here for all exercises.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..validation import shown

NEAR = 0.005  # accuracies that differ by less are equal: last digits depend on the CPU
LARGEST = 1e15  # no answer is larger


class NotYet(Exception):
    """An answer is not right. The message tells the learner why."""


def unexpected(value: object, expected: str, name: str = "the answer") -> NotYet:
    """What is said of an answer, or of a part of it, that cannot be used."""
    text = shown(value)
    if isinstance(value, np.ndarray) and value.ndim:
        text = f"an array of shape {value.shape}"
    return NotYet(f"For {name} you gave {text}; expected {expected}.")


def near(one: float, other: float) -> bool:
    """Whether two accuracies are equal but for the last digits; NaN is near nothing."""
    return bool(abs(one - other) <= NEAR)


def numbers(value: Any) -> np.ndarray | None:
    """Numbers or booleans as an array of any shape; None for anything else."""
    plain = isinstance(value, int | float | list | tuple)
    try:
        if isinstance(value, np.ma.MaskedArray):
            value = np.ma.filled(value.astype(float), np.nan)
        if not plain and not hasattr(type(value), "__array__"):
            return None  # a range, say, of more numbers than the memory holds
        array = np.asarray(value)
    except Exception:  # ragged lists, symbolic tensors, objects whose own methods fail
        return None
    return array if array.dtype.kind in "buif" else None


class Anything:
    """An answer that the exercise's own rows look at; the base of all kinds."""

    def read(self, value: Any, expected: str, name: str = "the answer") -> Any:
        """The answer in a form that rows are compared with, or NotYet."""
        return value

    def equal(self, answer: Any, value: Any) -> bool:
        """Whether an answer that was read is the value of a row."""
        return bool(answer == value)


@dataclass(frozen=True)
class Number(Anything):
    """One finite number; what differs by less than this from a row is equal to it."""

    minimum: float = 0
    maximum: float = LARGEST
    absolute: float = 0
    relative: float = 0
    whole: bool = False

    def read(self, value: Any, expected: str, name: str = "the answer") -> float:
        array = numbers(value)
        if array is None or array.ndim or array.dtype.kind == "b":
            raise unexpected(value, expected, name)
        number = array.item()
        if self.maximum == 1 < number <= 100:
            expected += ". As a percentage it may be right; score() returns 0 to 1"
        is_inside = self.minimum <= number <= self.maximum
        if not is_inside or (self.whole and number % 1):
            raise unexpected(number, expected, name)
        return int(number) if self.whole else float(number)

    def equal(self, answer: float, value: float) -> bool:
        return abs(answer - value) <= self.absolute + self.relative * abs(value)


def whole_number() -> Number:
    """One whole number; 36.0 is one, too."""
    return Number(whole=True)


def share(minimum: float = 0) -> Number:
    """An accuracy or another share from 0 to 1."""
    return Number(minimum, maximum=1, absolute=NEAR)


class Shares(Anything):
    """A dictionary with a share for each of these names, and no others."""

    def __init__(self, *names: str, minimum: float = 0) -> None:
        self.names, self.share = names, share(minimum)

    def read(self, value: Any, expected: str, name: str = "the answer") -> dict:
        named = dictionary(value, self.names)
        return {
            each: self.share.read(named[each], "a share between 0 and 1", repr(each))
            for each in self.names
        }

    def equal(self, answer: dict[str, float], value: dict[str, float]) -> bool:
        return all(near(answer[name], value[name]) for name in self.names)


def dictionary(value: Any, names: tuple[str, ...]) -> dict[str, Any]:
    """A dictionary with these names and no others, none of whose values is None."""
    if not isinstance(value, dict) or set(value) != set(names):
        keys = list(value)[:6] if isinstance(value, dict) else value
        expected = f"a dictionary with {' and '.join(map(repr, names))}, and no other"
        raise unexpected(keys, expected)
    missing = [name for name in names if value[name] is None]
    if missing:
        raise NotYet(f"{', '.join(map(repr, missing))} is still None.")
    return value


class Array(Anything):
    """An array of finite numbers, or of True and False, of any shape."""

    def read(self, value: Any, expected: str, name: str = "the answer") -> np.ndarray:
        array = numbers(value)
        if array is None or not np.isfinite(array).all():
            raise unexpected(value, f"{expected}, all numbers finite", name)
        return array


class Network(Anything):
    """A Keras model, or an object that has one as its `model` or `network`."""

    def read(self, value: Any, expected: str, name: str = "the answer") -> Any:
        import keras

        for each in (value, *(getattr(value, of, None) for of in ("model", "network"))):
            if isinstance(each, keras.Model):
                return each
        raise unexpected(value, expected, name)


def having(value: Any, name: str, *attributes: str) -> Any:
    """What a stub passes besides the answer, recognised by what it can do."""
    if not all(hasattr(value, attribute) for attribute in attributes):
        raise unexpected(value, "what the lesson made under that name", f"`{name}`")
    return value
