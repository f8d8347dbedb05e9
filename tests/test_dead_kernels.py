"""A notebook whose kernel dies under nbval: the cell fails within seconds, and says which lesson and what to do."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 300  # seconds that nbval would wait


def run(folder, *cells):
    """nbval's report of a notebook with these cells, and its seconds."""
    notebook = nbformat.v4.new_notebook()
    for number, source in enumerate(cells, start=1):
        notebook.cells.append(nbformat.v4.new_code_cell(source, execution_count=number))
    nbformat.write(notebook, folder / "99_dies.ipynb")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "authoring.nbval_in_bands",
        "--nbval",
        "--nbval-current-env",
        f"--nbval-cell-timeout={PATIENCE}",
    ]
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTEST")
    } | {"PYTHONPATH": str(ROOT)}
    began = time.perf_counter()
    done = subprocess.run(
        [*command, "-p", "no:cacheprovider", "-rA", "--color=no", str(folder)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
    )
    return done.stdout + done.stderr, time.perf_counter() - began


@pytest.mark.slow
def test_a_killed_kernel_is_named_with_its_lesson_and_what_to_do(tmp_path):
    said, seconds = run(tmp_path, "a = 1", "import os\nos.kill(os.getpid(), 9)", "a")
    assert (
        "The kernel of 99_dies.ipynb died in cell 1: something ended it by SIGKILL"
        in said
    )
    assert (
        "close other programs" in said
        and "--nbval --nbval-current-env notebooks/99_dies.ipynb" in said
    )
    assert re.search(r"1 failed, 1 passed, 1 xfailed", said) and seconds < PATIENCE / 2


def test_the_lessons_are_watched():
    text = (ROOT / "authoring" / "nbval_in_bands.py").read_text("utf-8")
    assert "dead_kernels.watch()" in text and "dead_kernels.fail_at_once(item)" in text
