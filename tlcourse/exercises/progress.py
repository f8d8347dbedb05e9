"""What was tried and solved, in one small file that can be carried to another machine."""

import json
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path

from ..errors import UserInputError, callers_level
from ..files import write_atomically

NAME = "tlcourse-progress.json"
_FORMAT = "tlcourse progress 1"


@dataclass
class Progress:
    """Exercise → how often it was tried, whether it was right once, how many hints had been taken."""

    tries: dict[str, int] = field(default_factory=dict)
    right: set[str] = field(default_factory=set)
    hints: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def path() -> Path:
        """`TLCOURSE_PROGRESS`, or a file in the folder where the notebook runs, beside the lessons."""
        return Path(os.environ.get("TLCOURSE_PROGRESS") or NAME).expanduser().absolute()

    @classmethod
    def read(cls, file: "str | PathLike | None" = None, strict: bool = False) -> "Progress":
        """What the file holds; nothing where there is none.

        Args:
            file: instead of the usual one.
            strict: refuse a file that is missing or of another kind, where it would count as empty.

        Raises:
            UserInputError: with `strict`.
        """
        path = Path(file).expanduser() if file else cls.path()
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(kept, dict) or kept.get("format") != _FORMAT:
                raise ValueError(f"it does not begin as {_FORMAT!r} does")
            return cls._checked(kept)
        except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            if strict:
                reason = "it is not there" if isinstance(error, FileNotFoundError) else f"{error}"
                raise UserInputError(
                    f"The file {path} holds no progress of this course ({reason}). Expected the {NAME} that another "
                    "machine kept beside its lessons."
                ) from None
            if file is None and not isinstance(error, OSError):
                _set_aside(path, error)
            return cls()

    @classmethod
    def _checked(cls, kept: dict) -> "Progress":
        tries, hints = ({str(key): max(0, int(n)) for key, n in kept[name].items()} for name in ("tries", "hints"))
        return cls(tries, {str(key) for key in kept["right"]}, hints)

    def write(self) -> None:
        """Keep it; where that cannot be, say so and go on."""
        content = {"format": _FORMAT, "right": sorted(self.right), "tries": self.tries, "hints": self.hints}
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
        for ours, theirs in ((self.tries, other.tries), (self.hints, other.hints)):
            for number, count in theirs.items():
                ours[number] = max(count, ours.get(number, 0))

    def describe(self, number: str) -> str:
        """ "right, 2 tries, 1 hint"."""
        tries, hints = self.tries.get(number, 0), self.hints.get(number, 0)
        if not tries:
            return "right" if number in self.right else "–"
        parts = ["right" if number in self.right else "not yet", f"{tries} {'try' if tries == 1 else 'tries'}"]
        return ", ".join(parts + ([f"{hints} {'hint' if hints == 1 else 'hints'}"] if hints else []))


def _set_aside(path: Path, error: Exception) -> None:
    """A file that is not this course's progress is not written over: perhaps its owner can mend it."""
    aside = path.with_name(f"{path.name}.damaged")
    with suppress(OSError):
        path.replace(aside)
        warnings.warn(
            f"The file {path} holds no progress that can be read ({error}). It is now called {aside.name}, and a new "
            "one is begun. A copy from another machine comes in with tl.check.restore(file).",
            stacklevel=callers_level(),
        )
