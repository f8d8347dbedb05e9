"""Build the lessons: notebooks/source/*.py → notebooks/*.ipynb, executed, with their outputs.

    python notebooks/build.py                 every lesson
    python notebooks/build.py 02 03           some of them
    python notebooks/build.py --stamp         write the repository's address into the links, build nothing

A lesson is edited in its source (py:percent text, jupytext) and nowhere else.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
SOURCES = HERE / "source"
RESULTS = ROOT / "benchmarks" / "results.json"
SECONDS = 300  # a cell that takes longer hangs
WIDGET = "application/vnd.jupyter.widget-view+json"
# TensorFlow logs what it uses of a newer processor, before any log level is in force.
START_LOG = re.compile(r"((WARNING: All log messages before absl|[IW]\d{4}\d* .*oneDNN custom operations).*\n?)+")
ENVIRONMENT = {  # what `make test` runs under as well: another number of threads changes the last digits
    "TF_NUM_INTRAOP_THREADS": "2",
    "TF_NUM_INTEROP_THREADS": "2",
    "OMP_NUM_THREADS": "2",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TQDM_DISABLE": "1",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*", help="beginnings of their names: 00, 02 …")
    parser.add_argument("--stamp", action="store_true", help="write the repository's address into the links")
    arguments = parser.parse_args()
    if arguments.stamp:
        for path in stamp():
            print(f"stamped {path.relative_to(ROOT)}")
        return
    os.environ.update(packs_beside() | ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TLCOURSE_PROGRESS"] = str(Path(folder, "progress.json"))  # solutions run here are nobody's progress
        for source in sources(arguments.lessons):
            start = time.perf_counter()
            goal = build(source)
            print(f"{goal.relative_to(ROOT)}: {time.perf_counter() - start:.0f} s")


def packs_beside() -> dict[str, str]:
    """The setting that makes lessons find the packs beside the checkout, where there are some and none are chosen."""
    packs = ROOT.parent / "shared" / "packs"
    return {"TLCOURSE_PACKS": str(packs)} if packs.is_dir() and "TLCOURSE_PACKS" not in os.environ else {}


def sources(beginnings: list[str]) -> list[Path]:
    """The lessons' sources, all of them or those whose names begin so."""
    found = [path for path in sorted(SOURCES.glob("*.py")) if not beginnings or path.name.startswith(tuple(beginnings))]
    if not found:
        sys.exit(f"No lesson in {SOURCES} begins with {' or '.join(beginnings)}.")
    return found


def build(source: Path) -> Path:
    """Convert one lesson, run it from top to bottom, refuse what must not be saved, save it."""
    notebook = convert(source)
    execute(notebook)
    clean(notebook)
    faults = forbidden(notebook)
    if faults:
        sys.exit(f"{source.name} was not saved:\n" + "\n".join(faults))
    goal = HERE / f"{source.stem}.ipynb"
    nbformat.write(notebook, goal)
    return goal


def convert(source: Path) -> nbformat.NotebookNode:
    """A lesson's source as a notebook without outputs; cells are numbered, so that nothing changes by itself."""
    notebook = jupytext.read(source, fmt="py:percent")
    notebook.cells[0].source = with_banner(notebook.cells[0].source, source.stem)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem[:2]}-{number:03}"
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def with_banner(text: str, lesson: str) -> str:
    """A lesson's first cell, and in it what `make results` has measured: time, memory, whether it ran offline."""
    cost = json.loads(RESULTS.read_text(encoding="utf-8"))["lessons"].get(lesson)
    if cost is None:
        return text
    where = "without internet" if cost["offline"] else "with internet"
    measured = f"{cost['seconds']} s on two cores, {cost['peak_megabytes']:,} MB of memory, {where}"
    return re.sub(r"(?m)^(\*\*Minutes:\*\*.*)$", rf"\1 · **Computing:** {measured}", text, count=1)


def renew_banners() -> None:
    """Write the banners of the lessons as they are stored anew; nothing is run."""
    for source in sources([]):
        goal = HERE / f"{source.stem}.ipynb"
        if goal.is_file():
            notebook = nbformat.read(goal, as_version=4)
            notebook.cells[0].source = convert(source).cells[0].source
            nbformat.write(notebook, goal)


def execute(notebook) -> None:
    """Run all cells in a fresh kernel, in the folder a learner's kernel starts in."""
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
        coalesce_streams=True,  # else one cell's text comes in pieces, cut elsewhere each time
    )
    client.comm_open_handlers.clear()  # widgets' own handlers can wait for ever without a browser
    client.execute()


def clean(notebook) -> None:
    """Take out what differs from run to run without meaning anything, and pictures that must not be passed on."""
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if not START_LOG.fullmatch(output.get("text", ""))]
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):  # the answer that stands in a widget's place
                output.data.pop(WIDGET, None)
        if "no-store" in cell.metadata.get("tags", []):
            cell.outputs = []


def forbidden(notebook) -> list[str]:
    """What must not be in a saved lesson: errors, stderr, libraries' warnings, widgets' state, this machine's paths."""
    faults = []
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            text = str(output)
            if output.get("name") == "stderr":
                faults.append(f"cell {number} writes to stderr: {output['text'][:300]}")
            if "WARNING:" in text:
                faults.append(f"cell {number} shows a library's warning: {output.get('text', text)[:300]}")
            if "application/vnd.jupyter.widget" in text:
                faults.append(f"cell {number} shows a widget that has nothing to stand in its place")
            for path in {str(Path.home()), str(ROOT), "/tmp/"}:  # noqa: S108 (looked for, not used)
                if path != "/" and path in text:
                    faults.append(f"cell {number} prints a path of this machine: {path}")
    return faults


def repository() -> str:
    """The repository's address, from the one place where it stands."""
    return re.search(r'^Repository = "https://github.com/(.+?)"', (ROOT / "pyproject.toml").read_text("utf-8"), re.M)[1]


LINKS = re.compile(r"(colab\.research\.google\.com/github/|mybinder\.org/v2/gh/|github\.com/)[\w.-]+/tlcourse\b")


def stamp() -> list[Path]:
    """Put the repository's address into every Binder, Colab and GitHub link; returns the files changed."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    changed = []
    for path in (ROOT / name for name in listed.splitlines() if name.endswith((".md", ".py", ".ipynb"))):
        old = path.read_text(encoding="utf-8")
        new = LINKS.sub(lambda link: link[1] + repository(), old)
        if new != old:
            path.write_text(new, encoding="utf-8")
            changed.append(path)
    return changed


if __name__ == "__main__":
    main()
