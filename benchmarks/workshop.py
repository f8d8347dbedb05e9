"""Measure what a workshop's preparation takes, and print it: nothing is written to results.json.

python benchmarks/workshop.py handouts             seconds and megabytes of all handouts
python benchmarks/workshop.py checkpoints [05 …]   each lesson from its exercises' checkpoint: seconds, solutions right
python benchmarks/workshop.py kit FOLDER           make a kit (some 2 GB; it downloads), go on with it, install it
                                                   without network (Linux, as root: in a network namespace of its own)
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tlcourse.handouts import make_handouts
from tlcourse.handouts.lessons import Lesson, find_lessons, has_tag


@contextmanager
def timed(what: str):
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def megabytes(folder: Path) -> str:
    return f"{sum(path.lstat().st_size for path in folder.rglob('*') if path.is_file()) / 1e6:,.1f} MB"


def measure_handouts() -> None:
    with tempfile.TemporaryDirectory() as name:
        with timed("all handouts"):
            written = make_handouts(Path(name))
        print(
            f"{len(written)} files: "
            + ", ".join(
                f"{p.name} {megabytes(p)}" for p in sorted(Path(name).iterdir())
            )
        )


def measure_checkpoints(beginnings: list[str]) -> None:
    for lesson in find_lessons(beginnings):
        place = next(
            place
            for place, section in enumerate(lesson.sections)
            if section.title.startswith("Exercise ")
        )
        notebook = _from_checkpoint(lesson, place)
        with timed(f"{lesson.name} from {lesson.checkpoint_file(place)} on"):
            _execute(notebook, lesson.path.parent)
        said = [
            str(cell.outputs)
            for cell in notebook.cells
            if has_tag(cell, "solution") and "tl.check(" in cell.source
        ]
        print(
            f"    {sum(': right.' in text for text in said)} of {len(said)} solutions are right",
            flush=True,
        )


def _from_checkpoint(lesson: Lesson, place: int):
    from nbformat.v4 import new_code_cell, new_notebook

    rest = [
        cell
        for section in lesson.sections[place:]
        for cell in section.cells
        if cell.cell_type == "code"
    ]
    return new_notebook(cells=[new_code_cell(lesson.checkpoints[place]), *rest])


def _execute(notebook, folder: Path) -> None:
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook, timeout=900, resources={"metadata": {"path": str(folder)}}
    )
    client.comm_open_handlers.clear()
    client.execute()


def measure_kit(folder: Path) -> None:
    tlcourse = str(Path(sys.executable).with_name("tlcourse"))
    for what in ("the kit", "the same command again"):
        with timed(what):
            subprocess.run([tlcourse, "kit", str(folder)], check=True)
    for part in sorted(folder.iterdir()):
        if part.is_dir():
            print(f"    {part.name}: {megabytes(part)}")
    print(f"    all: {megabytes(folder)}", flush=True)
    no_network = (
        ["unshare", "--net"] if shutil.which("unshare") and os.geteuid() == 0 else []
    )
    with tempfile.TemporaryDirectory() as name:
        goal = Path(name) / "course"
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": name,
        }
        with timed(f"installing it{' without network' if no_network else ''}"):
            subprocess.run(
                [*no_network, "sh", str(folder / "install-linux.sh"), str(goal)],
                env=environment,
                check=True,
            )
        print(f"    installed: {megabytes(goal)}")


def main() -> None:
    part, *arguments = sys.argv[1:] or [""]
    if part == "handouts":
        measure_handouts()
    elif part == "checkpoints":
        os.environ["TQDM_DISABLE"] = "1"
        measure_checkpoints(arguments)
    elif part == "kit" and len(arguments) == 1:
        measure_kit(Path(arguments[0]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
