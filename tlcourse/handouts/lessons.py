"""The lessons as a handout sees them: notebooks, their sections, and which cells are solutions."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from ..cards import data_folder
from ..errors import UserInputError
from .checkpoints import checkpoint

if TYPE_CHECKING:
    import nbformat
    from nbformat import NotebookNode

SOLUTION, SETUP = "solution", "setup"  # tags of cells
HEADING = re.compile(r"^(?:## |### (?=Exercise )).+$", re.MULTILINE)


def opens_elsewhere(paragraph: str) -> bool:
    """Whether it is the line of links to Colab and Binder: nothing for print, nor for a wall."""
    return paragraph.startswith("[Open in ")


@dataclass
class Section:
    """What stands between one heading of a lesson and the next; the first begins at the title.

    Attributes:
        title: the heading's text; of the first section the lesson's title.
        cells: copies of the lesson's cells. A Markdown cell with a heading inside is cut in two before it.
    """

    title: str
    cells: list = field(default_factory=list)


@dataclass
class Lesson:
    """A lesson's notebook, and what is found in it."""

    path: Path
    notebook: "nbformat.NotebookNode"

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def minutes(self) -> int:
        """How long it takes, as its first cell says."""
        return int(
            re.findall(r"\*\*Minutes:\*\* about (\d+)", self.notebook.cells[0].source)[
                0
            ]
        )

    @cached_property
    def sections(self) -> list[Section]:
        """Its cells, sorted under its headings: `##`, and `###` of exercises."""
        found = [
            Section(
                re.findall(r"^# (.+)$", self.notebook.cells[0].source, re.MULTILINE)[0]
            )
        ]
        for cell in self.notebook.cells:
            for piece in _cut(cell):
                heading = (
                    HEADING.match(piece.source)
                    if piece.cell_type == "markdown"
                    else None
                )
                if heading:
                    found.append(Section(heading[0].lstrip("# ")))
                found[-1].cells.append(piece)
        return found

    @cached_property
    def checkpoints(self) -> list[str]:
        """For each section the code that leads there; empty where nothing before it is needed."""
        cells = [
            (place, cell)
            for place, section in enumerate(self.sections)
            for cell in section.cells
        ]
        code = [
            (place, cell)
            for place, cell in cells
            if cell.cell_type == "code" and not has_tag(cell, SETUP)
        ]
        found = []
        for place in range(len(self.sections)):
            before = [
                cell.source
                for at, cell in code
                if at < place and not has_tag(cell, SOLUTION)
            ]
            found.append(
                checkpoint(before, [cell.source for at, cell in code if at >= place])
            )
        return found

    def checkpoint_file(self, place: int) -> str:
        """Where a learner's notebook finds the checkpoint of a section."""
        return f"checkpoints/{self.name[:2]}_{place:02}.py"


def find_lessons(beginnings: Sequence[str] = ()) -> list[Lesson]:
    """The lessons, all of them or those whose names begin so.

    Raises:
        UserInputError: no lesson begins so, or the lessons, or nbconvert, are not installed.
    """
    source = lessons_folder()
    known = sorted(source.glob("[0-9][0-9]_*.ipynb"))
    if not known:
        raise UserInputError(
            f"There are no lessons in {source}: the package alone does not hold them. Clone the course's repository "
            "and run the command there."
        )
    unknown = [
        name
        for name in beginnings
        if not any(path.name.startswith(name) for path in known)
    ]
    if unknown:
        names = ", ".join(path.stem[:2] for path in known)
        raise UserInputError(
            f"No lesson begins with {unknown[0]!r}. There are {names}."
        )
    return [
        _read(path)
        for path in known
        if not beginnings or path.name.startswith(tuple(beginnings))
    ]


def lessons_folder() -> Path:
    return data_folder().parent / "notebooks"


def _read(path: Path) -> Lesson:
    try:
        import nbconvert  # noqa: F401
        import nbformat
    except ImportError as error:
        raise UserInputError(
            "nbconvert is not installed. Run: pip install nbconvert"
        ) from error
    return Lesson(path, nbformat.read(path, as_version=4))


def has_tag(cell: "NotebookNode", tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def _cut(cell: "NotebookNode") -> Iterator:
    """The cell, or its pieces: each begins at a heading. All but the first are numbered in their ids."""
    from copy import deepcopy

    starts = (
        [match.start() for match in HEADING.finditer(cell.source)]
        if cell.cell_type == "markdown"
        else []
    )
    bounds = sorted({0, *starts, len(cell.source)})
    if len(bounds) < 3:
        yield deepcopy(cell)
        return
    for number, (start, end) in enumerate(zip(bounds, bounds[1:], strict=False)):
        piece = deepcopy(cell)
        piece.source = cell.source[start:end].strip()
        piece.id = cell.id + (f"-{number}" if number else "")
        if piece.source:
            yield piece


def as_notebook(cells: list, lesson: Lesson) -> str:
    """A notebook of these cells, with the lesson's metadata, as text."""
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=cells, metadata=lesson.notebook.metadata)
    notebook.nbformat_minor = lesson.notebook.nbformat_minor
    nbformat.validate(notebook)
    return nbformat.writes(notebook) + "\n"
