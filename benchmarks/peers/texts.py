"""Sentences for `make bench`: tokens, batches of similar length, one length for all."""

from collections.abc import Callable
from pathlib import Path

import numpy as np


def tokenizer(model: str | Path) -> Callable[[list[str]], list[list[int]]]:
    """Sentences → token ids, at most 256 each, by the tokenizer that transformers uses.

    Parameters
    ----------
    model : path
        Folder in Hugging Face's layout.
    """
    import tokenizers

    known = tokenizers.Tokenizer.from_file(str(Path(model, "tokenizer.json")))
    known.no_padding()
    known.enable_truncation(256)
    return lambda sentences: [one.ids for one in known.encode_batch(sentences)]


def in_batches_of_similar_length(
    ids: list[list[int]], size: int, run: Callable
) -> np.ndarray:
    """The outputs of `run(ids, mask)` over padded batches, in the sentences' order."""
    order = np.argsort([len(one) for one in ids], kind="stable")
    parts = []
    for start in range(0, len(order), size):
        batch = [ids[i] for i in order[start : start + size]]
        padded = np.zeros((len(batch), max(map(len, batch))), np.int64)
        mask = np.zeros_like(padded)
        for row, one in enumerate(batch):
            padded[row, : len(one)] = one
            mask[row, : len(one)] = 1
        parts.append(run(padded, mask))
    return np.concatenate(parts)[np.argsort(order)]


def of_length(
    words: list[str], tokens: Callable, length: int, number: int
) -> list[str]:
    """Sentences of exactly `length` tokens, made of words in their order.

    A word that no longer fits is left out. BERT's tokens of a sentence are those of its
    words between [CLS] and [SEP], which `tokens` includes.
    """
    sentences, chosen, left = [], [], length - 2
    for word, ids in zip(words, tokens(words), strict=True):
        if not 0 < len(ids) - 2 <= left:
            continue
        chosen.append(word)
        left -= len(ids) - 2
        if not left:
            sentences.append(" ".join(chosen))
            chosen, left = [], length - 2
        if len(sentences) == number:
            return sentences
    raise ValueError(
        f"{len(words)} words make {len(sentences)} sentences of {length} tokens; "
        f"{number} are needed."
    )
