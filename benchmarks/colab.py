"""Colab imitated: its packages, an empty folder with one notebook in it, an empty home, and no tlcourse.

The first cell is the one that is written for a verified address. The address is answered by this repository, as it was
last committed. What Colab has and this has not: its
other four hundred packages, its browser, a GPU.
"""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import nbformat
from environments import ROOT, Row, uv, versions
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

NOTEBOOKS = ROOT / "notebooks"
ADDRESS = "https://github.invalid/tlcourse/tlcourse"  # git is told to ask this repository instead
KERNEL = "import google.colab; from ipykernel.kernelapp import launch_new_instance; launch_new_instance()"
SECONDS = 900  # a cell that takes longer hangs


@dataclass(frozen=True)
class Visit:
    """What the lessons did on a machine that had never seen the course.

    Attributes:
        failures: lesson → the error it ended with.
        lessons: those that were run, the first cell of the first among them twice before.
        added: packages that the first cell has installed, with their versions.
        changed: packages that were there before and are another version now, or gone.
        seconds: of all of it.
    """

    failures: dict[str, str]
    lessons: list[str]
    added: dict[str, str]
    changed: dict[str, str]
    seconds: float


def visit(row: Row, lessons: tuple[str, ...]) -> Visit:
    """Open these lessons as a newcomer to Colab does, one after the other."""
    start = time.perf_counter()
    uv("pip", "uninstall", "--quiet", "--python", row.interpreter, "tlcourse")
    before, failures = versions(row), {}
    with _newcomer(row) as (folder, environment):
        for lesson in lessons:
            (file,) = NOTEBOOKS.glob(f"{lesson}_*.ipynb")
            notebook = nbformat.read(shutil.copy(file, folder), as_version=4)
            _stamp(notebook, file.stem)
            try:
                if lesson == lessons[0]:
                    _run(_first_cell_twice(notebook), folder, environment)
                _run(notebook, folder, environment)
            except (CellExecutionError, DeadKernelError, TimeoutError) as error:
                failures[lesson] = str(error).strip()[-600:]
            (folder / file.name).unlink()
    after = versions(row)
    return Visit(
        failures=failures,
        lessons=list(lessons),
        added={name: version for name, version in after.items() if name not in before},
        changed={
            name: after.get(name, "gone")
            for name in before
            if after.get(name) != before[name]
        },
        seconds=time.perf_counter() - start,
    )


def _stamp(notebook, lesson: str) -> None:
    """Write the set-up cell that lessons have once the repository's address is verified."""
    from measure import lesson_builder

    build = lesson_builder()
    command = ["git", "rev-parse", "HEAD"]
    revision = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("tags", []):
            cell.source = build.set_up(lesson, build.Published(ADDRESS, revision))


def _first_cell_twice(notebook) -> nbformat.NotebookNode:
    first = next(cell.source for cell in notebook.cells if cell.cell_type == "code")
    return nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(first) for _ in range(2)]
    )


def _run(notebook, folder: Path, environment: dict[str, str]) -> None:
    resources = {"metadata": {"path": str(folder)}}
    client = NotebookClient(
        notebook, timeout=SECONDS, kernel_name="colab", resources=resources
    )
    client.comm_open_handlers.clear()  # widgets' own handlers can wait for ever without a browser
    client.execute(env=environment)


@contextmanager
def _newcomer(row: Row) -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder, and what the processes in it know: nothing of this course but where its address leads."""
    with tempfile.TemporaryDirectory(prefix="tlcourse-colab-") as work:
        home, folder, kernel = (
            Path(work, name) for name in ("home", "content", "jupyter/kernels/colab")
        )
        google = Path(work, "colab", "google", "colab")
        for place in (home, folder, kernel, google):
            place.mkdir(parents=True)
        (google / "__init__.py").touch()
        (google / "output.py").write_text(
            "def enable_custom_widget_manager():\n    pass\n", encoding="utf-8"
        )
        # Colab's kernel has imported google.colab before the first cell.
        start = [str(row.interpreter), "-c", KERNEL, "-f", "{connection_file}"]
        (kernel / "kernel.json").write_text(
            json.dumps({"argv": start, "display_name": "Colab", "language": "python"})
        )
        ours = ("TLCOURSE", "PYTHON", "TF_")
        known = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(ours)
        }
        environment = {
            **known,
            "HOME": str(home),
            "PYTHONPATH": str(google.parent.parent),
            "PATH": f"{row.interpreter.parent}{os.pathsep}{os.environ['PATH']}",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
        }
        paths = os.environ.get("JUPYTER_PATH")
        os.environ["JUPYTER_PATH"] = os.pathsep.join(
            [str(kernel.parent.parent), *([paths] if paths else [])]
        )
        try:
            yield folder, environment
        finally:
            os.environ.pop("JUPYTER_PATH")
            if paths:
                os.environ["JUPYTER_PATH"] = paths
