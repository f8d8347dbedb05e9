"""What learners get: a lesson without solutions and outputs, which would answer too early, and its checkpoints."""

from collections.abc import Iterator
from copy import deepcopy

from .lessons import SOLUTION, Lesson, as_notebook, has_tag


def notebook(lesson: Lesson, solutions: bool = False) -> str:
    """A lesson as a learner opens it: every cell but the solutions, and no outputs."""
    cells = [
        deepcopy(cell)
        for cell in lesson.notebook.cells
        if solutions or not has_tag(cell, SOLUTION)
    ]
    for cell in cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return as_notebook(cells, lesson)


def checkpoint_files(lesson: Lesson) -> Iterator[tuple[str, str]]:
    """Name and content of a file for each section that builds on something before it."""
    for place, (section, code) in enumerate(
        zip(lesson.sections, lesson.checkpoints, strict=True)
    ):
        if code:
            name = lesson.checkpoint_file(place)
            yield (
                name,
                f"# What lesson {lesson.name[:2]} has made before “{section.title}”. In a cell of the notebook:\n"
                f"#     %run -i {name}\n\n{code}\n",
            )
