"""A small convolutional network, trained from scratch or from another one's first layers: what transfer is compared to.

How many layers are carried over, frozen or trained further: J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How
transferable are features in deep neural networks?", NeurIPS 2014.
"""

import math
import time
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..features.compute import compute
from ..features.engine import Pixels
from ..features.inputs import Images
from ..tensorflow_start import import_tensorflow
from .optimizing import apply_gradients
from .predictor import Predictor

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from numpy.typing import ArrayLike


CHANNELS = (16, 32, 64)  # of the three convolutions
BEHIND = (
    "conv_1",
    "pool",
    "average",
)  # the layer whose output is handed on by the first, the second, the third
EPOCHS, STEPS = (
    80,
    (300, 1500),
)  # of a training whose steps nobody has chosen: the epochs, within these limits
_BATCH = 256  # pictures predicted at once


class SmallNetwork(Predictor[Images]):
    """A small network. Made by `train_network`. `predict`, `score`, `confusion` and `report` take pictures.

    Attributes:
        network: `keras.Model`, pixels [0, 255] (n, height, width, 3) → probabilities (n, classes); its convolutions
            are named conv_1, conv_2, conv_3.
        input_size: (height, width) in pixels.
        record: {"seconds", "steps", "carried", "frozen"}: of its training.
    """

    def __init__(
        self,
        network: "keras.Model",
        classes: np.ndarray,
        class_names: list[str] | None,
        record: dict,
    ) -> None:
        super().__init__(classes, class_names)
        self.network, self.record = network, record
        self.input_size = tuple(network.input_shape[1:3])

    def __repr__(self) -> str:
        height, width = self.input_size
        return f"<small network, {height}×{width} pixels, {len(self.classes)} classes, {self.record['steps']} steps>"

    def predict_proba(self, images: "Images") -> np.ndarray:
        """Probability of each class: float32 (n, classes); pictures as for `extract_features`."""
        return _in_batches(self.network, _pixels(images, self.input_size))


def train_network(
    images: "Images",
    labels: "ArrayLike",
    class_names: Sequence[str] | None = None,
    *,
    start: SmallNetwork | None = None,
    carried: int = len(CHANNELS),
    frozen: bool = False,
    size: tuple[int, int] | None = None,
    steps: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 5e-3,
    sample_weight: "ArrayLike | None" = None,
    seed: int = 0,
) -> SmallNetwork:
    """Train a network of three convolutions, global average pooling and softmax, with Adam.

    Args:
        images, labels: to learn from; pictures as for `extract_features`, whole numbers or text (n,).
        class_names: names for whole-number labels 0, 1, …
        start: a network trained for another task, whose first layers are carried over; None: from scratch.
        carried: how many of its convolutions, from the pixels on (0 to 3); the others begin at random.
        frozen: whether those carried over stay as they are.
        size: (height, width) the pictures are resized to; without, that of `start`, or of the first picture.
        learning_rate: of Adam in the first step; from there it falls to 0 along a cosine.
        steps: of training, each with `batch_size` pictures drawn at random, or all where there are fewer; without,
            as many as see each picture 80 times, but at least 300 and at most 1,500.
        sample_weight: float (n,), how much each row counts beside the others.
        seed: of the beginning and of the order.

    Raises:
        UserInputError: as `train_classifier`; layers that are not there, a size unlike that of `start`.
    """
    if start is not None and not isinstance(start, SmallNetwork):
        raise UserInputError(
            f"start is a {type(start).__name__}; expected a network of tl.train_network, or None."
        )
    if (
        isinstance(carried, bool)
        or not isinstance(carried, int | np.integer)
        or carried not in range(len(CHANNELS) + 1)
    ):
        raise UserInputError(
            f"carried is {validation.shown(carried)}; there are {len(CHANNELS)} convolutions, so expected 0 to 3."
        )
    if start is not None and size not in (None, start.input_size):
        raise UserInputError(
            f"size is {size}, but the network to start from was trained on {start.input_size}."
        )
    names = None if class_names is None else validation.class_names(class_names)
    size = None if size is None else validation.size(size)
    frozen = validation.flag("frozen", frozen)
    seed, batch_size = (
        validation.seed(seed),
        validation.whole_number("batch_size", batch_size, 1),
    )
    learning_rate = validation.number("learning_rate", learning_rate)
    steps = None if steps is None else validation.whole_number("steps", steps)
    pixels = _pixels(images, size or (start.input_size if start else None))
    labels, weights = (
        validation.labels(labels, len(pixels)),
        validation.weights(sample_weight, len(pixels)),
    )
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserInputError(
            f"All {len(labels)} labels are {classes[0].item()!r}; a network needs examples of at least two classes."
        )
    names, carried = validation.names_of(classes, names), carried if start else 0
    began = time.perf_counter()
    workbench = _workbench(pixels.shape[1:], len(classes), carried if frozen else 0)
    workbench.begin(start, carried, seed)
    pixels = workbench.behind_the_frozen(pixels)
    rng, batch = np.random.default_rng([seed, 1]), min(batch_size, len(pixels))
    weights = (weights / weights.mean()).astype(np.float32)
    if steps is None:
        steps = int(np.clip(math.ceil(EPOCHS * len(pixels) / batch), *STEPS))
    for step in range(steps):
        rows = rng.choice(len(pixels), batch, replace=False)
        workbench.optimizer.learning_rate.assign(
            learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        )
        workbench.step(pixels[rows], targets[rows], weights[rows])
    record = {
        "seconds": time.perf_counter() - began,
        "steps": steps,
        "carried": carried,
        "frozen": frozen,
    }
    return SmallNetwork(workbench.result(), classes, names, record)


