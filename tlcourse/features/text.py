"""Sentences → features or token states: each through a frozen network once, and cached.

Sentences with the same number of tokens go through the network together, so there is
no padding.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..progress import progress_bar
from .cache import RowCache, cache_file
from .compute import Item, RowCollector, computed_once, key_of, parts
from .engine import Engine, workers

CHUNK = 512  # sentences that are looked up, sorted by length, computed and kept, …
CHUNK_TOKENS = 1 << 16  # … or fewer, where they are long: states need much memory
BATCH_TOKENS = 512  # of one batch: more would not stay in the processor's cache


class Ragged(Sequence):
    """Arrays (tokens, …) of `lengths` (n,), one after the other in `values`."""

    def __init__(self, values: np.ndarray, lengths: ArrayLike) -> None:
        self.values, self.lengths = values, np.asarray(lengths, np.int64)
        self._starts = np.concatenate([[0], np.cumsum(self.lengths)])

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, index: Any) -> Any:
        """One part, or of a slice a list of parts."""
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        index = range(len(self))[index]
        return self.values[self._starts[index] : self._starts[index + 1]]

    def padded(self, indices: Sequence[int] | np.ndarray) -> np.ndarray:
        """These parts as one array (parts, longest of them, …), padded with zeros."""
        longest = max(int(self.lengths[index]) for index in indices)
        shape = (len(indices), longest, *self.values.shape[1:])
        padded = np.zeros(shape, self.values.dtype)
        for row, index in zip(padded, indices, strict=True):
            part = self[int(index)]
            row[: len(part)] = part
        return padded


def sentence_features(
    engine: Engine,
    ids: Sequence[np.ndarray],
    name: str | None,
    describe: str = "Extracting features",
) -> np.ndarray:
    """The output for token ids, int32 (length,), averaged over each: (n, width)."""
    return _computed(engine, ids, name, np.float32, describe, is_averaged=True)


def token_states(
    engine: Engine,
    ids: Sequence[np.ndarray],
    name: str | None,
    dtype: DTypeLike = np.float32,
) -> Ragged:
    """The network's output for every token: (length, width) for each sentence."""
    rows = _computed(engine, ids, name, dtype, "Extracting features", is_averaged=False)
    return Ragged(rows, [len(sentence) for sentence in ids])


def _computed(
    engine: Engine,
    ids: Sequence[np.ndarray],
    name: str | None,
    dtype: DTypeLike,
    describe: str,
    is_averaged: bool,
) -> np.ndarray:
    """The output for each sentence, in their order, from the cache or computed."""
    width, kind = engine.output_shape[-1], np.dtype(dtype).name
    file = cache_file(name, engine.key, width, "average" if is_averaged else kind)
    result = RowCollector((width,), dtype)

    def run(batch: list[Item]) -> np.ndarray:
        states = engine.run(np.stack([item.content for item in batch]))
        return states.mean(axis=1) if is_averaged else states.astype(dtype)

    with (
        RowCache(file, (width,) if is_averaged else (-1, width), dtype) as cache,
        ThreadPoolExecutor(workers()) as pool,
        progress_bar(total=len(ids), desc=describe, unit=" sentences") as progress,
    ):
        for rows in computed_once(_chunks(ids), _batches, run, cache, pool):
            for row in rows:
                result.append(row)
            progress.update(len(rows))
    return result.array()


def _chunks(ids: Sequence[np.ndarray]) -> Iterator[list[Item]]:
    """Up to `CHUNK` sentences and `CHUNK_TOKENS` tokens at a time, but at least one."""
    chunk: list[Item] = []
    tokens = 0
    for sentence in ids:
        tokens += len(sentence)
        if chunk and (len(chunk) == CHUNK or tokens > CHUNK_TOKENS):
            yield chunk
            chunk, tokens = [], len(sentence)
        chunk.append(Item(sentence, [key_of(sentence.tobytes())]))
    if chunk:
        yield chunk


def _batches(sentences: list[Item]) -> Iterator[list[Item]]:
    """Sentences of one length, up to `BATCH_TOKENS` tokens; the longest come first."""
    by_length: dict[int, list[Item]] = {}
    for item in sentences:
        by_length.setdefault(len(item.content), []).append(item)
    for length in sorted(by_length, reverse=True):
        yield from parts(by_length[length], max(1, BATCH_TOKENS // length))
