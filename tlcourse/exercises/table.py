"""Exercises as data: what each asks for, its hints, and what the check says.

All text is in tables, and a function per exercise says which answers belong to which
row. A new exercise is a section in, say, `lessons_03_05.ini`,

    [4.1]
    title = count before you train
    expected = a whole number
    hint 1 = A Dense layer has one weight per pair of input and output. Is that all?
    hint 2 = inputs * outputs + outputs, for each of the two layers.
    hint 3 = (1280 * 1024 + 1024) + (1024 * 10 + 10).
    right = {answer:,}, of which {biases:.1f} % are biases.
    kernels = These are the weights alone. Each output has a bias besides.
    otherwise = {answer:,} is not what the two layers hold.

and a generator in `lessons_03_05.py`:

    @rows("4.1", WholeNumber())
    def number_of_weights(answer):
        yield "right", 1_321_994, {"biases": 0.1}
        yield "kernels", 1_320_960

Rows are compared with the answer in this order; the first one that fits decides, and
"otherwise" if none does. A row's value is an answer, or a condition, True or False. A
sentence may use `{answer}`, the row's details, and `{wrong}`: which of several accuracies
are not those of the row "right". Parameters after `answer` are what `tl.check` is given
besides it.
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
from .answers import Anything, near

HINTS = ("hint 1", "hint 2", "hint 3")
LONGEST = 40  # characters of a number that are looked up
_CHECKS: dict[str, tuple[Anything, Callable[..., Iterator[tuple]]]] = {}


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
        """The row that an answer belongs to, and its sentence.

        NotYet says that it cannot be compared: it is of another kind, say.
        """
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


def rows(number: str, kind: Anything) -> Callable:
    """Say that the decorated generator gives the rows of an exercise."""

    def register(function: Callable) -> Callable:
        _CHECKS[number] = (kind, function)
        return function

    return register


@lru_cache(maxsize=1)
def exercises() -> dict[str, Exercise]:
    """All exercises by number, in the lessons' order."""
    found = {}
    for path in sorted(Path(__file__).parent.glob("lessons_*.ini")):
        table = ConfigParser(delimiters=("=",), interpolation=None)
        table.optionxform = str  # type: ignore  # names of rows keep their capitals
        table.read_string(path.read_text(encoding="utf-8"), path.name)
        for number in table.sections():
            texts = {row: " ".join(text.split()) for row, text in table.items(number)}
            title, expected = texts.pop("title"), texts.pop("expected")
            hints = tuple(texts.pop(hint) for hint in HINTS)
            found[number] = Exercise(path.stem, number, title, expected, hints, texts)
    return found


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
