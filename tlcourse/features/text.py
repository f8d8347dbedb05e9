"""Sentences → features or token states: each through a frozen network once, and cached.

Sentences with the same number of tokens go through the network together, so there is
no padding.
"""

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

from ..progress import progress_bar
from .cache import RowCache, cache_file
from .compute import RowCollector, run_and_keep
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
    """The network's output, averaged over each sentence's tokens: (n, width).

    `ids` are each sentence's token ids, int32 (length,); others as `compute.compute`.
    """
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

    def run(batch: dict[bytes, np.ndarray]) -> dict[bytes, np.ndarray]:
        states = engine.run(np.stack(list(batch.values())))
        rows = states.mean(axis=1) if is_averaged else states.astype(dtype)
        return dict(zip(batch, rows, strict=True))

    with (
        RowCache(file, (width,) if is_averaged else (-1, width), dtype) as cache,
        ThreadPoolExecutor(workers()) as pool,
        progress_bar(total=len(ids), desc=describe, unit=" sentences") as progress,
    ):
        for chunk in _chunks(ids):
            keys = [hashlib.sha256(part.tobytes()).digest()[:20] for part in chunk]
            rows = cache.get(keys)
            pairs = zip(keys, chunk, strict=True)
            absent = {key: sentence for key, sentence in pairs if key not in rows}
            rows |= run_and_keep(run, _batches(absent), cache, pool)
            for key in keys:
                result.append(rows[key])
            progress.update(len(chunk))
    return result.array()


def _chunks(ids: Sequence[np.ndarray]) -> Iterator[Sequence[np.ndarray]]:
    """Up to `CHUNK` sentences and `CHUNK_TOKENS` tokens at a time, but at least one."""
    begin = tokens = 0
    for end, sentence in enumerate(ids):
        tokens += len(sentence)
        if end > begin and (end - begin == CHUNK or tokens > CHUNK_TOKENS):
            yield ids[begin:end]
            begin, tokens = end, len(sentence)
    if begin < len(ids):
        yield ids[begin:]


def _batches(sentences: dict[bytes, np.ndarray]) -> Iterator[dict[bytes, np.ndarray]]:
    """Sentences of one length, up to `BATCH_TOKENS` tokens; the longest come first."""
    by_length: dict[int, list[bytes]] = {}
    for key, ids in sentences.items():
        by_length.setdefault(len(ids), []).append(key)
    for length in sorted(by_length, reverse=True):
        keys, step = by_length[length], max(1, BATCH_TOKENS // length)
        for start in range(0, len(keys), step):
            yield {key: sentences[key] for key in keys[start : start + step]}
