"""Pictures → batches → Dask's workers → a folder of shards."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import suppress
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import DTypeLike

from .. import errors, files
from ..features.augment import AS_IS
from ..features.compute import compute
from ..features.engine import Engine, TensorFlowEngine
from ..features.pictures import Images, as_pictures
from ..features.resizing import PREPARATION, InputSize
from ..progress import progress_bar
from .cluster import connected
from .shards import Batch, Job, Shards, claimed, is_done, note_in, read_shards, write

if TYPE_CHECKING:
    from distributed import Client, Future

SHARDS, SMALLEST, LARGEST = 1000, 32, 1024  # shards at first, of so many pictures each
SAME_EVERYWHERE = ("tlcourse", "onnxruntime", "pillow", "numpy")


def compute_features(
    engine: Engine,
    images: Images,
    size: InputSize,
    augmentations: Sequence[str] = (AS_IS,),
    dtype: DTypeLike = np.float32,
    *,
    out: str | PathLike | None = None,
    scheduler: str | None = None,
    cache: bool = True,
    complete: bool = False,
) -> Shards:
    """Compute on Dask's workers what `features.compute` returns, bit for bit.

    Every worker must see the pictures, and `out`, under the same paths. A batch whose
    workers die is tried alone, left out if they die again, and tried by a later call.

    Parameters
    ----------
    engine, size, augmentations, dtype
        As for `features.compute`.
    images, out, scheduler, cache
        As for `PretrainedModel.extract_features`.
    complete : bool
        Whether a picture without features is an error, instead of a warning.
    """
    if isinstance(engine, TensorFlowEngine):
        raise errors.TLCourseError(
            "engine='dask' sends networks to its workers as files, and TensorFlow runs "
            "this one. Load it with engine='auto', or extract features without Dask."
        )
    paths, names, bits = _files(images)
    augmentations, dtype = tuple(augmentations), np.dtype(dtype).name
    copies = (len(augmentations),) if len(augmentations) > 1 else ()
    settings = [engine.key, engine.output_shape, size, augmentations, dtype, bits]
    note = {
        "fingerprint": _fingerprint(settings, paths),
        "shape": [*copies, *engine.output_shape],
        "dtype": dtype,
        "pictures": len(paths),
    }
    # The number of pictures alone decides, so that any cluster continues these shards.
    step = min(LARGEST, max(SMALLEST, -(-len(paths) // SHARDS)))
    with claimed(note, out, cache) as folder:
        how = dict(size=size, augmentations=augmentations, dtype=dtype, bits=bits)
        job = Job(engine, how, note, folder, package_versions())
        batches = [
            Batch(
                f"shard-{number:06}.parquet", paths[i : i + step], names[i : i + step]
            )
            for number, i in enumerate(range(0, len(paths), step))
        ]
        todo = [each for each in batches if not is_done(job, each)]
        if todo:
            bar = progress_bar(total=len(paths), desc="Extracting features")
            with connected(scheduler) as client, bar as progress:
                progress.update(len(paths) - sum(len(each.names) for each in todo))
                for batch in _run(client, job, todo):
                    progress.update(len(batch.names))
            files.clear_left_over(folder)  # by workers that were killed
        shards = read_shards(folder)
    if shards.left_out:
        message = (
            f"{len(shards.left_out):,} of {len(paths):,} pictures have no features, and "
            f"a row of NaN. The first: {': '.join(shards.left_out[0])}"
        )
        if complete:
            raise errors.TLCourseError(
                f"{message} Replace or remove them and call again."
            )
        warnings.warn(message, stacklevel=errors.callers_level())
    return shards


def _files(images: Images) -> tuple[list[str], list[str], int | None]:
    """Absolute paths, names to be shown, and the bit depth of all of them."""
    pictures, _, depth = as_pictures(images)
    pictures = list(pictures)
    if not pictures or not all(isinstance(each, str | PathLike) for each in pictures):
        raise errors.UserInputError(
            "engine='dask' takes pictures that its workers can open: a folder, a list "
            "of paths, or the images of tl.datasets.from_folder; at least one."
        )
    names = [str(picture) for picture in pictures]
    paths = [os.path.abspath(name) for name in names]
    if isinstance(images, str | PathLike) and files.as_path(images).is_dir():
        folder = files.as_path(images)
        names = [Path(name).relative_to(folder).as_posix() for name in names]
    return paths, [errors.printable(name) for name in names], depth.bits


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
    versions = {}
    for name in SAME_EVERYWHERE:
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def _run(client: "Client", job: Job, batches: list[Batch]) -> Iterator[Batch]:
    """Have Dask compute the batches; each is yielded when it is done."""
    from distributed import as_completed

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        # As a task's result, which Dask computes again where its worker dies.
        held, again = (client.submit(lambda: job, pure=False) for _ in range(2))
    tasks = client.map(_compute, [held] * len(batches), batches, pure=False)
    futures, suspects = dict(zip(tasks, batches, strict=True)), []
    try:
        for future in as_completed(tasks):
            if _has_killed(future):
                suspects.append(futures[future])
            else:
                yield futures[future]
        for batch in suspects:  # Dask also blames what only waited on a dead worker
            if _has_killed(client.submit(_compute, again, batch, pure=False)):
                why = "workers died of its batch, which they had to themselves"
                absent = [None] * len(batch.names)
                write(job, batch, absent, [why] * len(absent), failed=True)
            yield batch
    finally:
        if client.status == "running":
            client.cancel([held, again, *tasks])


def _has_killed(future: "Future") -> bool:
    """Whether workers died of a task, once it is done; other errors are raised."""
    from distributed import KilledWorker

    error = future.exception()
    if isinstance(error, errors.TLCourseError):
        raise error
    if future.cancelled() or not isinstance(error, KilledWorker | None):
        raise errors.TLCourseError(
            f"The cluster could not do the work ({error!r}). Call again: what is done "
            "stays done."
        )
    return error is not None


def _compute(job: Job, batch: Batch) -> None:
    """On a worker: write a batch's shard."""
    from distributed import get_worker

    worker, here = get_worker().address, package_versions()
    if here != job.versions:
        raise errors.UserInputError(
            f"The worker {worker} has {here}, expected {job.versions}: its results "
            "would differ. Install the same requirements.txt on every machine."
        )
    rows: list = [None] * len(batch.paths)
    reasons: list = [None] * len(batch.paths)
    for number, path in enumerate(batch.paths):
        try:
            rows[number] = compute(job.engine, [path], **job.how)[0]
        except errors.PictureError as unreadable:
            reasons[number] = str(unreadable)
    sees_pictures = any(map(os.path.exists, batch.paths))
    if not sees_pictures or note_in(job.folder) != job.note:
        raise errors.UserInputError(
            f"The worker {worker} does not see "
            f"{job.folder if sees_pictures else batch.paths[0]}. Every machine needs "
            "the pictures, and the shards (out=, or TLCOURSE_CACHE), under one path."
        )
    write(job, batch, rows, reasons)
