"""`benchmarks/results.json`: what was measured, when and on which machine."""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import numpy as np
import psutil

from tlcourse.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results.json"
NOTES = (
    "measured"  # part → when it was measured; the parts of "bench" say it themselves
)
PACKAGES = (
    "tensorflow-cpu",
    "tensorflow",
    "keras",
    "onnxruntime",
    "scikit-learn",
    "pillow",
    "numpy",
)


def parser(
    document: str | None, name: str, known: Iterable[str]
) -> argparse.ArgumentParser:
    """A command line with a program's own docstring that takes any of these names."""
    made = argparse.ArgumentParser(
        description=document, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    help = f"of {', '.join(known)}; none: all"
    made.add_argument(name, nargs="*", choices=[[], *known], metavar=name, help=help)
    return made


def read(file: Path | None = None) -> dict:
    return json.loads((file or RESULTS).read_text(encoding="utf-8"))


def write(results: dict, file: Path | None = None) -> None:
    """Write all measured results; if the disk is full, the file keeps what it had.

    Hours of work may be in them, so they are printed where they cannot be written.
    """
    file = file or RESULTS
    text = json.dumps(results, indent=2, ensure_ascii=False) + "\n"
    try:
        write_atomically(file, lambda to: to.write(text.encode()))
    except OSError as error:
        sys.exit(
            f"{text}{file} could not be written ({error.strerror or error}) and is as "
            "it was. The results are printed above: make room, and copy them there."
        )


def keep(part: str, measured: dict, **conditions) -> None:
    """Write one part, with a note of today's date, this commit and these conditions."""
    results = read() | {part: measured}
    note = {"date": time.strftime("%Y-%m-%d"), "commit": commit(), **conditions}
    notes = results.get(NOTES, {}) | {part: note}
    results[NOTES] = {name: notes[name] for name in results if name in notes}
    write(results)


def keep_row(part: str, name: str, measured: dict) -> None:
    """As `keep`, one row of a part whose other rows stay."""
    keep(part, read().get(part, {}) | {name: measured})


def commit() -> str:
    return git("rev-parse", "--short", "HEAD")


def git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


def machine() -> dict:
    """System, processor, package versions, and how fast and how busy it is now."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "cores": os.cpu_count(),
        "busy_percent": psutil.cpu_percent(interval=1),
        "gigaflops": _gigaflops(),
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
        lines = []
    names = [line.partition(": ")[2] for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _gigaflops() -> int:
    """Speed of a float32 matrix multiplication, to compare times of two machines."""
    matrix, speeds = np.ones((2000, 2000), np.float32), []
    for _ in range(10):
        start = time.perf_counter()
        matrix @ matrix
        speeds.append(2 * 2000**3 / (time.perf_counter() - start) / 1e9)
    return round(statistics.median(speeds[1:]))


def summary(values) -> dict:
    """Median, smallest, largest and number, with four digits."""
    values = [float(value) for value in values]
    parts = {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }
    rounded = {name: to_digits(value) for name, value in parts.items()}
    return rounded | {"n": len(values)}


def ratios(numerators, denominators) -> dict:
    """Summary of the quotients of each round: what slows a whole round cancels out."""
    return summary(a / b for a, b in zip(numerators, denominators, strict=True))


def mean_sd(values) -> dict:
    """Mean, standard deviation and number over the seeds 0, 1, …"""
    values = [float(value) for value in values]
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    return {
        "mean": round(statistics.mean(values), 4),
        "sd": round(sd, 4),
        "n": len(values),
        "seeds": list(range(len(values))),
    }


def to_digits(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")
