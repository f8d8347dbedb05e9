"""Sentences → token ids: WordPiece, the tokenizer of BERT, by the `tokenizers` library.

What is in the vocabulary is one token; any other word falls into pieces that are, "unwatchable" into "un", "##watch",
"##able". [CLS] comes before a text and [SEP] after it.
"""

import os
import warnings
from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from ..errors import DamagedFile, UserInputError, callers_level
from ..validation import shown
from .bert import PADDING

if TYPE_CHECKING:
    import tensorflow as tf


TOGETHER = 1000  # texts that the library is given at once: what it returns holds much more than the ids


Sentences: TypeAlias = "str | Iterable[str] | np.ndarray | tf.data.Dataset"
"""Whatever holds sentences, see `as_sentences`."""


class TruncationWarning(UserWarning):
    """A text is longer than the network reads; it reads the beginning."""


class Tokenizer:
    """WordPiece with the vocabulary of one BERT.

    Args:
        vocabulary: path of its vocab.txt, a token a line, line 0 that of [PAD].
        lower_case: whether capitals become small and accents go, as in "uncased" networks.
        longest: tokens that the network reads, [CLS] and [SEP] included.

    Attributes:
        longest: as given.
        size: one more than the largest id.
    """

    def __init__(
        self, vocabulary: "str | PathLike", lower_case: bool, longest: int
    ) -> None:
        from tokenizers import BertWordPieceTokenizer

        # Named, so that the library does not warn in red whenever a notebook runs a shell command after it.
        os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
        self.longest = longest
        try:
            self._tokenizer = BertWordPieceTokenizer(
                str(vocabulary), lowercase=lower_case
            )
        except Exception as error:  # the library raises plain Exception
            raise DamagedFile(
                f"{vocabulary} cannot be read as a vocabulary ({error})."
            ) from None
        if self._tokenizer.token_to_id("[PAD]") != PADDING:
            raise DamagedFile(
                f"{vocabulary} is no vocabulary of BERT: its first line should be [PAD]."
            )
        unknown = self._tokenizer.token_to_id("[UNK]")
        if unknown is None:
            raise DamagedFile(
                f"{vocabulary} is no vocabulary of BERT: it has no [UNK]."
            )
        self._unknown = unknown
        self._tokenizer.no_padding()
        self.size = 1 + max(self._tokenizer.get_vocab().values())

    def __len__(self) -> int:
        """How many tokens it knows."""
        return self._tokenizer.get_vocab_size()

    def ids(self, sentences: Sequence[str]) -> list[np.ndarray]:
        """The token ids of each sentence, int32; what is too long is cut, and said to be."""
        encoded, too_long = [], 0
        for at in range(0, len(sentences), TOGETHER):
            for entry in self._tokenizer.encode_batch(
                [_unicode(text) for text in sentences[at : at + TOGETHER]]
            ):
                too_long += len(entry) > self.longest
                encoded.append(self._cut(entry.ids))
        if too_long:
            which = "1 text is" if too_long == 1 else f"{too_long:,} texts are"
            warnings.warn(
                f"{which} longer than the {self.longest} tokens that the network reads; the rest was left out.",
                TruncationWarning,
                stacklevel=callers_level(),
            )
        return encoded

    def _cut(self, ids: list[int]) -> np.ndarray:
        ids = ids if len(ids) <= self.longest else [*ids[: self.longest - 1], ids[-1]]
        found = np.array(ids, np.int32)
        found[found == PADDING] = (
            self._unknown
        )  # a text that says "[PAD]" has a token there all the same
        return found

    def tokens(self, ids: Iterable[int]) -> list[str]:
        """The tokens as text."""
        return [self._tokenizer.id_to_token(int(number)) or "[UNK]" for number in ids]


def _unicode(text: str) -> str:
    """The text as the library can take it: halves of characters joined where they belong together, else replaced."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def as_sentences(texts: "Sentences") -> list[str]:
    """Whatever holds texts → a list of them.

    Args:
        texts: a str, a list, tuple or array of str, a pandas column, or a `tf.data.Dataset` of strings, or of
            (string, label), batched or not.

    Raises:
        UserInputError: something in it is no text, or there is nothing in it; the message says what and where.
    """
    if isinstance(texts, np.ndarray) and texts.ndim == 0:
        texts = texts.item()
    if isinstance(texts, str):
        return [str(texts)]
    dataset: Any = texts
    if hasattr(dataset, "as_numpy_iterator"):
        if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
            raise UserInputError(
                "The tf.data.Dataset repeats for ever. Leave .repeat() out, or put .take(n) behind it."
            )
        texts = [
            text
            for element in dataset.as_numpy_iterator()
            for text in _of_element(element)
        ]
    elif isinstance(texts, bytes | dict | set | frozenset) or not isinstance(
        texts, Iterable
    ):  # a set has no order
        raise UserInputError(
            f"Texts were given as {type(texts).__name__}; expected a str or a list of str. Of a data set give the "
            "split's sentences: dataset.train.sentences."
        )
    found = [str(text) if isinstance(text, str) else text for text in texts]
    for place, text in enumerate(found):
        if not isinstance(text, str):
            given = (
                "an array of shape " + str(text.shape)
                if isinstance(text, np.ndarray)
                else shown(text)
            )
            raise UserInputError(
                f"Text number {place} is {given}, of type {type(text).__name__}; expected str. Of a data set give the "
                'split\'s sentences: dataset.train.sentences. Missing texts become empty ones: "".'
            )
    if not found:
        raise UserInputError(
            "There are no texts in what was given; at least one is needed."
        )
    return found


def _of_element(element: Any) -> list[str]:
    """The texts in an element of a `tf.data.Dataset`: bytes in UTF-8, one or an array of them."""
    if isinstance(element, tuple):
        element = element[0]
    if isinstance(element, dict):
        if "text" not in element:
            raise UserInputError(
                f"The elements of the tf.data.Dataset are dictionaries with {', '.join(map(str, element))}; expected "
                'the texts under "text". Choose them: dataset.map(lambda row: row["…"]).'
            )
        element = element["text"]
    return [
        text.decode("utf-8", "replace") if isinstance(text, bytes) else text
        for text in np.ravel(element).tolist()
    ]
