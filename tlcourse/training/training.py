"""The second stage of fine-tuning: the blocks behind the cut, trained on activations that are already there."""

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from .checkpoint import Checkpoint
from .examples import Examples
from .settings import Settings
from .tail import tail
from .training_step import Schedule, TrainingStep, batch_of

if TYPE_CHECKING:
    import keras
    import tensorflow as tf
    from numpy.typing import DTypeLike

EVALUATION_BATCH = 16


def descriptions(
    network: "keras.Model", start: "keras.KerasTensor", dtype: "DTypeLike"
) -> Callable:
    """`describe(activations)` → the network's output for a batch (b, …) of this dtype, with its present weights."""
    import tensorflow as tf

    run = tail(network, start)
    return (
        tf.function(
            lambda activations: run(tf.cast(activations, start.dtype)),
            autograph=False,
            input_signature=(batch_of(start, dtype),),
        ).get_concrete_function()
    )  # traced now: TensorFlow would warn of "retracing" whoever fine-tunes six times


def temper(head: "keras.layers.Layer") -> None:
    """Make a Dense layer with softmax as short as a freshly initialised one: the same answers, less sure.

    A probe's weights are many times as long, and so much the more does every change of the features count: at a
    learning rate that pays in the end, the first steps would overthrow the decision. Short weights leave room to learn
    features (L. Chizat et al., "On Lazy Training in Differentiable Programming", NeurIPS 2019).
    """
    kernel, bias = head.get_weights()
    fresh = math.sqrt(
        2 / sum(kernel.shape)
    )  # standard deviation: X. Glorot and Y. Bengio, AISTATS 2010
    factor = min(1.0, fresh / max(float(kernel.std()), 1e-12))
    head.set_weights([kernel * factor, bias * factor])


