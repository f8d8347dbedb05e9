"""Photographs → features: whatever holds the pictures in, one row of numbers for each picture out.

Decoding, resizing and the network run side by side, on as many pictures at once as there are processors. A picture
that went through the same network before is not computed again: see `cache`.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ..errors import UserInputError
from ..freed_memory import hand_back_freed_memory, keep_freed_memory
from ..progress import progress_bar
from ..validation import size as checked_size
from .bit_depth import BitDepth, bits_of
from .cache import RowCache
from .engine import Engine, Pixels, workers
from .inputs import as_pictures
from .pictures import PREPARATION, prepare, read_file
from .rows import Rows
from .views import AS_IS, apply_view, is_resized, view_names

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, DTypeLike

    from .inputs import Images

CHUNK = 64  # pictures that are looked up, computed and kept together
CHUNK_BYTES = 32_000_000  # … or fewer, where files are large
GROUP = 8  # pictures that are loaded by one job


def compute(
    engine: Engine,
    images: "Images",
    size: tuple[int, int],
    views: Sequence[str] = (AS_IS,),
    dtype: "DTypeLike" = np.float32,
    name: str | None = None,
    describe: str = "Extracting features",
    bits: int | None = None,
) -> np.ndarray:
    """Run a frozen network over pictures, in memory that does not grow with their number.

    Args:
        engine: from `engines`; float32 pixels (b, height, width, 3) in [0, 255] → float32 (b, …).
        images: array (n, h, w), (n, h, w, 1) or (n, h, w, 3), or of one picture; uint8, or float with pixels in
            [0, 255]; a list of such arrays, of paths, or a mixture; `Pictures`; a folder (its picture files in
            sorted order); a `tf.data.Dataset` of pictures or (pictures, labels), batched or not.
        size: (height, width) that the network takes; pictures of another size are resized as a whole.
        views: names of views (see `views`) that are computed of each picture.
        dtype: of the result; float16 halves what activations need.
        name: of what is computed, for the cache's file; None: neither looked up nor kept.
        describe: what the progress bar says.
        bits: of the levels of 16-bit files that do not state it; None: as many as the highest level of all needs.

    Returns:
        (n, …), or (n, views, …) where there are several views; rows in the order of the pictures. Above `rows.LARGE`
        bytes a `numpy.memmap` whose file goes when the array goes; changing it changes nothing on the disk.

    Raises:
        UserInputError: pixels already scaled to [0, 1] or [-1, 1], not finite, or a shape that is no picture.
        PictureError: a file cannot be read as a picture; the message names it.
    """
    keep_freed_memory()
    pictures, total, depth = as_pictures(images, bits)
    views = tuple(views)
    result = Rows(
        (*((len(views),) if len(views) > 1 else ()), *engine.output_shape), dtype
    )
    with (
        _cache(name, engine, size, dtype) as cache,
        ThreadPoolExecutor(workers()) as pool,
        progress_bar(total=total, desc=describe, unit=" pictures") as progress,
    ):
        work = _Work(engine, size, views, cache, pool, depth)
        try:
            for chunk, rows in work.chunks(pictures):
                for picture in chunk:
                    found = [rows[key] for key in picture.keys]
                    result.append(found[0] if len(found) == 1 else np.stack(found))
                progress.update(len(chunk))
        except BaseException:
            pool.shutdown(
                wait=True, cancel_futures=True
            )  # Ctrl-C does not wait for what has not begun
            raise
    if not len(result):
        raise UserInputError(
            "There are no pictures in what was given; at least one is needed."
        )
    hand_back_freed_memory()
    return result.array()


def compute_one(
    engine: Engine,
    picture: np.ndarray | str | PathLike,
    size: tuple[int, int],
    views: Sequence[str] = (AS_IS,),
    dtype: "DTypeLike" = np.float32,
    depth: BitDepth | None = None,
) -> np.ndarray:
    """What `compute` gives for one picture, in the thread that calls: (…), or (views, …) for several views.

    Args:
        picture: a file, or checked pixels (h, w, 3), as `as_pictures` gives them.
        depth: the bit depth of the pictures to which it belongs; None: it is a set of its own.

    Raises:
        PictureError: the file cannot be read as a picture.
    """
    views = tuple(views)
    if depth is None:
        depth = BitDepth([] if isinstance(picture, np.ndarray) else [picture])
    found = _run(engine, [_load(picture, size, views, depth)], size, views).astype(
        dtype, copy=False
    )
    return found if len(views) > 1 else found[0]


def views_of(
    image: "ArrayLike | str | PathLike",
    views: int | Sequence[str] = 2,
    size: tuple[int, int] = (224, 224),
) -> np.ndarray:
    """The views of one picture as a network gets them: look at them before they are used.

    Args:
        image: one picture, as for `extract_features`.
        views: how many, or names, see `tlcourse.features.views`.
        size: (height, width) that the network takes.

    Returns:
        uint8 (views, height, width, 3).

    Raises:
        UserInputError: as `extract_features`; unknown views.
    """
    names, size, ((picture,), _, depth) = (
        view_names(views),
        checked_size(size),
        as_pictures([image]),
    )
    found = compute_one(Pixels(size), picture, size, names, np.uint8, depth)
    return found if len(names) > 1 else found[None]


def _cache(
    name: str | None, engine: Engine, size: tuple[int, int], dtype: "DTypeLike"
) -> RowCache:
    determined_by = f"{engine.key} {size} {np.dtype(dtype).name} {engine.output_shape} {PREPARATION}"
    file = name and f"{name}-{hashlib.sha256(determined_by.encode()).hexdigest()[:20]}"
    return RowCache(file, engine.output_shape, dtype)


@dataclass(slots=True)
class _Loaded:
    """A picture's file (or its array), the keys of its views, and the bit depth of the pictures beside it."""

    content: bytes | np.ndarray
    name: str
    digest: bytes
    keys: list[bytes]
    depth: BitDepth