def _pixels(images: "Images", size: tuple[int, int] | None) -> np.ndarray:
    """uint8 (n, height, width, 3), resized where they have to be."""
    if size is None:
        shape = getattr(images, "shape", ())
        if len(shape) not in (3, 4):
            raise UserInputError(
                "The pictures may be of many sizes, and a small network takes one. Choose it: size=(96, 96), say."
            )
        size = tuple(shape[1:3])
    return compute(
        Pixels(size), images, size, dtype=np.uint8, describe="Preparing pictures"
    )


def small_network(
    input_shape: tuple[int, int, int], classes: int, seed: int = 0
) -> "keras.Model":
    """The network itself, freshly initialised: `keras.Model`, pixels [0, 255] → probabilities (n, classes)."""
    import_tensorflow()
    import keras

    layers = keras.layers
    pixels = keras.Input(input_shape, name="pixels")
    x = layers.Rescaling(1 / 255, name="preprocessing")(pixels)
    for number, channels in enumerate(CHANNELS, start=1):
        begin = keras.initializers.HeUniform(seed=seed * 10 + number)
        strides = 2 if number == 1 else 1
        x = layers.Conv2D(
            channels,
            3,
            strides,
            "same",
            kernel_initializer=begin,
            activation="relu",
            name=f"conv_{number}",
        )(x)
        if number == 2:
            x = layers.MaxPooling2D(name="pool")(x)
    x = layers.GlobalAveragePooling2D(name="average")(x)
    begin = keras.initializers.GlorotUniform(seed=seed * 10)
    outputs = layers.Dense(classes, "softmax", kernel_initializer=begin, name="head")(x)
    return keras.Model(pixels, outputs, name="small_network")


def _in_batches(network: "keras.Model", pixels: np.ndarray) -> np.ndarray:
    return np.concatenate(
        [
            np.asarray(network(pixels[i : i + _BATCH]))
            for i in range(0, len(pixels), _BATCH)
        ]
    )


class _Workbench:
    """One network and one traced step, used for training after training: tracing takes longer than a short training.

    The step trains what comes behind the frozen convolutions; those see each picture once.
    """

    def __init__(
        self, input_shape: tuple[int, int, int], classes: int, frozen: int
    ) -> None:
        import_tensorflow()
        import keras

        self.network = small_network(input_shape, classes)
        self._front, learning = None, self.network
        if frozen:
            border = self.network.get_layer(BEHIND[frozen - 1]).output
            self._front = keras.Model(self.network.input, border)
            learning = keras.Model(border, self.network.output)
        self.optimizer = keras.optimizers.Adam()
        self.optimizer.build(learning.trainable_variables)
        self._fresh_optimizer = [
            variable.numpy() for variable in self.optimizer.variables
        ]
        self.step = self._traced(learning)

    def _traced(self, learning: "keras.Model") -> "Callable":
        import tensorflow as tf

        variables = learning.trainable_variables
        signature = (
            tf.TensorSpec(
                (None, *learning.input_shape[1:]),
                tf.float32 if self._front else tf.uint8,
            ),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,), tf.float32),
        )

        @tf.function(autograph=False, input_signature=signature)
        def step(
            pixels: "tf.Tensor", targets: "tf.Tensor", weights: "tf.Tensor"
        ) -> "tf.Tensor":
            with tf.GradientTape() as tape:
                probabilities = learning(tf.cast(pixels, tf.float32), training=True)
                right = tf.gather(probabilities, targets, axis=1, batch_dims=1)
                loss = tf.reduce_mean(-tf.math.log(right + 1e-7) * weights)
            apply_gradients(
                self.optimizer,
                tape.gradient(loss, [v.value for v in variables]),
                variables,
            )
            return loss

        return step.get_concrete_function()

    def begin(self, start: SmallNetwork | None, carried: int, seed: int) -> None:
        """Fresh weights of this seed, those carried over in their place, and an optimizer that remembers nothing."""
        self.network.set_weights(
            small_network(
                self.network.input_shape[1:], self.network.output_shape[-1], seed
            ).get_weights()
        )
        if start is not None:
            for name in (f"conv_{number}" for number in range(1, carried + 1)):
                self.network.get_layer(name).set_weights(
                    start.network.get_layer(name).get_weights()
                )
        for variable, value in zip(
            self.optimizer.variables, self._fresh_optimizer, strict=True
        ):
            variable.assign(value)

    def behind_the_frozen(self, pixels: np.ndarray) -> np.ndarray:
        """What the layers that learn are given: the pixels themselves, where nothing is frozen."""
        return pixels if self._front is None else _in_batches(self._front, pixels)

    def result(self) -> "keras.Model":
        """A network of its own with the present weights."""
        network = small_network(
            self.network.input_shape[1:], self.network.output_shape[-1]
        )
        network.set_weights(self.network.get_weights())
        return network


@lru_cache(maxsize=8)
def _workbench(
    input_shape: tuple[int, int, int], classes: int, frozen: int
) -> _Workbench:
    return _Workbench(input_shape, classes, frozen)
