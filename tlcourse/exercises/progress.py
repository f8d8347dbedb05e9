"""What was tried and solved, in one small file that can be carried to another machine."""

import json
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from ..errors import UserInputError, callers_level
from ..files import as_path, read_json, write_atomically
from .reading import shorten

NAME = "tlcourse-progress.json"
_FORMAT = "tlcourse progress 1"
MOST = 10**6  # tries of an exercise, or hints: a larger count is damage


class ProgressError(UserInputError):
    """A file of progress that was asked for cannot be read. A notebook shows the sentence alone."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


@dataclass
class Progress:
    """Exercise → how often it was tried, whether it was right once, how many hints had been taken."""

    tries: dict[str, int] = field(default_factory=dict)
    right: set[str] = field(default_factory=set)
    hints: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def path() -> Path:
        """`TLCOURSE_PROGRESS`, or a file in the folder where the notebook runs, beside the lessons.

        Raises:
            ProgressError: `TLCOURSE_PROGRESS` is no path.
        """
        try:
            path = as_path(
                os.environ.get("TLCOURSE_PROGRESS") or NAME, "TLCOURSE_PROGRESS"
            )
        except UserInputError as error:
            raise ProgressError(str(error)) from None
        with suppress(OSError):  # the working folder is gone
            path = path.absolute()
        return path

    @classmethod
    def read(
        cls, file: "str | PathLike | None" = None, strict: bool = False
    ) -> "Progress":
        """What the file holds; nothing where there is none.

        Args:
            file: instead of the usual one.
            strict: refuse a file that is missing or of another kind, where it would count as empty.

        Raises:
            ProgressError: with `strict`; `TLCOURSE_PROGRESS` is no path.
        """
        try:
            path = (
                cls.path()
                if file is None and not strict
                else as_path(file or "", f"the path of a {NAME}")
            )
        except UserInputError as error:
            raise ProgressError(str(error)) from None
        try:
            if path.exists() and not path.is_file():
                raise OSError("it is no regular file")
            path.open("rb").close()
            kept = read_json(path)
            if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
                raise ValueError(f"it does not begin as {_FORMAT!r} does")
            return cls._checked(kept)
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            AttributeError,
            OverflowError,
            RecursionError,
        ) as error:
            if strict:
                reason = (
                    "it is not there"
                    if isinstance(error, FileNotFoundError)
                    else shorten(str(error), 200)
                )
                raise ProgressError(
                    f"The file {path} holds no progress of this course ({reason}). Expected the {NAME} that another "
                    "machine kept beside its lessons."
                ) from None
            if file is None and not isinstance(error, OSError):
                _set_aside(path, error)
            return cls()

    @classmethod
    def _checked(cls, kept: dict) -> "Progress":
        """The record of a file.

        Raises:
            ValueError, KeyError, AttributeError: it holds something else than exercises and counts.
        """
        right, (tries, hints) = (
            kept["right"],
            (dict(kept[name].items()) for name in ("tries", "hints")),
        )
        counts = [*tries.values(), *hints.values()]
        if not isinstance(right, list) or not all(
            isinstance(number, str) for number in right
        ):
            raise ValueError("the exercises that are right are no list of numbers")
        if not all(
            isinstance(count, int) and not isinstance(count, bool) and 0 <= count < MOST
            for count in counts
        ):
            raise ValueError("tries and hints are no counts")
        return cls(tries, set(right), hints)

    def write(self) -> None:
        """Keep it; where that cannot be, say so and go on."""
        content = {
            "format": _FORMAT,
            "right": sorted(self.right),
            "tries": self.tries,
            "hints": self.hints,
        }
        try:
            text = json.dumps(content, indent=2) + "\n"
            write_atomically(self.path(), lambda file: file.write(text.encode()))
        except OSError as error:
            warnings.warn(
                f"Your progress could not be kept in {self.path()} ({error.strerror or error}). The check itself is "
                "not affected; TLCOURSE_PROGRESS chooses another file.",
                stacklevel=callers_level(),
            )

    def record(self, number: str, right: bool, hints: int) -> None:
        """One more try. What was right once stays right, with the tries and hints that it took."""
        if number not in self.right:
            self.tries[number] = self.tries.get(number, 0) + 1
            self.hints[number] = max(hints, self.hints.get(number, 0))
            if right:
                self.right.add(number)

    def add(self, other: "Progress") -> None:
        """Join what was done elsewhere: right anywhere is right, and of tries and hints the larger number counts."""
        self.right |= other.right
        for counts, others in ((self.tries, other.tries), (self.hints, other.hints)):
            for number, count in others.items():
                counts[number] = max(count, counts.get(number, 0))

    def describe(self, number: str) -> str:
        """ "right, 2 tries, 1 hint"."""
        tries, hints = self.tries.get(number, 0), self.hints.get(number, 0)
        if not tries:
            return "right" if number in self.right else "–"
        parts = [
            "right" if number in self.right else "not yet",
            f"{tries} {'try' if tries == 1 else 'tries'}",
        ]
        return ", ".join(
            parts + ([f"{hints} {'hint' if hints == 1 else 'hints'}"] if hints else [])
        )


def _set_aside(path: Path, error: Exception) -> None:
    """A file that is not this course's progress is not written over: perhaps its owner can mend it."""
    aside = path.with_name(f"{path.name}.damaged")
    number = 2
    while os.path.lexists(aside):  # one that was put aside before
        aside, number = path.with_name(f"{path.name}.damaged-{number}"), number + 1
    with suppress(OSError):
        path.replace(aside)
        warnings.warn(
            f"The file {path} holds no progress that can be read ({shorten(str(error), 200)}). It is now called "
            f"{aside.name}, and a new one is begun. A copy from another machine comes in with tl.check.restore(file).",
            stacklevel=callers_level(),
        )
