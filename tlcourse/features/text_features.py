"""Sentences → features or states of tokens: each sentence through the frozen network once, and kept.

Sentences of the same number of tokens go through the network together, so nothing is ever filled up with padding.
"""

import hashlib
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from ..freed_memory import hand_back_freed_memory, keep_freed_memory
from ..progress import progress_bar
from .cache import RowCache
from .engine import workers
from .ragged import Ragged
from .rows import Rows

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from .engine import Engine

CHUNK = (
    2048  # sentences that are looked up, sorted by length, computed and kept together
)
CHUNK_TOKENS = (
    1 << 16
)  # of them: the states of long texts fill the memory otherwise, 100 MB of float32 at width 384
TOKENS = 512  # of the sentences that go through the network at once: more would not stay in the processor's cache


def averages(
    engine: "Engine",
    ids: Sequence[np.ndarray],
    name: str | None,
    describe: str = "Reading",
) -> np.ndarray:
    """The average of each sentence's tokens behind the network: float32 (n, width).

    Args:
        engine: from `engines`; token ids int32 (b, length) → float32 (b, length, width).
        ids: of each sentence, int32 (length,).
        name: of what is computed, for the cache's file; None: neither looked up nor kept.
        describe: what the progress bar says.
    """
    width = engine.output_shape[-1]
    result = Rows((width,), np.float32)
    cache = RowCache(_file(name, engine, "average"), (width,), np.float32)
    for row in _computed(
        engine, ids, cache, describe, lambda states: states.mean(axis=1)
    ):
        result.append(row)
    hand_back_freed_memory()
    return result.array()


def states(
    engine: "Engine",
    ids: Sequence[np.ndarray],
    name: str | None,
    dtype: "DTypeLike" = np.float32,
    describe: str = "Reading",
) -> Ragged:
    """What the network makes of every token: (length, width) for each sentence. Arguments as for `averages`."""
    width = engine.output_shape[-1]
    result = Rows((width,), dtype)
    cache = RowCache(_file(name, engine, np.dtype(dtype).name), (-1, width), dtype)
    for row in _computed(
        engine, ids, cache, describe, lambda states: states.astype(dtype, copy=False)
    ):
        result.append(row)
    hand_back_freed_memory()
    return Ragged(result.array(), [len(sentence) for sentence in ids])


def _file(name: str | None, engine: "Engine", what: str) -> str | None:
    key = hashlib.sha256(
        f"{engine.key} {engine.output_shape} {what}".encode()
    ).hexdigest()
    return name and f"{name}-{key[:20]}"


def _computed(
    engine: "Engine",
    ids: Sequence[np.ndarray],
    cache: RowCache,
    describe: str,
    finish: "Callable[[np.ndarray], np.ndarray]",
) -> Iterator[np.ndarray]:
    """`finish(states)` of each sentence, in their order; computed where it is not in the cache, and kept there."""
    keep_freed_memory()
    keys = [hashlib.sha256(sentence.tobytes()).digest()[:20] for sentence in ids]
    with (
        cache,
        ThreadPoolExecutor(workers()) as pool,
        progress_bar(total=len(ids), desc=describe, unit=" sentences") as progress,
    ):
        try:
            for chunk in _chunks(ids):
                chosen = keys[chunk]
                copies = Counter(
                    chosen
                )  # what differs in capitals alone is one text to the network
                rows = cache.get(chosen)
                progress.update(sum(key in rows for key in chosen))
                missing = {
                    key: part
                    for key, part in zip(chosen, ids[chunk], strict=True)
                    if key not in rows
                }
                for computed in _in_batches(engine, missing, finish, pool):
                    cache.put(computed)
                    rows |= computed
                    progress.update(sum(copies[key] for key in computed))
                yield from (rows[key] for key in chosen)
        except BaseException:
            pool.shutdown(
                wait=True, cancel_futures=True
            )  # Ctrl-C does not wait for what has not begun
            raise


def _chunks(ids: Sequence[np.ndarray]) -> Iterator[slice]:
    """The sentences, up to `CHUNK` of them and `CHUNK_TOKENS` tokens at a time, one at least."""
    begin = tokens = 0
    for place, sentence in enumerate(ids):
        tokens += len(sentence)
        if place > begin and (place - begin == CHUNK or tokens > CHUNK_TOKENS):
            yield slice(begin, place)
            begin, tokens = place, len(sentence)
    if begin < len(ids):
        yield slice(begin, len(ids))


def _in_batches(
    engine: "Engine",
    missing: dict[bytes, np.ndarray],
    finish: "Callable[[np.ndarray], np.ndarray]",
    pool: ThreadPoolExecutor,
) -> Iterator[dict[bytes, np.ndarray]]:
    """The rows of the missing sentences by key, some at a time."""

    def run(batch: list[bytes]) -> dict[bytes, np.ndarray]:
        inputs = np.stack([missing[key] for key in batch])
        return dict(zip(batch, finish(engine.run(inputs)), strict=True))

    waiting = deque(pool.submit(run, batch) for batch in batches_of_one_length(missing))
    found: dict[bytes, np.ndarray] = {}
    try:
        while waiting:
            found |= waiting.popleft().result()
            if len(found) >= CHUNK // 8:
                finished, found = found, {}
                yield finished
    except GeneratorExit:
        raise  # nobody would take it
    except (
        BaseException
    ):  # also what was finished before Ctrl-C, and behind a batch that was not
        for job in waiting:
            if job.done() and not job.cancelled() and job.exception() is None:
                found |= job.result()
        yield found
        raise
    yield found


def batches_of_one_length(sentences: dict[bytes, np.ndarray]) -> Iterator[list[bytes]]:
    """Keys of sentences with the same number of tokens, together up to `TOKENS` tokens; the longest come first."""
    by_length: dict[int, list[bytes]] = {}
    for key, ids in sentences.items():
        by_length.setdefault(len(ids), []).append(key)
    for length in sorted(by_length, reverse=True):
        keys, step = by_length[length], max(1, TOKENS // length)
        yield from (keys[at : at + step] for at in range(0, len(keys), step))
