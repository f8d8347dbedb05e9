"""Sentences → token ids: WordPiece, the tokenizer of BERT, by `tokenizers`.

A word of the vocabulary is one token; any other is split into pieces that are in it,
"unwatchable" into "un", "##watch", "##able". A text begins with [CLS] and ends with
[SEP].
"""

import os
import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, TypeAlias

import numpy as np

from ..errors import DamagedFile, UserInputError, callers_level
from ..validation import shown
from .bert import PADDING

TOGETHER = 1000  # texts of one library call, whose result is much larger than the ids

Sentences: TypeAlias = Any  # a str, or an iterable of str, see `as_sentences`


class TruncationWarning(UserWarning):
    """A text is longer than the network takes; its end is cut off."""


class Tokenizer:
    """WordPiece with the vocabulary of one BERT.

    Parameters
    ----------
    vocabulary : path
        Its vocab.txt, a token per line, [PAD] first.
    lower_case : bool
        Lower-case and strip accents, as "uncased" networks do.
    longest : int
        Tokens that the network takes, [CLS] and [SEP] included.
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
        self._tokenizer, self._unknown = library, unknown

    def __len__(self) -> int:
        """The number of tokens in the vocabulary."""
        return self._tokenizer.get_vocab_size()

    def ids(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """The token ids of each sentence, int32; one warning for all that are cut."""
        ids, too_long = [], 0
        for start in range(0, len(sentences), TOGETHER):
            texts = map(_unicode, sentences[start : start + TOGETHER])
            for entry in self._tokenizer.encode_batch(list(texts)):
                array = np.array(entry.ids, np.int32)
                if len(array) > self.longest:
                    array = np.append(array[: self.longest - 1], array[-1])
                    too_long += 1
                array[array == PADDING] = self._unknown  # a text may contain "[PAD]"
                ids.append(array)
        if too_long:
            warnings.warn(
                f"Texts longer than the {self.longest} tokens that the network takes "
                f"were cut: {too_long:,}.",
                TruncationWarning,
                stacklevel=callers_level(),
            )
        return ids

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens as text."""
        return [self._tokenizer.id_to_token(int(number)) or "[UNK]" for number in ids]


def _unicode(text: str) -> str:
    """The text with surrogates joined to characters, or else replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_sentences(texts: Sentences) -> list[str]:
    """List the texts of a str, or of an iterable or `tf.data.Dataset` of str."""
    if hasattr(texts, "as_numpy_iterator"):
        texts = _from_tf_data(texts)
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
                "str. Of a data set give the split's sentences: "
                "dataset.train.sentences."
            )
    return list(map(str, sentences))


def _from_tf_data(dataset: Any) -> list:
    """The texts of a data set of strings, or of (string, label), batched or not."""
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise UserInputError("The tf.data.Dataset repeats for ever: add .take(n).")
    texts: list = []
    for element in dataset.as_numpy_iterator():
        text = element[0] if isinstance(element, tuple) else element
        texts += np.ravel(text).tolist()
    return [t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in texts]
