"""Pictures → batches → Dask's workers → a folder of shards."""

import hashlib
import json
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import metadata
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from .. import files, folders
from ..errors import TLCourseError, UserInputError, callers_level, printable
from ..features.augment import AS_IS
from ..features.bit_depth import BitDepth
from ..features.cache import limit, make_room
from ..features.decoding import PREPARATION
from ..features.engine import Engine, TensorFlowEngine
from ..features.pictures import Images, as_pictures
from ..progress import progress_bar
from .cluster import connected
from .shards import ShardFolder, Shards, read_shards
from .workers import Batch, Job, package_versions, run

SHARDS, SMALLEST, LARGEST = 1000, 32, 1024  # shards at first, of so many pictures each


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
        A folder for the shards, new or of the same job; else they are in the cache or,
        with `cache=False`, kept for this call only.
    scheduler : str, optional
        As for `connected`.
    complete : bool
        Whether a picture without features is an error, instead of a warning.

    Returns
    -------
    Shards

    Raises
    ------
    UserInputError
        Pictures that are no files; `out` holds something else; a worker does not see
        the files, or has other versions of packages.
    TLCourseError
        No cluster, a disk that is full, or a network that TensorFlow runs.
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
    parts = [slice(start, start + step) for start in range(0, len(paths), step)]
    batches = [
        Batch(f"shard-{number:06}.parquet", paths[part], names[part])
        for number, part in enumerate(parts)
    ]
    with _claimed(goal, out, cache) as folder:
        job = Job(engine, size, augmentations, bits, folder, package_versions())
        todo = [b for b in batches if not folder.is_done(b.shard, len(b.names))]
        if todo:
            with (
                connected(scheduler) as client,
                progress_bar(total=len(paths), desc=describe) as progress,
            ):
                progress.update(len(paths) - sum(len(batch.names) for batch in todo))
                for batch in run(client, job, todo):
                    progress.update(len(batch.names))
            files.clear_left_over(folder.path)  # by workers that were killed
        shards = read_shards(folder.path)
    if shards.left_out:
        message = _about_left_out(shards)
        if complete:
            raise TLCourseError(f"{message} Replace or remove them and call again.")
        warnings.warn(message, stacklevel=callers_level())
    return shards


def _files(images: Images) -> tuple[list[str], list[str], int | None]:
    """Absolute paths, names to be shown, and the bit depth of all of them."""
    is_array = isinstance(images, np.ndarray) and images.dtype.kind not in "OU"
    pictures, _, depth = ([images], 1, BitDepth()) if is_array else as_pictures(images)
    pictures = list(pictures)
    if not pictures:
        raise UserInputError("There are no pictures; at least one is needed.")
    if not all(isinstance(picture, str | PathLike) for picture in pictures):
        raise UserInputError(
            "engine='dask' takes pictures that its workers can open: a folder, a list "
            "of paths, or the images of tl.datasets.from_folder. For arrays, leave "
            "engine out."
        )
    names = [str(picture) for picture in pictures]
    paths = [os.path.abspath(name) for name in names]
    if (
        isinstance(images, str | PathLike)
        and (folder := files.as_path(images)).is_dir()
    ):
        names = [Path(name).relative_to(folder).as_posix() for name in names]
    return paths, [printable(name) for name in names], depth.bits


def _fingerprint(settings: list, paths: list[str]) -> str:
    """SHA-256 of all that the rows depend on; a file goes by path, size and time."""
    settings = [*settings, PREPARATION, metadata.version("pillow")]
    summary = hashlib.sha256(json.dumps(settings).encode())
    for path in paths:
        try:
            status = os.stat(path)
            state = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):  # it is reported when it is opened
            state = "absent"
        summary.update(f"{state} ".encode() + os.fsencode(path) + b"\0")
    return summary.hexdigest()


@contextmanager
def _claimed(
    goal: ShardFolder, out: str | PathLike | None, cache: bool
) -> Iterator[ShardFolder]:
    """The job's folder: `out`, or one in the cache."""
    is_kept = cache and bool(limit())
    where = (
        folders.cache_folder() if out is None else files.as_path(out, "out").absolute()
    )
    with ExitStack() as stack:
        try:
            path = where
            if out is None:
                path = folders.make_cache_folder("shards") / goal.fingerprint[:24]
            if out is None and not is_kept:
                path = stack.enter_context(files.unfinished_folder(path))
            folder = replace(goal, path=path)
            folder.claim()
        except OSError as error:
            chosen_by = "TLCOURSE_CACHE" if out is None else "out="
            raise TLCourseError(
                f"The features cannot be written to {where} "
                f"({error.strerror or error}). Make room, or choose another folder: "
                f"{chosen_by}."
            ) from error
        yield folder
    if out is None and is_kept:
        make_room(limit())


def _about_left_out(shards: Shards) -> str:
    texts = [
        why if name in why else f"{name}: {why}" for name, why in shards.left_out[:3]
    ]
    return (
        f"{len(shards.left_out):,} of {len(shards.pictures):,} pictures have no "
        f"features, and a row of NaN. The first: {' '.join(texts)}"
    )