class Training:
    """A training behind the cut, from the beginning to the best of its epochs.

    Args:
        step: what moves the weights by one batch; they begin as they are, the head as the probe, tempered.
        describe: from `descriptions`.
        learn: what is learned from.
        held_out: what the epochs are judged on, or None.
        settings: see `Settings`.

    Attributes:
        variables: what is trained; `before`, their values before that.
        epochs, probe, best_epoch, resumed_after: as in the record of `FineTuned`.
    """

    def __init__(
        self,
        step: TrainingStep,
        describe: Callable,
        learn: Examples,
        held_out: Examples | None,
        settings: Settings,
    ) -> None:
        self.learn, self.held_out, self.settings = learn, held_out, settings
        self.variables = step.variables
        self._step, self._describe, self._head = step, describe, step.head
        self.batch = min(settings.batch_size, len(learn))
        self.steps = len(learn) // self.batch
        self._schedule = Schedule(settings, settings.epochs * self.steps)
        self.epochs: list[dict] = []
        self.probe: dict[str, float] = {}
        self.resumed_after = 0
        self.before = self._values(self.variables)
        self.best_epoch, self._best_weights = 0, self.before
        step.forget()

    def seconds_a_step(self) -> float:
        """How long a step takes here, by trying it; the weights are afterwards what they were."""
        state = [*self.variables, *self._step.memory]
        before = self._values(state)
        batch = next(self._batches(0))
        seconds = []
        for _ in range(3):  # the first one compiles
            began = time.perf_counter()
            float(self._learn(*batch))
            seconds.append(time.perf_counter() - began)
        self._assign(state, before)
        return min(seconds[1:])

    def run(
        self, checkpoint: Checkpoint | None = None, say: Callable | None = None
    ) -> None:
        """Train epoch after epoch, from where the checkpoint stands; then put the best weights in.

        Args:
            checkpoint: where the state is kept after each epoch, if it is.
            say: is given `epochs` and `probe` after each epoch.
        """
        checkpoint = checkpoint or Checkpoint(None)
        self._restore(checkpoint.read())
        self.resumed_after = len(self.epochs)
        if not self.epochs:
            if self.held_out:
                self.probe = self._judge()
            temper(self._head)
        for epoch in range(len(self.epochs) + 1, self.settings.epochs + 1):
            if epoch - 1 - self.best_epoch >= self.settings.patience:
                break
            began = time.perf_counter()
            losses = [self._learn(*batch) for batch in self._batches(epoch)]
            row = {
                "epoch": epoch,
                "loss": float(np.mean(losses)),
                "learning_rate": self._rate(epoch),
            }
            if self.held_out:
                row |= self._judge()
            if self._quality(row) > self._quality(self._best()):
                self.best_epoch, self._best_weights = (
                    epoch,
                    self._values(self.variables),
                )
            self.epochs.append(row | {"seconds": time.perf_counter() - began})
            checkpoint.write(self._state())
            if say:
                say(self.epochs, self.probe)
        self._assign(self.variables, self._best_weights)

    def _best(self) -> dict:
        """The best epoch so far, or the probe."""
        return self.epochs[self.best_epoch - 1] if self.best_epoch else self.probe

    @staticmethod
    def _quality(row: dict) -> tuple[float, float]:
        """What a later epoch must surpass; without held-out rows any does."""
        if "validation_accuracy" in row:
            return row["validation_accuracy"], -row["validation_loss"]
        return float(row.get("epoch", 0)), 0.0

    def _learn(
        self,
        activations: np.ndarray,
        targets: np.ndarray,
        weights: np.ndarray,
        number: int,
    ) -> "tf.Tensor":
        """One step; its loss. Numbers go on from the first epoch's first, `self.steps`; those before are for timing."""
        rate = self._schedule(max(0, number - self.steps))
        return self._step(activations, targets, weights, number, rate, self.settings)

    def _rate(self, epoch: int) -> float:
        return self._schedule(epoch * self.steps - 1)

    def _batches(self, epoch: int) -> Iterator[tuple]:
        """One epoch's batches and their numbers; order and views depend on seed and epoch alone."""
        rng = np.random.default_rng([self.settings.seed, epoch])
        for number, (chosen, views) in enumerate(
            self.learn.shuffled(self.batch, rng), start=epoch * self.steps
        ):
            activations, weights = (
                self.learn.take(chosen, views),
                self.learn.weights[chosen].astype(np.float32),
            )
            yield activations, self.learn.targets[chosen], weights, number

    def _judge(self) -> dict[str, float]:
        """Accuracy in [0, 1] and cross-entropy on the held-out rows, both weighted."""
        held_out = cast(Examples, self.held_out)  # asked only where there are some
        probabilities = held_out.outputs(
            lambda batch: self._head(self._describe(batch)), EVALUATION_BATCH
        )
        targets = held_out.targets
        right = probabilities.argmax(axis=1) == targets
        surprise = -np.log(probabilities[np.arange(len(targets)), targets] + 1e-12)
        weights = held_out.weights
        return {
            "validation_accuracy": float(np.average(right, weights=weights)),
            "validation_loss": float(np.average(surprise, weights=weights)),
        }

    @staticmethod
    def _values(variables: "Sequence[keras.Variable]") -> list[np.ndarray]:
        return [variable.numpy() for variable in variables]

    @staticmethod
    def _assign(
        variables: "Sequence[keras.Variable]", values: "Iterable[np.ndarray]"
    ) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _state(self) -> dict[str, np.ndarray]:
        about = {
            "epochs": self.epochs,
            "probe": self.probe,
            "best_epoch": self.best_epoch,
        }
        return {
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
            **{
                f"variable_{i}": value
                for i, value in enumerate(self._values(self.variables))
            },
            **{
                f"optimizer_{i}": value
                for i, value in enumerate(self._values(self._step.memory))
            },
            **{f"best_{i}": value for i, value in enumerate(self._best_weights)},
        }

    def _restore(self, state: dict[str, np.ndarray] | None) -> None:
        if state is None:
            return
        about = json.loads(state["about"].tobytes())
        self.epochs, self.probe, self.best_epoch = (
            about["epochs"],
            about["probe"],
            about["best_epoch"],
        )
        self._assign(
            self.variables, [state[f"variable_{i}"] for i in range(len(self.variables))]
        )
        self._assign(
            self._step.memory,
            [state[f"optimizer_{i}"] for i in range(len(self._step.memory))],
        )
        self._best_weights = [state[f"best_{i}"] for i in range(len(self.variables))]
