"""Pretrained networks that read: sentences in, features out, by the same calls as for pictures."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, partial
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DamagedFile, UserInputError
from ..features import engines
from ..features.augment import AS_IS
from ..features.rows import Ragged
from ..features.text import sentence_features, token_states
from ..tensorflow_start import import_tensorflow
from ..validation import flag, shown
from .attention import attentions
from .bert import Shape, encoder
from .bert_file import WRITER, BertEngine
from .bert_folder import (
    PUBLISHED,
    VOCABULARY,
    find_folder,
    is_lower_case,
    longest_text,
    read_shape,
    read_weights,
)
from .wordpiece import Tokenizer, as_sentences

if TYPE_CHECKING:
    import keras

    from .wordpiece import Sentences

EMBEDDINGS = "embeddings"
_PARTS = {  # of a block, in the order in which they run
    EMBEDDINGS: ("tokens", "places", "norm", "states"),
    "layer": ("attention", "attention_norm", "wide", "narrow", "norm", "states"),
}


class PretrainedTextModel:
    """A pretrained BERT and what is needed to use it. Made by `load_pretrained_model("minilm")`.

    Attributes:
        name: as given to `load_pretrained_model`, or the folder's.
        engine: as given to `load_pretrained_model`.
        folder: where its files are.
        shape: how large it is, see `tlcourse.models.bert.Shape`.
        tokenizer: its WordPiece, see `tlcourse.models.wordpiece.Tokenizer`.
    """

    def __init__(self, name: str | PathLike, engine: str = "auto") -> None:
        self.engine = engines.check_engine(engine)
        self.folder = find_folder(name)
        self.name = str(name) if name in PUBLISHED else self.folder.resolve().name
        self.shape = read_shape(self.folder)
        self.tokenizer = Tokenizer(
            self.folder / VOCABULARY,
            is_lower_case(self.folder),
            longest_text(self.folder, self.shape),
        )
        if len(self.tokenizer) > self.shape.vocabulary:
            raise DamagedFile(
                f"{self.folder / VOCABULARY} has {len(self.tokenizer):,} tokens, the network knows "
                f"{self.shape.vocabulary:,}. The two belong to different networks."
            )
        self._weights = read_weights(self.folder, self.shape)

    def __repr__(self) -> str:
        longest, blocks = self.tokenizer.longest, len(self.blocks)
        return f"<{self.name}: up to {longest} tokens → {self.feature_dim:,} features, {blocks} blocks>"

    @property
    def feature_dim(self) -> int:
        """How many numbers describe one sentence."""
        return self.shape.width

    @property
    def blocks(self) -> dict[str, list[str]]:
        """Block name → names of its layers, from the tokens to the features."""
        numbered = [
            (f"layer_{number}", "layer") for number in range(1, self.shape.layers + 1)
        ]
        kinds = {EMBEDDINGS: EMBEDDINGS, **dict(numbered)}
        return {
            block: [f"{block}_{part}" for part in _PARTS[kind]]
            for block, kind in kinds.items()
        }

    @cached_property
    def network(self) -> "keras.Model":
        """`keras.Model`, token ids int32 (n, length), 0 is padding → features float32 (n, d). Built when asked for."""
        network = self.copy_network()
        self._weights = {}  # from now on they are the network's, and may change
        engines.drop_all()  # they hold the file's weights, too
        return network

    def copy_network(self) -> "keras.Model":
        """The network once more: training the one leaves the other as it is."""
        import_tensorflow()
        network = encoder(self.shape, self.name)
        for name, arrays in self._weights_now().items():
            network.get_layer(name).set_weights(arrays)
        return network

    def tokens(self, sentence: str) -> list[str]:
        """What the network reads for a sentence, piece by piece, [CLS] first and [SEP] last."""
        return self.tokenizer.tokens(self._ids_of_one(sentence))

    def tokenize(self, sentences: "Sentences") -> np.ndarray:
        """What `network` is given for these sentences: int32 (n, longest of them), filled up with 0."""
        ids = self._ids(sentences)
        return Ragged(np.concatenate(ids), [len(sentence) for sentence in ids]).padded(
            range(len(ids))
        )

    def extract_features(
        self, sentences: "Sentences", cache: bool = True
    ) -> np.ndarray:
        """Describe each sentence by what the network makes of it: float32 (n, feature_dim).

        The features are the average over a sentence's tokens of the last layer's output. What was computed for a
        sentence before is taken from the cache on disk. After Ctrl-C the next call goes on where this one stopped.

        Args:
            sentences: a str, a list, tuple or array of str, or a `tf.data.Dataset` of strings; empty ones too. Of a
                text that is longer than the network reads the beginning is read, and a warning says so.
            cache: False computes everything anew and keeps nothing.

        Raises:
            UserInputError: something in it is no text.
        """
        engine, cache = self._compiled(self.shape.layers), flag("cache", cache)
        return sentence_features(
            engine, self._ids(sentences), self.name if cache else None
        )

    def token_features(self, sentences: "Sentences", cache: bool = True) -> Ragged:
        """The last layer's output for every token: of each sentence float32 (tokens, feature_dim).

        Arguments and errors as `extract_features`; the tokens are those of `tokens(sentence)`.
        """
        engine, cache = self._compiled(self.shape.layers), flag("cache", cache)
        return token_states(
            engine, self._ids(sentences), self.name if cache else None
        )

    def activations(
        self,
        sentences: "Sentences",
        block: str,
        views: Sequence[str] = (AS_IS,),
        cache: bool = True,
    ) -> Ragged:
        """What a block hands to the next one: of each sentence float16 (tokens, width).

        With everything up to that block frozen, training can go on from here and never run the frozen part again.

        Args:
            sentences, cache: as for `extract_features`.
            block: one of `self.blocks`.
            views: there is one of a sentence, the sentence itself.
        """
        if not isinstance(block, str) or block not in self.blocks:
            raise UserInputError(
                f"{self.name} has no block {shown(block)}. Its blocks: {', '.join(self.blocks)}."
            )
        layers, cache = list(self.blocks).index(block), flag("cache", cache)
        name = f"{self.name}-{block}" if cache else None
        return token_states(
            self._compiled(layers), self._ids(sentences), name, np.float16
        )

    def attentions(self, sentence: str) -> np.ndarray:
        """How much each token of a sentence takes from each other one: float32 (layers, heads, tokens, tokens).

        The tokens are those of `tokens(sentence)`; what a token takes sums to 1. See `tlcourse.models.attention`.

        Raises:
            UserInputError: not one text.
        """
        return attentions(self.network, self._ids_of_one(sentence))

    kind = "sentences"  # what it takes
    # Of `fine_tune`, chosen on the films' validation sentences; J. Devlin and others took 16 or 32 sentences a step.
    settings: dict = {"learning_rate": 1e-4, "batch_size": 16}

    def count(self, sentences: "Sentences") -> int | None:
        """How many sentences there are, if that is known before they are read."""
        once = hasattr(sentences, "as_numpy_iterator") or isinstance(
            sentences, Iterator
        )  # not to be read twice
        return None if once else len(as_sentences(sentences))

    def views(self, views: object) -> tuple[str, ...]:
        """The views that `fine_tune` is asked for: of a sentence there is one, itself."""
        asked_for = (
            list(views)
            if isinstance(views, Iterable) and not isinstance(views, str)
            else views
        )
        if not isinstance(asked_for, int | str | list | None) or asked_for not in (
            None,
            1,
            AS_IS,
            [AS_IS],
        ):
            raise UserInputError(
                f"views is {shown(views)}, but views are of pictures; a sentence is taken as it is."
            )
        return (AS_IS,)

    def at_cut(
        self,
        sentences: "Sentences",
        block: str | None,
        views: Sequence[str],
        cache: bool = True,
        engine: str | None = None,
    ) -> Ragged:
        """What comes in behind a block, as `activations`; without a block the token ids, int32 (tokens,)."""
        if engines.is_dask(engine):
            raise UserInputError(
                "Sentences are computed by this process: leave engine out. Dask is for pictures."
            )
        if block:
            return self.activations(sentences, block, views, cache)
        ids = self._ids(sentences)
        return Ragged(np.concatenate(ids), [len(sentence) for sentence in ids])

    def reader(self) -> Callable:
        """`read(network, sentences)` → what a network of this kind with a head on it says of them."""
        return partial(predict, tokenizer=self.tokenizer, shape=self.shape)

    def _ids_of_one(self, sentence: str) -> np.ndarray:
        if not isinstance(sentence, str):
            raise UserInputError(
                f"A {type(sentence).__name__} was given; expected one text, a str."
            )
        return self._ids(sentence)[0]

    def _ids(self, sentences: "Sentences") -> list[np.ndarray]:
        return self.tokenizer.ids(as_sentences(sentences))

    def _compiled(self, layers: int) -> engines.TextEngine:
        """The engine that computes the tokens' states behind so many layers, with the weights the network now has."""
        if self.engine == "tensorflow" or not engines.has_litert():
            return in_tensorflow(self.network, self.shape, layers)
        weights = self._weights_now()
        return in_litert(
            weights, self.shape, layers, self._digest_of_file if self._weights else ""
        )

    @cached_property
    def _digest_of_file(self) -> str:
        return digest_of(self._weights)

    def _weights_now(self) -> dict[str, list[np.ndarray]]:
        """Layer's name → its arrays: the file's, until there is a network that may have been changed."""
        return self._weights or weights_by_layer(self.network)


