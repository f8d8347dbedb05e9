"""A small network that reads, trained from scratch: what a pretrained one is compared to.

Y. Kim, "Convolutional Neural Networks for Sentence Classification", EMNLP 2014, in its smallest form: windows of three
tokens, and of each of their patterns the best match in the sentence.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..features.rows import Ragged
from ..models.bert import PADDING
from ..models.wordpiece import Sentences, Tokenizer, as_sentences
from ..tensorflow_start import import_tensorflow
from .optimizing import apply_gradients
from .predictor import Predictor

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from numpy.typing import ArrayLike


WIDTH, PATTERNS, WINDOW, DROPOUT = 64, 96, 3, 0.5
EPOCHS, STEPS = (
    20,
    (200, 1500),
)  # of a training whose steps nobody has chosen: the epochs, within these limits
_BATCH = 64  # sentences predicted at once


class SmallTextNetwork(Predictor[Sentences]):
    """Made by `train_text_network`. `predict`, `score`, `confusion` and `report` take sentences.

    Attributes:
        network: `keras.Model`, token ids int32 (n, length), 0 is padding → probabilities (n, classes).
        record: {"seconds", "steps"}: of its training.
    """

    def __init__(
        self,
        network: "keras.Model",
        tokenizer: Tokenizer,
        classes: np.ndarray,
        class_names: list[str] | None,
        record: dict,
    ) -> None:
        super().__init__(classes, class_names)
        self.network, self.tokenizer, self.record = network, tokenizer, record

    def __repr__(self) -> str:
        return f"<small text network, {len(self.classes)} classes, {self.record['steps']} steps>"

    def predict_proba(self, sentences: "Sentences") -> np.ndarray:
        """Probability of each class: float32 (n, classes); sentences as for `extract_features`."""
        texts = _ragged(self.tokenizer, sentences)
        order = np.argsort(texts.lengths, kind="stable")
        batches = (order[at : at + _BATCH] for at in range(0, len(order), _BATCH))
        found = np.concatenate(
            [np.asarray(self.network(_padded(texts, batch))) for batch in batches]
        )
        return found[np.argsort(order, kind="stable")]


def train_text_network(
    sentences: "Sentences",
    labels: "ArrayLike",
    tokenizer: Tokenizer,
    class_names: Sequence[str] | None = None,
    *,
    steps: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 2e-3,
    sample_weight: "ArrayLike | None" = None,
    seed: int = 0,
) -> SmallTextNetwork:
    """Train a network of token vectors, one convolution over windows of three tokens, maximum and softmax, with Adam.

    Everything in it begins at random, the vectors of the tokens too; half of the patterns are left out at random in
    each step.

    Args:
        sentences, labels: to learn from; sentences as for `extract_features`, whole numbers or text (n,).
        tokenizer: what turns sentences into ids: `load_pretrained_model("minilm").tokenizer`.
        class_names: names for whole-number labels 0, 1, …
        steps: of training, each with `batch_size` sentences drawn at random, or all where there are fewer; without,
            as many as see each sentence 20 times, but at least 200 and at most 1,500.
        learning_rate: of Adam in the first step; from there it falls to 0 along a cosine.
        sample_weight: float (n,), how much each row counts beside the others.
        seed: of the beginning, the order and what is left out.

    Raises:
        UserInputError: as `train_classifier`; something in the sentences is no text.
    """
    if not isinstance(tokenizer, Tokenizer):
        raise UserInputError(
            f"tokenizer is {validation.shown(tokenizer)}; expected that of a text model: "
            'tl.load_pretrained_model("minilm").tokenizer.'
        )
    given = None if class_names is None else validation.class_names(class_names)
    seed, batch_size = (
        validation.seed(seed),
        validation.whole_number("batch_size", batch_size, 1),
    )
    learning_rate = validation.number("learning_rate", learning_rate)
    steps = None if steps is None else validation.whole_number("steps", steps)
    texts = _ragged(tokenizer, sentences)
    labels, weights = (
        validation.labels(labels, len(texts)),
        validation.weights(sample_weight, len(texts)),
    )
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserInputError(
            f"All {len(labels)} labels are {classes[0].item()!r}; a network needs examples of at least two classes."
        )
    names, began = validation.names_of(classes, given), time.perf_counter()
    batch = min(batch_size, len(texts))
    if steps is None:
        steps = int(np.clip(math.ceil(EPOCHS * len(texts) / batch), *STEPS))
    network = small_text_network(tokenizer.size, len(classes), seed)
    step = _step(network, learning_rate, steps)
    rng, weights = (
        np.random.default_rng([seed, 1]),
        (weights / weights.mean()).astype(np.float32),
    )
    for number in range(steps):
        rows = rng.choice(len(texts), batch, replace=False)
        step(
            _padded(texts, rows),
            targets[rows],
            weights[rows],
            np.array([seed, number], np.int64),
        )
    record = {"seconds": time.perf_counter() - began, "steps": steps}
    return SmallTextNetwork(network, tokenizer, classes, names, record)


def small_text_network(vocabulary: int, classes: int, seed: int = 0) -> "keras.Model":
    """The network itself, freshly initialised: `keras.Model`, token ids → probabilities (n, classes)."""
    import_tensorflow()
    import keras

    layers, begin = (
        keras.layers,
        partial(keras.initializers.GlorotUniform, seed=seed * 10),
    )
    ids = keras.Input((None,), dtype="int32", name="token_ids")
    vectors = keras.initializers.RandomUniform(-0.05, 0.05, seed=seed * 10 + 1)
    # Padding is zeros before and behind the convolution: it matches nothing, and a sentence's end is an end.
    there = keras.ops.expand_dims(
        keras.ops.cast(keras.ops.not_equal(ids, PADDING), "float32"), axis=-1
    )
    x = (
        layers.Embedding(
            vocabulary, WIDTH, embeddings_initializer=vectors, name="tokens"
        )(ids)
        * there
    )
    x = layers.Conv1D(
        PATTERNS,
        WINDOW,
        padding="same",
        activation="relu",
        kernel_initializer=begin(),
        name="conv",
    )(x)
    x = layers.GlobalMaxPooling1D(name="best_match")(x * there)
    outputs = layers.Dense(classes, "softmax", kernel_initializer=begin(), name="head")(
        x
    )
    return keras.Model(ids, outputs, name="small_text_network")


def _step(network: "keras.Model", learning_rate: float, steps: int) -> "Callable":
    """One step of training: ids (b, length), targets, weights (b,), and the seed of what is left out."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(
        keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    )
    variables = network.trainable_variables
    optimizer.build(variables)
    patterns = keras.Model(network.input, network.get_layer("best_match").output)
    head = network.get_layer("head")
    signature = (
        tf.TensorSpec((None, None), tf.int32),
        tf.TensorSpec((None,), tf.int64),
        tf.TensorSpec((None,), tf.float32),
        tf.TensorSpec((2,), tf.int64),
    )

    @tf.function(autograph=False, input_signature=signature)
    def step(
        ids: "tf.Tensor", targets: "tf.Tensor", weights: "tf.Tensor", seed: "tf.Tensor"
    ) -> None:
        with tf.GradientTape() as tape:
            kept = tf.nn.experimental.stateless_dropout(
                patterns(ids, training=True), DROPOUT, seed
            )
            right = tf.gather(head(kept), targets, axis=1, batch_dims=1)
            loss = tf.reduce_mean(-tf.math.log(right + 1e-7) * weights)
        apply_gradients(
            optimizer, tape.gradient(loss, [v.value for v in variables]), variables
        )

    return step.get_concrete_function()


def _ragged(tokenizer: Tokenizer, sentences: "Sentences") -> Ragged:
    ids = tokenizer.ids(as_sentences(sentences))
    return Ragged(np.concatenate(ids), [len(sentence) for sentence in ids])


def _padded(texts: Ragged, rows: np.ndarray) -> np.ndarray:
    """A batch, its length in steps of eight tokens: so TensorFlow meets few shapes."""
    batch = texts.padded(rows)
    return np.pad(batch, ((0, 0), (0, -batch.shape[1] % 8)), constant_values=PADDING)
