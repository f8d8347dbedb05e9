"""One printed page per lesson: objectives, calls, questions to predict, summary."""

import inspect
import re
from functools import reduce
from html import escape

from nbconvert.filters import markdown2html

import tlcourse

from .lessons import EXERCISE, Lesson, is_badge

STYLE = """
@page { size: A4; margin: 12mm; }
body { font: 9pt/1.28 sans-serif; color: #111; max-width: 186mm; margin: 0 auto; }
h1 { font-size: 15pt; margin: 0 0 1mm; }
h2 { font-size: 10.5pt; margin: 3mm 0 1mm; break-after: avoid; }
.columns { columns: 2; column-gap: 7mm; }
ul, ol { margin: 0; padding-left: 4.5mm; } p { margin: 0 0 1mm; }
code { font-size: 8.2pt; } li { margin-bottom: 0.6mm; break-inside: avoid; }
"""
# Calls that every lesson begins with.
NOT_ON_THE_CARD = (
    "check",
    "results",
    "show",
    "errors",
    "pictures",
    "load_dataset",
    "load_pretrained_model",
    *("applications", "utils"),
)


def card(lesson: Lesson) -> str:
    """An HTML page without any other file that fits on one printed sheet."""
    cells = lesson.notebook.cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    titles = [section.title for section in lesson.sections]
    blocks = {
        "You will learn": markdown2html(_list_under("What you will learn", text)),
        "Calls": _calls(code),
        "Predict first": markdown2html(_bullets(_predictions(text))),
        "Exercises": markdown2html(_bullets(filter(EXERCISE.match, titles))),
        "In short": markdown2html(_list_under("Summary", text)),
    }
    columns = "".join(
        f"<h2>{heading}</h2>{content}"
        for heading, content in blocks.items()
        if content.strip()
    )
    title = escape(titles[0])
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title><style>{STYLE}</style></head>"
        f"<body><h1>{title}</h1>{markdown2html(_introduction(cells[0].source))}"
        f'<div class="columns">{columns}</div></body></html>\n'
    )


def _introduction(text: str) -> str:
    """What stands under the title, without the links to Colab and Binder."""
    paragraphs = text.split("\n\n")[1:]
    return "\n\n".join(one for one in paragraphs if not is_badge(one))


def _list_under(heading: str, text: str) -> str:
    """What stands under a heading, to the end of its first list."""
    found = re.search(rf"^## {heading}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    paragraphs = found[1].strip().split("\n\n") if found else []
    for number, paragraph in enumerate(paragraphs, 1):
        if re.search("^- ", paragraph, re.MULTILINE):
            return "\n\n".join(paragraphs[:number])
    return ""


def _predictions(text: str) -> list[str]:
    questions = re.findall(r"\*\*Predict first\.\*\* ((?:.+\n?)+)", text)
    return [" ".join(question.split()) for question in questions]


def _bullets(lines) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _calls(code: str) -> str:
    """The course's calls in the lesson, or Keras' in one that has none of the course."""
    if lines := _described("tl", tlcourse, code):
        return lines
    import keras  # it starts TensorFlow

    return _described("keras", keras, code)


def _described(alias: str, module: object, code: str) -> str:
    """Calls of a module, each with the first clause of its docstring."""
    lines = []
    for name in dict.fromkeys(re.findall(rf"\b{alias}\.([A-Za-z_.]+\w)\(", code)):
        if name.split(".")[0] in NOT_ON_THE_CARD:
            continue
        call = reduce(getattr, name.split("."), module)
        clause = re.split(r"[.:;]\s|\n\n", inspect.getdoc(call) or "")[0]
        clause = escape(clause.replace("\n", " ").rstrip(".")).replace("`", "")
        lines.append(f"<p><code>{alias}.{name}</code> {clause}</p>")
    return "".join(lines)