@dataclass
class _Work:
    engine: Engine
    size: tuple[int, int]
    views: tuple[str, ...]
    cache: RowCache
    pool: ThreadPoolExecutor
    depth: BitDepth

    def chunks(
        self, pictures: Iterable
    ) -> Iterator[tuple[list[_Loaded], dict[bytes, np.ndarray]]]:
        """Loaded pictures and every row of theirs by its key, a chunk at a time.

        What is not in the cache is computed now and kept; the next chunk is loaded meanwhile.
        """
        pictures = iter(pictures)
        loading = self._load(pictures, GROUP)
        while loading:
            chunk = [picture for job in loading for picture in job.result()]
            rows = self.cache.get(key for picture in chunk for key in picture.keys)
            jobs = self._compute_missing(chunk, rows)
            bytes_each = sum(
                memoryview(picture.content).nbytes for picture in chunk
            ) / len(chunk)
            loading = self._load(
                pictures, int(min(CHUNK, max(1, CHUNK_BYTES / bytes_each)))
            )
            yield chunk, rows | self._finish(jobs)

    def _load(self, pictures: Iterator, count: int) -> list[Future]:
        """Jobs that load the next pictures, a group each: a job costs more than the reading of a small file."""
        chosen = list(islice(pictures, count))
        groups = [chosen[at : at + GROUP] for at in range(0, len(chosen), GROUP)]
        return [
            self.pool.submit(_load_all, group, self.size, self.views, self.depth)
            for group in groups
        ]

    def _compute_missing(self, chunk: list[_Loaded], rows: dict) -> list[Future]:
        missing = {
            picture.keys[0]: picture
            for picture in chunk
            if any(key not in rows for key in picture.keys)
        }
        unknown, step = (
            list(missing.values()),
            max(1, self.engine.batch // len(self.views)),
        )
        return [
            self.pool.submit(self._compute, unknown[at : at + step])
            for at in range(0, len(unknown), step)
        ]

    def _finish(self, jobs: list[Future]) -> dict[bytes, np.ndarray]:
        """Wait for the jobs and keep what they computed; also where something ends them early."""
        try:
            for job in jobs:
                job.result()
        finally:
            finished = [
                job
                for job in jobs
                if not job.cancel() and job.done() and not job.exception()
            ]
            computed = {
                key: row for job in finished for key, row in job.result().items()
            }
            self.cache.put(computed)
        return computed

    def _compute(self, pictures: list[_Loaded]) -> dict[bytes, np.ndarray]:
        keys = [key for picture in pictures for key in picture.keys]
        return dict(
            zip(keys, _run(self.engine, pictures, self.size, self.views), strict=True)
        )


def _run(
    engine: Engine,
    pictures: list[_Loaded],
    size: tuple[int, int],
    views: tuple[str, ...],
) -> np.ndarray:
    """What the engine gives for every view of these pictures, (pictures × views, …)."""
    inputs = np.stack(
        [pixels for picture in pictures for pixels in _views_of(picture, size, views)],
        dtype=np.float32,
    )
    step = engine.batch
    return np.concatenate(
        [engine.run(inputs[i : i + step]) for i in range(0, len(inputs), step)]
    )


def _views_of(
    picture: _Loaded, size: tuple[int, int], views: tuple[str, ...]
) -> Iterator[np.ndarray]:
    image = prepare(picture.content, size, picture.name, picture.depth)
    return (apply_view(image, view, picture.digest) for view in views)


def _load_all(
    pictures: list, size: tuple[int, int], views: tuple[str, ...], depth: BitDepth
) -> list[_Loaded]:
    return [_load(picture, size, views, depth) for picture in pictures]


def _load(
    picture: np.ndarray | str | PathLike,
    size: tuple[int, int],
    views: tuple[str, ...],
    depth: BitDepth,
) -> _Loaded:
    """The picture's content, and under which keys its views' rows are kept: all that the rows depend on."""
    from PIL import __version__ as pillow
    from xxhash import xxh3_128_digest

    # Not SHA-256, which would take as long as everything else here together: nobody plots against his own cache.
    content: bytes | np.ndarray
    if isinstance(picture, np.ndarray):
        content, name, kind = picture, "the picture", f"{picture.dtype} {picture.shape}"
        digest, resized = (
            xxh3_128_digest(np.ascontiguousarray(picture).data),
            picture.shape[:2] != size,
        )
    else:
        content, name, kind = read_file(picture), str(picture), "file"
        digest, resized = xxh3_128_digest(content), True
        kind += _of_levels(content, depth)
    keys = []
    for view in views:
        by = f"Pillow {pillow}" if resized or is_resized(view) else ""
        keys.append(
            hashlib.sha256(digest + f"{kind} {view} {by}".encode()).digest()[:20]
        )
    return _Loaded(content, name, digest, keys, depth)


def _of_levels(content: bytes, depth: BitDepth) -> str:
    """For the key: how a deep picture's levels are scaled, where that is not by 16 bits."""
    with suppress(Exception):  # raised again where it is decoded
        levels = bits_of(content, depth)
        return f" {levels}" if levels not in (None, (16, False)) else ""
    return ""
