"""Lesson 12: what Dask costs and gives on one machine; a head trained by two processes."""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from photographs import write_folder
from runner import Arm, run_once

import tlcourse as tl

PICTURES, RUNS, CORES = 1000, 5, 2
KINDS = {
    "one": {"workers": 0},
    "dask_1": {"workers": 1},
    "dask_2": {"workers": 2},
    "killed": {"workers": 2, "kill": True},
}
SCRIPT = Path(tl.__file__).parent / "distributed" / "multi_worker.py"
CELLS = 128  # of each class, with which the head is trained


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
        "bytes_per_picture": round(statistics.median(bytes_each) / count),
        "file_bytes_per_picture": round(statistics.mean(sizes)),
        "training": training(),
    }


def training() -> dict:
    """A head trained by one process and by two: the losses per epoch."""
    cells = tl.load_dataset("solar").train.sample(CELLS)
    features = tl.load_pretrained_model().extract_features(cells.images)
    found = {"rows": len(cells)}
    with tempfile.TemporaryDirectory() as work:
        file = Path(work, "features.npz")
        np.savez(file, features=features, labels=cells.labels.astype(np.float32))
        for count, name in enumerate(("one", "two"), 1):
            result, *others = run_processes(count, file)
            if any(other != result for other in others):
                raise ValueError(f"The processes disagree: {result}, {others}.")
            found[name] = result
    return found


def run_processes(count: int, file: Path) -> list[dict]:
    """What each of so many processes of `multi_worker.py` printed."""
    addresses = [f"127.0.0.1:{port}" for port in free_ports(count)]
    running = []
    for index in range(count):
        task = {"type": "worker", "index": index}
        place = json.dumps({"cluster": {"worker": addresses}, "task": task})
        environment = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"}
        if count > 1:
            environment["TF_CONFIG"] = place
        command = [sys.executable, str(SCRIPT), str(file)]
        options = {"env": environment, "stdout": subprocess.PIPE, "text": True}
        running.append(subprocess.Popen(command, **options))
    printed = [process.communicate()[0] for process in running]
    return [json.loads(text.splitlines()[-1]) for text in printed]


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody uses now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


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
