"""Pictures → features: each through a frozen network once, on all processors."""

import hashlib
import io
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
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
from .decoding import may_be_deep, read_file
from .engine import Engine, workers
from .pictures import Images, as_pictures
from .resizing import PREPARATION, InputSize, prepare

FIRST_CHUNK = 8  # pictures that are looked up, computed and kept together at first
CHUNK = 64  # … and afterwards, or fewer, …
CHUNK_BYTES = 32_000_000  # … where files are large
LARGE = 16_000_000  # bytes of a result from which it is kept in a file, not in memory


class Item(NamedTuple):
    """A picture or sentence to be computed, and the cache keys of its rows."""

    content: Any  # a file's bytes, an array of pixels, or token ids
    keys: list[bytes]
    name: str = ""
    digest: bytes = b""


def compute(
    engine: Engine,
    images: Images,
    size: InputSize | tuple[int, int],
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
    names, shape = tuple(augmentations), engine.output_shape
    copies = (len(names),) if len(names) > 1 else ()
    size = InputSize(*size)
    file = cache_file(name, engine.key, *size, np.dtype(dtype).name, shape, PREPARATION)

    def load(picture: np.ndarray | str | PathLike) -> Item:
        content: bytes | np.ndarray
        if isinstance(picture, np.ndarray):
            content, shown = picture, "the picture"
            kind = f"{picture.dtype} {picture.shape}"
        else:
            content, shown = read_file(picture), str(picture)
            kind = f"file {depth.bits if may_be_deep(content) else 8}"
        digest = digest_of([content])
        keys = [key_of(digest + f"{kind} {copy} {pillow}".encode()) for copy in names]
        return Item(content, keys, shown, digest)

    def run(batch: list[Item]) -> np.ndarray:
        inputs: list[np.ndarray] = []
        for content, _, shown, digest in batch:
            pixels = prepare(content, size, shown, depth)
            is_plain = names == (AS_IS,)
            inputs += [pixels] if is_plain else augmented(pixels, names, digest)
        stacked = np.stack(inputs, dtype=np.float32)
        outputs = map(engine.run, parts(stacked, engine.batch))
        return np.concatenate(list(outputs))

    def batches(items: list[Item]) -> list[list[Item]]:
        return parts(items, max(1, engine.batch // len(names)))

    cache, result = RowCache(file, shape, dtype), RowCollector((*copies, *shape), dtype)
    about = {"total": total, "desc": describe, "unit": " pictures"}
    chunks = _chunks(map(load, pictures))
    array = computed_once(chunks, batches, run, cache, result, about)
    if not len(array):
        raise UserInputError("There are no pictures; at least one is needed.")
    return array


def key_of(content: bytes) -> bytes:
    """The cache's key for a row that depends on this."""
    return hashlib.sha256(content).digest()[:20]


def _chunks(items: Iterator[Item]) -> Iterator[list[Item]]:
    """A few items at a time; fewer where they are large."""
    # Not in threads, which take longer to start on a file than it takes to be read.
    count = FIRST_CHUNK
    while chunk := list(islice(items, count)):
        yield chunk
        size = sum(getattr(x.content, "nbytes", len(x.content)) for x in chunk)
        count = min(CHUNK, max(1, CHUNK_BYTES * len(chunk) // max(1, size)))


def parts(items: Any, step: int) -> list:
    """The items of a list or array, `step` at a time."""
    return [items[start : start + step] for start in range(0, len(items), step)]


def computed_once(
    chunks: Iterable[list[Item]],
    batches: Callable[[list[Item]], Iterable[list[Item]]],
    run: Callable[[list[Item]], Iterable[np.ndarray]],
    cache: RowCache,
    result: "RowCollector",
    about: dict[str, Any],
) -> np.ndarray:
    """The rows of all items, (keys, …) of each, from the cache or computed.

    `run` computes all rows of a batch; `about` is for the progress bar. Ctrl-C and
    errors do not wait for batches that have not begun, and what is finished is cached.
    """
    with cache, ExitStack() as stack, progress_bar(**about) as progress:
        pool: ThreadPoolExecutor | None = None
        for chunk in chunks:
            rows = cache.get([key for item in chunk for key in item.keys])
            absent = {
                item.keys[0]: item
                for item in chunk
                if not rows.keys() >= set(item.keys)
            }
            # `workers` imports joblib, which takes longer than reading cached rows.
            if absent and not pool:
                pool = stack.enter_context(ThreadPoolExecutor(workers()))
            jobs: dict[Future, list[Item]] = {}
            computed: dict[bytes, np.ndarray] = {}
            try:
                if pool:
                    for batch in batches([*absent.values()]):
                        jobs[pool.submit(run, batch)] = batch
                for job in jobs:
                    job.result()
            finally:
                for job, batch in jobs.items():
                    if not job.cancel() and job.done() and not job.exception():
                        keys = [key for item in batch for key in item.keys]
                        computed |= zip(keys, job.result(), strict=True)
                cache.put(computed)
            rows |= computed
            for item in chunk:
                result.append(np.stack([rows[key] for key in item.keys]))
            progress.update(len(chunk))
    return result.array()


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
