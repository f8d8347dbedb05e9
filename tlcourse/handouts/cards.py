"""One printed page a lesson: what it is about, the calls, the questions to predict, and where to go on when behind."""

import inspect
import re
import sys
from functools import reduce
from html import escape

from .lessons import Lesson, opens_elsewhere
from .teaching import EXERCISE, Note

STYLE = """
@page { size: A4; margin: 12mm; }
body { font: 9pt/1.28 sans-serif; color: #111; max-width: 186mm; margin: 0 auto; }
h1 { font-size: 15pt; margin: 0 0 1mm; } h2 { font-size: 10.5pt; margin: 3mm 0 1mm; break-after: avoid; }
.columns { columns: 2; column-gap: 7mm; } ul, ol { margin: 0; padding-left: 4.5mm; } p { margin: 0 0 1mm; }
code { font-size: 8.2pt; } li { margin-bottom: 0.6mm; break-inside: avoid; }
"""
PACKAGE = sys.modules[
    __package__.split(".")[0]
]  # `tl`, whose public names the lessons call
# How a lesson is told and begins, not what it teaches.
NOT_ON_THE_CARD = (
    "check",
    "results",
    "show",
    "errors",
    "pictures",
    "load_dataset",
    "load_pretrained_model",
)


def card(lesson: Lesson, notes: list[Note]) -> str:
    """A page of HTML that needs nothing else, and fits on one printed sheet."""
    cells = lesson.notebook.cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    blocks = [
        ("You will learn", _html(_bullets(text, "What you will learn"))),
        ("Calls", _calls(code)),
        (
            "Predict first",
            _html("\n".join(f"- {question}" for question in _predictions(text))),
        ),
        (
            "Exercises",
            _html(
                "\n".join(
                    f"- {note.title}" for note in notes if EXERCISE.match(note.title)
                )
            ),
        ),
        ("In short", _html(_bullets(text, "Summary"))),
        (
            "Behind? Run the file of a heading, then go on there",
            _way_back(lesson, notes),
        ),
    ]
    body = "".join(
        f"<h2>{escape(title)}</h2>{content}"
        for title, content in blocks
        if content.strip()
    )
    title = escape(lesson.sections[0].title)
    head = f'<head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>'
    page = f'<h1>{title}</h1>{_html(_lead(cells[0].source))}<div class="columns">{body}</div>'
    return f'<!DOCTYPE html>\n<html lang="en">{head}<body>{page}</body></html>\n'


def _html(markdown: str) -> str:
    from nbconvert.filters import markdown2html

    return markdown2html(markdown)


def _lead(text: str) -> str:
    """The paragraph under the title, and what the lesson takes."""
    return "\n\n".join(
        paragraph
        for paragraph in text.split("\n\n")[1:]
        if not opens_elsewhere(paragraph)
    )


def _bullets(text: str, heading: str) -> str:
    """What stands under a heading, as far as its list goes."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    paragraphs = found[1].strip().split("\n\n") if found else []
    listed = [
        place
        for place, paragraph in enumerate(paragraphs)
        if re.search("^- ", paragraph, re.MULTILINE)
    ]
    return "\n\n".join(paragraphs[: listed[0] + 1]) if listed else ""


def _predictions(text: str) -> list[str]:
    questions = re.findall(r"\*\*Predict first\.\*\* ((?:.+\n?)+)", text)
    return [" ".join(question.split()) for question in questions]


def _calls(code: str) -> str:
    """The course's calls in the lesson, each with the first clause of its help."""
    lines = []
    for name in dict.fromkeys(re.findall(r"\btl\.([A-Za-z_.]+)\(", code)):
        if name.split(".")[0] not in NOT_ON_THE_CARD:
            call = reduce(getattr, name.split("."), PACKAGE)
            clause = (
                re.split(r"[.:;]\s|\n\n", inspect.getdoc(call) or "")[0]
                .replace("\n", " ")
                .rstrip(".")
            )
            lines.append(
                f"<p><code>tl.{name}</code> {escape(clause).replace('`', '')}</p>"
            )
    return "".join(lines)


def _way_back(lesson: Lesson, notes: list[Note]) -> str:
    """Each section that builds on something, and the number of the checkpoint that leads there."""
    way = f"<p><code>%run -i {lesson.checkpoint_file(0).replace('00.py', 'NN.py')}</code>, in a cell of its own; NN:</p>"
    places = [
        place
        for place, code in enumerate(lesson.checkpoints)
        if code and not EXERCISE.match(notes[place].title)
    ]
    return way + "".join(
        f"<p><b>{place:02}</b> {escape(notes[place].title)}</p>" for place in places
    )
