"""What fine-tunings of the same blocks on the same rows share, made once: activations, the probe, the traced step.

A search over learning rates and their like trains dozens of times. None of that changes what the frozen blocks hand on,
nor the probe that becomes the head, nor the graph that TensorFlow traces.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..features import engines
from ..features.rows import Ragged
from ..freed_memory import clear_away
from ..guards.pretrained import share_moved
from ..models.blocks import is_kernel
from ..models.conversion import weights_digest
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from ..validation import class_names as checked_names
from ..validation import flag, names_of
from ..validation import labels as checked_labels
from .checkpoint import Checkpoint
from .cut import cut_copy, first_block, last_frozen_block, train_behind
from .examples import Examples, count_of, given, share_of, split
from .fine_tuned import FineTuned
from .heads import train_classifier
from .settings import Settings, settings_from
from .training import EVALUATION_BATCH, Training, descriptions
from .training_step import TrainingStep

if TYPE_CHECKING:
    import keras
    from numpy.typing import ArrayLike

    from ..features.inputs import Images
    from ..models.wordpiece import Sentences


def prepare_fine_tuning(
    model: PretrainedModel | PretrainedTextModel,
    inputs: "Images | Sentences",
    labels: "ArrayLike",
    from_: str | int | None = 3,
    *,
    validation: float | tuple = 0.1,
    views: int | Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    sample_weight: "ArrayLike | None" = None,
    cache: bool = True,
    engine: str | None = None,
    seed: int = 0,
) -> "Preparation":
    """Do once what many fine-tunings of the same blocks on the same rows need; `run` then trains, again and again.

        preparation = tl.prepare_fine_tuning(model, images, labels, from_=1, validation=(others, their_labels))
        for rate in (1e-4, 1e-3):
            print(rate, preparation.run(learning_rate=rate).best)

    Args:
        model, inputs, labels, from_, validation, views, class_names, sample_weight, cache, engine: as for `fine_tune`.
        seed: of the held-out rows and of the probe; of the training, too, where `run` is given no other.

    Raises:
        UserInputError: as `fine_tune`.
    """
    first = first_block(model, from_)
    class_names = None if class_names is None else checked_names(class_names)
    engines.is_dask(engine)  # refuses an unknown one
    cache = flag("cache", cache)
    seed, views = Settings(seed=seed).seed, model.augmentations(views)
    learned, held_out, classes = split(
        labels,
        sample_weight,
        count_of(model, inputs, labels),
        share_of(validation),
        seed,
    )
    names = names_of(classes, class_names)
    if isinstance(validation, tuple):
        held_out = given(model, validation, classes)
    clear_away()
    last_frozen = last_frozen_block(model, first)
    (network, start), seconds = cut_copy(model, last_frozen), Stopwatch()
    activations = _activations(model, inputs, labels, last_frozen, views, cache, engine)
    learn, judging = Examples(activations, *learned), activations
    if isinstance(validation, tuple):
        others, theirs = validation
        judging = _activations(
            model, others, theirs, last_frozen, views[:1], cache, engine
        )
    judged = Examples(judging, *held_out) if held_out else None
    seconds.lap("activations")
    describe = descriptions(network, start, learn.dtype)
    head = _probe(describe, learn, seed)
    step = TrainingStep(network, start, head, learn.dtype)
    digests = _digests(network, head)
    seconds.lap("probe")
    engines.release_all()  # training needs the memory more
    return Preparation(
        model,
        first,
        views,
        classes,
        names,
        learn,
        judged,
        network,
        step,
        describe,
        digests,
        seconds.laps,
        seed,
    )


def _activations(
    model: PretrainedModel | PretrainedTextModel,
    inputs: "Images | Sentences",
    labels: "ArrayLike",
    last_frozen: str | None,
    views: Sequence[str],
    cache: bool,
    engine: str | None,
) -> np.ndarray | Ragged:
    """What comes in at the cut: for each view of each picture (n, views, …), for each sentence (tokens, …)."""
    found = model.activations(inputs, last_frozen, views, cache, engine)
    checked_labels(
        labels, len(found)
    )  # a tf.data.Dataset has said only now how many it holds
    return found if len(views) > 1 or isinstance(found, Ragged) else found[:, None]


def _probe(describe: Callable, learn: Examples, seed: int) -> "keras.layers.Layer":
    """A linear probe on the network as it is, as a Dense layer."""
    found, weights = learn.outputs(describe, EVALUATION_BATCH), learn.weights
    return train_classifier(
        found, learn.targets, sample_weight=weights, seed=seed, common_scale=True
    ).as_head()


def _digests(network: "keras.Model", head: "keras.layers.Layer") -> dict[str, str]:
    """A weight's path → what tells whether it has changed; copies of a BERT would be a hundred megabytes."""
    weights = (*network.weights, *head.weights)
    return {
        weight.path: weights_digest([weight.numpy() + 0.0]) for weight in weights
    }  # -0.0 is 0.0


