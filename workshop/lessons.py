"""The lessons' notebooks, cut into sections at their headings."""

import re
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tlcourse.errors import UserInputError

ROOT = Path(__file__).resolve().parents[1]
LESSONS = ROOT / "notebooks"
# Tags of cells; an answer is the output below a question that says "Predict first".
SOLUTION, SETUP, PREVIEW, ANSWER = "solution", "setup", "preview", "answer"
HEADING = re.compile(r"^(?:## |### (?=Exercise )).+$", re.MULTILINE)
EXERCISE = re.compile(r"Exercise (\d+\.\d)")


@dataclass
class Section:
    """A heading of a lesson (``##``, or ``###`` of an exercise) and what follows it.

    Attributes
    ----------
    title : str
        The heading's text; of the first section, the lesson's title.
    cells : list of NotebookNode
        Copies of the lesson's cells; a Markdown cell is split before each heading.
    """

    title: str
    cells: list[NotebookNode] = field(default_factory=list)


@dataclass
class Lesson:
    """A lesson's notebook."""

    path: Path
    notebook: NotebookNode

    @property
    def name(self) -> str:
        """Name of the file without suffix, such as ``05_tuning``."""
        return self.path.stem

    @property
    def minutes(self) -> int:
        """How long the lesson takes, according to its first cell."""
        first = self.notebook.cells[0].source
        return int(re.findall(r"\*\*Minutes:\*\* about (\d+)", first)[0])

    @cached_property
    def sections(self) -> list[Section]:
        """The lesson's cells under its headings; the first section has the title."""
        first = self.notebook.cells[0].source
        sections = [Section(re.findall(r"^# (.+)$", first, re.MULTILINE)[0])]
        for cell in self.notebook.cells:
            for part in _split_at_headings(cell):
                is_text = part.cell_type == "markdown"
                if is_text and (heading := HEADING.match(part.source)):
                    sections.append(Section(heading[0].lstrip("# ")))
                sections[-1].cells.append(part)
        return sections

    def dumps(self, cells: list[NotebookNode]) -> str:
        """A notebook of these cells with the lesson's metadata, as JSON."""
        notebook = nbformat.v4.new_notebook(
            cells=cells, metadata=self.notebook.metadata
        )
        notebook.nbformat_minor = self.notebook.nbformat_minor
        nbformat.validate(notebook)
        return nbformat.writes(notebook) + "\n"


def find_lessons(prefixes: Sequence[str] = (), folder: Path = LESSONS) -> list[Lesson]:
    """Read the lessons whose file names begin so; all of them by default.

    Raises
    ------
    UserInputError
        No lesson begins with one of the prefixes.
    """
    paths = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    for prefix in prefixes:
        if not any(path.name.startswith(prefix) for path in paths):
            numbers = ", ".join(path.stem[:2] for path in paths)
            raise UserInputError(
                f"No lesson begins with {prefix!r}. There are {numbers}."
            )
    return [
        Lesson(path, nbformat.read(path, as_version=4))
        for path in paths
        if not prefixes or path.name.startswith(tuple(prefixes))
    ]


def has_tag(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def is_badge(paragraph: str) -> bool:
    """Whether it is the line of links to Colab and Binder, useless on paper."""
    return paragraph.startswith("[Open in ")


def _split_at_headings(cell: NotebookNode) -> Iterator[NotebookNode]:
    """Copies of the cell, one per heading; all but the first get a new id."""
    starts = []
    if cell.cell_type == "markdown":
        starts = [match.start() for match in HEADING.finditer(cell.source)]
    bounds = sorted({0, *starts, len(cell.source)})
    if len(bounds) < 3:
        yield deepcopy(cell)
        return
    for number, (start, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        part = deepcopy(cell)
        part.source = cell.source[start:end].strip()
        part.id = cell.id + (f"-{number}" if number else "")
        if part.source:
            yield part
