"""Sentences → token ids: WordPiece, the tokenizer of BERT, by `tokenizers`.

A word of the vocabulary is one token; any other is split into pieces that are in it,
"unwatchable" into "un", "##watch", "##able". A text begins with [CLS] and ends with
[SEP].
"""

import os
import re
import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, TypeAlias

import numpy as np

from ..errors import DamagedFile, UserInputError, callers_level
from ..features.pictures import elements_of
from ..validation import shown
from .bert import PADDING

_SURROGATE = re.compile("[\ud800-\udfff]")
Sentences: TypeAlias = Any  # a str, or an iterable of str, see `as_sentences`


class TruncationWarning(UserWarning):
    """A text is longer than the network takes; its end is cut off."""


class Tokenizer:
    """WordPiece with the vocabulary of one BERT.

    `vocabulary` is the path of its vocab.txt, [PAD] first; `lower_case` also strips
    accents, as "uncased" networks do; `longest` counts [CLS] and [SEP].
    """

    def __init__(
        self, vocabulary: str | PathLike, lower_case: bool, longest: int
    ) -> None:
        from tokenizers import BertWordPieceTokenizer

        # Else the library warns in red when a notebook runs a shell command afterwards.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        self.longest = longest
        try:
            library = BertWordPieceTokenizer(str(vocabulary), lowercase=lower_case)
            unknown, padding = map(library.token_to_id, ("[UNK]", "[PAD]"))
            if unknown is None or padding != PADDING:
                raise ValueError("expected [PAD] in its first line, and [UNK]")
        except Exception as error:  # the library raises plain Exception
            raise DamagedFile(
                f"{vocabulary} cannot be read as a vocabulary of BERT ({error})."
            ) from None
        library.no_padding()
        library.enable_truncation(longest)
        self._tokenizer, self._unknown = library, unknown
        self.cls, self.sep = map(library.token_to_id, ("[CLS]", "[SEP]"))

    def __len__(self) -> int:
        """The number of tokens in the vocabulary."""
        return self._tokenizer.get_vocab_size()

    def ids(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """The token ids of each sentence, int32; one warning for all that are cut."""
        ids, too_long = [], 0
        for start in range(0, len(sentences), 1000):  # of less memory than all at once
            # Halves of surrogate pairs are joined to characters, or else replaced.
            texts = [
                text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                for text in sentences[start : start + 1000]
            ]
            for entry in self._tokenizer.encode_batch(texts):
                array = np.array(entry.ids, np.int32)
                array[array == PADDING] = self._unknown  # a text may contain "[PAD]"
                ids.append(array)
                too_long += bool(entry.overflowing)
        if too_long:
            warnings.warn(
                f"Texts longer than the {self.longest} tokens that the network takes "
                f"were cut: {too_long:,}.",
                TruncationWarning,
                stacklevel=callers_level(),
            )
        return ids

    def characters(self, text: str) -> tuple[np.ndarray, np.ndarray]:
        """All tokens of a text, without [CLS] and [SEP], and where they stand in it.

        Returns ids, int32 (tokens,), and int64 (tokens, 2): the number of a token's
        first character, and of the one behind its last.
        """
        # Halves of surrogate pairs are replaced one by one: no number may change.
        text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
        start = self._tokenizer.encode(text, add_special_tokens=False)
        parts = [start, *start.overflowing]  # of which each fits the network
        ids = np.array([number for part in parts for number in part.ids], np.int32)
        ids[ids == PADDING] = self._unknown
        characters = [pair for part in parts for pair in part.offsets]
        return ids, np.array(characters, np.int64).reshape(-1, 2)

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens as text."""
        return [self._tokenizer.id_to_token(int(number)) or "[UNK]" for number in ids]


def as_sentences(texts: Sentences) -> list[str]:
    """List the texts of a str, or of an iterable or `tf.data.Dataset` of str."""
    if hasattr(texts, "as_numpy_iterator"):
        texts = [
            text for part in elements_of(texts) for text in np.ravel(part).tolist()
        ]
        texts = [
            x.decode("utf-8", "replace") if isinstance(x, bytes) else x for x in texts
        ]
    if isinstance(texts, str | np.ndarray) and np.ndim(texts) == 0:
        texts = [str(texts)]
    unordered = bytes | dict | set | frozenset
    is_ordered = isinstance(texts, Iterable) and not isinstance(texts, unordered)
    sentences = list(texts) if is_ordered else [texts]
    if not sentences:
        raise UserInputError("There are no texts; at least one is needed.")
    for position, text in enumerate(sentences):
        if not isinstance(text, str):
            raise UserInputError(
                f"Text number {position} is {shown(text)}; expected a str or a list of "
                "str. Of a data set give dataset.train.sentences."
            )
    return list(map(str, sentences))
