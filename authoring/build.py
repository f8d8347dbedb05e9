"""Build the lessons: authoring/source/*.py → notebooks/*.ipynb, executed, with their outputs.

    python authoring/build.py                 every lesson
    python authoring/build.py 02 03           some of them
    python authoring/build.py --stamp         write the links, the set-up cells and the banners anew, run nothing

A lesson is edited in its source (py:percent text, jupytext) and nowhere else. Its links to Colab and Binder and
the code of its set-up cell are written here, from [tool.tlcourse] of pyproject.toml.
"""

import argparse
import json
import os
import re
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from textwrap import indent

import jupytext
import nbformat

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ROOT / "notebooks"
SOURCES = ROOT / "authoring" / "source"
RESULTS = ROOT / "benchmarks" / "results.json"
SECONDS = 300  # a cell that takes longer hangs
WIDGET = "application/vnd.jupyter.widget-view+json"
# TensorFlow logs what it uses of a newer processor, before any log level is in force.
START_LOG = re.compile(
    r"((WARNING: All log messages before absl|[IW]\d{4}\d* .*oneDNN custom operations).*\n?)+"
)
ENVIRONMENT = {  # what `make test` runs under as well: another number of threads changes the last digits
    "TF_NUM_INTRAOP_THREADS": "2",
    "TF_NUM_INTEROP_THREADS": "2",
    "OMP_NUM_THREADS": "2",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "TQDM_DISABLE": "1",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "lessons", nargs="*", help="beginnings of their names: 00, 02 …"
    )
    parser.add_argument(
        "--stamp", action="store_true", help="write links and set-up cells, run nothing"
    )
    arguments = parser.parse_args()
    if arguments.stamp:
        for path in stamp():
            print(f"stamped {path.relative_to(ROOT)}")
        return
    os.environ.update(packs_beside() | ENVIRONMENT)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TLCOURSE_PROGRESS"] = str(
            Path(folder, "progress.json")
        )  # solutions run here are nobody's progress
        for source in sources(arguments.lessons):
            start = time.perf_counter()
            path = build(source)
            print(f"{path.relative_to(ROOT)}: {time.perf_counter() - start:.0f} s")


def packs_beside() -> dict[str, str]:
    """The setting that makes lessons find the packs beside the checkout, where there are some and none are chosen."""
    packs = ROOT.parent / "shared" / "packs"
    return (
        {"TLCOURSE_PACKS": str(packs)}
        if packs.is_dir() and "TLCOURSE_PACKS" not in os.environ
        else {}
    )


def sources(beginnings: list[str]) -> list[Path]:
    """The lessons' sources, all of them or those whose names begin so."""
    paths = [
        path
        for path in sorted(SOURCES.glob("*.py"))
        if not beginnings or path.name.startswith(tuple(beginnings))
    ]
    if not paths:
        sys.exit(f"No lesson in {SOURCES} begins with {' or '.join(beginnings)}.")
    return paths


def build(source: Path) -> Path:
    """Convert one lesson, run it from top to bottom, refuse what must not be saved, save it."""
    notebook = convert(source)
    execute(notebook)
    clean(notebook)
    faults = forbidden(notebook)
    if faults:
        sys.exit(f"{source.name} was not saved:\n" + "\n".join(faults))
    path = LESSONS / f"{source.stem}.ipynb"
    nbformat.write(notebook, path)
    return path


def convert(source: Path) -> nbformat.NotebookNode:
    """A lesson's source as a notebook without outputs; cells are numbered, so that nothing changes by itself."""
    notebook = jupytext.read(source, fmt="py:percent")
    address = published()
    notebook.cells[0].source = with_links(
        with_banner(notebook.cells[0].source, source.stem), source.stem, address
    )
    notebook.cells.append(nbformat.v4.new_markdown_cell(FINISHED))
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if "setup" in tags:
            cell.source = set_up(source.stem, address)
        for tag, folded in FOLDED.items():
            if tag in tags:
                cell.metadata["jupyter"] = dict.fromkeys(folded, True)
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{source.stem[:2]}-{number:03}"
    notebook.metadata = nbformat.from_dict(
        {
            "kernelspec": {
                "display_name": "Python 3",
                "language": "python",
                "name": "python3",
            },
            "language_info": {"name": "python"},
        }
    )
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


