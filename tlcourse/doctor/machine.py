"""Memory, disk and the folders that are written to."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from ..cache import contents, limit
from ..files import cache_folder
from .finding import Finding

MEMORY_GB = 2.0  # a lesson takes up to 1.5
DISK_GB = 2.0  # the dogs, while they are unpacked


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
    free = {variable: shutil.disk_usage(_existing(place)).free / 1e9 for variable, place in places.items()}
    least = min(free, key=free.__getitem__)
    text = f"{free[least]:.1f} GB free for {places[least]}"
    if free[least] >= DISK_GB:
        yield Finding("disk", "ok", text)
    else:
        cure = f"fetching the dogs takes 2 GB. Make room, or set {least} to a folder on another disk."
        yield Finding("disk", "look", f"only {text}; {cure}")


def _tfds_folder() -> Path:
    return Path(os.environ.get("TFDS_DATA_DIR", "~/tensorflow_datasets")).expanduser()


def _existing(place: Path) -> Path:
    return next(path for path in (place, *place.absolute().parents) if path.exists())


def cache() -> Iterator[Finding]:
    folder = cache_folder()
    try:
        with tempfile.TemporaryFile(dir=_existing(folder)):
            pass
    except OSError as error:
        cure = "Set TLCOURSE_CACHE to a folder of your own."
        yield Finding("cache", "look", f"{folder} cannot be written to ({error.strerror}). {cure}")
        return
    size, allowed = sum(size for _, size in contents()), limit()
    text = f"{size / 1e6:,.0f} MB of at most {allowed / 1e6:,.0f} in {folder}"
    if allowed:
        yield Finding("cache", "ok", f"{text}; `tlcourse cache clear` empties it, TLCOURSE_CACHE_GB sets the limit")
    else:
        yield Finding("cache", "look", f"{text}: TLCOURSE_CACHE_GB is 0, so everything is computed every time")
