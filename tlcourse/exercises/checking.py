"""`tl.check`: judge an answer, give the next hint, show and keep progress."""

from dataclasses import dataclass
from os import PathLike
from typing import Any

from ..errors import UserInputError
from .core import EXERCISES, Exercise, NotYet
from .progress import Progress

NOT_ATTEMPTED, NOT_YET, RIGHT = "not attempted yet", "not yet", "right"


@dataclass(frozen=True)
class Verdict:
    """What a check says. Shown by itself where it is a cell's last line.

    Attributes:
        number: of the exercise.
        state: "not attempted yet", "not yet" or "right".
        reason: why, in sentences.
    """

    number: str
    state: str
    reason: str = ""

    def __repr__(self) -> str:
        return f"Exercise {self.number}: {self.state}." + (f" {self.reason}" if self.reason else "")


class Check:
    """Judges answers to exercises. There is one: `tl.check`."""

    def __init__(self) -> None:
        self._hints_given: dict[str, int] = {}

    def __call__(self, number: str, answer: "Any", *context: "Any") -> Verdict:
        """Say whether an answer is right, and if not, why.

        Args:
            number: of the exercise: "0.1".
            answer: what the stub has in place of None. As long as it is None or empty, nothing is judged.
            context: what the exercise's stub gives besides, to judge the answer by.

        Raises:
            UserInputError: there is no such exercise.
        """
        exercise = find_exercise(number)
        if _is_missing(answer):
            return Verdict(number, NOT_ATTEMPTED)
        verdict = _judge(exercise, answer, context)
        progress = Progress.read()
        progress.record(number, verdict.state == RIGHT, self._hints_given.get(number, 0))
        progress.write()
        return verdict

    def hint(self, number: str) -> str:
        """The next of three hints: a nudge, then which call, then nearly the answer; after that the last one again.

        Raises:
            UserInputError: there is no such exercise.
        """
        hints = find_exercise(number).hints
        given = min(self._hints_given.get(number, 0) + 1, len(hints))
        self._hints_given[number] = given
        more = "Ask again for more." if given < len(hints) else "The solution is folded away below the exercise."
        return _Text(f"Hint {given} of {len(hints)}: {hints[given - 1]} {more}")

    def progress(self) -> "_Text":
        """A table of all exercises: what was tried, what is right, how many hints were taken."""
        known = Progress.read()
        lines = [f"{len(known.right)} of {len(_all())} exercises are right."]
        for number, exercise in sorted(_all().items(), key=lambda item: _place(item[0])):
            lines.append(f"  {number:5} {known.describe(number):34} {exercise.title}")
        lines.append(f"Kept in {Progress.path()}: download that file to take it along.")
        return _Text("\n".join(lines))

    def restore(self, file: "str | PathLike") -> "_Text":
        """Add the progress of another file, kept on another machine, to what is known here.

        Raises:
            UserInputError: no such file, or not one of this kind.
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
    try:
        return Verdict(exercise.number, RIGHT, exercise.judge(answer, *context))
    except NotYet as reason:
        return Verdict(exercise.number, NOT_YET, str(reason))
    except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
        kind = f"{type(error).__name__}: {error}"
        return Verdict(
            exercise.number,
            NOT_YET,
            f"The check cannot read an answer of type {type(answer).__name__} ({kind}). Expected {exercise.expected}.",
        )


def _is_missing(answer: "Any") -> bool:
    """Whether the stub was left as it is."""
    if isinstance(answer, dict):
        return all(_is_missing(value) for value in answer.values())
    return answer is None or answer is Ellipsis or (isinstance(answer, list | tuple | str) and not answer)


def find_exercise(number: str) -> Exercise:
    if number not in _all():
        known = ", ".join(sorted(_all(), key=_place))
        raise UserInputError(f"There is no exercise {number!r}. There are {known}.")
    return _all()[number]


def _all() -> dict[str, Exercise]:
    """All lessons' exercises, by number."""
    from . import (  # noqa: F401 - each puts its own among them
        lesson_00,
        lesson_01,
        lesson_02,
        lesson_03,
        lesson_04,
        lesson_05,
        lesson_06,
        lesson_07,
        lesson_08,
        lesson_09,
        lesson_10,
        lesson_11,
    )

    return EXERCISES


def _place(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))


check = Check()