def _moved(
    model: PretrainedModel | PretrainedTextModel, training: Training
) -> dict[str, float]:
    """How far each block behind the cut has moved, as a share of its length."""
    kernels: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for variable, before in zip(training.variables, training.before, strict=True):
        if is_kernel(variable):
            kernels.setdefault(variable.path.split("/")[0], []).append(
                (before, variable.numpy())
            )
    pairs = {
        block: [pair for name in names for pair in kernels.get(name, ())]
        for block, names in model.blocks.items()
    }
    return {
        block: round(share_moved(found), 4) for block, found in pairs.items() if found
    }


@dataclass(repr=False)
class Preparation:
    """Ready to be fine-tuned, again and again. Made by `prepare_fine_tuning`.

    Attributes:
        model: the pretrained one; it is not changed.
        first: the first block that is trained; None: all are.
        views: of each picture.
        classes, class_names: the labels, and their names.
        learn, judged: the rows that are learned from, and those held out, or None.
        network, step, describe: a copy of the model's network, what trains it and what reads it.
        digests: a weight's path → what tells whether it has changed.
        seconds: that each stage took.
        seed: of the held-out rows and of the probe.
    """

    model: PretrainedModel | PretrainedTextModel
    first: str | None
    views: tuple[str, ...]
    classes: np.ndarray
    class_names: list[str] | None
    learn: Examples
    judged: Examples | None
    network: "keras.Model"
    step: TrainingStep
    describe: Callable
    digests: dict[str, str]
    seconds: dict[str, float]
    seed: int

    def __repr__(self) -> str:
        rows = f"{len(self.learn)} {self.model.kind}, {len(self.judged or ())} held out"
        return f"<{self.model.name}, ready to be fine-tuned from {self.first or 'its beginning'} on: {rows}>"

    def run(self, **settings: "Any") -> FineTuned:
        """Fine-tune with these settings: bit for bit what `fine_tune` comes to, and nothing is shown on the way.

        Each result has a network of its own, built when it is first asked for. What is prepared stays as it was,
        after an interruption, too; a run that was interrupted begins anew.

        Args:
            settings: as for `fine_tune`.

        Raises:
            UserInputError: unknown setting, or a value that cannot be.
        """
        training = self.training(
            settings_from({**self.model.settings, "seed": self.seed, **settings})
        )
        before = [variable.numpy() for variable in self.step.variables]
        try:
            record = self._train(training)
            trained = [variable.numpy() for variable in self.step.variables]
        finally:
            for variable, value in zip(self.step.variables, before, strict=True):
                variable.assign(value)
        cut = last_frozen_block(self.model, self.first)
        make = partial(
            _copy_with_head,
            self.network,
            cut,
            self.step.head,
            trained,
            training.settings.dropout,
        )
        return self._result(make, record)

    def run_once(
        self, training: Training, checkpoint: Checkpoint, say: Callable
    ) -> FineTuned:
        """The only run, from where the checkpoint stands: what is prepared becomes the result itself."""
        record = self._train(training, checkpoint, say)
        whole = _with_head(self.network, self.step.head, training.settings.dropout)
        return self._result(lambda: whole, record)

    def training(self, settings: Settings) -> Training:
        """A training that begins with what is prepared."""
        return Training(self.step, self.describe, self.learn, self.judged, settings)

    def _train(
        self,
        training: Training,
        checkpoint: Checkpoint | None = None,
        say: Callable | None = None,
    ) -> dict:
        """What happened, ready for JSON."""
        watch = Stopwatch()
        training.run(checkpoint, say)
        watch.lap("training")
        now = _digests(self.network, self.step.head)
        return {
            "from": self.first,
            "views": list(self.views),
            "rows": {
                "learned_from": len(self.learn),
                "held_out": len(self.judged or ()),
            },
            "settings": asdict(training.settings),
            "seconds": watch.laps,
            "probe": training.probe,
            "epochs": training.epochs,
            "best_epoch": training.best_epoch,
            "resumed_after": training.resumed_after,
            "moved": _moved(self.model, training),
            "changed": [
                path for path, digest in now.items() if digest != self.digests[path]
            ],
        }

    def _result(self, make: Callable, record: dict) -> FineTuned:
        name = f"{self.network.name}_fine_tuned"
        return FineTuned(
            make, name, self.classes, self.class_names, self.model.predict_with, record
        )


def _with_head(
    network: "keras.Model", head: "keras.layers.Layer", dropout: float
) -> "keras.Model":
    """The network and its head as one `keras.Model`; not compiled, so that its file holds no optimizer."""
    import keras

    dropped = keras.layers.Dropout(dropout, name="dropout")(network.output)
    return keras.Model(network.inputs, head(dropped), name=f"{network.name}_fine_tuned")


def _copy_with_head(
    network: "keras.Model",
    last_frozen: str | None,
    head: "keras.layers.Layer",
    trained: list[np.ndarray],
    dropout: float,
) -> "keras.Model":
    """The same with copies of both, and in them what was trained."""
    import keras

    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    train_behind(
        copy, last_frozen
    )  # of layers inside of layers, Keras' copy has forgotten it
    own_head = type(head).from_config(head.get_config())
    whole = _with_head(copy, own_head, dropout)
    for variable, value in zip(
        [*copy.trainable_variables, *own_head.trainable_variables], trained, strict=True
    ):
        variable.assign(value)
    return whole


class Stopwatch:
    """Seconds of one stage after the other."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now