# Tag → what JupyterLab shows folded; running a cell unfolds its output.
FOLDED = {
    "setup": ("source_hidden",),
    "preview": ("source_hidden",),
    "answer": ("outputs_hidden",),  # to a question that says "Predict first"
}
FINISHED = (
    "**Finished?** *File → Close and Shut Down Notebook* ends this lesson's kernel and frees its memory. "
    "Closing the tab alone does not."
)


def with_banner(text: str, lesson: str) -> str:
    """A lesson's first cell, and in it what `make results` has measured: time, memory, whether it ran offline."""
    cost = json.loads(RESULTS.read_text(encoding="utf-8"))["lessons"].get(lesson)
    if cost is None:
        return text
    where = "without internet" if cost["offline"] else "with internet"
    measured = f"{cost['seconds']} s on two cores, {cost['peak_megabytes']:,} MB of memory, {where}"
    return re.sub(
        r"(?m)^(\*\*Minutes:\*\*.*)$", rf"\1 · **Computing:** {measured}", text, count=1
    )


def renew_banners() -> None:
    """Write the first cell and the set-up cell of the stored lessons anew; nothing is run."""
    for source in sources([]):
        path = LESSONS / f"{source.stem}.ipynb"
        if path.is_file():
            notebook, fresh = nbformat.read(path, as_version=4), convert(source)
            for stored, new in zip(notebook.cells, fresh.cells, strict=False):
                if new is fresh.cells[0] or "setup" in new.metadata.get("tags", []):
                    stored.source = new.source
            nbformat.write(notebook, path)


