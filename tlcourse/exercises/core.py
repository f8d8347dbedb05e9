"""What an exercise is: a number, a title, three hints, and a judge that says why an answer is wrong."""

from collections.abc import Callable
from dataclasses import dataclass


class NotYet(Exception):
    """Raised by a judge. The message is for the learner: what the answer is, and what was asked for."""


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes:
        number: "4.2", the second of lesson 04.
        title: what stands in its heading.
        expected: what an answer is, to finish "expected …".
        hints: a nudge; which call; nearly the answer.
        judge: takes the answer and whatever else `tl.check` was given; returns praise, or raises `NotYet`.
    """

    number: str
    title: str
    expected: str
    hints: tuple[str, str, str]
    judge: Callable[..., str]


EXERCISES: dict[str, Exercise] = {}


def exercise(
    number: str, title: str, expected: str, nudge: str, call: str, nearly: str
) -> Callable:
    """Put the decorated judge among the exercises."""

    def register(judge: Callable[..., str]) -> Callable[..., str]:
        EXERCISES[number] = Exercise(
            number, title, expected, (nudge, call, nearly), judge
        )
        return judge

    return register
