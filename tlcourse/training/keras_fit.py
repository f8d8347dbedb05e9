"""What `fine_tune` gives to Keras' `fit`: the blocks to be trained, and callbacks.

Imported after TensorFlow has been started by `import_tensorflow`.
"""

import json
import math
import sys
import time
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.callbacks import History

from ..features.cache import CacheWarning
from ..files import write_atomically
from ..models.blocks import is_kernel
from ..progress import duration, in_notebook, is_off
from .folded_norms import with_folded_norms
from .preparation import Settings
from .probe import LinearProbe


class Tail:
    """The blocks behind the cut with the head, compiled once for many trainings.

    Tracing a step takes seconds, so it reads what differs from these variables.
    """

    def __init__(
        self, network: keras.Model, cut: str, head: keras.layers.Dense
    ) -> None:
        self._values = {
            name: keras.Variable(1.0, dtype="float32", trainable=False, name=name)
            for name in ("first_rate", "rate", "warmup", "cosine", "decay", "dropout")
        }
        self._dropout = AdjustableDropout(self._values["dropout"])
        outputs = head(self._dropout(network.output))
        self.unfolded = keras.Model(network.get_layer(cut).output, outputs)
        self.model = with_folded_norms(self.unfolded)
        self._head, self._initial = head, self.model.get_weights()
        schedule = keras.optimizers.schedules.CosineDecay(
            self._values["first_rate"],
            self._values["cosine"],
            warmup_target=self._values["rate"],
            warmup_steps=self._values["warmup"],
        )
        decay = self._values["decay"]
        self._optimizer = keras.optimizers.AdamW(schedule, weight_decay=decay)
        trained = self.model.trainable_weights
        others = [weight for weight in trained if not is_kernel(weight)]
        self._optimizer.exclude_from_weight_decay(others)
        self._optimizer.build(trained)
        self.model.compile(
            self._optimizer,
            keras.losses.CategoricalCrossentropy(),
            weighted_metrics=["accuracy"],
            jit_compile=False,  # compiling would take longer than most trainings
        )

    @property
    def state(self) -> list[keras.Variable]:
        """All that training changes, the optimizer's variables last."""
        seed = self._dropout.seed_generator.state
        return [*self.model.weights, seed, *self._optimizer.variables]

    def reset(self, probe: LinearProbe, settings: Settings, steps: int) -> None:
        """Start again from this probe, with these settings, for so many steps."""
        self.model.set_weights(self._initial)
        self._head.set_weights(probe.kernel_and_bias())
        for variable in self._optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        self._dropout.seed_generator.state.assign([settings.seed, 0])
        warmup = max(1, steps // 12)
        values = {
            "first_rate": settings.learning_rate / warmup,
            "rate": settings.learning_rate,
            "warmup": warmup,
            "cosine": max(1, steps - warmup),
            "decay": settings.weight_decay,
            "dropout": settings.dropout,
        }
        for name, value in values.items():
            self._values[name].assign(value)

    def scale_down_head(self) -> None:
        """Scale the weights of a probe down to those of a freshly initialised layer.

        A probe's weights are many times as large, and so much the more does every
        change of the features count: the first steps would undo the probe (L. Chizat
        et al., "On Lazy Training in Differentiable Programming", NeurIPS 2019).
        """
        kernel, bias = self._head.get_weights()
        initial = math.sqrt(2 / sum(kernel.shape))  # Glorot and Bengio, AISTATS 2010
        factor = min(1.0, initial / max(float(kernel.std()), 1e-12))
        self._head.set_weights([kernel * factor, bias * factor])


class AdjustableDropout(keras.layers.Layer):
    """Keras' dropout, with a rate that is a variable."""

    def __init__(self, rate: keras.Variable) -> None:
        super().__init__(name="dropout")
        self.seed_generator = keras.random.SeedGenerator(0)
        self._read_rate = lambda: rate.value  # Keras would count it among the weights

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training:
            return inputs
        rate, shape = self._read_rate(), keras.ops.shape(inputs)
        kept = keras.random.uniform(shape, seed=self.seed_generator) >= rate
        return keras.ops.where(kept, inputs / (1 - rate), 0.0)


class BestEpoch(keras.callbacks.Callback):
    """Early stopping that ends with the weights of the best epoch.

    It has the highest validation accuracy and, of several, the lowest loss. Epoch 0 is
    the probe, with its metrics and weights: they are kept where no epoch is better.
    """

    def __init__(
        self, patience: int, probe: dict[str, float], weights: list[np.ndarray]
    ) -> None:
        super().__init__()
        self.patience = patience
        self.value, self.epoch, self.weights = self._value(probe), 0, weights

    def _value(self, logs: dict[str, float]) -> list[float]:
        return [logs["val_accuracy"], -logs["val_loss"]]

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        value = self._value(logs or {})
        if value > self.value:
            self.value, self.epoch = value, epoch + 1
            self.weights = self.model.get_weights()
        elif epoch and epoch + 1 - self.epoch >= self.patience:
            self.model.stop_training = True

    def on_train_end(self, logs: dict | None = None) -> None:
        self.model.set_weights(self.weights)


class Backup(keras.callbacks.Callback):
    """A file after each epoch, so that a training that was killed goes on from there.

    Keras' BackupAndRestore would keep neither the history nor the best weights.
    """

    def __init__(
        self, file: Path, tail: Tail, history: History, best: BestEpoch | None
    ) -> None:
        super().__init__()
        self.file, self.tail, self.history, self.best = file, tail, history, best
        self.is_possible = True

    def restore(self) -> int:
        """Go on from the file, if there is a whole one, and return its epochs."""
        try:
            with np.load(self.file, allow_pickle=False) as saved:
                text, *arrays = (saved[name] for name in saved.files)
            history, best = json.loads(text.item())
            state = list(zip(self.tail.state, arrays, strict=False))
            is_whole = len(state) == len(self.tail.state) and len(history["loss"]) > 0
            is_whole &= all(tuple(one.shape) == other.shape for one, other in state)
        except Exception:  # whatever damaged files raise
            return 0
        if not is_whole:
            return 0
        self.history.history, arrays = history, arrays[len(state) :]
        for variable, value in state:
            variable.assign(value)
        if self.best:
            self.best.value, self.best.epoch = best
            self.best.weights = arrays
        return len(self.history.history["loss"])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        if not self.is_possible:
            return
        best = self.best and [self.best.value, self.best.epoch]
        text = json.dumps([self.history.history, best])
        arrays = [variable.numpy() for variable in self.tail.state]
        arrays += self.best.weights if self.best else []
        try:
            write_atomically(self.file, lambda file: np.savez(file, text, *arrays))
        except OSError as error:
            self.is_possible = False
            warnings.warn(
                f"The training cannot be backed up in {self.file.parent} ({error}); it "
                "goes on, and could not be resumed after an interruption.",
                CacheWarning,
                stacklevel=2,
            )

    def on_train_end(self, logs: dict | None = None) -> None:
        with suppress(OSError):
            self.file.unlink()


class Progress(keras.callbacks.Callback):
    """A live curve in a notebook, one line per epoch elsewhere; or `TQDM_DISABLE=1`."""

    def __init__(self, rows: str, probe: dict[str, float]) -> None:
        super().__init__()
        self.rows, self.probe = rows, probe
        self._chart: Any = None

    def on_train_begin(self, logs: dict | None = None) -> None:
        say(f"Fine-tuning on {self.rows}.")

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self._started = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        logs, total = logs or {}, self.params["epochs"]
        seconds = time.perf_counter() - self._started
        text = f"epoch {epoch + 1} of {total}, loss {logs['loss']:.3f}"
        if "val_accuracy" in logs:
            text += f", validation accuracy {logs['val_accuracy']:.1%}"
        text += f", {duration(seconds)}"
        if left := total - epoch - 1:
            text += f", {duration(left * seconds)} left"
        if not in_notebook() or is_off():
            say(text)
            return
        from ..plots import training
        from ..plots.figure import LiveFigure

        self._chart = self._chart or LiveFigure()
        self._chart.show(training(self.model.history.history, text, total, self.probe))


def say(text: str) -> None:
    """Print a line of progress; outside of notebooks on stderr."""
    if not is_off():
        print(text, file=sys.stdout if in_notebook() else sys.stderr, flush=True)


def assemble(
    network: keras.Model, cut: str, weights: Sequence[np.ndarray], dropout: float
) -> keras.Model:
    """A network of its own, from pixels on; `weights` are those of `Tail.unfolded`."""
    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    # Layers within layers, as attention has them, do not keep their flags in a clone.
    for layer, clone in zip(
        network._flatten_layers(), copy._flatten_layers(), strict=True
    ):
        clone.trainable = layer.trainable
    x = keras.layers.Dropout(dropout, name="dropout")(copy.output)
    head = keras.layers.Dense(len(weights[-1]), activation="softmax", name="head")
    outputs = head(x)
    keras.Model(copy.get_layer(cut).output, outputs).set_weights(weights)
    return keras.Model(copy.inputs, outputs, name=f"{copy.name}_fine_tuned")