def execute(notebook) -> None:
    """Run all cells in a fresh kernel, in the folder a learner's kernel starts in."""
    from nbclient import NotebookClient

    client = NotebookClient(
        notebook,
        timeout=SECONDS,
        kernel_name="python3",
        resources={"metadata": {"path": str(LESSONS)}},
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
            cell.outputs = [
                output
                for output in cell.outputs
                if not START_LOG.fullmatch(output.get("text", ""))
            ]
        for output in cell.get("outputs", []):
            if "image/png" in output.get(
                "data", {}
            ):  # the answer that stands in a widget's place
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
                faults.append(
                    f"cell {number} shows a library's warning: {output.get('text', text)[:300]}"
                )
            if "application/vnd.jupyter.widget" in text:
                faults.append(
                    f"cell {number} shows a widget that has nothing to stand in its place"
                )
            for path in {str(Path.home()), str(ROOT), "/tmp/"}:  # noqa: S108 (looked for, not used)
                if path != "/" and path in text:
                    faults.append(
                        f"cell {number} prints a path of this machine: {path}"
                    )
    return faults


@dataclass(frozen=True)
class Published:
    """Where the course's repository can be had by everybody.

    Parameters
    ----------
    repository
        Its address, as https://github.com/OWNER/NAME.
    revision
        The commit, in full, that the lessons install on Colab: unlike a branch or a tag it cannot be moved.
    """

    repository: str
    revision: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", self.repository):
            sys.exit(
                f"repository in pyproject.toml is {self.repository!r}; expected https://github.com/OWNER/NAME."
            )
        if not re.fullmatch(r"[0-9a-f]{40}", self.revision):
            sys.exit(
                f"revision in pyproject.toml is {self.revision!r}; expected a commit's 40 hexadecimal digits."
            )

    @property
    def name(self) -> str:
        """OWNER/NAME."""
        return "/".join(self.repository.split("/")[-2:])


def published() -> Published | None:
    """The address in pyproject.toml; None as long as `make publish-check` has not verified one."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
        "tool"
    ]["tlcourse"]
    return Published(**settings) if settings["repository"] else None


def with_links(text: str, lesson: str, address: Published | None) -> str:
    """A lesson's first cell, and below it the links that open the lesson elsewhere, where there are some.

    They open the branch main, since no commit can hold a link to itself; what its set-up cell installs is one commit.
    """
    if address is None:
        return text
    file = f"notebooks/{lesson}.ipynb"
    colab = f"https://colab.research.google.com/github/{address.name}/blob/main/{file}"
    binder = f"https://mybinder.org/v2/gh/{address.name}/main?urlpath=lab/tree/{file}"
    return f"{text}\n\n[Open in Colab]({colab}) · [Open in Binder]({binder})"


QUIET = """\
# Read when TensorFlow is imported, by whatever comes first: only errors are logged.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")"""
MISSING = """\
raise ModuleNotFoundError(
    "The course is not installed for this Python. In the course's folder run `make learn`, or install it into "
    "an environment of your own, `pip install '.[cpu,learn,distributed]'`, and open the lesson from there."
)"""
# Lesson → a package that it alone needs, and what brings that on Colab.
ALSO = {"10_search": "optuna", "12_cluster": "distributed"}
EXTRA = {"12_cluster": "[distributed]"}
THEN = {"07_bert": 'get_ipython().system("tlcourse fetch minilm")'}


def set_up(lesson: str, address: Published | None) -> str:
    """The code of a lesson's set-up cell.

    Without a verified address nothing is installed anywhere. With one, the course is installed on Colab alone, at one
    commit; what Colab has already keeps its version.
    """
    also = ALSO.get(lesson)
    needed = (
        f'all(map(importlib.util.find_spec, ["tlcourse", "{also}"]))' if also else ""
    )
    condition = (
        f"if not {needed}:"
        if also
        else 'if importlib.util.find_spec("tlcourse") is None:'
    )
    if address is None:
        what = "# This cell installs nothing; where the course is missing it says how to get it."
        return "\n".join(
            [
                what,
                "import importlib.util",
                "import os",
                "",
                QUIET,
                condition,
                indent(MISSING, "    "),
            ]
        )
    course = f'"tlcourse{EXTRA.get(lesson, "")} @ git+{address.repository}@{address.revision}"'
    if also and lesson not in EXTRA:
        course += f" {locked(also)}"
    return "\n".join(
        [
            "# On Colab this installs the course. Elsewhere it installs nothing, and says how to get the course.",
            "import importlib.util",
            "import os",
            "import sys",
            "",
            QUIET,
            condition,
            '    if "google.colab" not in sys.modules:',
            indent(MISSING, "        "),
            f"""    get_ipython().run_line_magic("pip", 'install -q {course}')""",
            *([f"    {THEN[lesson]}"] if lesson in THEN else []),
        ]
    )


def locked(package: str) -> str:
    """A package with the version that requirements.txt has of it."""
    return re.search(
        rf"^{package}==[\w.]+",
        (ROOT / "requirements.txt").read_text(encoding="utf-8"),
        re.M,
    )[0]


README_PART = re.compile(
    r"(<!-- address: begin -->\n).*?(<!-- address: end -->)", re.DOTALL
)
README_LINKS = """
**Binder** runs the course in the browser: [open it there](https://mybinder.org/v2/gh/{0}/main?urlpath=lab/tree/notebooks/00_start.ipynb).

**Colab**: each lesson has a link; its first cell installs the course and changes nothing that Colab brings.

"""  # noqa: E501


def stamp() -> list[Path]:
    """Write the links and the set-up cells of lessons and README anew; returns the files changed."""
    files = [ROOT / "README.md", *sorted(LESSONS.glob("*.ipynb"))]
    before = {path: path.read_bytes() for path in files}
    address = published()
    part = README_LINKS.format(address.name) if address else ""
    text = before[files[0]].decode("utf-8")
    files[0].write_text(
        README_PART.sub(lambda match: match[1] + part + match[2], text),
        encoding="utf-8",
    )
    renew_banners()
    return [path for path in files if path.read_bytes() != before[path]]


if __name__ == "__main__":
    main()
