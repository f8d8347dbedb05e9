"""Pictures → batches → Dask's workers → a folder of shards."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .. import files
from ..errors import (
    PictureError,
    TLCourseError,
    UserInputError,
    callers_level,
    printable,
)
from ..features.augment import AS_IS
from ..features.compute import compute
from ..features.decoding import PREPARATION
from ..features.engine import Engine, TensorFlowEngine
from ..features.pictures import Images, as_pictures
from ..progress import progress_bar
from .cluster import connected
from .shards import ShardFolder, Shards, claimed, read_shards

if TYPE_CHECKING:
    from distributed import Client, Future

SHARDS, SMALLEST, LARGEST = 1000, 32, 1024  # shards at first, of so many pictures each
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


def compute_features(
    engine: Engine,
    images: Images,
    size: tuple[int, int],
    augmentations: Sequence[str] = (AS_IS,),
    dtype: DTypeLike = np.float32,
    *,
    out: str | PathLike | None = None,
    scheduler: str | None = None,
    cache: bool = True,
    complete: bool = False,
    describe: str = "Extracting features",
) -> Shards:
    """Compute on Dask's workers what `features.compute` returns, bit for bit.

    Every worker must see the pictures, and `out`, under the same paths. A batch whose
    workers die is tried alone, left out if they die again, and tried by a later call.

    Parameters
    ----------
    engine, size, augmentations, dtype, describe
        As for `features.compute`.
    images : folder, list of paths, or Pictures
    out : path, optional
        A folder for the shards, new or of the same job; else they are in the cache.
    scheduler : str, optional
        As for `connected`.
    cache : bool
        False: shards without `out` are kept for this call only.
    complete : bool
        Whether a picture without features is an error, instead of a warning.
    """
    if isinstance(engine, TensorFlowEngine):
        raise TLCourseError(
            "engine='dask' sends networks to its workers as files, and TensorFlow runs "
            "this one. Load it with engine='auto', or extract features without Dask."
        )
    paths, names, bits = _files(images)
    augmentations, kind = tuple(augmentations), np.dtype(dtype).name
    count = (len(augmentations),) if len(augmentations) > 1 else ()
    settings = [engine.key, engine.output_shape, size, augmentations, kind, bits]
    goal = ShardFolder(
        _fingerprint(settings, paths), (*count, *engine.output_shape), kind, len(paths)
    )
    # The number of pictures alone decides, so that any cluster continues these shards.
    step = min(LARGEST, max(SMALLEST, -(-len(paths) // SHARDS)))
    with claimed(goal, out, cache) as folder:
        job = Job(engine, size, augmentations, bits, folder, package_versions())
        todo = []
        for number, start in enumerate(range(0, len(paths), step)):
            part, shard = slice(start, start + step), f"shard-{number:06}.parquet"
            if not folder.is_done(shard, len(paths[part])):
                todo.append(Batch(shard, paths[part], names[part]))
        if todo:
            with (
                connected(scheduler) as client,
                progress_bar(total=len(paths), desc=describe) as progress,
            ):
                progress.update(len(paths) - sum(len(batch.names) for batch in todo))
                for batch in _run(client, job, todo):
                    progress.update(len(batch.names))
            files.clear_left_over(folder.path)  # by workers that were killed
        shards = read_shards(folder.path)
    if shards.left_out:
        message = (
            f"{len(shards.left_out):,} of {len(paths):,} pictures have no features, and "
            f"a row of NaN. The first: {': '.join(shards.left_out[0])}"
        )
        if complete:
            raise TLCourseError(f"{message} Replace or remove them and call again.")
        warnings.warn(message, stacklevel=callers_level())
    return shards


def _files(images: Images) -> tuple[list[str], list[str], int | None]:
    """Absolute paths, names to be shown, and the bit depth of all of them."""
    pictures, _, depth = as_pictures(images)
    pictures = list(pictures)
    if not pictures:
        raise UserInputError("There are no pictures; at least one is needed.")
    if not all(isinstance(picture, str | PathLike) for picture in pictures):
        raise UserInputError(
            "engine='dask' takes pictures that its workers can open: a folder, a list "
            "of paths, or the images of tl.datasets.from_folder."
        )
    names = [str(picture) for picture in pictures]
    paths = [os.path.abspath(name) for name in names]
    if isinstance(images, str | PathLike) and files.as_path(images).is_dir():
        folder = files.as_path(images)
        names = [Path(name).relative_to(folder).as_posix() for name in names]
    return paths, [printable(name) for name in names], depth.bits


def _fingerprint(settings: list, paths: list[str]) -> str:
    """SHA-256 of all that the rows depend on; a file goes by path, size and time."""
    settings = [*settings, PREPARATION, metadata.version("pillow")]
    for path in paths:
        state = None
        with suppress(OSError, ValueError):  # it is reported when it is opened
            status = os.stat(path)
            state = status.st_size, status.st_mtime_ns
        settings.append([path, state])
    return hashlib.sha256(json.dumps(settings).encode()).hexdigest()


def package_versions() -> dict[str, str]:
    """Versions of the packages on which the last bits of features depend."""
    found = {}
    for name in SAME_EVERYWHERE:
        with suppress(metadata.PackageNotFoundError):
            found[name] = metadata.version(name)
    return found


def _run(client: "Client", job: Job, batches: list[Batch]) -> Iterator[Batch]:
    """Have Dask compute the batches; each is yielded when it is done."""
    from distributed import as_completed

    held, suspects = _send(client, job), []
    jobs = [held] * len(batches)
    tasks = client.map(_compute, jobs, batches, pure=False, batch_size=AT_A_TIME)
    futures = dict(zip(tasks, batches, strict=True))
    try:
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
    if isinstance(error, KilledWorker):
        return error.allowed_failures + 1
    if isinstance(error, TLCourseError):
        raise error
    if future.cancelled() or error is not None:
        raise TLCourseError(
            "The Dask scheduler has dropped the work: it was restarted, went away, or "
            f"failed ({error!r}). Call again: what is done stays done."
        )
    return 0


def _compute(job: Job, batch: Batch) -> None:
    """On a worker: write a batch's shard."""
    from distributed import get_worker

    worker, here, folder = get_worker().address, package_versions(), job.folder
    if here != job.versions:
        raise UserInputError(
            f"The worker {worker} has {here}, expected {job.versions}: its results "
            "would differ. Install the same requirements.txt on every machine."
        )
    if folder.is_done(batch.shard, len(batch.names)):
        return  # by a worker that died before it could report it
    rows: list = [None] * len(batch.paths)
    errors: list = [None] * len(batch.paths)
    how = job.size, job.augmentations, folder.dtype
    for number, path in enumerate(batch.paths):
        try:
            rows[number] = compute(job.engine, [path], *how, bits=job.bits)[0]
        except PictureError as unreadable:
            errors[number] = str(unreadable)
    unseen = batch.paths[0] if not any(map(os.path.exists, batch.paths)) else None
    if unseen is None and not folder.is_claimed():
        unseen = str(folder.path)
    if unseen is not None:
        raise UserInputError(
            f"The worker {worker} does not see {unseen}. Every machine needs the "
            "pictures, and the shards (out=, or TLCOURSE_CACHE), under the same path."
        )
    try:
        folder.write(batch.shard, batch.names, rows, errors)
    except OSError as error:
        raise TLCourseError(
            f"The worker {worker} cannot write to {folder.path} "
            f"({error.strerror or error}). Make room, then call again with the same "
            "out=: what is done stays done."
        ) from None
