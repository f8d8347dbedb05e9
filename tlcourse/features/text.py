"""Sentences → features or token states: each through a frozen network once, and cached.

Those with the same number of tokens go together, so that nothing is padded.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import DTypeLike

from .cache import RowCache, cache_file
from .compute import Item, RowCollector, computed_once, key_of, parts
from .engine import Engine

CHUNK = 512  # sentences that are looked up, sorted by length, computed and kept, …
CHUNK_TOKENS = 1 << 16  # … or fewer, where they are long: states need much memory
BATCH_TOKENS = 512  # of one batch: more would not stay in the processor's cache


def padded(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Arrays (tokens, …) as one (parts, longest of them, …), padded with zeros."""
    shape = (len(parts), max(map(len, parts)), *parts[0].shape[1:])
    result = np.zeros(shape, parts[0].dtype)
    for row, part in zip(result, parts, strict=True):
        row[: len(part)] = part
    return result


def sentence_features(
    engine: Engine,
    ids: Sequence[np.ndarray],
    name: str | None,
    describe: str = "Extracting features",
    dtype: DTypeLike = np.float32,
    is_averaged: bool = True,
) -> np.ndarray:
    """The output for token ids, int32 (length,): (n, width), an average over each.

    Not averaged: a row for every token of all. Others as `compute.compute`.
    """
    width, kind = engine.output_shape[-1], np.dtype(dtype).name
    file = cache_file(name, engine.key, width, "average" if is_averaged else kind)

    def run(batch: list[Item]) -> np.ndarray:
        states = engine.run(np.stack([item.content for item in batch]))
        return states.mean(axis=1) if is_averaged else states.astype(dtype)

    cache = RowCache(file, (width,) if is_averaged else (-1, width), dtype)
    result = RowCollector((width,), dtype)
    about = {"total": len(ids), "desc": describe, "unit": " sentences"}
    return computed_once(_chunks(ids), _batches, run, cache, result, about)


def token_states(
    engine: Engine,
    ids: Sequence[np.ndarray],
    name: str | None,
    dtype: DTypeLike = np.float32,
) -> list[np.ndarray]:
    """The network's output for every token: (length, width) for each sentence."""
    rows = sentence_features(engine, ids, name, dtype=dtype, is_averaged=False)
    return np.split(np.asarray(rows), np.cumsum([len(each) for each in ids])[:-1])


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
