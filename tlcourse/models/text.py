"""Pretrained networks for text: sentences in, features out, as for pictures."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from os import PathLike
from typing import TYPE_CHECKING, cast

import numpy as np

from .. import validation
from ..errors import DamagedFile, UserInputError
from ..features import engine as engines
from ..features.augment import AS_IS, augmentation_names
from ..features.cache import digest_of
from ..features.text import padded, sentence_features, token_states
from ..native import import_tensorflow
from . import bert, bert_folder, onnx_file
from .blocks import check_blocks
from .wordpiece import Tokenizer, as_sentences

if TYPE_CHECKING:
    import keras

    from .wordpiece import Sentences


class PretrainedTextModel:
    """A pretrained BERT. Made by `tl.load_pretrained_model("minilm")`.

    Attributes
    ----------
    name, precision : str
        As given to `load_pretrained_model`, or the folder's name.
    folder : Path
    shape : tlcourse.models.bert.Shape
    tokenizer : tlcourse.models.wordpiece.Tokenizer
    """

    kind = "sentences"
    # Of `fine_tune`, chosen on the films' validation set; J. Devlin et al. took batches
    # of 16 or 32.
    settings: dict = {"learning_rate": 1e-4, "batch_size": 16}

    def __init__(self, name: str | PathLike, precision: str = "float32") -> None:
        self.precision = validation.one_of("precision", precision, engines.PRECISIONS)
        self.folder = bert_folder.find_folder(name)
        is_published = name in bert_folder.PUBLISHED
        self.name = str(name) if is_published else self.folder.resolve().name
        self.shape = bert_folder.read_shape(self.folder)
        self.tokenizer = Tokenizer(
            self.folder / bert_folder.VOCABULARY,
            bert_folder.is_lower_case(self.folder),
            bert_folder.longest_text(self.folder, self.shape),
        )
        if len(self.tokenizer) > self.shape.vocabulary:
            raise DamagedFile(
                f"{self.folder}: the vocabulary has {len(self.tokenizer):,} tokens, more "
                f"than the {self.shape.vocabulary:,} of the network."
            )
        # Read again when needed: in memory they would take as much as the network.
        weights = bert_folder.read_weights(self.folder, self.shape)
        self._published = _digest(weights)

    def __repr__(self) -> str:
        return (
            f"<{self.name}: up to {self.tokenizer.longest} tokens → "
            f"{self.feature_dim:,} features, {len(self.blocks)} blocks>"
        )

    @property
    def feature_dim(self) -> int:
        """The number of features of a sentence."""
        return self.shape.width

    @property
    def blocks(self) -> dict[str, list[str]]:
        """Block name → names of its layers, from input to output."""
        layers = ("attention", "attention_norm", "wide", "narrow", "norm", "states")
        first = ("tokens", "positions", "norm", "states")
        blocks: dict[str, tuple[str, ...]] = {"embeddings": first}
        blocks |= {f"layer_{n + 1}": layers for n in range(self.shape.layers)}
        return {name: [f"{name}_{part}" for part in blocks[name]] for name in blocks}

    @cached_property
    def network(self) -> "keras.Model":
        """The network: token ids int32 (n, length), 0 is padding → features (n, d)."""
        network = self.copy_network()
        engines.release_all()  # they hold the file's weights, too
        return network

    def copy_network(self) -> "keras.Model":
        """Copy the network: training the copy leaves `self.network` as it is."""
        import_tensorflow()
        network = bert.encoder(self.shape, self.name)
        if "network" in vars(self):  # its weights may have changed
            for layer in filter(_has_weights, self.network.layers):
                network.get_layer(layer.name).set_weights(layer.get_weights())
        else:
            for name, arrays in self._file_weights().items():
                network.get_layer(name).set_weights(arrays)
        return network

    def tokens(self, sentence: str) -> list[str]:
        """The tokens of a sentence as text, from [CLS] to [SEP]."""
        (ids,) = self._ids(validation.text("sentence", sentence))
        return self.tokenizer.tokens(ids)

    def tokenize(self, sentences: "Sentences") -> np.ndarray:
        """The input of `network`: token ids int32 (n, longest), padded with 0."""
        return padded(self._ids(sentences))

    def extract_features(
        self, sentences: "Sentences", cache: bool = True
    ) -> np.ndarray:
        """Extract each sentence's features: the last layer, averaged over its tokens.

        Those computed before come from the cache. After Ctrl-C the same call continues.

        Parameters
        ----------
        sentences
            A str, a list, tuple or array of str, or a `tf.data.Dataset` of strings. A
            text longer than the network takes is cut, with a warning.
        cache : bool
            False: compute everything, and keep nothing.

        Returns
        -------
        ndarray of shape (n, feature_dim), float32

        Raises
        ------
        UserInputError
            Something among the sentences is no text, or there are none.
        """
        name = self.name if validation.flag("cache", cache) else None
        runner = self._engine(self.shape.layers)
        return sentence_features(runner, self._ids(sentences), name)

    def activations(
        self,
        sentences: "Sentences",
        block: str | None,
        augmentations: int | Sequence[str] = (AS_IS,),
        cache: bool = True,
        engine: str | None = None,
    ) -> list[np.ndarray]:
        """Compute a block's output for each sentence: float16 (tokens, width).

        Without a block: the token ids, int32 (tokens,). `augmentations` and `engine`
        are those of pictures.
        """
        self.augmentations(augmentations)
        if engines.is_dask(engine):
            raise UserInputError("Dask is for pictures: leave engine out.")
        ids = self._ids(sentences)
        if block is None:
            return ids
        (block,) = check_blocks(self.name, self.blocks, (block,))
        runner = self._engine(list(self.blocks).index(block))
        name = f"{self.name}-{block}" if validation.flag("cache", cache) else None
        return token_states(runner, ids, name, np.float16)

    def attentions(self, sentence: str) -> np.ndarray:
        """Attention weights of one sentence: float32 (layers, heads, tokens, tokens).

        How much a token of `tokens(sentence)` (third axis) attends to each one (fourth
        axis); sums to 1. It does not explain the prediction (S. Jain and B. C. Wallace,
        "Attention is not Explanation", NAACL 2019).
        """
        (ids,) = self._ids(validation.text("sentence", sentence))
        return bert.attentions(self.network, ids)

    def predict_with(
        self, network: "keras.Model", sentences: "Sentences"
    ) -> np.ndarray:
        """Predict with this network and a head on it → (n, classes)."""
        runner = self._engine(self.shape.layers, network)
        features = sentence_features(runner, self._ids(sentences), None, "Predicting")
        return network.layers[-1](features).numpy()

    def count(self, sentences: "Sentences") -> int | None:
        """The number of sentences, if it is known before they are read."""
        is_known = not isinstance(sentences, Iterator)
        return len(as_sentences(sentences)) if is_known else None

    def augmentations(self, chosen: int | Sequence[str] | None) -> tuple[str, ...]:
        """The augmentations that `fine_tune` uses: a sentence is taken as it is."""
        if chosen is not None and augmentation_names(chosen) != (AS_IS,):
            raise UserInputError(
                f"augmentations is {validation.shown(chosen)}, but only pictures are "
                "augmented; a sentence is taken as it is."
            )
        return (AS_IS,)

    def _ids(self, sentences: "Sentences") -> list[np.ndarray]:
        return self.tokenizer.ids(as_sentences(sentences))

    def _engine(
        self,
        layers: int,
        network: "keras.Model | None" = None,
        more: dict[str, list[np.ndarray]] | None = None,
    ) -> engines.OnnxEngine:
        """The engine for so many layers, and those of `more` besides.

        It has the present weights, or those of a network.
        """
        fingerprint, precision, more = self._published, self.precision, more or {}
        if network is None:
            network = vars(self).get("network")
        if network is not None:
            fingerprint = _digest(_weights_of(network))
            precision = precision if fingerprint == self._published else "float32"
        key = f"{fingerprint.hex()} {self.shape} {layers} {precision}"
        key += _digest(more).hex() if more else ""

        def build() -> bytes:
            weights = self._file_weights() if network is None else _weights_of(network)
            content = bert.to_onnx(weights | more, self.shape, layers)
            return onnx_file.quantize_text(content) if precision == "int8" else content

        def make() -> engines.Engine:
            engines.release_all()  # a BERT's engine is large: one is kept
            return engines.OnnxEngine(build, key, (None, self.shape.width))

        # With the folder, since `build` reads it: another may hold the same weights.
        remembered = engines.remembered((key, str(self.folder)), make)
        return cast(engines.OnnxEngine, remembered)

    def _file_weights(self) -> dict[str, list[np.ndarray]]:
        """The folder's weights, which have to be those that were loaded."""
        weights = bert_folder.read_weights(self.folder, self.shape)
        if _digest(weights) != self._published:
            raise DamagedFile(
                f"The weights in {self.folder} have changed since they were loaded. Load "
                "the network again."
            )
        return weights


def _weights_of(network: "keras.Model") -> dict[str, list[np.ndarray]]:
    layers = filter(_has_weights, network.layers)
    return {layer.name: layer.get_weights() for layer in layers}


def _has_weights(layer: "keras.Layer") -> bool:
    return bool(layer.weights)


def _digest(weights: dict[str, list[np.ndarray]]) -> bytes:
    return digest_of(array for name in sorted(weights) for array in weights[name])
