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
# The instruction sets on which the speed of float32 and int8 depends, in Linux' words.
INSTRUCTIONS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "amx_int8")
MOST_BUSY, MOST_STOLEN = 10, 2  # percent of the processors' time
MOST_DRIFT = 1.2  # between a multiplication's speeds before and afterwards
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
            "it was. The results are printed above: copy them there."
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


def note(results: dict, part: str) -> dict:
    """When, at which commit and on which machine a part was measured.

    `part` is its name; for a benchmark "bench/" and its name.
    """
    section, _, name = part.partition("/")
    if name:
        return results[section][name]["machine"]
    return results.get(NOTES, {}).get(section, {})


def commit() -> str:
    return git("rev-parse", "--short", "HEAD")


def git(*arguments: str) -> str:
    command = ["git", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip()


class Watch:
    """Whether other work disturbs the machine while something is measured on it.

    Attributes
    ----------
    machine : dict
        What `machine` said at the beginning.
    """

    def __init__(self) -> None:
        self.machine, self._before = machine(), psutil.cpu_times()

    def disturbance(self, sections: dict) -> str:
        """What makes the measured times worthless, as a sentence; "" if nothing does.

        `sections` may say how busy the machine was in the pauses, "busy_percent".
        """
        now, speeds = psutil.cpu_times(), (self.machine["gigaflops"], _gigaflops())
        spent = {
            name: getattr(now, name) - start for name, start in _times(self._before)
        }
        stolen = 100 * spent.get("steal", 0) / max(sum(spent.values()), 1e-9)
        busy = [
            each.get("busy_percent", {}).get("median", 0) for each in sections.values()
        ]
        if (most := max(self.machine["busy_percent"], *busy, 0)) > MOST_BUSY:
            return f"Other work took {most:g} % of the processors."
        if stolen > MOST_STOLEN:
            return f"Other machines took {stolen:.0f} % of the processors' time."
        if max(speeds) > MOST_DRIFT * min(speeds):
            return "A multiplication ran at {} GFLOP/s before and {} after.".format(
                *speeds
            )
        return ""


def _times(times: tuple) -> list[tuple[str, float]]:
    """Seconds by name; "guest" times are part of others."""
    return [item for item in times._asdict().items() if "guest" not in item[0]]


def keep_ratios(results: dict, name: str, section: dict) -> None:
    """Keep a benchmark's ratios beside those of other machines, in "machines"."""
    about = section["machine"]
    kept = {key: about[key] for key in ("date", "commit", "gigaflops")}
    kept |= {"/".join(path): ratio for path, ratio in _ratios(section)}
    machines = results.setdefault("machines", {})
    machines.setdefault(machine_name(about), {})[name] = kept


def _ratios(value, path: tuple[str, ...] = ()):
    """Path and summary of every ratio in a section."""
    for key, each in value.items() if isinstance(value, dict) else ():
        if key.endswith("ratios"):
            yield from (((*path, key, name), each[name]) for name in each)
        else:
            yield from _ratios(each, (*path, key))


def machine_name(about: dict) -> str:
    """Processor, instruction sets and cores: what ratios depend on."""
    instructions = ", ".join(about["instructions"]) or "no AVX2 known"
    return f"{about['processor']} ({instructions}), {about['cores']} cores"


def machine() -> dict:
    """System, processor, package versions, and how fast and how busy it is now."""
    versions, flags = {}, _cpuinfo("flags").split()
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _cpuinfo("model name") or platform.processor() or "unknown",
        "instructions": [name for name in INSTRUCTIONS if name in flags],
        "cores": os.cpu_count(),
        "busy_percent": psutil.cpu_percent(interval=1),
        "gigaflops": _gigaflops(),
        "python": platform.python_version(),
        "versions": versions,
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def _cpuinfo(name: str) -> str:
    """What Linux says of the first processor; elsewhere ""."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    return next((x.partition(": ")[2] for x in lines if x.startswith(name)), "")


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


def mean_se(differences) -> dict:
    """Mean of paired differences, its standard error, and their number."""
    values = [float(value) for value in differences]
    return {
        "mean": round(statistics.mean(values), 4),
        "se": round(statistics.stdev(values) / len(values) ** 0.5, 4),
        "n": len(values),
    }


def to_digits(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")
