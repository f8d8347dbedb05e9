"""What the instructor reads beside a lesson: teaching notes, hints, wrong answers.

The notes are Markdown, one file per lesson, with the lesson's own headings in its
order; under each of them stand the minutes and what to say or to watch for::

    ## Fine-tune

    *6 minutes.* Start the cell before you explain it …

    **Predict first: …?** Expected: 85 % (79 to 91) <!-- 85% ± 6% -->.

A comment quotes what a cell of the stored lesson shows. Instructors do not see it; a test
compares the number in front of it.
"""

import re
from dataclasses import dataclass
from itertools import zip_longest

from tlcourse.errors import UserInputError
from tlcourse.exercises.table import Exercise, find_exercise

from .lessons import EXERCISE, HEADING, ROOT, Lesson

FOLDER = ROOT / "authoring" / "teaching"
MINUTES = re.compile(r"\*(\d+) minutes?\.\*\s*")
COMMENT = re.compile(r"\s*<!--\s+(.+?)\s+-->", re.DOTALL)


@dataclass(frozen=True)
class Note:
    """The note on one section.

    Attributes
    ----------
    title : str
        Title of the section.
    start, minutes : int
        When the section begins, counted from the lesson's start, and how long it takes.
    text : str
        Markdown.
    """

    title: str
    start: int
    minutes: int
    text: str

    def quotation(self) -> str:
        """A block quotation; of an exercise, with its hints and wrong answers."""
        clock = f"{_clock(self.start)} to {_clock(self.start + self.minutes)}"
        text = COMMENT.sub("", self.text)
        paragraphs = [f"**Instructor · {clock}, {self.minutes} minutes**", text]
        if exercise := EXERCISE.match(self.title):
            paragraphs += _about_exercise(exercise[1])
        lines = "\n\n".join(filter(None, paragraphs)).splitlines()
        return "\n".join(f"> {line}".rstrip() for line in lines)


def read_notes(lesson: Lesson) -> list[Note]:
    """Read one note per section; they are empty where a lesson has no notes yet.

    Raises
    ------
    UserInputError
        The headings are not the lesson's, or there are no minutes under one of them.
    """
    path = FOLDER / f"{lesson.name}.md"
    titles = [section.title for section in lesson.sections]
    if not path.is_file():
        return [Note(title, 0, 0, "") for title in titles]
    text = path.read_text(encoding="utf-8")
    first = re.match(r"# (.+)", text)
    headings = [match[0].lstrip("# ") for match in HEADING.finditer(text)]
    headings.insert(0, first[1] if first else "")
    if headings != titles:
        pairs = zip_longest(headings, titles)
        differing = next((a or b for a, b in pairs if a != b), "")
        raise UserInputError(
            f"The headings of {path} are not those of the lesson; they differ from "
            f"{differing!r} on. Give the notes the lesson's headings, in its order."
        )
    notes: list[Note] = []
    bodies = re.split(r"(?m)^(?:#|##|### (?=Exercise)) ?.+$", text)[1:]
    for title, body in zip(titles, map(str.strip, bodies), strict=True):
        minutes = MINUTES.match(body)
        if minutes is None:
            raise UserInputError(
                f"Under {title!r} in {path} there are no minutes. Begin with: "
                "*5 minutes.*"
            )
        start = notes[-1].start + notes[-1].minutes if notes else 0
        notes.append(Note(title, start, int(minutes[1]), body[minutes.end() :]))
    return notes


def wrong_answers(exercise: Exercise) -> list[str]:
    """What the check of an exercise says to wrong answers; "…" stands for values."""
    sentences = getattr(exercise, "sentences", {})
    wrong = [text for row, text in sentences.items() if row != "right"]
    return [re.sub(r"\{[^}]*\}", "…", text) for text in wrong]


def _about_exercise(number: str) -> list[str]:
    exercise = find_exercise(number)
    wrong = "\n".join(f"- {answer}" for answer in wrong_answers(exercise))
    hints = "\n".join(f"{n}. {hint}" for n, hint in enumerate(exercise.hints, 1))
    return [
        f"An answer is {exercise.expected}.",
        "Wrong answers to expect, by what the check says to them. Ask the question in "
        f"it before you explain:\n\n{wrong}",
        f"Hints, in the order in which learners get them:\n\n{hints}",
    ]


def _clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"
