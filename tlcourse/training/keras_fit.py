"""What `fine_tune` gives to Keras' `fit`: the blocks to be trained, and callbacks.

Imported after TensorFlow has been started by `import_tensorflow`.
"""

import json
import math
import shutil
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from ..features.cache import CacheWarning
from ..files import read_json, write_atomically
from ..models.blocks import is_kernel
from ..progress import duration, in_notebook, is_off
from .folded_norms import with_folded_norms

if TYPE_CHECKING:
    from .preparation import Settings


class Tail:
    """The blocks behind the cut with the head, compiled once for many trainings.

    To trace a training step takes seconds. So what differs between trainings is kept in
    variables, which a traced step reads: the learning rate, weight decay and dropout.
    """

    def __init__(
        self, network: keras.Model, cut: str, head: keras.layers.Dense
    ) -> None:
        names = ("first_rate", "rate", "warmup", "cosine", "weight_decay", "dropout")
        self._values = {
            name: keras.Variable(1.0, dtype="float32", trainable=False, name=name)
            for name in names
        }
        self._dropout = AdjustableDropout(self._values["dropout"])
        outputs = head(self._dropout(network.output))
        self._plain = keras.Model(network.get_layer(cut).output, outputs)
        self.model = with_folded_norms(self._plain)
        self._head, self._initial = head, self.model.get_weights()
        schedule = keras.optimizers.schedules.CosineDecay(
            self._values["first_rate"],
            self._values["cosine"],
            warmup_target=self._values["rate"],
            warmup_steps=self._values["warmup"],
        )
        decay = self._values["weight_decay"]
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=decay)
        optimizer.exclude_from_weight_decay(
            [each for each in self.model.trainable_weights if not is_kernel(each)]
        )
        self.model.compile(
            optimizer,
            keras.losses.CategoricalCrossentropy(),
            weighted_metrics=["accuracy"],
            jit_compile=False,  # compiling would take longer than most trainings
        )

    def reset(self, settings: "Settings", steps: int) -> None:
        """Start again from the probe, with these settings, for so many steps."""
        self.model.set_weights(self._initial)
        for variable in self.model.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        self._dropout.seed_generator.state.assign([settings.seed, 0])
        warmup = max(1, steps // 12)
        values = {
            "first_rate": settings.learning_rate / warmup,
            "rate": settings.learning_rate,
            "warmup": warmup,
            "cosine": max(1, steps - warmup),
            "weight_decay": settings.weight_decay,
            "dropout": settings.dropout,
        }
        for name, value in values.items():
            self._values[name].assign(value)

    def weights(self) -> list[np.ndarray]:
        """The weights in the order of the network's layers, as `assemble` takes them."""
        return self._plain.get_weights()

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


class BestEpoch(keras.callbacks.EarlyStopping):
    """Early stopping that ends with the weights of the best epoch.

    It has the highest validation accuracy and, of several, the lowest loss. Epoch 0 is
    the probe, with its metrics and weights: they are kept where no epoch is better.
    """

    def __init__(
        self, patience: int, probe: dict[str, float], weights: list[np.ndarray]
    ) -> None:
        super().__init__(
            "val_accuracy", patience=patience, mode="max", restore_best_weights=True
        )
        best = self.get_monitor_value(probe)
        self.at_begin: dict[str, Any] = {"best": best, "best_weights": weights}

    def on_train_begin(self, logs: dict | None = None) -> None:
        super().on_train_begin(logs)
        self.best_epoch = -1
        for name, value in self.at_begin.items():
            setattr(self, name, value)

    def get_monitor_value(self, logs: dict[str, float]) -> tuple[float, float]:
        return logs["val_accuracy"], -logs["val_loss"]

    def _is_improvement(self, value: tuple, reference: tuple) -> bool:
        return value > reference


class Backup(keras.callbacks.Callback):
    """Backup of each epoch, so that a training that was killed goes on after it.

    Keras' BackupAndRestore would keep neither the history nor the best weights. Here
    `state.json` names the epochs whose files count. Training goes on without a backup
    that cannot be read or written.
    """

    def __init__(self, folder: Path, best: BestEpoch | None) -> None:
        super().__init__()
        self.folder, self.best = folder, best
        self.history: dict[str, list[float]] = {}
        self.is_possible = True

    def restore(self, model: keras.Model) -> int:
        """Load the backup of this training, if any, and return its epochs."""
        model.optimizer.build(model.trainable_variables)
        try:
            saved = read_json(self.folder / "state.json")
            done, best_epoch = saved["epochs"], saved["best_epoch"]
            resumed: dict[str, Any] = {"wait": done - 1 - best_epoch}
            if best_epoch >= 0:
                model.load_weights(self._file(best_epoch))
                resumed |= {"best": tuple(saved["best"]), "best_epoch": best_epoch}
                resumed["best_weights"] = model.get_weights()
            model.load_weights(self._file(done - 1))  # and the optimizer's state
            self.history = saved["history"]
        except Exception:  # whatever damaged files raise
            shutil.rmtree(self.folder, ignore_errors=True)
            return 0
        if self.best:
            self.best.at_begin |= resumed
        return done

    def _file(self, epoch: int) -> Path:
        return self.folder / f"{epoch}.weights.h5"

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if not self.is_possible:
            return
        best_epoch = self.best.best_epoch if self.best else -1
        state = {
            "epochs": epoch + 1,
            "history": self.history,
            "best_epoch": best_epoch,
            "best": self.best.best if self.best else None,
        }
        text = json.dumps(state).encode()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.model.save_weights(self._file(epoch))
            write_atomically(self.folder / "state.json", lambda file: file.write(text))
            for file in self.folder.glob("*.weights.h5"):
                if file not in (self._file(epoch), self._file(best_epoch)):
                    file.unlink()
        except (OSError, RuntimeError) as error:  # h5py raises both on a full disk
            shutil.rmtree(self.folder, ignore_errors=True)
            self.is_possible = False
            warnings.warn(
                f"The training cannot be backed up in {self.folder.parent} ({error}); "
                "it goes on, and could not be resumed after an interruption.",
                CacheWarning,
                stacklevel=2,
            )

    def on_train_end(self, logs: dict | None = None) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


class Progress(keras.callbacks.Callback):
    """A live curve in a notebook, one line per epoch elsewhere.

    `TQDM_DISABLE=1` turns it off, as it does progress bars.
    """

    def __init__(self, rows: str, probe: dict[str, float]) -> None:
        super().__init__()
        self.rows, self.probe = rows, probe
        self._history: dict[str, list[float]] = {}
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
        for name, value in logs.items():
            self._history.setdefault(name, []).append(value)
        if not in_notebook() or is_off():
            say(text)
            return
        from ..plots import training
        from ..plots.figure import LiveFigure

        self._chart = self._chart or LiveFigure()
        self._chart.show(training(self._history, text, total, self.probe))


def say(text: str) -> None:
    """Print a line of progress; outside of notebooks on stderr."""
    if not is_off():
        print(text, file=sys.stdout if in_notebook() else sys.stderr, flush=True)


def assemble(
    network: keras.Model, cut: str, weights: Sequence[np.ndarray], dropout: float
) -> keras.Model:
    """A network of its own, from the input to probabilities.

    `weights` are those of a `Tail` behind the layer `cut`.
    """
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
