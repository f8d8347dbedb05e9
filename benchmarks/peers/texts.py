"""Sentences for `make bench`: their tokens, batches of similar length, and sentences of one length."""

from collections.abc import Callable
from pathlib import Path

import numpy as np


def tokenizer(model: str | Path) -> Callable:
    """The Rust tokenizer that transformers calls, asked directly: list of sentences → tokens of each, at most 256.

    Args:
        model: folder in the Hugging Face layout.
    """
    import tokenizers

    found = tokenizers.Tokenizer.from_file(str(Path(model, "tokenizer.json")))
    found.no_padding()
    found.enable_truncation(256)
    return lambda sentences: [one.ids for one in found.encode_batch(sentences)]


def in_batches(ids: list[list[int]], size: int, extract: Callable) -> np.ndarray:
    """Features of sentences in batches of similar length, in the sentences' own order.

    Args:
        ids: tokens of each sentence.
        size: sentences in a batch.
        extract: (token ids int64 (n, length), 0 is padding; mask int64 (n, length)) → features (n, width).
    """
    order = np.argsort([len(one) for one in ids], kind="stable")
    parts = []
    for start in range(0, len(order), size):
        chosen = [ids[i] for i in order[start : start + size]]
        padded = np.zeros((len(chosen), max(map(len, chosen))), np.int64)
        mask = np.zeros_like(padded)
        for row, one in enumerate(chosen):
            padded[row, : len(one)] = one
            mask[row, : len(one)] = 1
        parts.append(extract(padded, mask))
    return np.concatenate(parts)[np.argsort(order)]


def of_length(
    words: list[str], tokens: Callable, length: int, number: int
) -> list[str]:
    """Sentences of exactly `length` tokens, strung together from words in their order.

    A word that does not fit any more is left out. BERT's tokens of a sentence are those of its words, one after the
    other, between [CLS] and [SEP].

    Args:
        words: as they follow each other in a text.
        tokens: list of texts → tokens of each, [CLS] and [SEP] included.
        length: of each sentence in tokens.
        number: of sentences.

    Raises:
        ValueError: there are too few words.
    """
    sentences, chosen, room = [], [], length - 2
    for word, found in zip(words, tokens(words), strict=True):
        if not 0 < len(found) - 2 <= room:
            continue
        chosen.append(word)
        room -= len(found) - 2
        if not room:
            sentences.append(" ".join(chosen))
            chosen, room = [], length - 2
        if len(sentences) == number:
            return sentences
    raise ValueError(
        f"{len(words)} words give {len(sentences)} sentences of {length} tokens, and {number} are wanted."
    )
