"""Slides of a lesson, by nbconvert and reveal.js, without internet.

Headings, lists, tables, questions to predict, tasks, code and its output stand on the
slides; other paragraphs and the instructor's notes in the speaker's view (key S).
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path

from nbconvert import SlidesExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell, new_notebook

from tlcourse.plots.figure import IN_WORDS

from .lessons import EXERCISE, SETUP, SOLUTION, Lesson, Section, has_tag, is_badge
from .notes import Note

HERE = Path(__file__).resolve().parent
REVEAL = {  # files of reveal.js → where nbconvert's template expects them
    "reveal.js": "dist/reveal.js",
    "reveal.css": "dist/reveal.css",
    "white.css": "dist/theme/white.css",
    "notes.js": "plugin/notes/notes.js",
    "LICENSE.txt": "LICENSE.txt",
}
# How a paragraph begins that stands on the slide.
ON_SLIDE = re.compile(r"#|[-*] |\d+\. |\||\*\*Predict first|\*\*Minutes|!\[")


def reveal_files(folder: str) -> dict[str, bytes]:
    """The files of reveal.js: name below the folder of the slides → content."""
    return {
        f"{folder}/reveal.js/{target}": (HERE / "reveal" / name).read_bytes()
        for name, target in REVEAL.items()
    }


def slides(lesson: Lesson, notes: list[Note]) -> str:
    """One HTML page: a column of slides per section, a slide per cell of code."""
    pairs = zip(lesson.sections, notes, strict=True)
    cells = [cell for pair in pairs for cell in _slides_of(*pair)]
    title = {"title": lesson.sections[0].title}
    exporter = SlidesExporter(
        template_name="offline_slides",
        extra_template_basedirs=[str(HERE / "templates")],
        reveal_url_prefix="reveal.js",
        reveal_theme="white",
    )
    metadata = {**lesson.notebook.metadata, **title}
    notebook = new_notebook(cells=cells, metadata=metadata)
    return exporter.from_notebook_node(notebook)[0]


def _slides_of(section: Section, note: Note) -> Iterator[NotebookNode]:
    """The section's cells; its first slide opens a column and has the note."""
    kind, is_exercise = "slide", bool(EXERCISE.match(section.title))
    for cell in deepcopy(section.cells):
        if has_tag(cell, SOLUTION) or has_tag(cell, SETUP):
            continue
        if cell.cell_type == "code":
            cell.outputs = [one for one in cell.outputs if not _is_alt_text(one)]
            yield _as(cell, kind)
            kind = "subslide"
            continue
        shown, spoken = _divide(cell.source, is_exercise)
        if kind == "slide":
            spoken = f"{note.quotation()}\n\n{spoken}"
        if shown:
            cell.source = shown
            yield _as(cell, kind)
            kind = "subslide"
        if spoken.strip():
            yield _as(new_markdown_cell(spoken, id=f"{cell.id}-notes"), "notes")


def _is_alt_text(output: NotebookNode) -> bool:
    """Whether it describes a figure; on a slide that is the picture's alt attribute."""
    return output.get("data", {}).get("text/html", "").startswith(IN_WORDS)


def _divide(text: str, is_exercise: bool) -> tuple[str, str]:
    """Paragraphs of a Markdown cell for the slide, and for the speaker's view."""
    paragraphs = re.split(r"\n\s*\n", text)
    paragraphs = [one for one in paragraphs if not is_badge(one)]
    shown = [one for one in paragraphs if is_exercise or ON_SLIDE.match(one)]
    spoken = [one for one in paragraphs if one not in shown]
    return "\n\n".join(shown), "\n\n".join(spoken)


def _as(cell: NotebookNode, kind: str) -> NotebookNode:
    cell.metadata["slideshow"] = {"slide_type": kind}
    cell.metadata.pop("jupyter", None)
    return cell
