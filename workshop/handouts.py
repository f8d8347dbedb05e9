"""Handouts for a class, all made from the lessons.

::

    learners/NN_….ipynb                  without solutions and outputs
    learners/cards/NN_….html             one printed page per lesson
    instructor/NN_….ipynb                solutions, outputs, minutes, what to say
    instructor/live/NN_….ipynb           for typing along: prose and code folded away
    instructor/slides/NN_….slides.html   for the projector, without internet
"""

import os
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

from nbconvert.preprocessors import ClearOutputPreprocessor, TagRemovePreprocessor
from nbformat import NotebookNode, writes
from nbformat.v4 import new_code_cell, new_markdown_cell

from tlcourse.errors import UserInputError
from tlcourse.files import as_path, unfinished_folder

from .cards import card
from .lessons import ANSWER, PREVIEW, SETUP, SOLUTION, Lesson, find_lessons, has_tag
from .notes import Note, read_notes
from .slides import reveal_files, slides

LEARNERS, INSTRUCTOR = "learners", "instructor"
NOTE = "instructor"  # tag of the instructor's notes


def make_handouts(
    folder: str | os.PathLike, lessons: Sequence[str] = (), solutions: bool = False
) -> list[Path]:
    """Write the handouts of lessons into a folder, and never over a file.

    Parameters
    ----------
    folder : path
        Made where it does not exist.
    lessons : sequence of str
        Beginnings of lessons' names, such as "00" or "04"; none: all lessons.
    solutions : bool
        Leave the solutions in the learners' notebooks: for after the class.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    UserInputError
        There is no such lesson, a file exists already, or the folder cannot be written.
    """
    folder = as_path(folder, "the folder")
    files: dict[str, bytes] = {}
    for lesson in find_lessons(lessons):
        files |= _handouts_of(lesson, solutions)
    program = reveal_files(f"{INSTRUCTOR}/slides")
    existing = [
        name
        for name in [*files, *program]
        if os.path.lexists(folder / name) and not _is_same(folder / name, program, name)
    ]
    if existing:
        raise UserInputError(
            f"{_listed(existing)} exists in {folder} already. Answers may be in it, so "
            "nothing was written: choose another folder, or move the file away."
        )
    files |= program
    try:
        _write_all(folder, files)
    except OSError as error:
        raise UserInputError(
            f"The handouts could not be written to {folder} "
            f"({error.strerror or error}). Nothing was left there. Free some space, or "
            "choose another folder."
        ) from error
    return [folder / name for name in files]


def _is_same(path: Path, program: dict[str, bytes], name: str) -> bool:
    """Whether it is a file of reveal.js, unchanged, from handouts written before."""
    return name in program and path.is_file() and path.read_bytes() == program[name]


def _listed(names: list[str]) -> str:
    more = f" (and {len(names) - 3} more)" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _write_all(folder: Path, files: dict[str, bytes]) -> None:
    """Write all files or none: half of them would be in the way of a second try."""
    with unfinished_folder(folder / LEARNERS) as temporary:
        for name, content in files.items():
            (temporary / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).write_bytes(content)
        for name in files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (temporary / name).replace(folder / name)


def _handouts_of(lesson: Lesson, solutions: bool) -> dict[str, bytes]:
    """All handouts of one lesson: name inside the folder → content."""
    notes, name = read_notes(lesson), lesson.name
    texts = {
        f"{LEARNERS}/{name}.ipynb": learner_notebook(lesson, solutions),
        f"{LEARNERS}/cards/{name}.html": card(lesson),
        f"{INSTRUCTOR}/{name}.ipynb": instructor_notebook(lesson, notes),
        f"{INSTRUCTOR}/live/{name}.ipynb": live_notebook(lesson),
        f"{INSTRUCTOR}/slides/{name}.slides.html": slides(lesson, notes),
    }
    return {name: text.encode() for name, text in texts.items()}


def learner_notebook(lesson: Lesson, solutions: bool = False) -> str:
    """A lesson as a learner opens it: no outputs, and no solutions by default."""
    notebook = deepcopy(lesson.notebook)
    if not solutions:
        remover = TagRemovePreprocessor(remove_cell_tags={SOLUTION})
        notebook, _ = remover.preprocess(notebook, {})
    notebook, _ = ClearOutputPreprocessor().preprocess(notebook, {})
    return writes(notebook) + "\n"


def instructor_notebook(lesson: Lesson, notes: list[Note]) -> str:
    """The lesson as it ran, all unfolded, with a note under each heading."""
    cells = []
    for section, note in zip(lesson.sections, notes, strict=True):
        heading, *rest = deepcopy(section.cells)
        text = note.quotation()
        tags = {"tags": [NOTE]}
        added = new_markdown_cell(text, id=f"{heading.id}-note", metadata=tags)
        cells += [heading, added, *rest]
    for cell in cells:
        if has_tag(cell, SOLUTION):
            cell.metadata.jupyter = {"source_hidden": False, "outputs_hidden": False}
            cell.metadata.tags.remove("hide-cell")
        elif has_tag(cell, ANSWER):
            cell.metadata.pop("jupyter")
    return lesson.dumps(cells)


def live_notebook(lesson: Lesson) -> str:
    """A lesson to type along with.

    Headings stand open, prose and code are folded away, and an empty cell stands above
    each cell of code.
    """
    cells: list[NotebookNode] = []
    for section in lesson.sections:
        for cell in deepcopy(section.cells):
            if has_tag(cell, SOLUTION):
                continue
            if cell.cell_type == "markdown":
                cells += _heading_and_folded_prose(cell)
            elif has_tag(cell, SETUP) or has_tag(cell, PREVIEW):
                cells.append(_folded(cell))
            else:
                cell.outputs, cell.execution_count = [], None
                is_check = "tl.check(" in cell.source
                empty = new_code_cell(id=f"{cell.id}-type")
                cells += [cell] if is_check else [empty, _folded(cell)]
    return lesson.dumps(cells)


def _heading_and_folded_prose(cell: NotebookNode) -> list[NotebookNode]:
    if not cell.source.startswith("#"):
        return [_folded(cell)]
    heading, _, prose = cell.source.partition("\n")
    rest = deepcopy(cell)
    cell.source, rest.source, rest.id = heading, prose.strip(), f"{cell.id}-prose"
    return [cell, _folded(rest)] if rest.source else [cell]


def _folded(cell: NotebookNode) -> NotebookNode:
    cell.metadata.setdefault("jupyter", {})["source_hidden"] = True
    return cell
