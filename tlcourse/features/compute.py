"""Pictures → features: each picture through a frozen network once, on all processors.

What was computed for a picture before is taken from the cache.
"""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from os import PathLike
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike
from PIL import __version__ as pillow

from ..errors import TLCourseError, UserInputError
from ..folders import cache_folder, make_cache_folder
from ..progress import progress_bar
from .augment import AS_IS, augmented
from .cache import RowCache, cache_file, digest_of
from .decoding import PREPARATION, BitDepth, may_be_deep, prepare, read_file
from .engine import Engine, workers
from .pictures import Images, as_pictures

FIRST_CHUNK = 8  # pictures that are looked up, computed and kept together at first
CHUNK = 64  # … and afterwards, or fewer, …
CHUNK_BYTES = 32_000_000  # … where files are large
LARGE = 16_000_000  # bytes of a result from which it is kept in a file, not in memory


def compute(
    engine: Engine,
    images: Images,
    size: tuple[int, int],
    augmentations: Sequence[str] = (AS_IS,),
    dtype: DTypeLike = np.float32,
    name: str | None = None,
    describe: str = "Extracting features",
    bits: int | None = None,
) -> np.ndarray:
    """Run a frozen network over pictures, in memory that does not grow with them.

    `engine` takes float32 pixels (b, height, width, 3) in [0, 255] of `size`; `images`
    and `bits` are those of `as_pictures`, `augmentations` of `augmentation_names`;
    `name` is for the cache's file, None: no cache. Returns (n, …), or
    (n, augmentations, …) where there are several; a `numpy.memmap` where it is large.
    """
    pictures, total, depth = as_pictures(images, bits)
    task = _Task(engine, size, tuple(augmentations), depth)
    shape = engine.output_shape
    several = (len(task.augmentations),) if len(task.augmentations) > 1 else ()
    result = RowCollector((*several, *shape), dtype)
    file = cache_file(name, engine.key, size, np.dtype(dtype).name, shape, PREPARATION)
    with (
        RowCache(file, shape, dtype) as cache,
        ThreadPoolExecutor(workers()) as pool,
        progress_bar(total=total, desc=describe, unit=" pictures") as progress,
    ):
        for chunk in _chunks(pictures, task, pool):
            rows = cache.get([key for picture in chunk for key in picture.keys])
            absent = {
                picture.keys[0]: picture
                for picture in chunk
                if not rows.keys() >= set(picture.keys)
            }
            step = max(1, engine.batch // len(task.augmentations))
            batches = _parts(list(absent.values()), step)
            rows |= run_and_keep(task.run, batches, cache, pool)
            for picture in chunk:
                result.append(np.stack([rows[key] for key in picture.keys]))
            progress.update(len(chunk))
    array = result.array()
    if not len(array):
        raise UserInputError("There are no pictures; at least one is needed.")
    return array


class _Loaded(NamedTuple):
    """A picture's file or array, and the cache keys of its augmented copies."""

    content: bytes | np.ndarray
    name: str
    digest: bytes
    keys: list[bytes]


class _Task(NamedTuple):
    """What is computed of each picture."""

    engine: Engine
    size: tuple[int, int]
    augmentations: tuple[str, ...]
    depth: BitDepth

    def load(self, picture: np.ndarray | str | PathLike) -> _Loaded:
        content: bytes | np.ndarray
        if isinstance(picture, np.ndarray):
            content, name = picture, "the picture"
            kind = f"{picture.dtype} {picture.shape}"
        else:
            content, name = read_file(picture), str(picture)
            kind = f"file {self.depth.bits if may_be_deep(content) else 8}"
        digest = digest_of([content])
        keys = [
            hashlib.sha256(digest + f"{kind} {copy} {pillow}".encode()).digest()[:20]
            for copy in self.augmentations
        ]
        return _Loaded(content, name, digest, keys)

    def run(self, pictures: list[_Loaded]) -> dict[bytes, np.ndarray]:
        """Decode the pictures and run the network: key → row, in their order."""
        copies, names = [], self.augmentations
        for content, name, digest, _ in pictures:
            pixels = prepare(content, self.size, name, self.depth)
            is_plain = names == (AS_IS,)
            copies += [pixels] if is_plain else augmented(pixels, names, digest)
        inputs = np.stack(copies, dtype=np.float32)
        outputs = map(self.engine.run, _parts(inputs, self.engine.batch))
        keys = [key for picture in pictures for key in picture.keys]
        return dict(zip(keys, np.concatenate(list(outputs)), strict=True))


def _chunks(
    pictures: Iterable, task: _Task, pool: ThreadPoolExecutor
) -> Iterator[list[_Loaded]]:
    """The pictures, loaded, a few at a time."""
    pictures, count = iter(pictures), FIRST_CHUNK
    while chunk := list(pool.map(task.load, islice(pictures, count))):
        yield chunk
        size = sum(getattr(x.content, "nbytes", len(x.content)) for x in chunk)
        count = min(CHUNK, max(1, CHUNK_BYTES * len(chunk) // max(1, size)))


def _parts(items: Any, step: int) -> list:
    """The items of a list or array, `step` at a time."""
    return [items[start : start + step] for start in range(0, len(items), step)]


def run_and_keep(
    run: Callable[[Any], dict[bytes, np.ndarray]],
    batches: Iterable,
    cache: RowCache,
    pool: ThreadPoolExecutor,
) -> dict[bytes, np.ndarray]:
    """`run(batch)` of all batches: key → row. After Ctrl-C, too, rows are cached.

    Ctrl-C and errors do not wait for batches that have not begun.
    """
    jobs = [pool.submit(run, batch) for batch in batches]
    computed: dict[bytes, np.ndarray] = {}
    try:
        for job in jobs:
            job.result()
    finally:
        for job in jobs:
            if not job.cancel() and job.done() and not job.exception():
                computed |= job.result()
        cache.put(computed)
    return computed


class RowCollector:
    """Rows of one shape, one after the other: in memory, or in a file once large."""

    def __init__(self, shape: tuple[int, ...], dtype: DTypeLike) -> None:
        self._shape, self._dtype, self._count = tuple(shape), np.dtype(dtype), 0
        self._file: IO[bytes] = io.BytesIO()

    def append(self, row: np.ndarray) -> None:
        """Add one row (…), or several (n, …)."""
        part = row.astype(self._dtype, copy=False).reshape(-1, *self._shape)
        self._count += len(part)
        try:
            self._file.write(part.tobytes())
            if isinstance(self._file, io.BytesIO) and self._file.tell() > LARGE:
                memory, self._file = self._file, _temporary_file()
                self._file.write(memory.getbuffer())
            self._file.flush()
        except OSError as error:
            raise TLCourseError(
                f"The results could not be written to {cache_folder()} "
                f"({error.strerror or error}). Free some space there, or set TLCOURSE_CACHE "
                "to a folder on another disk."
            ) from error

    def array(self) -> np.ndarray:
        """All rows, (n, …); a `numpy.memmap` whose file goes when the array goes."""
        shape = (self._count, *self._shape)
        if isinstance(self._file, io.BytesIO):
            return np.frombuffer(self._file.getbuffer(), self._dtype).reshape(shape)
        return np.memmap(self._file, self._dtype, mode="c", shape=shape)


def _temporary_file() -> IO[bytes]:
    try:  # not in /tmp, which may be memory
        return tempfile.TemporaryFile(dir=make_cache_folder())
    except OSError:
        return tempfile.TemporaryFile()
