"""Pictures → a folder of shards → rows; stopped anywhere, the same call goes on."""

import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..errors import TLCourseError
from ..features.augment import AS_IS
from ..features.cache import limit, make_room
from ..features.engine import TensorFlowEngine
from ..files import as_path, clear_left_over, unfinished_folder
from ..folders import cache_folder, make_cache_folder
from ..progress import progress_bar
from .batches import batches_of, files_of, fingerprint
from .cluster import connected
from .shards import Layout, Shards, claim, is_done, read_shards, set_aside, shard_path

if TYPE_CHECKING:
    from numpy.typing import DTypeLike
    from tqdm import tqdm

    from ..features.engine import Engine
    from ..features.inputs import Images

SHOWN = 3  # pictures that a warning names


def compute(
    engine: "Engine",
    images: "Images",
    size: tuple[int, int],
    views: Sequence[str] = (AS_IS,),
    dtype: "DTypeLike" = np.float32,
    *,
    out: str | PathLike | None = None,
    scheduler: str | None = None,
    cache: bool = True,
    complete: bool = False,
    describe: str = "Extracting features",
) -> Shards:
    """What `features.compute` gives, computed by Dask's workers: bit for bit the same rows.

    Every worker must see the pictures, and `out`, under the same paths. A picture that cannot be read has a row of NaN
    and is reported. A batch with which workers die is tried alone, and set aside if they die again; a later call tries
    it once more.

    Args:
        engine, views, dtype, describe: as for `features.compute`.
        images: a folder, paths, or `Pictures`.
        out: a folder for the shards, new or of this very job. None: in the cache, or with `cache=False` for this call
            only.
        scheduler: see `cluster.connected`.
        complete: whether a picture without a row is an error.

    Raises:
        UserInputError: pictures that are no files; `out` holds something else; a worker sees the files under no such
            path, or has other versions.
        TLCourseError: no cluster; a network that needs TensorFlow.
    """
    if isinstance(engine, TensorFlowEngine):
        raise TLCourseError(
            "engine='dask' sends networks to its workers as ONNX files, and this one is run by TensorFlow. Load it "
            "with engine='auto', or extract its features in this process."
        )
    (paths, names, depth), views = files_of(images), tuple(views)
    shape = (*((len(views),) if len(views) > 1 else ()), *engine.output_shape)
    layout = Layout(
        fingerprint(engine, paths, size, views, dtype, depth.bits),
        shape,
        np.dtype(dtype).name,
        len(paths),
    )
    with _folder(out, layout, cache) as folder:
        todo = [
            batch
            for batch in batches_of(paths, names)
            if not is_done(shard_path(folder, batch.number), layout, len(batch.paths))
        ]
        if todo:
            with progress_bar(
                total=len(paths), desc=describe, unit=" pictures"
            ) as progress:
                progress.update(len(paths) - sum(len(batch.paths) for batch in todo))
                _compute(
                    engine,
                    size,
                    views,
                    depth.bits,
                    layout,
                    folder,
                    todo,
                    scheduler,
                    progress,
                )
        found = read_shards(folder)
    if found.left_out and complete:
        raise TLCourseError(
            f"{_about(found)} Replace or remove them and call again: what is done stays done."
        )
    if found.left_out:
        warnings.warn(_about(found), stacklevel=3)
    return found


def _compute(
    engine: "Engine",
    size: tuple[int, int],
    views: tuple[str, ...],
    bits: int | None,
    layout: Layout,
    folder: Path,
    todo: list,
    scheduler: str | None,
    progress: "tqdm",
) -> None:
    with connected(scheduler) as client:
        from .dispatch import (
            compute_all,  # needs Dask, which `connected` has found or said to be missing
        )
        from .workers import Network, versions

        network = Network(
            f"tlcourse {uuid.uuid4().hex}",
            engine,
            size,
            views,
            layout,
            str(folder),
            versions(),
            bits,
        )
        guilty = compute_all(client, network, iter(todo), progress)
    clear_left_over(folder)  # of workers that were killed
    set_aside(folder, guilty)


@contextmanager
def _folder(out: str | PathLike | None, layout: Layout, cache: bool) -> Iterator[Path]:
    """The folder of this job's shards."""
    if out is not None:
        goal = as_path(out, "out").absolute()
        with _refused(goal, "out="):
            claim(goal, layout)
        yield goal
    elif cache and limit():
        goal = cache_folder() / "shards" / layout.fingerprint[:24]
        with _refused(goal, "TLCOURSE_CACHE"):
            make_cache_folder("shards")
            claim(goal, layout)
        yield goal
        make_room(limit())
    else:
        with _refused(cache_folder(), "TLCOURSE_CACHE"):
            beside = make_cache_folder("shards")
        with unfinished_folder(beside / layout.fingerprint[:24]) as folder:
            with _refused(folder, "TLCOURSE_CACHE"):
                claim(folder, layout)
            yield folder


@contextmanager
def _refused(folder: Path, chosen_by: str) -> Iterator[None]:
    """Say in a sentence that a folder cannot be made or written to."""
    try:
        yield
    except OSError as error:
        raise TLCourseError(
            f"The features cannot be written to {folder} ({error.strerror or error}). Make room, or choose another "
            f"folder: {chosen_by}."
        ) from error


def _about(found: Shards) -> str:
    some = " ".join(
        why if name in why else f"{name}: {why}."
        for name, why in found.left_out[:SHOWN]
    )
    more = len(found.left_out) - SHOWN
    return (
        f"{len(found.left_out):,} of {len(found.pictures):,} pictures have no features, and a row of NaN in their "
        f"place. {some}{f' And {more:,} more.' if more > 0 else ''}"
    )
