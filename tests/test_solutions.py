"""A lesson's solutions give nothing away while they are folded, and are nobody's answers."""

import sys
from pathlib import Path

import nbformat
import pytest

from tlcourse.exercises.progress import Progress
from tlcourse.exercises.solutions import FIRST_LINE, HELD_BACK
from tlcourse.server import SOLUTIONS

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "authoring"))
import build  # noqa: E402

LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
ANSWER = 'import tlcourse as tl\n\nanswer = 1_321_994\ntl.check("4.1", answer)'


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_the_first_line_of_a_folded_solution_says_only_that_it_can_be_opened(path):
    cells = nbformat.read(path, as_version=4).cells
    solutions = [cell for cell in cells if "solution" in cell.metadata.get("tags", [])]
    first_lines = [cell.source.splitlines()[0] for cell in solutions]
    assert first_lines == 3 * [FIRST_LINE]
    others = [cell.source for cell in cells if cell not in solutions]
    assert not any(FIRST_LINE in source for source in others)


def run(*cells):
    """What each cell shows, in one kernel."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in cells]
    build.execute(nbformat.v4.new_notebook(cells=cells))
    return [
        output.get("text") or output.data["text/plain"]
        for cell in cells
        for output in cell.outputs
    ]


@pytest.fixture(autouse=True)
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "progress.json"))


def test_a_solution_is_right_and_counts_for_nothing():
    (said,) = run(f"{FIRST_LINE}\n{ANSWER}")
    assert said.startswith("Exercise 4.1: right.") and not Progress.read().right
    (said,) = run(ANSWER)
    assert said.startswith("Exercise 4.1: right.") and Progress.read().right == {"4.1"}


def test_a_learners_run_all_does_not_run_the_solutions(monkeypatch):
    monkeypatch.setenv(SOLUTIONS, "twice")
    stub = ANSWER.replace("1_321_994", "None")
    solution = f"{FIRST_LINE}\n{ANSWER}"
    not_attempted, held, right, held_again = run(
        stub, solution, solution, "None", solution
    )
    assert "not attempted" in not_attempted
    assert held == held_again == f"{HELD_BACK}\n"
    assert right.startswith("Exercise 4.1: right.") and not Progress.read().right
