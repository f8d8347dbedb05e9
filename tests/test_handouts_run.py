"""Every learners' notebook runs to its end as it is handed out: without the solutions, with every exercise open."""

import nbformat
import pytest
from nbclient import NotebookClient

from tlcourse.datasets import load_dataset
from tlcourse.errors import DatasetUnavailable
from tlcourse.handouts import learners
from tlcourse.handouts.lessons import find_lessons

pytestmark = pytest.mark.slow

LESSONS = find_lessons()


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_a_handout_runs_to_its_end_and_its_stubs_wait(lesson, tmp_path, monkeypatch):
    if lesson.name.startswith("03"):
        try:
            load_dataset("dogs")
        except DatasetUnavailable as error:
            pytest.skip(str(error))
    monkeypatch.setenv("TQDM_DISABLE", "1")
    notebook = nbformat.reads(learners.notebook(lesson, solutions=False), as_version=4)
    client = NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}
    )
    client.comm_open_handlers.clear()  # widgets' own handlers can wait for ever without a browser
    client.execute()
    outputs = [
        str(cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code" and "tl.check(" in cell.source
    ]
    assert len(outputs) == 3 and all(
        "not attempted yet" in output for output in outputs
    )
