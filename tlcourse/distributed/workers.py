"""What Dask's workers do, and what becomes of a batch whose workers die."""

import os
import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import PictureError, TLCourseError, UserInputError
from ..features.bit_depth import BitDepth
from ..features.compute import compute_one
from ..features.engine import Engine
from ..native import keep_freed_memory
from .shards import ShardFolder

if TYPE_CHECKING:
    from distributed import Client, Future

SAME_EVERYWHERE = ("tlcourse", "onnxruntime", "pillow", "numpy")
AT_A_TIME = 100  # batches that are sent to the scheduler


class Batch(NamedTuple):
    """The pictures of one shard."""

    shard: str
    paths: list[str]
    names: list[str]


@dataclass(frozen=True)
class Job:
    """What each worker needs, and is sent once."""

    engine: Engine
    size: tuple[int, int]
    augmentations: tuple[str, ...]
    bits: int | None  # of 16-bit pictures, of the whole set
    folder: ShardFolder
    versions: dict[str, str]


def package_versions() -> dict[str, str]:
    """Versions of the packages on which the last bits of features depend."""
    found = {}
    for name in SAME_EVERYWHERE:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def run(client: "Client", job: Job, batches: list[Batch]) -> Iterator[Batch]:
    """Have Dask compute the batches; each is yielded when it is done."""
    from distributed import as_completed

    held = _send(client, job)
    tasks = client.map(
        _compute, [held] * len(batches), batches, pure=False, batch_size=AT_A_TIME
    )
    futures = dict(zip(tasks, batches, strict=True))
    try:
        suspects = []
        for future in as_completed(tasks):
            if _killed_workers(future):
                suspects.append(futures[future])
            else:
                yield futures[future]
        for batch in suspects:  # Dask also blames what only waited on a dead worker
            alone = client.submit(_compute, _send(client, job), batch, pure=False)
            if count := _killed_workers(alone):
                why = f"{count} workers died of its batch, which they had to themselves"
                empty, errors = [None] * len(batch.names), [why] * len(batch.names)
                job.folder.write(batch.shard, batch.names, empty, errors, failed="1")
            yield batch
    finally:
        if client.status == "running":
            client.cancel([held, *tasks])


def _send(client: "Client", job: Job) -> "Future":
    """The job as a task's result; where its worker dies, Dask runs the task again."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")  # once per job
        return client.submit(_hold, job, pure=False)


def _hold(job: Job) -> Job:
    return job


def _killed_workers(future: "Future") -> int:
    """How many workers died of a task, 0 where it is done; other errors are raised."""
    from distributed import KilledWorker

    error = future.exception()  # waits for the end of the task
    if future.cancelled():
        raise TLCourseError(
            "The Dask scheduler has dropped the work: it was restarted, or went away. "
            "Call again: what is done stays done."
        )
    if isinstance(error, KilledWorker):
        return error.allowed_failures + 1
    if isinstance(error, TLCourseError):
        raise error
    if error is not None:
        raise TLCourseError(
            f"Dask gave up a batch: {type(error).__name__}: {error}. Call again: what "
            "is done stays done."
        ) from error
    return 0


def _compute(job: Job, batch: Batch) -> None:
    """On a worker: write a batch's shard."""
    from distributed import get_worker

    worker, here, folder = get_worker().address, package_versions(), job.folder
    other = [
        f"{name} {here.get(name)} (expected {version})"
        for name, version in job.versions.items()
        if here.get(name) != version
    ]
    if other:
        raise UserInputError(
            f"The worker {worker} has {', '.join(other)}; its results would differ. "
            "Install the same requirements.txt on every machine."
        )
    if folder.is_done(batch.shard, len(batch.names)):
        return  # by a worker that died before it could report it
    keep_freed_memory()
    rows, errors = [], []
    depth = BitDepth(bits=job.bits) if job.bits else None
    for path in batch.paths:
        row, error = None, None
        try:
            row = compute_one(
                job.engine, path, job.size, job.augmentations, folder.dtype, depth
            )
        except PictureError as unreadable:
            error = str(unreadable)
        rows.append(row)
        errors.append(error)
    if all(errors) and not any(map(os.path.exists, batch.paths)):
        raise UserInputError(_not_seen(worker, batch.paths[0]))
    if not folder.is_claimed():
        raise UserInputError(_not_seen(worker, folder.path))
    try:
        folder.write(batch.shard, batch.names, rows, errors)
    except OSError as error:
        raise TLCourseError(
            f"The worker {worker} cannot write to {folder.path} "
            f"({error.strerror or error}). Make room, or give it the right to write, "
            "then call again with the same out=: what is done stays done."
        ) from None


def _not_seen(worker: str, path: str | Path) -> str:
    return (
        f"The worker {worker} does not see {path}. Every machine needs the pictures "
        "and the shards under the same path, such as on a network drive; out= names "
        "the folder of the shards, TLCOURSE_CACHE that of jobs without out=."
    )
