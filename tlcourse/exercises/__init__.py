"""Exercises: `tl.check("4.2", answer)` says why an answer is wrong.

What a learner reads is in tables such as `lessons_03_05.ini`; what the answers are
compared with is computed beside it, in `lessons_03_05.py`. See `table`.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Any

import numpy as np

from ..errors import CheckError, TLCourseError, UserInputError, printable
from ..files import as_path
from ..progress import in_notebook
from ..server import view_of
from ..validation import shown
from . import cards, solutions
from .progress import NAME, Progress
from .table import Exercise, NotYet, exercises, find_exercise

NOT_ATTEMPTED, NOT_YET, RIGHT = "not attempted yet", "not yet", "right"
NOT_CHECKED, NO_SUCH = "not checked", "no such exercise"


@dataclass(frozen=True)
class Verdict:
    """What a check says; a notebook shows it where it is a cell's last line.

    `state` is "not attempted yet", "not yet" or "right"; "not checked" where data or
    weights that the check needs are not here; or "no such exercise". `reason` says why.
    """

    number: str
    state: str
    reason: str = ""
    title: str = ""
    _hint: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    def __repr__(self) -> str:
        return f"Exercise {self.number}: {self.state}. {self.reason}".rstrip()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict:
        if not cards.are_shown():
            return {}
        name = f"Exercise {self.number}: {self.title}".removesuffix(": ")
        card = cards.card(name, self.state, self.reason)
        data: dict[str, Any] = {"text/plain": repr(self), "text/html": card}
        if self._hint and self.state != RIGHT:
            data |= view_of(cards.with_hints(card, self.number, self._hint))
        return data


class Check:
    """Checks answers to exercises. There is one: `tl.check`.

    No number and no answer, however odd, raises an exception.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.check("4.1", None)
    Exercise 4.1: not attempted yet.
    >>> tl.check.hint("4.1")[:11]
    'Hint 1 of 3'
    """

    def __init__(self) -> None:
        self._hints: dict[str, int] = {}  # exercise → hints given in this session

    def __call__(
        self, number: str | float, answer: Any = None, *context: Any
    ) -> Verdict:
        """Say whether an answer is right, and if not, why.

        In a cell with a solution of the course nothing is counted.

        Parameters
        ----------
        number : str or float
            Of the exercise: "0.1", or 0.1.
        answer : object
            What the stub has in place of None; empty ones are not checked.
        *context : object
            What the exercise's stub passes besides, to check the answer with.
        """
        try:
            exercise = find_exercise(number)
        except UserInputError as error:
            return Verdict(printable(shown(number)), NO_SUCH, str(error))
        state, reason = NOT_ATTEMPTED, ""
        if not _is_missing(answer):
            state, reason = _checked(exercise, answer, context)
        if state in (RIGHT, NOT_YET) and not solutions.is_running():
            hints = self._hints.get(exercise.number, 0)
            try:
                Progress.read().record(exercise.number, state == RIGHT, hints).write()
            except UserInputError as error:  # TLCOURSE_PROGRESS is no path
                warnings.warn(f"Your progress was not saved. {error}", stacklevel=2)
        name, hint = exercise.number, partial(self.hint, exercise.number)
        return Verdict(name, state, printable(reason), exercise.title, hint)

    def hint(self, number: str | float) -> str:
        """The next of three hints: a nudge, which call, nearly the answer."""
        try:
            exercise = find_exercise(number)
        except UserInputError as error:
            return _Text(str(error))
        hints = exercise.hints
        count = min(self._hints.get(exercise.number, 0) + 1, len(hints))
        self._hints[exercise.number] = count
        more = "The solution is folded away below the exercise."
        if count < len(hints):
            more = "Ask again for more."
        return _Text(f"Hint {count} of {len(hints)}: {hints[count - 1]} {more}")

    def progress(self) -> str:
        """A table of all exercises: tries, hints, and whether an answer was right."""
        kept, known = Progress.read(), exercises()
        solved = kept.right & set(known)
        lines = [f"{len(solved)} of {len(known)} exercises solved."]
        lines += [
            f"  {number:5} {kept.describe(number):34} {exercise.title}"
            for number, exercise in known.items()
        ]
        lines.append(
            f"Saved in {Progress.path()}. To continue on another machine, copy"
        )
        lines.append(
            'this file there and call tl.check.restore("tlcourse-progress.json").'
        )
        report = _Text("\n".join(lines))
        if in_notebook():
            report.html = cards.bars(known, solved, report)
        return report

    def restore(self, file: str | PathLike) -> str:
        """Add the progress that was kept on another machine to what is known here.

        Parameters
        ----------
        file : str or path
            The `tlcourse-progress.json` of that machine.

        Raises
        ------
        UserInputError
            No such file, or not one of this kind.
        """
        other = Progress.load(as_path(file, f"the path of a {NAME}"))
        progress = Progress.read()
        progress.add(other)
        progress.write()
        return self.progress()

    def __repr__(self) -> str:
        return repr(self.progress())


class _Text(str):
    """Text that a notebook shows as it is, without quotes, or as HTML."""

    html: str | None = None

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str | None:
        return self.html


def _checked(exercise: Exercise, answer: Any, context: tuple) -> tuple[str, str]:
    """State and reason, whatever the answer is: its own methods may fail as well."""
    try:
        with np.errstate(all="ignore"):
            row, reason = exercise.check(answer, context)
    except (NotYet, CheckError) as error:
        return NOT_YET, str(error)
    except Exception as error:
        if isinstance(error, TLCourseError) and not isinstance(error, UserInputError):
            return NOT_CHECKED, str(error)  # data or weights that are not here
        return NOT_YET, (
            f"The check cannot read an answer of type {type(answer).__name__} "
            f"({shown(error)}). Expected {exercise.expected}."
        )
    return (RIGHT if row == "right" else NOT_YET), reason


def _is_missing(answer: Any) -> bool:
    """Whether the stub was left as it is."""
    try:
        if isinstance(answer, dict):
            return all(_is_missing(value) for value in answer.values())
        empty = isinstance(answer, list | tuple | str) and not answer
        return answer is None or answer is Ellipsis or empty
    except Exception:  # methods that fail, dictionaries that hold themselves
        return False


check = Check()
solutions.hold_back()
