"""`tl.check`: judge an answer, give the next hint, show and keep progress."""

import inspect
import warnings
from dataclasses import dataclass
from difflib import get_close_matches
from os import PathLike
from typing import Any

import numpy as np

from ..errors import GuardError, TLCourseError, UserInputError, callers_level
from .core import EXERCISES, Exercise, NotYet
from .progress import Progress, ProgressError
from .reading import describe, shorten, type_name

NOT_ATTEMPTED, NOT_YET, RIGHT = "not attempted yet", "not yet", "right"
NOT_CHECKED, NO_SUCH = "not checked", "no such exercise"
SPELLED = 40  # characters of a number that are looked up


@dataclass(frozen=True)
class Verdict:
    """What a check says. Shown by itself where it is a cell's last line.

    Attributes:
        number: of the exercise.
        state: "not attempted yet", "not yet" or "right"; "not checked" where the check needs data or weights that are
            not here; "no such exercise".
        reason: why, in sentences.
    """

    number: str
    state: str
    reason: str = ""

    def __repr__(self) -> str:
        return f"Exercise {self.number}: {self.state}." + (
            f" {self.reason}" if self.reason else ""
        )


class Check:
    """Judges answers to exercises. There is one: `tl.check`. No odd number or answer raises an exception."""

    def __init__(self) -> None:
        self._hints_given: dict[str, int] = {}

    def __call__(
        self, number: "str | float", answer: "Any" = None, *context: "Any"
    ) -> Verdict:
        """Say whether an answer is right, and if not, why.

        Args:
            number: of the exercise: "0.1", or 0.1.
            answer: what the stub has in place of None. As long as it is None or empty, nothing is checked.
            context: what the exercise's stub gives besides, to check the answer with.
        """
        try:
            exercise = find_exercise(number)
        except UserInputError as error:
            return Verdict(
                shorten(_spelled(number)) or describe(number), NO_SUCH, str(error)
            )
        if _is_missing(answer):
            return Verdict(exercise.number, NOT_ATTEMPTED)
        verdict = _judge(exercise, answer, context)
        if verdict.state in (NOT_YET, RIGHT):
            try:
                progress = Progress.read()
                progress.record(
                    verdict.number,
                    verdict.state == RIGHT,
                    self._hints_given.get(verdict.number, 0),
                )
                progress.write()
            except ProgressError as error:
                warnings.warn(
                    f"Your progress could not be kept. {error}",
                    stacklevel=callers_level(),
                )
        return verdict

    def hint(self, number: "str | float") -> str:
        """The next of three hints: a nudge, then which call, then nearly the answer; after that the last one again.

        Where there is no such exercise, a sentence says which numbers are near.
        """
        try:
            exercise = find_exercise(number)
        except UserInputError as error:
            return _Text(str(error))
        hints, number = exercise.hints, exercise.number
        given = min(self._hints_given.get(number, 0) + 1, len(hints))
        self._hints_given[number] = given
        more = (
            "Ask again for more."
            if given < len(hints)
            else "The solution is folded away below the exercise."
        )
        return _Text(f"Hint {given} of {len(hints)}: {hints[given - 1]} {more}")

    def progress(self) -> "_Text":
        """A table of all exercises: what was tried, what is right, how many hints were taken."""
        known = Progress.read()
        right = sum(number in known.right for number in _all())
        lines = [f"{right} of {len(_all())} exercises are right."]
        for number, exercise in sorted(
            _all().items(), key=lambda item: _order(item[0])
        ):
            lines.append(f"  {number:5} {known.describe(number):34} {exercise.title}")
        lines.append(f"Kept in {Progress.path()}: download that file to take it along.")
        return _Text("\n".join(lines))

    def restore(self, file: "str | PathLike") -> "_Text":
        """Add the progress of another file, kept on another machine, to what is known here.

        Raises:
            UserInputError: no such file, or not one of this kind; a notebook shows its sentence without a traceback.
        """
        progress = Progress.read()
        progress.add(Progress.read(file, strict=True))
        progress.write()
        return self.progress()

    def __repr__(self) -> str:
        return repr(self.progress())


class _Text(str):
    """Text that a notebook shows as it is, without quotes."""

    def __repr__(self) -> str:
        return str(self)


def _judge(exercise: Exercise, answer: "Any", context: tuple) -> Verdict:
    """The verdict on an answer, whatever it is: answers are objects of learners, whose own methods may fail."""
    try:
        _needs(exercise, context)
        with np.errstate(all="ignore"):
            return Verdict(exercise.number, RIGHT, exercise.judge(answer, *context))
    except (NotYet, GuardError) as reason:
        return Verdict(exercise.number, NOT_YET, str(reason))
    except Exception as error:
        if isinstance(error, TLCourseError) and not isinstance(error, UserInputError):
            return Verdict(
                exercise.number, NOT_CHECKED, str(error)
            )  # data or weights that are not here
        return Verdict(
            exercise.number,
            NOT_YET,
            f"The check cannot read an answer of type {type_name(answer)} ({_kind(error)}). Expected "
            f"{exercise.expected}.",
        )


def _kind(error: Exception) -> str:
    """ "TypeError: …": an error's type and message, whose own __str__ may fail."""
    try:
        return f"{type_name(error)}: {shorten(str(error), 400)}"
    except Exception:
        return type_name(error)


def _needs(exercise: Exercise, context: tuple) -> None:
    """That everything came with the answer that the exercise is checked with.

    Raises:
        NotYet: something is missing, or there is more.
    """
    names = list(inspect.signature(exercise.judge).parameters)[1:]
    try:
        inspect.signature(exercise.judge).bind(None, *context)
    except TypeError:
        call = ", ".join([f'tl.check("{exercise.number}"', "your_answer", *names])
        raise NotYet(
            f"Besides the answer came {len(context)} of {len(names)} arguments. Call {call})."
        ) from None


def _is_missing(answer: "Any") -> bool:
    """Whether the stub was left as it is."""
    try:
        if isinstance(answer, dict):
            return all(_is_missing(value) for value in answer.values())
        return (
            answer is None
            or answer is Ellipsis
            or (isinstance(answer, list | tuple | str) and not answer)
        )
    except (
        Exception
    ):  # objects whose own methods fail, dictionaries that hold themselves
        return False


def find_exercise(number: "str | float") -> Exercise:
    """The exercise of a number, which may be text or a number: "0.1", 0.1.

    Raises:
        UserInputError: there is no such exercise. The message names those that are near.
    """
    spelled = _spelled(number)
    if spelled not in _all():
        known = sorted(_all(), key=_order)
        nearest = [one for one in known if one.split(".")[0] == spelled.split(".")[0]]
        nearest = nearest or get_close_matches(spelled, known, cutoff=0.5)
        hint = (
            f"Did you mean {', '.join(nearest)}?"
            if nearest
            else f"The numbers go from {known[0]} to {known[-1]}."
        )
        raise UserInputError(f"There is no exercise {describe(number)}. {hint}")
    return _all()[spelled]


def _spelled(number: "Any") -> str:
    """A number as exercises are numbered; what is neither text nor a number is spelled as nothing."""
    try:
        if isinstance(number, bool) or not isinstance(
            number, str | int | float | np.integer | np.floating
        ):
            return ""
        return str(number).strip()[:SPELLED]  # of float32(0.1), too, this is "0.1"
    except Exception:
        return ""


def _all() -> dict[str, Exercise]:
    """All lessons' exercises, by number."""

    return EXERCISES


def _order(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


check = Check()
