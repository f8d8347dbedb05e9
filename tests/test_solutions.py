"""A lesson's solutions give nothing away while they are folded, and are nobody's answers."""

import sys
from pathlib import Path

import nbformat
import pytest

from tlcourse.exercises import SOLUTION
from tlcourse.exercises.progress import Progress

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "notebooks"))
import build  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ANSWER = 'import tlcourse as tl\n\nanswer = 1_321_994\ntl.check("4.1", answer)'


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_first_line_of_a_folded_solution_says_only_that_it_can_be_opened(path):
    cells = nbformat.read(path, as_version=4).cells
    solutions = [cell for cell in cells if "solution" in cell.metadata.get("tags", [])]
    first_lines = [cell.source.splitlines()[0] for cell in solutions]
    assert first_lines == 3 * [SOLUTION]
    others = [cell.source for cell in cells if cell not in solutions]
    assert not any(SOLUTION in source for source in others)


@pytest.mark.parametrize(
    ("cell", "right"), [(f"{SOLUTION}\n{ANSWER}", set()), (ANSWER, {"4.1"})]
)
def test_run_all_does_not_solve_the_exercises(tmp_path, monkeypatch, cell, right):
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    build.execute(notebook)
    (output,) = notebook.cells[0].outputs
    assert output.data["text/plain"].startswith("Exercise 4.1: right.")
    assert Progress.read().right == right
