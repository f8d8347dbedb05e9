"""Memory, disk, clock, and the folders of the user that other packages write to."""

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from ..features.cache_files import TOLERANCE, contents
from ..files import as_path, cache_folder
from .finding import Finding

MEMORY_GB = 2.0  # a lesson takes up to 1.5
DISK_GB = 2.0  # the dogs, while they are unpacked
TEMPORARY_GB = 0.2  # an export's conversions
PUBLISHED = "2026-01-01"  # no clock that is right says an earlier date
WRITERS = {  # what other packages write to below the home: variable that moves it, its usual place
    "MPLCONFIGDIR": "~/.config/matplotlib",
    "KERAS_HOME": "~/.keras",
    "TFDS_DATA_DIR": "~/tensorflow_datasets",
    "IPYTHONDIR": "~/.ipython",
    "JUPYTER_DATA_DIR": "~/.local/share/jupyter",
}


def memory() -> Iterator[Finding]:
    import psutil

    free = psutil.virtual_memory().available / 1e9
    if free >= MEMORY_GB:
        yield Finding("memory", "ok", f"{free:.1f} GB free")
    else:
        cure = "a lesson takes up to 1.5 GB. Close other programs and other notebooks' kernels."
        yield Finding("memory", "look", f"only {free:.1f} GB free; {cure}")


def disk() -> Iterator[Finding]:
    places = {"TLCOURSE_CACHE": cache_folder(), "TFDS_DATA_DIR": _tfds_folder()}
    free = {
        variable: shutil.disk_usage(existing(place)).free / 1e9
        for variable, place in places.items()
    }
    least = min(free, key=free.__getitem__)
    text = f"{free[least]:.1f} GB free for {places[least]}"
    if free[least] >= DISK_GB:
        yield Finding("disk", "ok", text)
    elif free[least] < TEMPORARY_GB:
        cure = f"nothing can be kept. `tlcourse cache clear` makes room; or set {least} to a folder on another disk."
        yield Finding("disk", "look", f"full: {text}; {cure}")
    else:
        cure = f"fetching the dogs takes 2 GB. Make room, or set {least} to a folder on another disk."
        yield Finding("disk", "look", f"only {text}; {cure}")


def _tfds_folder() -> Path:
    return as_path(
        os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets", "TFDS_DATA_DIR"
    )


def existing(place: Path) -> Path:
    """The folder, or the one above it that is there."""
    return next(path for path in (place, *place.absolute().parents) if path.exists())


def refusal(place: Path) -> str | None:
    """Why nothing can be written there, or None; the folder need not be there yet."""
    try:
        with tempfile.TemporaryFile(dir=existing(place)):
            return None
    except OSError as error:
        return error.strerror or str(error)


def temporary_files() -> Iterator[Finding]:
    """Only where something is wrong: Python itself looks for another folder and says nothing."""
    for variable in ("TMPDIR", "TEMP", "TMP"):
        chosen = os.environ.get(variable)
        if chosen and not os.path.isdir(chosen):
            yield Finding(
                variable,
                "look",
                f"there is no folder {chosen}. Make it, or run: unset {variable}",
            )
        elif chosen and (reason := refusal(Path(chosen))):
            cure = f"Choose another folder, or run: unset {variable}"
            yield Finding(
                variable, "look", f"{chosen} cannot be written to ({reason}). {cure}"
            )
    try:
        free = shutil.disk_usage(Path(tempfile.gettempdir())).free / 1e9
    except FileNotFoundError:
        cure = "Make room in /tmp, or set TMPDIR to a folder that can be written to."
        yield Finding("temporary files", "broken", f"no folder takes any. {cure}")
        return
    if free < TEMPORARY_GB:
        cure = (
            "exports fail. Make room there, or set TMPDIR to a folder on another disk."
        )
        yield Finding(
            "temporary files",
            "look",
            f"only {free:.1f} GB free in {tempfile.gettempdir()}; {cure}",
        )


def home() -> Iterator[Finding]:
    """Only where it cannot be written to."""
    places = {
        name: as_path(os.environ.get(name) or usual, name)
        for name, usual in WRITERS.items()
    }
    refused = {
        name: reason for name, place in places.items() if (reason := refusal(place))
    }
    if refused:
        cure = f"Set {', '.join(refused)} to folders of your own, such as {Path(tempfile.gettempdir(), 'NAME')}."
        reason = next(iter(refused.values()))
        yield Finding(
            "home",
            "look",
            f"{places[next(iter(refused))]} cannot be written to ({reason}). {cure}",
        )


def clock() -> Iterator[Finding]:
    """Only where it is, or was, wrong."""
    today = time.strftime("%Y-%m-%d")
    ahead = [
        path
        for path, _ in contents()
        if path.exists() and path.stat().st_mtime > time.time() + TOLERANCE
    ]
    if today < PUBLISHED:
        cure = "the course is younger than that. Set the clock; downloads fail with a wrong one, and so do archives."
        yield Finding("clock", "look", f"it says {today}, and {cure}")
    elif ahead:
        cure = "The clock is behind, or was ahead. Look at it; nothing is lost, these count as not used for long."
        yield Finding(
            "clock",
            "look",
            f"{len(ahead)} files of the cache are dated in the future. {cure}",
        )
