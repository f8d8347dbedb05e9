"""Exercises as data: texts in `lessons_*.ini`, and a function per exercise beside them.

CONTRIBUTING.md shows how to write one. NaN, infinity, True, text, masked values and
objects whose own methods fail are no numbers: the kinds of answers, such as `Number`,
decide this for all exercises.
"""

from collections.abc import Callable, Iterator
from configparser import ConfigParser
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import UserInputError
from ..validation import shown

HINTS = ("hint 1", "hint 2", "hint 3")
LONGEST = 40  # characters of a number that are looked up
NEAR = 0.005  # accuracies that differ by less are equal: last digits depend on the CPU
LARGEST = 1e15  # no answer is larger


class NotYet(Exception):
    """An answer is not right. The message tells the learner why."""


def unexpected(value: object, expected: str, name: str = "Your answer") -> NotYet:
    """What is said of an answer, or of a part of it, that cannot be used."""
    text = shown(value)
    if isinstance(value, np.ndarray) and value.ndim:
        text = f"an array of shape {value.shape}"
    return NotYet(f"{name} is {text}; expected {expected}.")


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


class AnyAnswer:
    """An answer that the exercise's own rows look at; the base of all kinds."""

    def read(self, value: Any, expected: str, name: str = "the answer") -> Any:
        """The answer in a form that rows are compared with, or NotYet."""
        return value

    def equal(self, answer: Any, value: Any) -> bool:
        """Whether an answer that was read is the value of a row."""
        return bool(answer == value)


@dataclass(frozen=True)
class Number(AnyAnswer):
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
            expected += ". As a percentage it may be right: divide it by 100"
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


class Shares(AnyAnswer):
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
    if not isinstance(value, dict) or set(value) - set(names):
        keys = list(value)[:6] if isinstance(value, dict) else value
        expected = f"a dictionary with {' and '.join(map(repr, names))}, and no other"
        raise unexpected(keys, expected)
    missing = [repr(name) for name in names if value.get(name) is None]
    if missing:
        raise NotYet(f"No value yet for {', '.join(missing)}.")
    return value


class Array(AnyAnswer):
    """An array of finite numbers, or of True and False, of any shape."""

    def read(self, value: Any, expected: str, name: str = "the answer") -> np.ndarray:
        array = numbers(value)
        if array is None or not np.isfinite(array).all():
            raise unexpected(value, f"{expected}, all numbers finite", name)
        return array


class Network(AnyAnswer):
    """A Keras model, or an object that has one as its `model` or `network`."""

    def read(self, value: Any, expected: str, name: str = "the answer") -> Any:
        import keras

        for each in (value, *(getattr(value, of, None) for of in ("model", "network"))):
            if isinstance(each, keras.Model):
                return each
        raise unexpected(value, expected, name)


def require(value: Any, name: str, *attributes: str) -> Any:
    """What a stub passes besides the answer, or NotYet: it needs these attributes."""
    if not all(hasattr(value, attribute) for attribute in attributes):
        raise unexpected(value, "what the lesson made under that name", f"`{name}`")
    return value


_CHECKS: dict[str, tuple[AnyAnswer, Callable[..., Iterator[tuple]]]] = {}


@dataclass(frozen=True)
class Exercise:
    """One exercise: its section of a table, and the name of the module beside it."""

    module: str
    number: str
    title: str
    expected: str
    hints: tuple[str, ...]
    sentences: dict[str, str]  # row → what the check says; "right" is the praise

    def check(self, answer: Any, context: tuple) -> tuple[str, str]:
        """The row that an answer belongs to, and its sentence; NotYet if to none."""
        if self.number not in _CHECKS:
            import_module(f".{self.module}", __package__)
        kind, rows_of = _CHECKS[self.number]
        answer = kind.read(answer, self.expected)
        named = {"answer": answer}
        for row, value, *details in rows_of(answer, *context):
            is_condition = isinstance(value, bool | np.bool_)
            if row == "right" and isinstance(value, dict):
                wrong = [name for name in value if not near(answer[name], value[name])]
                named["wrong"] = " and ".join(map(repr, wrong))
            if value if is_condition else kind.equal(answer, value):
                named |= details[0] if details else {}
                return row, self.sentences[row].format(**named)
        return "otherwise", self.sentences["otherwise"].format(**named)


def rows(number: str, kind: AnyAnswer) -> Callable:
    """Say that the decorated generator gives the rows of an exercise."""

    def register(function: Callable) -> Callable:
        _CHECKS[number] = (kind, function)
        return function

    return register


@lru_cache(maxsize=1)
def exercises() -> dict[str, Exercise]:
    """All exercises by number, in the lessons' order."""
    exercises = {}
    for path in sorted(Path(__file__).parent.glob("lessons_*.ini")):
        table = ConfigParser(delimiters=("=",), interpolation=None)
        table.optionxform = str  # type: ignore  # names of rows keep their capitals
        table.read_string(path.read_text(encoding="utf-8"), path.name)
        for number in table.sections():
            texts = {row: " ".join(text.split()) for row, text in table.items(number)}
            title, expected = texts.pop("title"), texts.pop("expected")
            hints = tuple(texts.pop(hint) for hint in HINTS)
            exercises[number] = Exercise(
                path.stem, number, title, expected, hints, texts
            )
    return exercises


def find_exercise(number: Any) -> Exercise:
    """The exercise of a number, which may be text or a number: "0.1", 0.1."""
    known, text = exercises(), ""
    with suppress(Exception):  # objects whose own methods fail
        if isinstance(number, str | int | float | np.number):
            text = str(number).strip()[:LONGEST]
    if text in known:
        return known[text]
    lesson = [each for each in known if each.split(".")[0] == text.split(".")[0]]
    alike = lesson or get_close_matches(text, known, cutoff=0.5)
    first, *_, last = known
    hint = f"The numbers go from {first} to {last}."
    if alike:
        hint = f"Did you mean {', '.join(alike)}?"
    raise UserInputError(f"There is no exercise {shown(number)}. {hint}")
