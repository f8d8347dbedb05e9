"""Progress bars, and how much time and memory something took."""

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_quiet = False


def progress_bar(iterable: Iterable | None = None, **options: Any) -> "tqdm":
    """A `tqdm` bar; `TQDM_DISABLE=1` turns all of them off, in notebooks too."""
    from tqdm.auto import tqdm

    options |= {"disable": is_off(), "leave": False}
    return tqdm(iterable, **options)


def is_off() -> bool:
    """Whether bars are off: inside `quiet`, or by `TQDM_DISABLE`."""
    return _quiet or os.environ.get("TQDM_DISABLE", "0").lower() not in (
        "",
        "0",
        "false",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """No bars meanwhile: for one picture, a bar would take longer than the work."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def in_notebook() -> bool:
    """Whether a kernel shows what is displayed; a terminal's IPython does not."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return bool(shell) and getattr(shell, "kernel", None) is not None


@dataclass
class Measured:
    """Seconds of wall-clock time, and peak memory in megabytes (10⁶ bytes)."""

    seconds: float = float("nan")
    peak_megabytes: float = float("nan")


@contextmanager
def measured() -> Iterator[Measured]:
    """Time a block, also one that raises."""
    took, start = Measured(), time.perf_counter()
    try:
        yield took
    finally:
        took.seconds = time.perf_counter() - start
        took.peak_megabytes = peak_megabytes()


def peak_megabytes() -> float:
    """The most memory (resident set, 10⁶ bytes) that this process has held so far."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage counts the parent program's memory, too
        mark = re.search(r"^VmHWM:\s*(\d+) kB", status.read_text(), re.MULTILINE)
        if mark:
            return int(mark[1]) * 1024 / 1e6
    import psutil

    info = psutil.Process().memory_info()
    return getattr(info, "peak_wset", info.rss) / 1e6


def duration(seconds: float) -> str:
    """ "41 s", "6 min", "2 h 10 min"."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 100:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"
