"""What the instructor keeps: the lesson with notes, solutions and outputs, and a version to type along with."""

from copy import deepcopy
from typing import TYPE_CHECKING

from ..exercises.table import find_exercise
from .lessons import SETUP, SOLUTION, Lesson, as_notebook, has_tag
from .teaching import EXERCISE, Note, wrong_answers

if TYPE_CHECKING:
    from nbformat import NotebookNode

NOTE = "instructor"  # the tag of the cells that are added


def notebook(lesson: Lesson, notes: list[Note]) -> str:
    """The lesson as it was run, solutions unfolded, and a note for the instructor under each heading."""
    cells = []
    for place, section in enumerate(lesson.sections):
        heading, *rest = deepcopy(section.cells)
        cells += [
            heading,
            _cell(f"{heading.id}-note", note_text(lesson, notes, place)),
            *rest,
        ]
    for cell in cells:
        if has_tag(cell, SOLUTION):
            cell.metadata.jupyter = {"source_hidden": False, "outputs_hidden": False}
            cell.metadata.tags = [
                tag for tag in cell.metadata.tags if tag != "hide-cell"
            ]
    return as_notebook(cells, lesson)


def note_text(lesson: Lesson, notes: list[Note], place: int) -> str:
    """What the instructor reads at the beginning of a section, as a block quotation."""
    note = notes[place]
    paragraphs = [
        f"**Instructor · {clock(note.start)} to {clock(note.start + note.minutes)}, {note.minutes} minutes**"
    ]
    if note.text:
        paragraphs.append(note.text)
    number = EXERCISE.match(note.title)
    if number:
        paragraphs += _about_exercise(number[1])
    if lesson.checkpoints[place]:
        way = f"`%run -i {lesson.checkpoint_file(place)}`"
        paragraphs.append(
            f"**Behind?** {way} in a cell of its own, then go on at this heading."
        )
    return "\n".join(
        f"> {line}".rstrip() for line in "\n\n".join(paragraphs).splitlines()
    )


def clock(minutes: int) -> str:
    return f"{minutes // 60}:{minutes % 60:02}"


def _about_exercise(number: str) -> list[str]:
    exercise = find_exercise(number)
    hints = "\n".join(
        f"{place}. {hint}" for place, hint in enumerate(exercise.hints, 1)
    )
    wrong = "\n".join(f"- {answer}" for answer in wrong_answers(number))
    return [
        f"An answer is {exercise.expected}.",
        "Wrong answers to expect, by what the check says to them. Ask the question in it before you explain:\n\n"
        + wrong,
        f"Hints, in the order in which learners get them:\n\n{hints}",
    ]


def live_notebook(lesson: Lesson) -> str:
    """For typing along: headings stand open, prose and code are folded away, and above the code is room to type."""
    cells: list[NotebookNode] = []
    for section in lesson.sections:
        for cell in deepcopy(section.cells):
            if has_tag(cell, SOLUTION):
                continue
            if cell.cell_type == "markdown":
                cells += (
                    _heading_and_folded_prose(cell)
                    if cell.source.startswith("#")
                    else [_folded(cell)]
                )
            elif has_tag(cell, SETUP) or "tl.check(" in cell.source:
                cells.append(
                    _folded(cell) if has_tag(cell, SETUP) else _without_output(cell)
                )
            else:
                cells += [_empty(f"{cell.id}-type"), _folded(_without_output(cell))]
    return as_notebook(cells, lesson)


def _heading_and_folded_prose(cell: "NotebookNode") -> list:
    heading, _, prose = cell.source.partition("\n")
    rest = deepcopy(cell)
    cell.source, rest.source, rest.id = heading, prose.strip(), f"{cell.id}-prose"
    return [cell, _folded(rest)] if rest.source else [cell]


def _folded(cell: "NotebookNode") -> "NotebookNode":
    cell.metadata["jupyter"] = {
        **cell.metadata.get("jupyter", {}),
        "source_hidden": True,
    }
    return cell


def _without_output(cell: "NotebookNode") -> "NotebookNode":
    cell.outputs, cell.execution_count = [], None
    return cell


def _cell(identity: str, text: str) -> "NotebookNode":
    from nbformat.v4 import new_markdown_cell

    return new_markdown_cell(text, id=identity, metadata={"tags": [NOTE]})


def _empty(identity: str) -> "NotebookNode":
    from nbformat.v4 import new_code_cell

    return new_code_cell(id=identity)
