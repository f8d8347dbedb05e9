"""Lesson 12: what Dask costs and gives on one machine."""

import os
import statistics
import tempfile
from pathlib import Path

from photographs import write_folder
from runner import Arm, run_once

PICTURES, RUNS, CORES = 1000, 5, 2
KINDS = {
    "one": {"workers": 0},
    "dask_1": {"workers": 1},
    "dask_2": {"workers": 2},
    "killed": {"workers": 2, "kill": True},
}


def distributed(runs: int = RUNS, count: int = PICTURES) -> dict:
    """One process, Dask with one worker, with two, and with one killed: in turn."""
    if hasattr(os, "sched_setaffinity"):  # on a larger machine: the same processors
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    found = {kind: [] for kind in KINDS}
    with tempfile.TemporaryDirectory() as work:
        folder, source = write_folder(Path(work), count)
        for _ in range(runs):
            for kind, options in KINDS.items():
                arm = Arm("dask_peer.py", "cluster", {"folder": folder, **options})
                with tempfile.TemporaryDirectory() as cache:
                    found[kind].append(run_once(arm, Path(cache)))
                print(f"  {kind}: {found[kind][-1]}", flush=True)
        sizes = [path.stat().st_size for path in folder.iterdir()]
    result = {"pictures": count, "source": source, "runs": runs, "cores": CORES}
    result |= {kind: _summary(each, count) for kind, each in found.items()}
    bytes_each = [run["bytes"] for run in found["dask_1"] + found["dask_2"]]
    lost = result["killed"]["seconds"] - result["dask_2"]["seconds"]
    return result | {
        "equal": len({run["digest"] for each in found.values() for run in each}) == 1,
        "lost_seconds": round(lost, 2),
        "rows_after_kill": min(run["rows"] for run in found["killed"]),
        "bytes_a_picture": round(statistics.median(bytes_each) / count),
        "file_bytes_a_picture": round(statistics.mean(sizes)),
    }


def _summary(runs: list[dict], count: int) -> dict:
    """Medians, with the slowest and the fastest run."""
    seconds = [run["seconds"] for run in runs]
    return {
        "seconds": round(statistics.median(seconds), 2),
        "pictures_per_second": round(count / statistics.median(seconds), 1),
        "pictures_per_second_min": round(count / max(seconds), 1),
        "pictures_per_second_max": round(count / min(seconds), 1),
        "megabytes": round(statistics.median(run["megabytes"] for run in runs)),
    }
