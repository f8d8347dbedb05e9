"""What an instructor needs to know beside the lesson: notes from notebooks/teaching/, mistakes from the exercises.

Notes are Markdown, one file a lesson. They have the lesson's own headings, in its order; under each stand the minutes
and what to say or to watch for:

    ## Fine-tune

    *6 minutes.* Start the cell before you explain it …
"""

import re
from dataclasses import dataclass
from itertools import zip_longest

from ..errors import UserInputError
from ..exercises.table import find_exercise
from .lessons import HEADING, Lesson

EXERCISE = re.compile(r"Exercise (\d+\.\d)")
MINUTES = re.compile(r"\*(\d+) minutes?\.\*\s*")


@dataclass(frozen=True)
class Note:
    """About one section.

    Attributes:
        title: of the section.
        start, minutes: when it begins, counted from the lesson's beginning, and how long it takes.
        text: what to say, what to watch for; Markdown.
    """

    title: str
    start: int
    minutes: int
    text: str


def read_notes(lesson: Lesson) -> list[Note]:
    """One note for each section of a lesson. Where there is no file of notes yet, they are empty.

    Raises:
        UserInputError: the headings are not the lesson's, or there are no minutes under one.
    """
    path = lesson.path.parent / "teaching" / f"{lesson.name}.md"
    titles = [section.title for section in lesson.sections]
    if not path.is_file():
        return [Note(title, 0, 0, "") for title in titles]
    text = path.read_text(encoding="utf-8")
    first = re.match(r"# (.+)", text)
    found = [
        first[1] if first else "",
        *(match[0].lstrip("# ") for match in HEADING.finditer(text)),
    ]
    if found != titles:
        odd = next((a or b for a, b in zip_longest(found, titles) if a != b), "")
        raise UserInputError(
            f"The headings of {path} are not those of the lesson; they part at {odd!r}. Give the notes the lesson's "
            "headings, in its order."
        )
    notes: list[Note] = []
    for title, body in zip(
        titles, re.split(r"(?m)^(?:#|##|### (?=Exercise)) ?.+$", text)[1:], strict=True
    ):
        start = notes[-1].start + notes[-1].minutes if notes else 0
        minutes = MINUTES.match(body.strip())
        if minutes is None:
            raise UserInputError(
                f"Under {title!r} in {path} there are no minutes. Begin with: *5 minutes.*"
            )
        notes.append(
            Note(title, start, int(minutes[1]), MINUTES.sub("", body.strip(), count=1))
        )
    return notes


def wrong_answers(number: str) -> list[str]:
    """What the check of an exercise says to wrong answers; "…" stands for values."""
    rows = find_exercise(number).sentences.items()
    texts = [re.sub(r"\{[^}]*\}", "…", text) for row, text in rows if row != "right"]
    return [
        text if re.search(r"[a-z]", text) else "What the guard itself says."
        for text in texts
    ]
