"""Pictures → batches → Dask's workers → a folder of Parquet files, "shards"."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from importlib import metadata
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import DTypeLike

from .. import errors, files, folders
from ..features.augment import AS_IS
from ..features.cache import limit, make_room
from ..features.compute import compute
from ..features.engine import Engine, TensorFlowEngine
from ..features.pictures import Images, as_pictures
from ..features.resizing import PREPARATION, InputSize
from ..progress import progress_bar
from .shards import Batch, Job, Shards, about_of, read_shards, write

if TYPE_CHECKING:
    from distributed import Client

SHARDS, SMALLEST, LARGEST = 1000, 32, 1024  # shards at first, of so many pictures each
SAME_EVERYWHERE = ("tlcourse", "onnxruntime", "pillow", "numpy")
PATIENCE = 60  # seconds for the first worker to come


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

    Every worker must see the pictures, and `out`, under the same paths. Parameters are
    those of `features.compute` and `PretrainedModel.extract_features`; `complete` makes
    a picture without features an error, instead of a warning.
    """
    if isinstance(engine, TensorFlowEngine):
        raise errors.TLCourseError(
            "engine='dask' sends networks to its workers as files, and this one does "
            "not convert. Extract its features without Dask."
        )
    paths, names, bits = _files(images)
    options: dict[str, Any] = {"size": size, "augmentations": tuple(augmentations)}
    options |= {"dtype": np.dtype(dtype).name, "bits": bits}
    copies = (len(augmentations),) if len(augmentations) > 1 else ()
    about = {
        "fingerprint": _fingerprint([engine.key, options], paths),
        "shape": [*copies, *engine.output_shape],
        "dtype": options["dtype"],
        "pictures": len(paths),
    }
    # The number of pictures alone decides, so that any cluster continues these shards.
    step = min(LARGEST, max(SMALLEST, -(-len(paths) // SHARDS)))
    batches = [
        Batch(f"shard-{number:06}.parquet", paths[i : i + step], names[i : i + step])
        for number, i in enumerate(range(0, len(paths), step))
    ]
    with _folder(out, about["fingerprint"], cache) as folder:
        job = Job(engine, options, about, folder, package_versions())
        todo = _missing(job, batches)
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


@contextmanager
def connected(scheduler: str | None = None) -> Iterator["Client"]:
    """The scheduler's client, the one in use, or of Dask's settings, with a worker."""
    try:
        import dask
        import distributed
    except ImportError:
        how = errors.how_to_install("distributed")
        raise errors.TLCourseError(
            f"Dask is not installed, here at least. {how}."
        ) from None
    with ExitStack() as stack:
        client = None
        if scheduler is None:
            with suppress(ValueError):
                client = distributed.Client.current()
            scheduler = dask.config.get("scheduler-address", None)
        if client is None and scheduler is None:
            raise errors.TLCourseError(
                "There is no Dask cluster. Start one, distributed.Client("
                "distributed.LocalCluster(security=True)), or give its address: "
                "scheduler=."
            )
        if client is None:
            what = f"The Dask scheduler {scheduler} cannot be reached"
            cure = "For tls:// Dask needs certificates (see workshop/README.md)."
            with errors.convert_errors(Exception, errors.TLCourseError, what, cure):
                client = stack.enter_context(distributed.Client(scheduler))
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except distributed.TimeoutError:
            raise errors.TLCourseError(
                f"No worker has come to the scheduler within {PATIENCE} s. On each "
                f"machine: dask worker {scheduler or 'ADDRESS'}"
            ) from None
        yield client


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


@contextmanager
def _folder(out: Any, fingerprint: str, cache: bool) -> Iterator[Path]:
    """The job's folder: `out`, or one in the cache, or one for the time being."""
    is_kept = cache and bool(limit())
    what = f"The features cannot be written to {out or folders.cache_folder()}"
    cure = "Free disk space, or choose another folder: out=, or TLCOURSE_CACHE."
    with ExitStack() as stack:
        with errors.convert_errors(OSError, errors.TLCourseError, what, cure):
            if out is not None:
                path = files.as_path(out, "out").absolute()
            else:
                path = folders.make_cache_folder("shards") / fingerprint[:24]
                if not is_kept:
                    path = stack.enter_context(files.unfinished_folder(path))
            path.mkdir(parents=True, exist_ok=True)
        yield path
    if out is None and is_kept:
        make_room(limit())


def _missing(job: Job, batches: list[Batch]) -> list[Batch]:
    """Batches without a whole shard; a folder with anything else in it is refused."""
    todo = {batch.shard: batch for batch in batches}
    for path in files.entries(job.folder):
        if path.name.startswith(files.UNFINISHED):
            continue
        about = about_of(path)
        if path.name not in todo or about not in (None, job.about):
            raise errors.UserInputError(
                f"{job.folder} is not empty, or holds the features of other pictures "
                "(one was added, removed or changed) or of another network. Nothing is "
                "overwritten: name a new folder, or delete this one."
            )
        if about:
            del todo[path.name]
    return list(todo.values())


def _run(client: "Client", job: Job, batches: list[Batch]) -> Iterator[Batch]:
    """Have Dask compute the batches; each is yielded when it is done."""
    from distributed import as_completed

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sending large graph")
        # As a task's result, which Dask computes again where its worker dies.
        held = client.submit(lambda: job, pure=False)
    tasks = client.map(_compute, [held] * len(batches), batches, pure=False)
    futures = dict(zip(tasks, batches, strict=True))
    try:
        for future in as_completed(tasks):
            names = futures[future].names
            what = f"The cluster could not compute {names[0]} to {names[-1]}"
            cure = "Call again: what is done stays done."
            with errors.convert_errors(Exception, errors.TLCourseError, what, cure):
                future.result()
            yield futures[future]
    finally:
        if client.status == "running":
            client.cancel([held, *tasks])


def _compute(job: Job, batch: Batch) -> None:
    """On a worker: write a batch's shard."""
    from distributed import get_worker

    worker, here = get_worker().address, package_versions()
    if here != job.versions:
        raise errors.UserInputError(
            f"The worker {worker} has {here}, expected {job.versions}: its results "
            "would differ. Install the same requirements.txt on every machine."
        )
    for needed in (batch.paths, [job.folder]):
        if not any(map(os.path.exists, needed)):
            raise errors.UserInputError(
                f"The worker {worker} does not see {needed[0]}. Every machine needs "
                "the pictures, and the shards (out=, or TLCOURSE_CACHE), under one "
                "path."
            )
    dtype = np.dtype(job.about["dtype"])
    shape = (len(batch.paths), *job.about["shape"])
    rows = np.full(shape, np.nan if dtype.kind == "f" else 0, dtype)
    reasons: list[str | None] = [None] * len(rows)
    for number, path in enumerate(batch.paths):
        try:
            rows[number] = compute(job.engine, [path], **job.options)[0]
        except errors.PictureError as unreadable:
            reasons[number] = str(unreadable)
    write(job, batch, rows, reasons)
