"""Python, TensorFlow and the packages: is everything installed that the course needs, and does it fit together?"""

import platform
import re
import sys
from collections.abc import Iterator
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from .. import __version__
from ..errors import how_to_install
from ..features.engine import has_onnxruntime
from .finding import Finding

PYTHON_RANGE = ((3, 10), (3, 13))
TENSORFLOWS = (
    "tensorflow",
    "tensorflow-cpu",
    "tf-nightly",
    "tf-nightly-cpu",
)  # any two of them overwrite each other
NEEDED = (
    *(
        "numpy",
        "scipy",
        "scikit-learn",
        "pillow",
        "matplotlib",
        "keras",
        "tensorflow-datasets",
        "importlib_resources",
    ),
    *("tokenizers", "safetensors"),
)
WANTED = ("jupyterlab", "ipywidgets")  # the lessons; the package runs without


def course() -> Iterator[Finding]:
    yield Finding("tlcourse", "ok", f"{__version__} in {Path(__file__).parents[1]}")


def python() -> Iterator[Finding]:
    version = sys.version_info[:2]
    text = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if PYTHON_RANGE[0] <= version <= PYTHON_RANGE[1]:
        yield Finding("Python", "ok", text)
    else:
        cure = "the course needs 3.10 to 3.13. Install one of them and run `make learn` again."
        yield Finding("Python", "broken", f"{text}; {cure}")


def tensorflow() -> Iterator[Finding]:
    found = {name: version for name in TENSORFLOWS if (version := _version(name))}
    text = " and ".join(f"{name} {version}" for name, version in found.items())
    remove = f"pip uninstall {' '.join(found)}"
    if not found:
        yield Finding("TensorFlow", "broken", f"not installed. {how_to_install()}")
    elif _is_gutted("tensorflow"):
        cure = f"but its files are gone. Run: {remove}; then: pip install {next(iter(found))}"
        yield Finding("TensorFlow", "broken", f"{text}, {cure}")
    elif len(found) > 1:
        cure = f"they overwrite each other's files. Run: {remove}; then install one: pip install tensorflow-cpu"
        yield Finding("TensorFlow", "look", f"{text}: {cure}")
    else:
        yield Finding("TensorFlow", "ok", text)


def onnxruntime() -> Iterator[Finding]:
    version = _version("onnxruntime")
    if has_onnxruntime():
        yield Finding("ONNX Runtime", "ok", version or "found")
        return
    fault = (
        f"{version} is installed, but does not start here"
        if version
        else "not installed"
    )
    cure = "Run: pip install --upgrade onnxruntime. Until then TensorFlow does its work, at half the speed."
    yield Finding("ONNX Runtime", "look", f"{fault}. {cure}")


def _is_gutted(module: str) -> bool:
    """Whether a package's own files are gone, as after uninstalling one of two that shared them."""
    spec = find_spec(module)
    return spec is None or spec.origin is None


def packages() -> Iterator[Finding]:
    versions = {name: _version(name) for name in (*NEEDED, *WANTED)}
    too_old = {
        name: bound
        for name, bound in _lower_bounds().items()
        if _is_older(versions.get(name), bound)
    }
    fine = [
        f"{name} {version}"
        for name, version in versions.items()
        if version and name not in too_old
    ]
    yield Finding("packages", "ok", ", ".join(fine))
    for name, bound in too_old.items():
        cure = f"the course needs {bound} or later. Run: pip install --upgrade {name}"
        yield Finding(name, "broken", f"{versions[name]}; {cure}")
    for name, version in versions.items():
        if version is None:
            yield Finding(
                name,
                "broken" if name in NEEDED else "missing",
                f"not installed. Run: pip install {name}",
            )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _lower_bounds() -> dict[str, str]:
    """Package → the lowest version that the course's own installation asks for; {} in a bare checkout."""
    try:
        lines = metadata.requires("tlcourse") or []
    except metadata.PackageNotFoundError:
        return {}
    found = (re.match(r"([\w.-]+?)\s*>=\s*([\d.]+)", line) for line in lines)
    return {match[1]: match[2] for match in found if match}


def _is_older(version: str | None, bound: str) -> bool:
    numbers = [
        [int(part) for part in re.findall(r"\d+", text)[:3]]
        for text in (version or "", bound)
    ]
    return version is not None and numbers[0] < numbers[1]
