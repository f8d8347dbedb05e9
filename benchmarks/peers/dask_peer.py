"""Arm: features by workers of a Dask cluster on this machine, or by one process."""

import hashlib
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import protocol
import psutil

import tlcourse as tl
from tlcourse.distributed.extraction import SMALLEST


def cluster(folder: str, workers: int, kill=False):
    """With `kill`, one worker is killed half-way. Without workers: this process."""
    from distributed import Client, LocalCluster

    files, model = sorted(Path(folder).iterdir()), tl.load_pretrained_model()
    settings = {"settings": f"{workers} workers of one thread", "versions": {}}
    if not workers:
        model.extract_features(files[:8], cache=False)
        return lambda: measured(
            lambda: model.extract_features(files, cache=False)
        ), settings
    stack, out = ExitStack(), Path(tempfile.mkdtemp(), "shards")
    options = {"n_workers": workers, "threads_per_worker": 1}
    options |= {"silence_logs": logging.CRITICAL, "dashboard_address": "127.0.0.1:0"}
    running = stack.enter_context(LocalCluster(security=True, **options))
    stack.enter_context(Client(running))
    model.extract_features(files[:64], engine="dask", cache=False)

    def work() -> dict:
        if kill:
            arguments = (running.workers[0].process.pid, out, len(files))
            threading.Thread(target=_kill_half_way, args=arguments).start()
        found = measured(lambda: model.extract_features(files, engine="dask", out=out))
        size = sum(path.stat().st_size for path in out.glob("*.parquet"))
        stack.close()
        return found | {"bytes": size}

    return work, settings


def _kill_half_way(victim: int, out: Path, count: int) -> None:
    """Kill a worker, as the kernel does when memory runs out."""
    while len(list(out.glob("*.parquet"))) < count / SMALLEST / 2:
        time.sleep(0.02)
    os.kill(victim, signal.SIGKILL)


def measured(extract: Callable[[], np.ndarray]) -> dict:
    """Seconds, the most memory of this process and its children, rows and a digest.

    Proportional set size: what processes share is counted once.
    """
    own, held, end = psutil.Process(), [], threading.Event()

    def watch() -> None:
        while not end.wait(0.1):
            processes = [own, *own.children(recursive=True)]
            held.append(sum(map(_held, processes)))

    thread = threading.Thread(target=watch)
    thread.start()
    start = time.perf_counter()
    features = extract()
    seconds = time.perf_counter() - start
    end.set()
    thread.join()
    digest = hashlib.sha256(np.ascontiguousarray(features)).hexdigest()
    rows = int(np.isfinite(features).all(axis=1).sum())
    megabytes = max(held, default=0) / 1e6
    return {"seconds": seconds, "megabytes": megabytes, "rows": rows, "digest": digest}


def _held(process: psutil.Process) -> int:
    try:
        info = process.memory_full_info()
    except psutil.Error:  # it has ended
        return 0
    return getattr(info, "pss", info.uss)


if __name__ == "__main__":  # the workers import this module
    protocol.run(cluster)
