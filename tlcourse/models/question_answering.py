"""BERT that answers questions: it finds the span of a text that is the answer.

J. Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding" (NAACL 2019), sections 4.2 and 4.3. The network reads [CLS] question
[SEP] context [SEP] and gives each token two logits: as the answer's first token and as
its last. A span's logit is the sum of the two.
"""

import unicodedata
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..features.engine import workers
from ..progress import progress_bar
from . import bert_folder
from .text import PretrainedTextModel

WINDOW, STRIDE = 384, 128  # tokens, as networks are trained on SQuAD


@dataclass(frozen=True)
class AnswerSpan:
    """What `PretrainedQuestionAnswering.answer` returns; without an answer it is false.

    Attributes
    ----------
    text : str
        The answer as it stands in the context; "" where there is none.
    score : float
        Its probability, or that of there being no answer: 0 to 1.
    start, end : int
        Characters of the context: `context[start:end]` is the text.

    Examples
    --------
    >>> from tlcourse.models.question_answering import AnswerSpan
    >>> print(AnswerSpan("in Rome", 0.92, 4, 11))
    in Rome
    >>> bool(AnswerSpan("", 0.75, 0, 0))
    False
    """

    text: str
    score: float
    start: int
    end: int

    def __bool__(self) -> bool:
        return self.end > self.start

    def __str__(self) -> str:
        return self.text if self else "(no answer in this context)"


@dataclass(frozen=True)
class Window:
    """A question and as many of the context's tokens as the network takes at once."""

    token_ids: np.ndarray  # int32 (length,)
    token_types: np.ndarray  # int32 (length,): 0 for the question, 1 for the context
    first: int  # index of its first token among the context's
    tokens: slice  # where the context's tokens are among `token_ids`


