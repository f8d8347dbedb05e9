"""Slides of a lesson, by nbconvert and reveal.js: what is shown stays on them, what is said is in the speaker's view.

On a slide stay headings, lists, tables, questions to predict and the tasks of exercises, code and what it gave.
Paragraphs, and the instructor's notes, are in the speaker's view (key S).
"""

import re
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..cards import bundled_file
from ..plots.figure import IN_WORDS
from .instructors import note_text
from .lessons import SETUP, SOLUTION, Lesson, Section, has_tag, opens_elsewhere
from .teaching import EXERCISE, Note

if TYPE_CHECKING:
    import nbformat
    from nbformat import NotebookNode

PLACES = {  # where reveal.js has its files, as nbconvert's template expects them
    "reveal.js": "dist/reveal.js",
    "reveal.css": "dist/reveal.css",
    "white.css": "dist/theme/white.css",
    "notes.js": "plugin/notes/notes.js",
    "LICENSE.txt": "LICENSE.txt",
}
SHOWN = re.compile(
    r"#|[-*] |\d+\. |\||\*\*Predict first|\*\*Minutes|!\["
)  # how a paragraph begins that stays


@cache
def program() -> dict[str, bytes]:
    """The files of reveal.js that the slides load, by their names inside the handouts."""
    return {
        f"instructor/slides/reveal.js/{place}": bundled_file(
            "reveal", name
        ).read_bytes()
        for name, place in PLACES.items()
    }


def slides(lesson: Lesson, notes: list[Note]) -> str:
    """One HTML page: a slide for each section, and below it one for each cell of code."""
    from nbconvert import SlidesExporter
    from nbformat.v4 import new_notebook

    cells: list[nbformat.NotebookNode] = []
    for place, section in enumerate(lesson.sections):
        cells += _slides_of(section, note_text(lesson, notes, place))
    exporter = SlidesExporter(
        template_name="offline_slides",
        extra_template_basedirs=[str(Path(__file__).parent / "templates")],
        reveal_url_prefix="reveal.js",
        reveal_theme="white",
    )
    notebook = new_notebook(
        cells=cells,
        metadata={**lesson.notebook.metadata, "title": lesson.sections[0].title},
    )
    return exporter.from_notebook_node(notebook)[0]


def _slides_of(section: Section, note: str) -> Iterator:
    kind = "slide"
    for cell in deepcopy(section.cells):
        if has_tag(cell, SOLUTION) or has_tag(cell, SETUP):
            continue
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _folded(output)]
            yield _as(cell, kind)
            kind = "subslide"
            continue
        shown, said = _divided(
            cell.source, keep_all=bool(EXERCISE.match(section.title))
        )
        said = note + "\n\n" + said if kind == "slide" else said
        if shown:
            cell.source = shown
            yield _as(cell, kind)
            kind = "subslide"
        if said.strip():
            yield _spoken(said, cell.id)


def _folded(output: "NotebookNode") -> bool:
    """Whether it is a figure's words: on a slide they are the picture's alternative text."""
    return output.get("data", {}).get("text/html", "").startswith(IN_WORDS)


def _divided(text: str, keep_all: bool) -> tuple[str, str]:
    """What is shown of a Markdown cell, and what is said."""
    paragraphs = re.split(r"\n\s*\n", text)
    shown = [
        paragraph for paragraph in paragraphs if keep_all or SHOWN.match(paragraph)
    ]
    shown = [paragraph for paragraph in shown if not opens_elsewhere(paragraph)]
    said = [
        paragraph
        for paragraph in paragraphs
        if paragraph not in shown and not opens_elsewhere(paragraph)
    ]
    return "\n\n".join(shown), "\n\n".join(said)


def _as(cell: "NotebookNode", kind: str) -> "NotebookNode":
    cell.metadata["slideshow"] = {"slide_type": kind}
    cell.metadata.pop("jupyter", None)
    return cell


def _spoken(text: str, identity: str) -> "NotebookNode":
    from nbformat.v4 import new_markdown_cell

    return _as(new_markdown_cell(text, id=f"{identity}-said"), "notes")
