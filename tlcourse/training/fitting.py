"""Training the blocks behind the cut with Keras' `fit`, and what comes of it."""

import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import validation
from ..checks.changes import about_distance, share_moved
from ..models.blocks import is_kernel
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from .batches import Batches
from .classifiers import FineTuned
from .freezing import freeze, unfreeze
from .probe import LinearProbe, train_classifier

if TYPE_CHECKING:
    import keras

Model = PretrainedModel | PretrainedTextModel


@dataclass(frozen=True)
class Settings:
    """How the last blocks are trained.

    AdamW's learning rate rises over the first twelfth of the steps and falls to 0 along
    a cosine; biases and normalisation layers have no weight decay (I. Loshchilov and F.
    Hutter, "SGDR", ICLR 2017; "Decoupled Weight Decay Regularization", ICLR 2019).
    """

    epochs: int = 10  # how often each picture is seen, one of its copies at a time
    batch_size: int = 32
    learning_rate: float = 2e-4  # the highest
    weight_decay: float = 4e-3
    dropout: float = 0.3  # share of the features that is set to 0 before the head
    label_smoothing: float = 0.0
    patience: int = 10  # epochs without a better validation accuracy
    seed: int = 0  # of the validation rows, the order, the copies and the dropout

    def __post_init__(self) -> None:
        checked: dict[str, float] = {"seed": validation.seed(self.seed)}
        for name in ("epochs", "batch_size", "patience"):
            value = getattr(self, name)
            checked[name] = validation.whole_number(name, value, 1, 10_000)
        for name in ("learning_rate", "weight_decay", "dropout", "label_smoothing"):
            checked[name] = validation.number(name, getattr(self, name), 0, 0.99)
        for name, value in checked.items():  # plain numbers of Python, for JSON
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, model: Model, chosen: dict[str, Any]) -> "Settings":
        """These settings; the model's own, or the defaults, for the others."""
        for name in chosen:
            validation.one_of(
                "The setting", name, [field.name for field in fields(cls)]
            )
        return cls(**{**model.settings, **chosen})


@dataclass(repr=False)
class Preparation:
    """Activations and a probe, for any number of fine-tunings; see `run`."""

    model: Model  # it is not changed
    first_block: str | None  # to train; None: all are
    last_frozen: str | None  # the block in front of it
    augmentations: tuple[str, ...]
    classes: np.ndarray
    class_names: list[str] | None
    training: Batches
    validation: Batches | None
    probe: LinearProbe
    seconds: dict[str, float]  # of each stage
    seed: int
    _unused_copy: "keras.Model | None" = None

    def __repr__(self) -> str:
        start = self.first_block or "the first layer"
        return f"<{self.model.name}, ready to be fine-tuned from {start}: {self._rows}>"

    @property
    def _rows(self) -> str:
        text = f"{len(self.training):,} {self.model.kind}"
        if self.validation:
            text += f", {len(self.validation):,} for validation"
        return text

    def run(self, **settings: Any) -> FineTuned:
        """As `fine_tune`, with these `Settings`, without progress and resuming."""
        return self.fit(Settings.of(self.model, {"seed": self.seed, **settings}))

    def fit(
        self, settings: Settings, resume: bool = False, verbose: bool = False
    ) -> FineTuned:
        """As `run`; with backups on disk of each epoch, and with progress."""
        from .callbacks import Backup, BestEpoch, Progress, backup_folder, say

        started = time.perf_counter()
        whole, tail = self._assemble(settings)
        before = [variable.numpy() for variable in tail.weights]
        steps = len(self.training) // min(settings.batch_size, len(self.training))
        _compile(tail, settings, steps * settings.epochs)
        held_out = self.validation.in_order() if self.validation else None
        probe, best, callbacks = {}, None, []
        if held_out:
            result = tail.evaluate(held_out, verbose=0, return_dict=True)
            probe = {f"val_{name}": value for name, value in result.items()}
        scale_down(tail.get_layer("head"))
        if held_out:
            callbacks.append(best := BestEpoch(settings.patience, probe))
        folder = backup_folder(self, settings) if resume else None
        if folder:
            callbacks.append(backup := Backup(folder, best))
        if verbose:
            callbacks.append(Progress(self._rows, probe))
        history = tail.fit(
            self.training.training_set(settings.batch_size, settings.seed),
            epochs=settings.epochs,
            validation_data=held_out,
            callbacks=callbacks,
            shuffle=False,  # a new order is part of the data set
            verbose=0,
        ).history
        if folder:
            history = backup.history
        moved, changed = self._compare(before, tail.weights)
        record = {
            "from_block": self.first_block,
            "augmentations": list(self.augmentations),
            "rows": {
                "training": len(self.training),
                "validation": len(self.validation or ()),
            },
            "settings": asdict(settings),
            "seconds": self.seconds | {"training": time.perf_counter() - started},
            "probe": probe,
            "best_epoch": best.best_epoch + 1 if best else len(history["loss"]),
            "resumed_after": backup.resumed_after if folder else 0,
            "moved": moved,
            "changed": changed,
        }
        warning = about_distance(moved)
        if verbose and warning:
            say(f"Warning: {warning}")
        return FineTuned(
            whole,
            self.classes,
            self.class_names,
            history,
            record,
            self.model.predict_with,
        )

    def _assemble(self, settings: Settings) -> "tuple[keras.Model, keras.Model]":
        """The network with the probe as head: from the input, and from the cut."""
        import keras

        network, self._unused_copy = self._unused_copy, None
        network, cut = cut_copy(self.model, self.last_frozen, network)
        x = keras.layers.Dropout(settings.dropout, seed=settings.seed, name="dropout")(
            network.output
        )
        outputs = self.probe.as_head()(x)
        name = f"{network.name}_fine_tuned"
        return (
            keras.Model(network.inputs, outputs, name=name),
            keras.Model(cut, outputs, name=f"{name}_tail"),
        )

    def _compare(
        self, before: list[np.ndarray], variables: "Sequence[keras.Variable]"
    ) -> tuple[dict[str, float], list[str]]:
        """How far each block's kernels have moved, and which weights have changed."""
        changed: list[str] = []
        kernels: dict[str, list] = {}
        for old, variable in zip(before, variables, strict=True):
            new = variable.numpy()
            if not np.array_equal(old, new):
                changed.append(variable.path)
            if is_kernel(variable):
                layer = variable.path.split("/")[0]
                kernels.setdefault(layer, []).append((old, new))
        moved = {}
        for block, layers in self.model.blocks.items():
            pairs = [pair for layer in layers for pair in kernels.get(layer, ())]
            if pairs:
                moved[block] = round(share_moved(pairs), 4)
        return moved, changed