class PretrainedQuestionAnswering(PretrainedTextModel):
    """A BERT that answers questions. Made by `tl.load_pretrained_model("its/folder")`.

    A folder in Hugging Face's layout, whose config.json names the architecture
    BertForQuestionAnswering. Everything else is as of `PretrainedTextModel`: `network`
    and `extract_features` are those of its encoder.

    Attributes
    ----------
    window : int
        Most tokens of question and context together: 384, or fewer where the network
        takes fewer.
    """

    def __init__(self, name: str | PathLike, precision: str = "float32") -> None:
        super().__init__(name, precision)
        self.window = min(WINDOW, self.tokenizer.longest)
        self._span_weights = bert_folder.read_span_weights(self.folder, self.shape)

    def __repr__(self) -> str:
        return (
            f"<{self.name}: question and context, windows of {self.window} tokens → "
            f"a span of the context, {len(self.blocks)} blocks>"
        )

    def answer(
        self,
        question: str,
        context: str,
        max_answer_tokens: int = 30,
        stride: int | None = None,
    ) -> AnswerSpan:
        """Find the span of the context that answers the question.

        A long context is read in windows that overlap. A span of it counts once, with
        the highest logit that a window gives it; "no answer" has the logit of the span
        that is [CLS], the lowest of all windows. The highest logit wins. Scores are the
        softmax over all spans and "no answer". Of a network that was trained on SQuAD
        1.1 only, where every question has an answer, "no answer" means little.

        Parameters
        ----------
        question : str
            Up to half as many tokens as a window.
        context : str
            Of any length.
        max_answer_tokens : int
            Longer spans are no answers.
        stride : int, optional
            Tokens that a window shares with the one before, as `stride` of Hugging
            Face's tokenizers: 128, or half of a window's context where that is less.

        Returns
        -------
        AnswerSpan
            Its `text`, `score`, `start` and `end`; false where there is no answer.

        Raises
        ------
        UserInputError
            Question or context is no text or empty, or the question is too long.

        Examples
        --------
        >>> import tlcourse as tl
        >>> model = tl.load_pretrained_model("bert-squad2")  # doctest: +SKIP
        >>> model.answer("Who froze it?", "Ada froze the base.")  # doctest: +SKIP
        AnswerSpan(text='Ada', score=0.97, start=0, end=3)
        >>> print(model.answer("Where is Rome?", "Ada smiled."))  # doctest: +SKIP
        (no answer in this context)
        """
        most = validation.whole_number("max_answer_tokens", max_answer_tokens, 1)
        windows, characters = self._windows(question, context, stride)
        longest = max(window.tokens.stop - window.tokens.start for window in windows)
        # The logit of the span from a token to so many tokens behind it.
        spans = np.full((min(most, longest), len(characters)), -np.inf, np.float32)
        no_answer = np.inf
        for window, logits in zip(windows, self._logits(windows), strict=True):
            no_answer = min(no_answer, float(logits[0].sum()))
            _raise_spans(spans[:, window.first :], *logits[window.tokens].T)
        more, first = np.unravel_index(spans.argmax(), spans.shape)
        best = float(spans[more, first])
        highest = max(best, no_answer)
        total = np.exp(no_answer - highest)
        for logits in spans:
            total += np.exp(logits - highest, dtype=np.float64).sum()
        score = float(1 / total)  # exp(highest - highest) / total
        if no_answer > best:
            return AnswerSpan("", score, 0, 0)
        start = int(characters[first, 0])
        end = _with_marks(context, int(characters[first + more, 1]))
        return AnswerSpan(context[start:end], score, start, end)

    def _windows(
        self, question: str, context: str, stride: int | None = None
    ) -> tuple[list[Window], np.ndarray]:
        """The windows, and the characters of the context's tokens, int (tokens, 2)."""
        asked, _ = self._tokens("question", question)
        ids, characters = self._tokens("context", context)
        most = (self.window - 3) // 2  # 3 for [CLS] and twice [SEP]
        if len(asked) > most:
            raise UserInputError(
                f"The question has {len(asked):,} tokens; up to {most} are taken, half "
                f"of a window of {self.window}. Ask a shorter one."
            )
        most_context = self.window - 3 - len(asked)
        if stride is None:
            stride = min(STRIDE, most_context // 2)
        stride = validation.whole_number("stride", stride, 0, most_context - 1)
        windows = []
        for first in range(0, max(1, len(ids) - stride), most_context - stride):
            part = ids[first : first + most_context]
            windows.append(self._window(asked, part, first))
        return windows, characters

    def _tokens(self, name: str, text: str) -> tuple[np.ndarray, np.ndarray]:
        ids, characters = self.tokenizer.characters(validation.text(name, text))
        if not len(ids):
            raise UserInputError(
                f"The {name} is {validation.shown(text)}; expected a text with something "
                "in it to read."
            )
        return ids, characters

    def _window(self, asked: np.ndarray, part: np.ndarray, first: int) -> Window:
        cls, sep = self.tokenizer.cls, self.tokenizer.sep
        token_ids = np.array([cls, *asked, sep, *part, sep], np.int32)
        begin = len(asked) + 2
        token_types = (np.arange(len(token_ids)) >= begin).astype(np.int32)
        tokens = slice(begin, begin + len(part))
        return Window(token_ids, token_types, first, tokens)

    def _logits(self, windows: Sequence[Window]) -> list[np.ndarray]:
        engine = self._engine(self.shape.layers, more=self._span_weights)

        def run(window: Window) -> np.ndarray:
            return engine.run(window.token_ids[None], window.token_types[None])[0]

        options = {"total": len(windows), "desc": "Answering", "unit": " windows"}
        with ThreadPoolExecutor(workers()) as pool:
            return list(progress_bar(pool.map(run, windows), **options))


def _raise_spans(spans: np.ndarray, starts: np.ndarray, ends: np.ndarray) -> None:
    """Raise the logits of spans (most, tokens) to those of a window, if these are higher.

    `starts` and `ends` are the logits of the window's tokens, float32 (n,).
    """
    for more, row in enumerate(spans[: len(starts)]):
        logits = starts[: len(starts) - more] + ends[more:]
        np.maximum(row[: len(logits)], logits, out=row[: len(logits)])


def _with_marks(text: str, end: int) -> int:
    """Move a span's end behind accents and other marks of its last character."""
    while end < len(text) and unicodedata.category(text[end]).startswith("M"):
        end += 1
    return end
