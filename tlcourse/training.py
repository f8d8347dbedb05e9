"""The second stage of fine-tuning: the blocks behind the cut, trained on activations that are already there."""

import hashlib
import io
import json
import math
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from .errors import UserInputError
from .files import write_atomically
from .tail import tail

EVALUATION_BATCH = 16


@dataclass(frozen=True)
class Settings:
    """How the last blocks are trained.

    Attributes:
        epochs: how often every picture is seen, one of its views at a time.
        batch_size: pictures a step.
        learning_rate: at the end of the warm-up, which is the first twelfth; from there it falls to 0 along a cosine
            (I. Loshchilov and F. Hutter, "SGDR", ICLR 2017).
        weight_decay: of AdamW (the same, "Decoupled Weight Decay Regularization", ICLR 2019); a step takes away
            learning_rate × weight_decay of a weight. Biases and batch norms are left out.
        dropout: share of the features that are left out at random in a step.
        label_smoothing: share of the target that is spread evenly over all classes.
        patience: epochs without progress on the held-out rows after which training ends.
        seed: of the held-out rows, the order, the views and the dropout.
    """

    epochs: int = 10
    batch_size: int = 32
    learning_rate: float = 1e-4
    weight_decay: float = 4e-3
    dropout: float = 0.3
    label_smoothing: float = 0.0
    patience: int = 5
    seed: int = 0

    def __post_init__(self):
        for name, low, high, whole in (
            ("epochs", 1, 10_000, True),
            ("batch_size", 1, 4096, True),
            ("learning_rate", 0, 1, False),
            ("weight_decay", 0, 1, False),
            ("dropout", 0, 0.95, False),
            ("label_smoothing", 0, 0.9, False),
            ("patience", 1, 10_000, True),
            ("seed", 0, 2**31 - 1, True),
        ):
            value = getattr(self, name)
            kinds = int | np.integer if whole else int | float | np.integer | np.floating
            if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
                kind = "a whole number" if whole else "a number"
                raise UserInputError(f"{name} is {value!r}; expected {kind} from {low:,} to {high:,}.")


@dataclass(frozen=True)
class Examples:
    """Rows to learn from or to be judged on.

    Attributes:
        activations: (n, views, …), what comes in at the cut; float16, or uint8 pixels.
        rows: int64 (m,), which of the n are meant.
        targets: int64 (m,), their classes' positions.
        weights: float64 (m,), how much each of them counts.
    """

    activations: np.ndarray
    rows: np.ndarray
    targets: np.ndarray
    weights: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def batches(self, size: int) -> Iterator[np.ndarray]:
        """The first view of each row, `size` at a time."""
        for at in range(0, len(self), size):
            yield self.activations[self.rows[at : at + size], 0]


