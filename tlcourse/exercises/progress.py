"""What was tried and solved, in one small file that can be taken to another machine."""

import json
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import UserInputError, callers_level
from ..files import as_path, read_json, write_atomically

NAME = "tlcourse-progress.json"
FORMAT = "tlcourse progress 1"
MOST = 10**6  # tries or hints of one exercise: a larger count is damage


class ProgressError(UserInputError):
    """A file of progress that cannot be read. A notebook shows the sentence alone."""

    def _render_traceback_(self) -> list[str]:
        """What IPython prints in place of a traceback."""
        return [f"{type(self).__name__}: {self}"]


@dataclass
class Progress:
    """Exercise → tries, hints taken, and whether an answer was ever right."""

    tries: dict[str, int] = field(default_factory=dict)
    right: set[str] = field(default_factory=set)
    hints: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def path() -> Path:
        """`TLCOURSE_PROGRESS`, or a file in the notebook's folder, beside the lessons.

        Raises
        ------
        ProgressError
            `TLCOURSE_PROGRESS` is no path.
        """
        name = os.environ.get("TLCOURSE_PROGRESS") or NAME
        path = _as_path(name, "TLCOURSE_PROGRESS")
        with suppress(OSError):  # the working folder is gone
            path = path.absolute()
        return path

    @classmethod
    def read(
        cls, file: str | PathLike | None = None, strict: bool = False
    ) -> "Progress":
        """What a file holds; nothing where there is none.

        Parameters
        ----------
        file : str or path
            Instead of the usual one.
        strict : bool
            Refuse a file that is missing or damaged. Otherwise it counts as empty, and
            the usual file, if damaged, is renamed and kept.

        Raises
        ------
        ProgressError
            With `strict`; or `TLCOURSE_PROGRESS` is no path.
        """
        usual = file is None and not strict
        path = cls.path() if usual else _as_path(file or "", f"the path of a {NAME}")
        try:
            if not path.exists():
                raise FileNotFoundError("it is not there")
            return cls._checked(read_json(path))
        except (OSError, ValueError) as error:
            reason = str(error)[:200]
            if strict:
                raise ProgressError(
                    f"The file {path} holds no progress of this course ({reason}). "
                    f"Expected the {NAME} that another machine kept beside its lessons."
                ) from None
            if usual and os.path.isfile(path) and os.access(path, os.R_OK):
                _set_aside(path, reason)
            return cls()

    @classmethod
    def _checked(cls, kept: Any) -> "Progress":
        """The content of a file, or ValueError."""
        if not isinstance(kept, dict) or kept.get("format") != FORMAT:
            raise ValueError(f"it does not begin as {FORMAT!r} does")
        right, tries, hints = (kept.get(name) for name in ("right", "tries", "hints"))
        if not isinstance(right, list) or not all(isinstance(n, str) for n in right):
            raise ValueError("the exercises that are right are no list of numbers")
        for counts in (tries, hints):
            if not isinstance(counts, dict) or not all(
                type(count) is int and 0 <= count < MOST for count in counts.values()
            ):
                raise ValueError("tries and hints are no counts")
        return cls(tries, set(right), hints)

    def write(self) -> None:
        """Keep it; where that is impossible, warn and go on."""
        content = {"format": FORMAT, "right": sorted(self.right)}
        content |= {"tries": self.tries, "hints": self.hints}
        text = json.dumps(content, indent=2) + "\n"
        try:
            write_atomically(self.path(), lambda file: file.write(text.encode()))
        except OSError as error:
            warnings.warn(
                f"Your progress could not be kept in {self.path()} "
                f"({error.strerror or error}). The check itself is not affected; "
                "TLCOURSE_PROGRESS chooses another file.",
                stacklevel=callers_level(),
            )

    def record(self, number: str, right: bool, hints: int) -> "Progress":
        """One more try. What was right once stays right, as it was then."""
        if number not in self.right:
            self.tries[number] = self.tries.get(number, 0) + 1
            self.hints[number] = max(hints, self.hints.get(number, 0))
            if right:
                self.right.add(number)
        return self

    def add(self, other: "Progress") -> None:
        """Join another record: right anywhere is right, and the larger count stays."""
        self.right |= other.right
        for counts, others in ((self.tries, other.tries), (self.hints, other.hints)):
            for number, count in others.items():
                counts[number] = max(count, counts.get(number, 0))

    def describe(self, number: str) -> str:
        """ "right, 2 tries, 1 hint"."""
        tries, hints = self.tries.get(number, 0), self.hints.get(number, 0)
        state = "right" if number in self.right else "not yet" if tries else "–"
        parts = [state]
        if tries:
            parts.append(f"{tries} {'try' if tries == 1 else 'tries'}")
            parts += [f"{hints} {'hint' if hints == 1 else 'hints'}"] if hints else []
        return ", ".join(parts)


def _as_path(path: Any, what: str) -> Path:
    try:
        return as_path(path, what)
    except UserInputError as error:
        raise ProgressError(str(error)) from None


def _set_aside(path: Path, reason: str) -> None:
    """Rename a damaged file, not replace it: its owner may be able to mend it."""
    aside, number = path.with_name(f"{path.name}.damaged"), 2
    while os.path.lexists(aside):
        aside, number = path.with_name(f"{path.name}.damaged-{number}"), number + 1
    with suppress(OSError):
        path.replace(aside)
        warnings.warn(
            f"The file {path} holds no progress that can be read ({reason}). It is now "
            f"called {aside.name}, and a new one is begun. A copy from another machine "
            "comes in with tl.check.restore(file).",
            stacklevel=callers_level(),
        )