def cut_copy(
    model: Model, last_frozen: str | None, network: "keras.Model | None" = None
) -> "tuple[keras.Model, keras.KerasTensor]":
    """A copy of the network, trainable behind a block; and that block's output.

    Without a block all of it is trainable, and the output is the network's input.
    """
    network = network or model.copy_network()
    if last_frozen is None:
        unfreeze(network)
        return network, network.inputs[0]
    freeze(network, up_to=last_frozen)
    return network, network.get_layer(model.blocks[last_frozen][-1]).output


def train_probe(
    network: "keras.Model", cut: "keras.KerasTensor", training: Batches, seed: int
) -> LinearProbe:
    """A linear probe on the features of the pretrained network."""
    import keras

    tail = keras.Model(cut, network.output)
    # Not `predict`: to trace it would take longer than most calls.
    batches = [np.asarray(tail(x, training=False)) for x, _, _ in training.in_order()]
    features = np.concatenate(batches)[np.argsort(training.order, kind="stable")]
    rows = training.rows
    return train_classifier(
        features, rows.targets, sample_weight=rows.weights, seed=seed, common_scale=True
    )


def scale_down(head: "keras.layers.Dense") -> None:
    """Scale the weights of a probe down to those of a freshly initialised layer.

    A probe's weights are many times as large, and so much the more does every change of
    the features count: the first steps would undo the probe (L. Chizat et al., "On Lazy
    Training in Differentiable Programming", NeurIPS 2019).
    """
    kernel, bias = head.get_weights()
    initial = math.sqrt(2 / sum(kernel.shape))  # X. Glorot and Y. Bengio, AISTATS 2010
    factor = min(1.0, initial / max(float(kernel.std()), 1e-12))
    head.set_weights([kernel * factor, bias * factor])


def _compile(tail: "keras.Model", settings: Settings, steps: int) -> None:
    import keras

    warmup = max(1, steps // 12)
    schedule = keras.optimizers.schedules.CosineDecay(
        settings.learning_rate / warmup,
        max(1, steps - warmup),
        warmup_target=settings.learning_rate,
        warmup_steps=warmup,
    )
    optimizer = keras.optimizers.AdamW(schedule, weight_decay=settings.weight_decay)
    optimizer.exclude_from_weight_decay(
        [weight for weight in tail.trainable_weights if not is_kernel(weight)]
    )
    tail.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(label_smoothing=settings.label_smoothing),
        weighted_metrics=["accuracy"],
        jit_compile=False,  # compiling would take longer than most trainings
    )