class Training:
    """The network behind the cut, a head on top, and the optimizer that moves both.

    Args:
        network: functional `keras.Model`; its layers' `trainable` says what is trained.
        start: the `KerasTensor` where the activations come in.
        head: built Dense layer with softmax, the probe's weights in it.
        learn: what is learned from.
        held_out: what the epochs are judged on, or None.
        settings: see `Settings`.
    """

    def __init__(self, network, start, head, learn: Examples, held_out: Examples | None, settings: Settings):
        import keras

        self.learn, self.held_out, self.settings = learn, held_out, settings
        self.variables = [*network.trainable_variables, *head.trainable_variables]
        self.batch = min(settings.batch_size, len(learn))
        self.steps = len(learn) // self.batch
        total = settings.epochs * self.steps
        warmup = max(1, total // 12)
        self._schedule = keras.optimizers.schedules.CosineDecay(
            settings.learning_rate / warmup,
            max(1, total - warmup),
            warmup_target=settings.learning_rate,
            warmup_steps=warmup,
        )
        self._optimizer = keras.optimizers.AdamW(self._schedule, weight_decay=settings.weight_decay)
        self._optimizer.exclude_from_weight_decay(var_list=[v for v in self.variables if len(v.shape) < 2])
        self._optimizer.build(self.variables)
        self._step, self._probabilities = self._functions(network, start, head)
        self.epochs: list[dict] = []
        self.resumed_after = 0
        self.best: tuple[float, float] = (-math.inf, -math.inf)
        self.best_epoch, self._best_weights = 0, self._values(self.variables)

    def _functions(self, network, start, head):
        import tensorflow as tf

        settings, run, variables, optimizer = self.settings, tail(network, start), self.variables, self._optimizer
        pictures = tf.TensorSpec((None, *start.shape[1:]), tf.as_dtype(self.learn.activations.dtype))
        rows, whole = tf.TensorSpec((None,), tf.float32), tf.TensorSpec((None,), tf.int64)
        classes = head.units

        @tf.function(autograph=False, input_signature=(pictures, whole, rows, tf.TensorSpec((), tf.int64)))
        def step(activations, targets, weights, number):
            with tf.GradientTape() as tape:
                outputs = run(tf.cast(activations, tf.float32))
                if settings.dropout:  # of this step and seed, whatever was computed before: so it can be resumed
                    seed = tf.stack([tf.constant(settings.seed, tf.int64), number])
                    outputs = tf.nn.experimental.stateless_dropout(outputs, settings.dropout, seed)
                wanted = tf.one_hot(targets, classes) * (1 - settings.label_smoothing)
                wanted += settings.label_smoothing / classes
                losses = tf.nn.softmax_cross_entropy_with_logits(wanted, outputs @ head.kernel + head.bias)
                loss = tf.reduce_mean(losses * weights)
            optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
            return loss

        @tf.function(autograph=False, input_signature=(pictures,))
        def probabilities(activations):
            return tf.nn.softmax(run(tf.cast(activations, tf.float32)) @ head.kernel + head.bias)

        return step, probabilities

    def seconds_a_step(self) -> float:
        """How long a step takes here, by trying it; the weights are afterwards what they were."""
        state = [*self.variables, *self._optimizer.variables]
        before = self._values(state)
        batch = next(self._batches(0))
        seconds = []
        for _ in range(3):  # the first one compiles
            began = time.perf_counter()
            float(self._step(*batch))
            seconds.append(time.perf_counter() - began)
        self._assign(state, before)
        return min(seconds[1:])

    def run(self, checkpoint: "Checkpoint", say=lambda epoch: None) -> None:
        """Train epoch after epoch, from where the checkpoint stands; then put the best weights in.

        Args:
            checkpoint: where the state is kept after each epoch.
            say: is given each epoch's dictionary.
        """
        self._restore(checkpoint.read())
        self.resumed_after = len(self.epochs)
        if self.held_out and not self.epochs:
            accuracy, loss = self._judge()
            self.best = (accuracy, -loss)
        for epoch in range(len(self.epochs) + 1, self.settings.epochs + 1):
            began = time.perf_counter()
            losses = [self._step(*batch) for batch in self._batches(epoch)]
            row = {"epoch": epoch, "loss": float(np.mean(losses)), "learning_rate": self._rate(epoch)}
            if self.held_out:
                row["validation_accuracy"], row["validation_loss"] = self._judge()
                quality = (row["validation_accuracy"], -row["validation_loss"])
            else:
                quality = (float(epoch), 0.0)
            if quality > self.best:
                self.best, self.best_epoch, self._best_weights = quality, epoch, self._values(self.variables)
            self.epochs.append(row | {"seconds": time.perf_counter() - began})
            checkpoint.write(self._state())
            say(self.epochs[-1])
            if epoch - self.best_epoch >= self.settings.patience:
                break
        self._assign(self.variables, self._best_weights)

    def _rate(self, epoch: int) -> float:
        return float(self._schedule(epoch * self.steps - 1))

    def _batches(self, epoch: int) -> Iterator[tuple]:
        """One epoch's batches; its order and views depend on seed and epoch alone."""
        import tensorflow as tf

        rng = np.random.default_rng([self.settings.seed, epoch])
        order = rng.permutation(len(self.learn))
        views = rng.integers(self.learn.activations.shape[1], size=len(order))
        for number in range(self.steps):
            chosen = order[number * self.batch : (number + 1) * self.batch]
            activations = self.learn.activations[self.learn.rows[chosen], views[chosen]]
            weights = self.learn.weights[chosen].astype(np.float32)
            count = tf.constant(epoch * self.steps + number, tf.int64)
            yield tf.constant(activations), tf.constant(self.learn.targets[chosen]), tf.constant(weights), count

    def _judge(self) -> tuple[float, float]:
        """Accuracy in [0, 1] and cross-entropy on the held-out rows, both weighted."""
        parts = [self._probabilities(batch).numpy() for batch in self.held_out.batches(EVALUATION_BATCH)]
        probabilities, targets = np.concatenate(parts), self.held_out.targets
        right = probabilities.argmax(axis=1) == targets
        surprise = -np.log(probabilities[np.arange(len(targets)), targets] + 1e-12)
        weights = self.held_out.weights
        return float(np.average(right, weights=weights)), float(np.average(surprise, weights=weights))

    @staticmethod
    def _values(variables) -> list[np.ndarray]:
        return [variable.numpy() for variable in variables]

    @staticmethod
    def _assign(variables, values) -> None:
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value)

    def _state(self) -> dict[str, np.ndarray]:
        about = {"epochs": self.epochs, "best": self.best, "best_epoch": self.best_epoch}
        return {
            "about": np.frombuffer(json.dumps(about).encode(), np.uint8),
            **{f"variable_{i}": value for i, value in enumerate(self._values(self.variables))},
            **{f"optimizer_{i}": value for i, value in enumerate(self._values(self._optimizer.variables))},
            **{f"best_{i}": value for i, value in enumerate(self._best_weights)},
        }

    def _restore(self, state: dict[str, np.ndarray] | None) -> None:
        if state is None:
            return
        about = json.loads(state["about"].tobytes())
        self.epochs, self.best, self.best_epoch = about["epochs"], tuple(about["best"]), about["best_epoch"]
        self._assign(self.variables, [state[f"variable_{i}"] for i in range(len(self.variables))])
        self._assign(
            self._optimizer.variables, [state[f"optimizer_{i}"] for i in range(len(self._optimizer.variables))]
        )
        self._best_weights = [state[f"best_{i}"] for i in range(len(self.variables))]


