"""Every lesson in a shell that sets nothing: nothing red in any cell.

`make test`, `make notebooks` and nbval set variables that keep TensorFlow quiet, so they would not see what a learner
sees.
"""

import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "authoring"))
import build  # noqa: E402

LESSONS = [source.stem for source in sorted(build.SOURCES.glob("*.py"))]
ONLY_TESTS_SET = (*build.ENVIRONMENT, "PYTHONWARNINGS", "MPLBACKEND")


@pytest.fixture
def plain_shell(monkeypatch):
    """Without the settings that only tests and builds have; a kernel inherits what is left."""
    for name in ONLY_TESTS_SET:
        monkeypatch.delenv(name, raising=False)


def errors_of(notebook):
    """What the cells wrote to stderr, as (id of the cell, text)."""
    return [
        (cell.id, output.text)
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if output.get("name") == "stderr"
    ]


@pytest.mark.slow
@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_writes_nothing_to_stderr(plain_shell, name):
    notebook = build.convert(build.SOURCES / f"{name}.py")
    build.execute(notebook)
    assert errors_of(notebook) == []


FIRST_KERAS = "import keras\nkeras.ops.ones(3)\nimport tlcourse"


@pytest.mark.slow
def test_after_the_set_up_cell_keras_may_come_before_the_course(plain_shell):
    cells = [build.set_up("00_start", None), FIRST_KERAS]
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in cells]
    )
    build.execute(notebook)
    assert errors_of(notebook) == []
