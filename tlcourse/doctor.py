"""Can the course run here, and if not, what helps? Starts no TensorFlow, asks no host.

`python -m workshop doctor`, in a checkout, examines packs, downloads and hosts as well.
"""

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from importlib import metadata, util
from pathlib import Path
from typing import NamedTuple

from . import __version__
from .cards import bundled_file, data_folder, read_card
from .errors import TLCourseError, how_to_install
from .exercises.progress import Progress
from .fetching import LESSONS_NEED, location
from .folders import cache_folder, how_to_carry

TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tf-nightly", "tf-nightly-cpu")
GIGABYTES = 2.0  # of memory, of which a lesson takes 1.5, and of disk, for the dogs
MISTAKES = {  # variable: values that are a mistake, and why
    "KERAS_BACKEND": ("(?!tensorflow$)", "the course runs on TensorFlow"),
    "TF_USE_LEGACY_KERAS": ("1|[Tt]rue", "the course needs Keras 3"),
}


class Finding(NamedTuple):
    """One line of the report.

    `state` is "ok"; "optional" (no lesson needs it); "look" (the course runs all the
    same); "missing" (some lessons cannot run); or "broken" (the course cannot run).
    """

    subject: str
    state: str
    text: str


def examine(checks: Iterable[Callable[[], Iterator[Finding]]] = ()) -> list[Finding]:
    """Run these checks, by default this module's; one that fails is a finding, too."""
    findings: list[Finding] = []
    for check in checks or CHECKS:
        try:
            findings += check()
        except (ImportError, TLCourseError, OSError) as error:
            findings.append(Finding(check.__name__, "broken", str(error)))
    return findings


def python() -> Iterator[Finding]:
    yield Finding("tlcourse", "ok", f"{__version__} in {Path(__file__).parent}")
    is_supported = (3, 10) <= sys.version_info[:2] <= (3, 13)
    text = f"{platform.python_version()}; the course needs 3.10 to 3.13"
    yield Finding("Python", "ok" if is_supported else "broken", text)


def tensorflow() -> Iterator[Finding]:
    names = [name for name in TENSORFLOWS if _version(name)]
    spec = util.find_spec("tensorflow") if names else None
    is_there = spec is not None and spec.origin is not None
    text = " and ".join(f"{name} {_version(name)}" for name in names)
    if not names:
        text = f"not installed. {how_to_install()}"
    elif len(names) > 1 or not is_there:
        text += f". Run: pip uninstall {' '.join(names)}; then: pip install {names[-1]}"
    state = "broken" if not is_there else "look" if len(names) > 1 else "ok"
    yield Finding("TensorFlow", state, text)


def packages() -> Iterator[Finding]:
    """What the installation of the course asks for, for itself and for its lessons."""
    from packaging.requirements import Requirement

    for need in map(Requirement, metadata.requires("tlcourse") or []):
        marker, version = need.marker, _version(need.name)
        is_needed = marker is None or marker.evaluate({"extra": ""})
        if marker and not is_needed and not marker.evaluate({"extra": "learn"}):
            continue
        if version is None or not need.specifier.contains(version, prereleases=True):
            command = f"Run: pip install '{need.name}{need.specifier}'"
            text = f"{version or 'not installed'}. {command}"
            yield Finding(need.name, "broken" if is_needed else "missing", text)


def kernel() -> Iterator[Finding]:
    """Only where the lessons' kernel would start another Python than this one."""
    if _version("jupyter_client"):
        from jupyter_client.kernelspec import KernelSpecManager

        installed = KernelSpecManager().get_all_specs().get("python3")
        program = Path(installed["spec"]["argv"][0] if installed else "python")
        if program.is_absolute() and program.parent != Path(sys.executable).parent:
            cure = f"Run: {sys.executable} -m ipykernel install --sys-prefix"
            yield Finding("kernel", "missing", f"the kernel starts {program}. {cure}")


def machine() -> Iterator[Finding]:
    """Memory, disk, and whether the course's folders can be written to."""
    import psutil

    free = psutil.virtual_memory().available / 1e9
    state = "ok" if free >= GIGABYTES else "look"
    yield Finding("memory", state, f"{free:.1f} GB free; a lesson takes up to 1.5")
    for variable, folder in (
        ("TLCOURSE_CACHE", cache_folder()),
        ("TLCOURSE_PROGRESS", Progress.path().parent),
    ):
        parent = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(parent).free / 1e9
        text = f"{free:.1f} GB free"
        try:
            tempfile.TemporaryFile(dir=parent).close()
        except OSError as error:
            text, free = f"it cannot be written to ({error.strerror})", 0
        if free < GIGABYTES:
            text += f". Set {variable} to another folder."
        state = "ok" if free >= GIGABYTES else "look"
        yield Finding("disk", state, f"{folder}: {text}")


def data() -> Iterator[Finding]:
    """Bundled files that are damaged, and what lessons need to be fetched."""
    for card in data_folder().glob("*/CARD.md"):
        try:
            for name in read_card(card.parent.name).files:
                bundled_file(card.parent.name, name)
        except TLCourseError as error:
            yield Finding(card.parent.name, "broken", str(error))
    for name in LESSONS_NEED:
        try:
            path = location(name)
            cure = f"With internet: `tlcourse fetch {name}`. Without: "
            text = path or f"not on this machine. {cure}{how_to_carry(name)}"
        except TLCourseError as error:
            text, path = str(error), None
        yield Finding(name, "ok" if path else "missing", text)


def variables() -> Iterator[Finding]:
    """Only those that break the course or slow it down."""
    for name, (mistakes, why) in MISTAKES.items():
        value = os.environ.get(name, "")
        if value and re.match(mistakes, value):
            state = "broken" if name == "KERAS_BACKEND" else "look"
            yield Finding(name, state, f"is {value!r}: {why}. Run: unset {name}")


CHECKS = (python, tensorflow, packages, kernel, machine, data, variables)


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None
