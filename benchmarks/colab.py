"""Colab imitated: its packages, one notebook in an empty folder, an empty home.

The notebook's first cell is the one for a verified address, which is answered by the
last commit of this repository. Colab's other 400 packages, browser and GPU are missing.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import nbformat
import records
from matrix import Row, uv, versions
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from records import ROOT
from studies.lessons import lesson_builder

ADDRESS = "https://github.com/-/tlcourse"  # nobody's; git asks this repository instead
KERNEL = (  # Colab's has imported google.colab before the first cell
    "import google.colab; from ipykernel.kernelapp import launch_new_instance; "
    "launch_new_instance()"
)
SECONDS = 900  # a cell that takes longer hangs


def visit(row: Row, lessons: tuple[str, ...]) -> dict:
    """Open these lessons as a newcomer does; the very first cell runs twice before."""
    uv("pip", "uninstall", "--quiet", "--python", row.interpreter, "tlcourse")
    before, failed = versions(row), []
    with _newcomer(row) as (folder, environment):
        for lesson in lessons:
            (file,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
            notebook = nbformat.read(shutil.copy(file, folder), as_version=4)
            setup = _set_up_cell(notebook, file.stem)
            twice = nbformat.v4.new_notebook(cells=[setup, setup])
            try:
                for each in [twice, notebook] if lesson == lessons[0] else [notebook]:
                    _run(each, folder, environment)
            except (CellExecutionError, DeadKernelError, TimeoutError) as error:
                failed.append(f"lesson {lesson}: {str(error).strip()[-600:]}")
            (folder / file.name).unlink()
    after = versions(row)
    changed = {
        name: after.get(name, "gone")
        for name, version in before.items()
        if after.get(name) != version
    }
    failed += [f"{name} is {version} now" for name, version in changed.items()]
    return {
        "ran": "one notebook in an empty folder, its first cell twice, then all cells",
        "lessons": list(lessons),
        "added": {name: after[name] for name in after if name not in before},
        "changed": changed,
        "failed": failed,
    }


def _set_up_cell(notebook, lesson: str):
    """The first code cell, rewritten for a verified address."""
    build = lesson_builder()
    published = build.Published(ADDRESS, records.git("rev-parse", "HEAD"))
    for cell in notebook.cells:
        if "setup" in cell.metadata.get("tags", []):
            cell.source = build.set_up(lesson, published)
    return next(cell for cell in notebook.cells if cell.cell_type == "code")


def _run(notebook, folder: Path, environment: dict[str, str]) -> None:
    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="colab",
        resources={"metadata": {"path": str(folder)}},
    )
    client.comm_open_handlers.clear()  # widgets may wait for a browser
    client.execute(env=environment)


@contextmanager
def _newcomer(row: Row) -> Iterator[tuple[Path, dict[str, str]]]:
    """An empty folder, and an environment that knows the course only by its address."""
    with tempfile.TemporaryDirectory(prefix="tlcourse-colab-") as work:
        home, folder = Path(work, "home"), Path(work, "content")
        kernel = Path(work, "jupyter", "kernels", "colab")
        google = Path(work, "colab", "google", "colab")
        for place in (home, folder, kernel, google):
            place.mkdir(parents=True)
        (google / "__init__.py").touch()
        enable = "def enable_custom_widget_manager():\n    pass\n"
        (google / "output.py").write_text(enable, encoding="utf-8")
        start = [str(row.interpreter), "-c", KERNEL, "-f", "{connection_file}"]
        about = {"argv": start, "display_name": "Colab", "language": "python"}
        (kernel / "kernel.json").write_text(json.dumps(about), encoding="utf-8")
        own = ("TLCOURSE", "PYTHON", "TF_")
        known = {n: value for n, value in os.environ.items() if not n.startswith(own)}
        environment = known | {
            "HOME": str(home),
            "PYTHONPATH": str(google.parent.parent),
            "PATH": f"{row.interpreter.parent}{os.pathsep}{os.environ['PATH']}",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": f"url.{ROOT.as_uri()}.insteadOf",
            "GIT_CONFIG_VALUE_0": ADDRESS,
        }
        with patch.dict("os.environ", JUPYTER_PATH=str(kernel.parent.parent)):
            yield folder, environment
