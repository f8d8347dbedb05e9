"""What was tried and solved, in one small file that can be taken to another machine."""

import json
import os
import warnings
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import UserInputError, callers_level
from ..files import as_path, read_json, write_atomically

NAME = "tlcourse-progress.json"
FORMAT = "tlcourse progress 1"
MOST = 10**6  # tries or hints of one exercise: a larger count is damage


@dataclass
class Progress:
    """Exercise → tries, hints taken, and whether an answer was ever right."""

    tries: dict[str, int] = field(default_factory=dict)
    right: set[str] = field(default_factory=set)
    hints: dict[str, int] = field(default_factory=dict)

    @staticmethod
    def path() -> Path:
        """`TLCOURSE_PROGRESS`, or a file in the notebook's folder, beside the lessons."""
        path = as_path(os.environ.get("TLCOURSE_PROGRESS") or NAME, "TLCOURSE_PROGRESS")
        with suppress(OSError):  # the working folder is gone
            path = path.absolute()
        return path

    @classmethod
    def read(cls) -> "Progress":
        """What is kept; a damaged file is renamed, and counts as empty."""
        path = cls.path()
        if not os.path.isfile(path):
            return cls()
        try:
            return cls.load(path)
        except UserInputError as error:
            _set_aside(path, error)
            return cls()

    @classmethod
    def load(cls, path: Path) -> "Progress":
        """What a file holds, or UserInputError."""
        try:
            kept = read_json(path)
            right, tries, hints = kept["right"], kept["tries"], kept["hints"]
            counts = [*tries.values(), *hints.values()]
            is_whole = (
                kept["format"] == FORMAT
                and isinstance(right, list)
                and all(isinstance(number, str) for number in right)
                and all(type(count) is int and 0 <= count < MOST for count in counts)
            )
        except (AttributeError, KeyError, TypeError, UserInputError):
            is_whole = False
        if not is_whole:
            raise UserInputError(
                f"{path} is not a progress file of this course; expected a {NAME}."
            )
        return cls(tries, set(right), hints)

    def write(self) -> None:
        """Keep it; where that is impossible, warn and go on."""
        content = vars(self) | {"format": FORMAT, "right": sorted(self.right)}
        text = json.dumps(content, indent=2)
        try:
            write_atomically(self.path(), lambda file: file.write(text.encode()))
        except OSError as error:
            warnings.warn(
                f"Your progress could not be saved in {self.path()} ({error}). The "
                "check is not affected; TLCOURSE_PROGRESS chooses another file.",
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
        """Such as "right (tries: 2, hints: 1)"."""
        tries, hints = self.tries.get(number, 0), self.hints.get(number, 0)
        if not tries:
            return "–"
        state = "right" if number in self.right else "not yet"
        return f"{state} (tries: {tries}, hints: {hints})"


def _set_aside(path: Path, reason: UserInputError) -> None:
    """Rename a damaged file, not replace it: its owner may be able to mend it."""
    aside, number = path.with_name(f"{path.name}.damaged"), 2
    while os.path.lexists(aside):
        aside, number = path.with_name(f"{path.name}.damaged-{number}"), number + 1
    with suppress(OSError):
        path.replace(aside)
        warnings.warn(
            f"{reason} It was renamed to {aside.name}, and a new one was started. To add a copy "
            "from another machine, call tl.check.restore(file).",
            stacklevel=callers_level(),
        )