def weights_by_layer(network: "keras.Model") -> dict[str, list[np.ndarray]]:
    """Layer's name → its arrays."""
    return {
        layer.name: layer.get_weights() for layer in network.layers if layer.weights
    }


def digest_of(weights: dict[str, list[np.ndarray]]) -> str:
    """What tells these weights from others."""
    return engines.fast_digest_of(
        array for name in sorted(weights) for array in weights[name]
    )


def in_litert(
    weights: dict[str, list[np.ndarray]], shape: Shape, layers: int, digest: str = ""
) -> BertEngine:
    """BERT up to so many layers, the one made before where nothing has changed; the digest is that of the weights."""

    def make(key: str) -> BertEngine:
        engines.drop_all()  # a BERT's engine is large and quickly made again: one is kept
        return BertEngine(weights, shape, layers, key)

    return engines.remembered(
        (f"{digest or digest_of(weights)} {shape} {layers} {WRITER}", "litert"), make
    )


def in_tensorflow(
    network: "keras.Model", shape: Shape, layers: int
) -> engines.StatesEngine:
    """BERT up to so many layers; follows the network's weights, so its key says what they are."""
    import keras

    block = f"layer_{layers}" if layers else EMBEDDINGS
    states = keras.Model(
        network.inputs[0],
        network.get_layer(f"{block}_states").output,
        name=f"{network.name}-{block}",
    )
    digest = engines.fast_digest_of(weight.numpy() for weight in states.weights)
    return engines.StatesEngine(states, f"{digest} {shape} {layers}")


def predict(
    network: "keras.Model", sentences: "Sentences", tokenizer: Tokenizer, shape: Shape
) -> np.ndarray:
    """Probabilities float32 (n, classes) of a network with a head on a BERT of this shape."""
    ids = tokenizer.ids(as_sentences(sentences))
    if engines.has_litert():
        weights = {
            name: arrays
            for name, arrays in weights_by_layer(network).items()
            if not name.startswith("head")
        }
        engine: engines.TextEngine = in_litert(weights, shape, shape.layers)
    else:
        engine = in_tensorflow(network, shape, shape.layers)
    return network.layers[-1](
        sentence_features(engine, ids, None, "Predicting")
    ).numpy()
