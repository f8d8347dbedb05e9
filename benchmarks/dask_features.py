"""What Dask costs and gives on one machine, where its workers share the processors with one process's threads.

    python benchmarks/dask_features.py one FOLDER              one process
    python benchmarks/dask_features.py dask FOLDER WORKERS     a cluster of so many workers, each of one thread
    python benchmarks/dask_features.py killed FOLDER WORKERS   the same, and a worker is killed half-way

Each prints its measurements as JSON; `make results` runs all of them and writes them down.
"""

import hashlib
import json
import logging
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
from photographs import photographs

import tlcourse as tl
from tlcourse.distributed.extraction import SMALLEST

PICTURES = 1000
RUNS = 5
CORES = 2
KINDS = {
    "one": ("one",),
    "dask_1": ("dask", "1"),
    "dask_2": ("dask", "2"),
    "killed": ("killed", "2"),
}


def dask_features(runs: int = RUNS, count: int = PICTURES) -> dict:
    """One process, Dask with one worker and with two, and with one that is killed: in turn, so many times."""
    with tempfile.TemporaryDirectory() as work:
        folder, source = pictures(Path(work) / "pictures", count)
        found = {kind: [] for kind in KINDS}
        for _ in range(runs):
            for kind, (way, *workers) in KINDS.items():
                found[kind].append(measured_apart(way, folder, *workers))
        return summary(found, count, source)


def summary(found: dict[str, list[dict]], count: int, source: str) -> dict:
    """Medians, with the lowest and the highest run; and what follows from them."""
    result = {
        "pictures": count,
        "source": source,
        "runs": len(found["one"]),
        "cores": CORES,
    }
    for kind, runs in found.items():
        seconds = [run["seconds"] for run in runs]
        result[kind] = {
            "seconds": round(statistics.median(seconds), 2),
            "pictures_per_second": round(count / statistics.median(seconds), 1),
            "pictures_per_second_min": round(count / max(seconds), 1),
            "pictures_per_second_max": round(count / min(seconds), 1),
            "megabytes": round(statistics.median(run["megabytes"] for run in runs)),
        }
    digests = {run["digest"] for runs in found.values() for run in runs}
    clusters = [run for kind in ("dask_1", "dask_2") for run in found[kind]]
    one, two = result["one"]["seconds"], result["dask_2"]["seconds"]
    return result | {
        "equal": len(digests) == 1,
        "overhead_ms_a_picture": round(1000 * CORES * (two - one) / count, 2),
        "core_ms_a_picture": round(1000 * CORES * two / count, 2),
        "lost_seconds": round(result["killed"]["seconds"] - two, 2),
        "rows_after_kill": min(run["rows"] for run in found["killed"]),
        "start_seconds": round(
            statistics.median(run["start_seconds"] for run in clusters), 2
        ),
        "bytes_a_picture": round(
            statistics.median(run["bytes_a_picture"] for run in clusters)
        ),
        "file_bytes_a_picture": found["one"][0]["file_bytes_a_picture"],
    }


def pictures(folder: Path, count: int) -> tuple[Path, str]:
    """So many different JPEGs, and what they are; a repetition is another file by its last bytes."""
    folder.mkdir()
    originals, source = photographs(folder.parent)
    for number in range(count):
        content = originals[number % len(originals)].read_bytes()
        (folder / f"{number:06}.jpg").write_bytes(content + number.to_bytes(4, "big"))
    return folder, source


def measured_apart(way: str, folder: Path, *arguments: str) -> dict:
    """One measurement in a process of its own, with an empty cache."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TLCOURSE_CACHE": cache, "TQDM_DISABLE": "1"}
        command = [sys.executable, __file__, way, str(folder), *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


class Memory:
    """The most memory that this process and all below it have held together while the block ran.

    Proportional set size: what processes share is counted once.
    """

    def __enter__(self) -> "Memory":
        self.most, self._over = 0, threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *reason) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            self.most = max(
                self.most,
                sum(
                    map(
                        _held,
                        [psutil.Process(), *psutil.Process().children(recursive=True)],
                    )
                ),
            )


def _held(process: psutil.Process) -> int:
    try:
        found = process.memory_full_info()
    except psutil.Error:  # gone meanwhile
        return 0
    return getattr(found, "pss", found.uss)


def one(folder: Path) -> dict:
    """One process, as many threads as processors."""
    model = tl.load_pretrained_model()
    model.extract_features(
        sorted(folder.iterdir())[:8], cache=False
    )  # starts the engine
    with Memory() as memory:
        start = time.perf_counter()
        features = model.extract_features(folder, cache=False)
        seconds = time.perf_counter() - start
    sizes = [path.stat().st_size for path in folder.iterdir()]
    return said(
        seconds, memory, features, file_bytes_a_picture=round(statistics.mean(sizes))
    )


def dask(folder: Path, workers: str, kill: bool = False) -> dict:
    """A cluster on this machine that has started and run before."""
    from distributed import Client

    from tlcourse.distributed import local_cluster

    model, out, start = (
        tl.load_pretrained_model(),
        Path(tempfile.mkdtemp()) / "shards",
        time.perf_counter(),
    )
    options = {
        "n_workers": int(workers),
        "threads_per_worker": 1,
        "silence_logs": logging.CRITICAL,
    }
    with local_cluster(**options) as cluster, Client(cluster) as client:
        start_seconds = time.perf_counter() - start
        some = sorted(folder.iterdir())[:64]
        model.extract_features(some, engine="dask", cache=False)
        with Memory() as memory:
            start = time.perf_counter()
            if kill:
                victim = cluster.workers[0].process.pid
                threading.Thread(
                    target=kill_half_way,
                    args=(victim, out, len(list(folder.iterdir()))),
                ).start()
            features = model.extract_features(folder, engine="dask", out=out)
            seconds = time.perf_counter() - start
        if client.status != "running":
            raise RuntimeError(
                f"the cluster is {client.status} after the work: its figures mean nothing."
            )
    size = sum(path.stat().st_size for path in out.glob("*.parquet"))
    shutil.rmtree(out.parent)
    return said(
        seconds,
        memory,
        features,
        start_seconds=start_seconds,
        bytes_a_picture=round(size / len(features)),
    )


def kill_half_way(victim: int, out: Path, count: int) -> None:
    """Kill a worker, as the kernel does when memory runs out, as soon as half of the shards are written."""
    while len(list(out.glob("*.parquet"))) < count / SMALLEST / 2:
        time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)


def said(seconds: float, memory: Memory, features: np.ndarray, **more) -> dict:
    whole = bool(np.isfinite(features).all())
    return {
        "seconds": seconds,
        "megabytes": memory.most / 1e6,
        "rows": len(features) if whole else 0,
        "digest": hashlib.sha256(np.ascontiguousarray(features)).hexdigest(),
        **more,
    }


if __name__ == "__main__":
    if hasattr(
        os, "sched_setaffinity"
    ):  # on a larger machine, too, all ways have the same processors
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    way, place, *rest = sys.argv[1:]
    ways = {
        "one": one,
        "dask": dask,
        "killed": lambda folder, workers: dask(folder, workers, kill=True),
    }
    print(json.dumps(ways[way](Path(place), *rest)))