class Checkpoint:
    """A training's state on disk, under a name that says which training it is; None: nowhere."""

    def __init__(self, path: Path | None):
        self.path = path

    def read(self) -> dict[str, np.ndarray] | None:
        """The state, or None where there is none that is whole."""
        try:
            with np.load(self.path, allow_pickle=False) as archive:  # a zip file, which has checksums
                return dict(archive)
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, state: dict[str, np.ndarray]) -> None:
        """Keep the state in place of the one before; where that cannot be, training goes on without."""
        if self.path is None:
            return
        content = io.BytesIO()
        np.savez(content, **state)
        with suppress(OSError):
            write_atomically(self.path, content.getvalue())

    def remove(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)


def fingerprint(parts: list, examples: list[Examples | None]) -> str:
    """SHA-256 of all that a training depends on: settings and names in `parts`, and the examples themselves."""
    summary = hashlib.sha256(json.dumps(parts, default=str).encode())
    for chosen in examples:
        if chosen is None:
            continue
        for array in (chosen.rows, chosen.targets, chosen.weights):
            summary.update(np.ascontiguousarray(array))
        for batch in np.array_split(np.arange(len(chosen.activations)), math.ceil(len(chosen.activations) / 64)):
            summary.update(np.ascontiguousarray(chosen.activations[batch]))
    return summary.hexdigest()


def settings_from(options: dict) -> Settings:
    """`Settings` from keyword arguments, or a sentence that names the unknown one."""
    known = asdict(Settings())
    unknown = sorted(set(options) - set(known))
    if unknown:
        raise UserInputError(f"fine_tune has no setting {unknown[0]!r}. It has: {', '.join(known)}.")
    return Settings(**options)
