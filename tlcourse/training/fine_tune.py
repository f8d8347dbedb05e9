"""Fine-tuning in two stages (LP-FT): a linear probe first, then the last blocks.

The output of the frozen blocks is computed once; Keras' `fit` trains the rest on it.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import validation
from ..errors import UserInputError
from ..features.engine import is_dask, release_all
from ..features.text import Ragged
from ..models.blocks import is_kernel
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from ..native import clear_away, import_tensorflow
from ..validation import names_of
from .batches import Batches, LabelledRows, split_rows
from .classifiers import FineTuned, positions_among
from .freezing import about_distance, block_index, freeze, share_moved, unfreeze
from .probe import LinearProbe, train_classifier

if TYPE_CHECKING:
    import keras

    from ..features.pictures import Images
    from ..models.wordpiece import Sentences
    from .keras_fit import Tail

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


def fine_tune(
    model: Model,
    inputs: "Images | Sentences",
    labels: ArrayLike,
    from_block: str | int | None = 3,
    *,
    validation: float | tuple = 0.1,
    augmentations: int | Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    cache: bool = True,
    engine: str | None = None,
    **settings: Any,
) -> FineTuned:
    """Adapt a pretrained network to new classes: a linear probe, then its last blocks.

    Blocks in front of `from_block` are frozen, batch normalisation everywhere; `model`
    itself is not changed. Interrupted, the same call goes on after the last epoch.

    Parameters
    ----------
    model : PretrainedModel or PretrainedTextModel
    inputs, labels
        Pictures or sentences as for `extract_features`; whole numbers or text, (n,).
    from_block : str, int or None
        The first block to train, by name, or how many of the last blocks; None: the
        whole network.
    validation : float or (inputs, labels)
        Share of each class, or a set of its own, or 0. With it the weights of the epoch
        with the best validation accuracy are kept, else the last.
    augmentations : int or sequence of str, optional
        Which augmented copies of each picture are used, or how many (2). The probe and
        the validation see the first one, by default the picture as it is.
    class_names : sequence of str, optional
        Names for the labels 0, 1, …
    sample_weight : array_like of shape (n,), optional
    cache : bool
        False computes everything anew and keeps nothing on disk.
    engine : {None, "dask"}
        "dask": a cluster's workers compute the activations, see `extract_features`.
    **settings
        epochs, batch_size, learning_rate (the highest, after a warm-up), weight_decay,
        dropout (in front of the head), label_smoothing, patience (epochs without a
        better validation accuracy) and seed. Their defaults are those of
        `tlcourse.training.fine_tune.Settings` and, for text, of `model.settings`.

    Returns
    -------
    FineTuned

    Raises
    ------
    UserInputError
        Unknown block or setting, one class only, or labels, names, weights or
        validation rows that do not fit the inputs.

    References
    ----------
    A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR 2022.

    Examples
    --------
    >>> import tlcourse as tl
    >>> digits = tl.load_dataset("digits").train.sample(2)
    >>> model = tl.load_pretrained_model()
    >>> tuned = tl.fine_tune(model, digits.images, digits.labels, 1, validation=0,
    ...                      augmentations=1, epochs=1)
    >>> len(tuned.history["loss"])
    1
    """
    first_block(model, from_block)
    chosen = Settings.of(model, settings)
    preparation = prepare_fine_tuning(
        model,
        inputs,
        labels,
        from_block,
        validation=validation,
        augmentations=augmentations,
        class_names=class_names,
        sample_weight=sample_weight,
        cache=cache,
        engine=engine,
        seed=chosen.seed,
    )
    return preparation.fit(chosen, resume=cache, verbose=True)


def prepare_fine_tuning(
    model: Model,
    inputs: "Images | Sentences",
    labels: ArrayLike,
    from_block: str | int | None = 3,
    *,
    validation: float | tuple = 0.1,
    augmentations: int | Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    cache: bool = True,
    engine: str | None = None,
    seed: int = 0,
) -> "Preparation":
    """Compute once what many fine-tunings on the same rows share.

    These are the activations at the cut, and the linear probe.

    Parameters as `fine_tune`; `seed` is that of the validation rows, of the probe, and
    of trainings without another one.

    Returns
    -------
    Preparation
        Its `run(**settings)` trains, again and again.

    Raises
    ------
    UserInputError
        As `fine_tune`.

    Examples
    --------
    >>> import tlcourse as tl
    >>> digits = tl.load_dataset("digits").train.sample(2)
    >>> model = tl.load_pretrained_model()
    >>> preparation = tl.prepare_fine_tuning(
    ...     model, digits.images, digits.labels, 1, validation=0, augmentations=1
    ... )
    >>> [len(preparation.run(epochs=epochs).history["loss"]) for epochs in (1, 2)]
    [1, 2]
    """
    first, seed = first_block(model, from_block), Settings(seed=seed).seed
    is_dask(engine)  # refuses an unknown one
    copies = model.augmentations(augmentations)
    own_set = validation if isinstance(validation, tuple) else None
    if own_set is not None and len(own_set) != 2:
        raise UserInputError("validation is a tuple; expected (inputs, labels).")
    count, share = _count(model, inputs, labels), 0 if own_set else validation
    classes, rows, held = split_rows(labels, sample_weight, count, share, seed)
    names = names_of(classes, class_names)
    if own_set is not None:
        count = _count(model, *own_set)
        targets = positions_among(classes, own_set[1], count)
        held = LabelledRows(np.arange(count), targets, np.ones(count))

    import_tensorflow()
    clear_away()
    started = time.perf_counter()
    blocks = list(model.blocks)
    last_frozen = blocks[blocks.index(first) - 1] if first else None
    which = last_frozen, copies, cache, engine
    activations = others = _activations(model, inputs, labels, *which)
    if own_set is not None:
        which = last_frozen, copies[:1], cache, engine
        others = _activations(model, *own_set, *which)
    prepared = time.perf_counter()
    network = model.copy_network()
    if last_frozen is None:
        unfreeze(network)
    else:
        freeze(network, up_to=last_frozen)
    cut = model.blocks[last_frozen][-1] if last_frozen else network.layers[0].name
    training = Batches(activations, rows, len(classes))
    probe = _train_probe(network, cut, training, seed)
    release_all()  # training needs the memory more
    return Preparation(
        model=model,
        first_block=first,
        augmentations=copies,
        classes=classes,
        class_names=names,
        training=training,
        validation=Batches(others, held, len(classes)),
        network=network,
        cut=cut,
        probe=probe,
        seconds={
            "activations": prepared - started,
            "probe": time.perf_counter() - prepared,
        },
        seed=seed,
    )


def first_block(model: Model, from_block: str | int | None) -> str | None:
    """The name of the first block to train; None for the whole network."""
    if not isinstance(model, Model):
        raise UserInputError(
            f"fine_tune was given {type(model).__name__}; expected a pretrained model: "
            "model = tl.load_pretrained_model()."
        )
    if from_block is None:
        return None
    index = block_index(list(model.blocks), from_block, "from_block", model.name)
    return list(model.blocks)[index] if index else None


def _count(model: Model, inputs: "Images | Sentences", labels: ArrayLike) -> int:
    """How many inputs; of a tf.data.Dataset as many as labels, until it is read."""
    count = model.count(inputs)
    return validation.as_array(labels, "labels").size if count is None else count


def _activations(
    model: Model,
    inputs: "Images | Sentences",
    labels: ArrayLike,
    last_frozen: str | None,
    copies: tuple[str, ...],
    cache: bool,
    engine: str | None,
) -> np.ndarray | Ragged:
    """The output of the last frozen block: (n, copies, …), or `Ragged`."""
    result = model.activations(inputs, last_frozen, copies, cache, engine)
    validation.labels(labels, len(result))  # a tf.data.Dataset is counted only now
    return result if isinstance(result, Ragged) or len(copies) > 1 else result[:, None]


def _train_probe(
    network: "keras.Model", cut: str, training: Batches, seed: int
) -> LinearProbe:
    """A linear probe on the features of the pretrained network."""
    import keras

    tail = keras.Model(network.get_layer(cut).output, network.output)
    # Not `predict`: to trace it would take longer than most calls.
    batches = [np.asarray(tail(x, training=False)) for x, _, _ in training.in_order()]
    features = np.concatenate(batches)[np.argsort(training.order, kind="stable")]
    _, targets, weights = training.rows
    return train_classifier(
        features, targets, sample_weight=weights, seed=seed, common_scale=True
    )


@dataclass(repr=False, kw_only=True)
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
        from .keras_fit import Backup, BestEpoch, Progress, assemble, backup_folder, say

        started = time.perf_counter()
        training, held, tail = self.training, self.validation, self._tail
        steps = len(training) // min(settings.batch_size, len(training))
        tail.reset(settings, steps * settings.epochs)
        before = tail.model.get_weights()
        probe, held_out, callbacks = {}, None, []
        if len(held):
            held_out = held.in_order(label_smoothing=settings.label_smoothing)
            result = tail.model.evaluate(held_out, verbose=0, return_dict=True)
            probe = {f"val_{name}": value for name, value in result.items()}
            callbacks.append(best := BestEpoch(settings.patience, probe))
        tail.scale_down_head()
        folder = backup_folder(self, settings) if resume else None
        if folder:
            callbacks.append(backup := Backup(folder, best if held_out else None))
        if verbose:
            callbacks.append(Progress(self._rows, probe))
        history = tail.model.fit(
            training.training_set(
                settings.batch_size, settings.seed, settings.label_smoothing
            ),
            epochs=settings.epochs,
            validation_data=held_out,
            callbacks=callbacks,
            shuffle=False,  # a new order is part of the data set
            verbose=0,
        ).history
        if folder:
            history = backup.history
        moved, changed = self._compare(before)
        record = {
            "from_block": self.first_block,
            "augmentations": list(self.augmentations),
            "rows": {"training": len(training), "validation": len(held)},
            "settings": asdict(settings),
            "seconds": self.seconds | {"training": time.perf_counter() - started},
            "probe": probe,
            "best_epoch": best.best_epoch + 1 if held_out else len(history["loss"]),
            "resumed_after": backup.resumed_after if folder else 0,
            "moved": moved,
            "changed": changed,
        }
        if verbose and (warning := about_distance(moved)):
            say(f"Warning: {warning}")
        weights, dropout, seed = (
            tail.model.get_weights(),
            settings.dropout,
            settings.seed,
        )
        build = partial(assemble, self.network, self.cut, weights, dropout, seed)
        predict_with = self.model.predict_with
        names = self.class_names
        return FineTuned(build, self.classes, names, history, record, predict_with)

    @cached_property
    def _tail(self) -> "Tail":
        """The blocks behind the cut, with the probe as head."""
        from .keras_fit import Tail

        return Tail(self.network, self.cut, self.probe.as_head())

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
