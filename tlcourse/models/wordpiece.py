"""Sentences → token ids: WordPiece, the tokenizer of BERT, by `tokenizers`.

A word of the vocabulary is one token; any other is split into pieces that are in it,
"unwatchable" into "un", "##watch", "##able". A text begins with [CLS] and ends with
[SEP].
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

TOGETHER = 1000  # texts of one library call, whose result is much larger than the ids

Sentences: TypeAlias = "str | Iterable[str] | np.ndarray | tf.data.Dataset"
"""Sentences in any container, see `as_sentences`."""


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
        except Exception as error:  # the library raises plain Exception
            raise DamagedFile(
                f"{vocabulary} cannot be read as a vocabulary ({error})."
            ) from None
        self._tokenizer, self._unknown = library, library.token_to_id("[UNK]")
        if library.token_to_id("[PAD]") != PADDING or self._unknown is None:
            raise DamagedFile(
                f"{vocabulary} is no vocabulary of BERT: expected [PAD] in its first "
                "line, and [UNK]."
            )
        library.no_padding()

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


def as_sentences(texts: "Sentences") -> list[str]:
    """List the texts of any container.

    Parameters
    ----------
    texts
        A str, a list, tuple or array of str, a pandas column, or a `tf.data.Dataset` of
        strings, or of (string, label), batched or not.

    Raises
    ------
    UserInputError
        Something in it is no text, or it is empty; the message tells what and where.
    """
    if isinstance(texts, str | np.ndarray) and np.ndim(texts) == 0:
        texts = [str(texts)]
    if hasattr(texts, "as_numpy_iterator"):
        texts = _of_dataset(texts)
    no_order = bytes | dict | set | frozenset
    if isinstance(texts, no_order) or not isinstance(texts, Iterable):
        raise UserInputError(
            f"Texts were given as {type(texts).__name__}; expected a str or a list of "
            "str. Of a data set give the split's sentences: dataset.train.sentences."
        )
    sentences = list(texts)
    for position, text in enumerate(sentences):
        if not isinstance(text, str):
            raise UserInputError(
                f"Text number {position} is {shown(text)}, of type "
                f"{type(text).__name__}; expected str. Of a data set give the split's "
                "sentences: dataset.train.sentences."
            )
    if not sentences:
        raise UserInputError("There are no texts; at least one is needed.")
    return list(map(str, sentences))


def _of_dataset(dataset: "tf.data.Dataset") -> list:
    """The texts of a `tf.data.Dataset`, decoded from UTF-8."""
    if dataset.cardinality() == -1:  # tf.data.INFINITE_CARDINALITY
        raise UserInputError(
            "The tf.data.Dataset repeats for ever. Leave .repeat() out, or put "
            ".take(n) behind it."
        )
    texts = []
    for element in dataset.as_numpy_iterator():
        text: Any = element[0] if isinstance(element, tuple) else element
        text = text.get("text") if isinstance(text, dict) else text
        texts += np.ravel(text).tolist()
    return [t.decode("utf-8", "replace") if isinstance(t, bytes) else t for t in texts]
