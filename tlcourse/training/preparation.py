"""Training the blocks behind the cut with Keras' `fit`, and what comes of it."""

import time
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import cached_property, partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import joblib
import numpy as np

from .. import validation
from ..features.cache import limit
from ..files import write_atomically
from ..folders import make_cache_folder
from ..models.blocks import is_kernel
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from .batches import Batches, LabelledRows
from .classifiers import FineTuned
from .freezing import about_distance, share_moved
from .probe import LinearProbe, train_classifier

if TYPE_CHECKING:
    import keras

    from .keras_fit import Tail

Model = PretrainedModel | PretrainedTextModel
TRAINING = 1  # raise it when the same settings train another network: caches are void


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
            checked[name] = validation.whole_number(
                name, getattr(self, name), 1, 10_000
            )
        for name in ("learning_rate", "weight_decay", "dropout", "label_smoothing"):
            checked[name] = validation.number(name, getattr(self, name), 0, 0.99)
        for name, value in checked.items():  # plain numbers of Python, for JSON
            object.__setattr__(self, name, value)

    @classmethod
    def of(cls, model: Model, chosen: dict[str, Any]) -> "Settings":
        """These settings; the model's own, or the defaults, for the others."""
        names = [field.name for field in fields(cls)]
        for name in chosen:
            validation.one_of("The setting", name, names)
        return cls(**{**model.settings, **chosen})


@dataclass(repr=False, eq=False, kw_only=True)
class Preparation:
    """Activations and a probe, for any number of fine-tunings; see `run`."""

    model: Model  # it is not changed
    first_block: str | None  # to train; None: all are
    augmentations: tuple[str, ...]
    classes: np.ndarray
    class_names: list[str] | None
    training: Batches
    validation: Batches  # may have no rows
    network: "keras.Model"  # a copy, which is trained
    cut: str  # the layer behind which it is trained
    features: np.ndarray  # of the training rows, by the pretrained network
    probe: LinearProbe
    seconds: dict[str, float]  # of each stage
    seed: int

    def __repr__(self) -> str:
        start = self.first_block or "the first layer"
        return f"<{self.model.name}, ready to be fine-tuned from {start}: {self._rows}>"

    @property
    def _rows(self) -> str:
        text = f"{len(self.training):,} {self.model.kind}"
        if len(self.validation):
            text += f", {len(self.validation):,} for validation"
        return text

    def run(self, **settings: Any) -> FineTuned:
        """As `fine_tune`, with these `Settings`, without progress and resuming."""
        return self.fit(Settings.of(self.model, {"seed": self.seed, **settings}))

    def fit(
        self, settings: Settings, resume: bool = False, verbose: bool = False
    ) -> FineTuned:
        """As `run`; with backups on disk of each epoch, and with progress."""
        from .keras_fit import Backup, BestEpoch, History, Progress, assemble, say

        started = time.perf_counter()
        training, held, tail = self.training, self.validation, self._tail
        smoothing = settings.label_smoothing
        steps = len(training) // min(settings.batch_size, len(training))
        tail.reset(self.probe, settings, steps * settings.epochs)
        before = tail.model.get_weights()
        probe, best, held_out, callbacks = {}, None, None, []
        if len(held):
            held_out = held.in_order(label_smoothing=smoothing)
            result = tail.model.evaluate(held_out, verbose=0, return_dict=True)
            probe = {f"val_{name}": value for name, value in result.items()}
            callbacks.append(best := BestEpoch(settings.patience, probe, before))
        tail.scale_down_head()
        callbacks.append(kept := History())
        done = 0
        if resume and (file := self._backup_file(settings)):
            callbacks.append(backup := Backup(file, tail, kept, best))
            done = backup.restore()
        if verbose:
            callbacks.append(Progress(self._rows, probe))
        tail.model.fit(
            training.training_set(settings.batch_size, settings.seed, smoothing),
            epochs=settings.epochs,
            initial_epoch=done,
            validation_data=held_out,
            callbacks=callbacks,
            shuffle=False,  # a new order is part of the data set
            verbose=0,
        )
        history = kept.history
        moved, changed = self._compare(before)
        if verbose and (warning := about_distance(moved)):
            say(f"Warning: {warning}")
        record = {
            "from_block": self.first_block,
            "augmentations": list(self.augmentations),
            "resize": getattr(self.model, "resize", None),
            "rows": {"training": len(training), "validation": len(held)},
            "settings": asdict(settings),
            "seconds": self.seconds | {"training": time.perf_counter() - started},
            "probe": probe,
            "best_epoch": best.epoch if best else len(history["loss"]),
            "resumed_after": done,
            "moved": moved,
            "changed": changed,
        }
        weights = tail.unfolded.get_weights()
        return FineTuned(
            partial(assemble, self.network, self.cut, weights, settings.dropout),
            self.classes,
            self.class_names,
            history,
            record,
            self.model.predict_with,
        )

    def predict_held_out(
        self, train: np.ndarray, held: np.ndarray, settings: Settings
    ) -> np.ndarray:
        """Fine-tune on some of the training rows; the labels predicted for others.

        Both are positions in the training set. The result is cached.
        """
        part = replace(self, training=self._some(train))
        part.probe = train_probe(self.features[train], part.training.rows, self.seed)
        part._tail = self._tail  # compiled once
        if file := part._backup_file(settings):
            digest = joblib.hash([file.name, held])
            file = file.with_name(f"{self.model.name}-{digest}.npy")
            with suppress(Exception):  # whatever damaged files raise
                predicted = np.load(file, allow_pickle=False)
                if predicted.shape == held.shape:
                    return self.classes[predicted]
        part.fit(settings, resume=True, verbose=True)
        predicted = self._some(held).outputs(self._tail.model).argmax(axis=1)
        if file:
            with suppress(OSError):
                write_atomically(file, lambda file: np.save(file, predicted))
        return self.classes[predicted]

    def _some(self, rows: np.ndarray) -> Batches:
        some = LabelledRows(*(column[rows] for column in self.training.rows))
        return replace(self.training, rows=some)

    @cached_property
    def _tail(self) -> "Tail":
        """The blocks behind the cut, and a head."""
        from .keras_fit import Tail

        return Tail(self.network, self.cut, self.probe.as_head())

    def _backup_file(self, settings: Settings) -> Path | None:
        """A file in the cache for this very training; None where there is no cache."""
        versions = [metadata.version(name) for name in ("keras", "numpy")]
        about: list[Any] = [self.model.name, self.first_block, self.augmentations]
        about += [TRAINING, asdict(settings), versions, self.probe.kernel_and_bias()]
        for part in (self.training, self.validation):
            about += [part.activations, *part.rows]
        with suppress(OSError):
            if limit():
                name = f"{self.model.name}-{joblib.hash(about, coerce_mmap=True)}.npz"
                return make_cache_folder("training") / name
        return None

    def _compare(self, before: list[np.ndarray]) -> tuple[dict[str, float], list[str]]:
        """How far each block's kernels have moved, and which weights have changed."""
        changed: list[str] = []
        kernels: dict[str, list] = {}
        for old, variable in zip(before, self._tail.model.weights, strict=True):
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


def train_probe(features: np.ndarray, rows: LabelledRows, seed: int) -> LinearProbe:
    """The probe from which the training of these rows starts."""
    _, targets, weights = rows
    return train_classifier(
        features, targets, sample_weight=weights, seed=seed, common_scale=True
    )
