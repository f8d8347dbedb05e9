"""One step of training behind the cut. What settings say comes in as numbers, so TensorFlow traces it once for all."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..models.blocks import is_kernel
from .optimizing import apply_gradients
from .settings import Settings
from .tail import tail

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from numpy.typing import DTypeLike


def batch_of(start: "keras.KerasTensor", dtype: "DTypeLike") -> "tf.TensorSpec":
    """A batch of any size of what comes in at `start`, kept as this dtype."""
    import tensorflow as tf

    return tf.TensorSpec((None, *start.shape[1:]), tf.as_dtype(dtype))


class TrainingStep:
    """Moves the network behind the cut and the head by one batch, with AdamW.

    Args:
        network: functional `keras.Model`; its layers' `trainable` says what is trained.
        start: the `KerasTensor` where the activations come in.
        head: built Dense layer with softmax.
        dtype: in which the activations are kept.

    Attributes:
        variables: what is trained, of the network and of the head.
        head: as given.
    """

    def __init__(
        self,
        network: "keras.Model",
        start: "keras.KerasTensor",
        head: "keras.layers.Layer",
        dtype: "DTypeLike",
    ) -> None:
        import keras

        self.head = head
        self.variables = [*network.trainable_variables, *head.trainable_variables]
        self._optimizer = keras.optimizers.AdamW(
            0.0
        )  # rate and decay come with each step
        self._optimizer.build(self.variables)
        self._run = self._traced(network, start, dtype)

    @property
    def memory(self) -> list:
        """The optimizer's variables: how many steps there were, and the averages of the gradients."""
        return self._optimizer.variables

    def forget(self) -> None:
        """An optimizer that remembers nothing: a training begins."""
        for variable in self.memory:
            variable.assign(np.zeros(variable.shape, variable.dtype))

    def __call__(
        self,
        activations: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        number: int,
        rate: float,
        settings: Settings,
    ) -> "tf.Tensor":
        """Learn from one batch; the loss, a TensorFlow scalar.

        Args:
            activations, targets, weights: of b rows.
            number: of this step, from which and the seed follows what is dropped.
            rate: of learning.
        """
        classes = self.head.units
        numbers = [
            rate,
            settings.weight_decay,
            settings.dropout,
            1 / (1 - settings.dropout),
            1 - settings.label_smoothing,
            settings.label_smoothing / classes,
        ]
        seed = np.array([settings.seed, number], np.int64)
        return self._run(
            activations, targets, weights, seed, np.array(numbers, np.float32)
        )

    def _traced(
        self, network: "keras.Model", start: "keras.KerasTensor", dtype: "DTypeLike"
    ) -> "Callable":
        import tensorflow as tf

        run, head, variables, optimizer = (
            tail(network, start),
            self.head,
            self.variables,
            self._optimizer,
        )
        decayed = [variable for variable in variables if is_kernel(variable)]
        signature = (
            batch_of(start, dtype),
            tf.TensorSpec((None,), tf.int64),
            tf.TensorSpec((None,), tf.float32),
            tf.TensorSpec((2,), tf.int64),
            tf.TensorSpec((6,), tf.float32),
        )

        @tf.function(autograph=False, input_signature=signature)
        def step(
            activations: "tf.Tensor",
            targets: "tf.Tensor",
            weights: "tf.Tensor",
            seed: "tf.Tensor",
            numbers: "tf.Tensor",
        ) -> "tf.Tensor":
            rate, decay, dropped, enlarged, sure, everywhere = tf.unstack(numbers)
            with tf.GradientTape() as tape:
                outputs = run(tf.cast(activations, start.dtype))
                # Dropout of this step and seed, whatever was computed before: so a training can be resumed.
                luck = tf.random.stateless_uniform(tf.shape(outputs), seed)
                outputs = tf.where(luck >= dropped, outputs * enlarged, 0.0)
                wanted = tf.one_hot(targets, head.units) * sure + everywhere
                losses = tf.nn.softmax_cross_entropy_with_logits(
                    wanted, outputs @ head.kernel + head.bias
                )
                loss = tf.reduce_mean(losses * weights)
            gradients = tape.gradient(loss, [variable.value for variable in variables])
            apply_gradients(optimizer, gradients, variables, decayed, rate, decay)
            return loss

        return step


class Schedule:
    """The learning rate: it rises for the first twelfth of the steps, then falls to 0 along a cosine."""

    def __init__(self, settings: Settings, steps: int) -> None:
        import keras
        import tensorflow as tf

        warmup = max(1, steps // 12)
        schedule = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate / warmup,
            max(1, steps - warmup),
            warmup_target=settings.learning_rate,
            warmup_steps=warmup,
        )
        count = tf.TensorSpec((), tf.int64)
        self._rate = tf.function(
            schedule, autograph=False, input_signature=(count,)
        ).get_concrete_function()

    def __call__(self, done: int) -> float:
        """The rate after so many steps."""
        import tensorflow as tf

        return float(self._rate(tf.constant(done, tf.int64)))
