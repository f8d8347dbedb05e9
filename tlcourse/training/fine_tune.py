"""Fine-tuning in two stages (LP-FT): a linear probe first, then the last blocks.

The output of the frozen blocks is computed once; Keras' `fit` trains the rest on it.
"""

import gc
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import validation as checks
from ..errors import UserInputError
from ..features.engine import is_dask, release_all
from ..features.text import Ragged
from ..native import import_tensorflow
from .batches import Batches, Rows, split_rows
from .classifiers import FineTuned, positions_among
from .fitting import Model, Preparation, Settings, cut_copy, train_probe
from .freezing import block_index

if TYPE_CHECKING:
    from ..features.pictures import Images
    from ..models.wordpiece import Sentences


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
        `tlcourse.training.fitting.Settings` and, for text, of `model.settings`.

    Returns
    -------
    FineTuned

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
) -> Preparation:
    """Compute once what many fine-tunings on the same rows share.

    These are the activations at the cut, and the linear probe.

    Parameters as `fine_tune`; `seed` is that of the validation rows, of the probe, and
    of trainings without another one.

    Returns
    -------
    Preparation
        Its `run(**settings)` trains, again and again.
    """
    first = first_block(model, from_block)
    names = None if class_names is None else checks.class_names(class_names)
    is_dask(engine)  # refuses an unknown one
    cache, seed = checks.flag("cache", cache), Settings(seed=seed).seed
    copies = model.augmentations(augmentations)
    count = _count(model, inputs, labels)
    own_set = validation if isinstance(validation, tuple) else None
    if own_set is not None and len(own_set) != 2:
        raise UserInputError("validation is a tuple; expected (inputs, labels).")
    share = checks.number("validation", validation if own_set is None else 0, 0, 0.999)
    classes, rows, held_out = split_rows(labels, sample_weight, count, share, seed)
    names = checks.names_of(classes, names)
    if own_set is not None:
        count = _count(model, *own_set)
        targets = positions_among(classes, own_set[1], count)
        held_out = Rows(np.arange(count), targets, np.ones(count))
    import_tensorflow()
    gc.collect()  # networks refer to themselves in circles
    started = time.perf_counter()
    blocks = list(model.blocks)
    last_frozen = blocks[blocks.index(first) - 1] if first else None
    activations = others = _activations(
        model, last_frozen, inputs, labels, copies, cache, engine
    )
    if own_set is not None:
        others = _activations(model, last_frozen, *own_set, copies[:1], cache, engine)
    training = Batches(activations, rows, len(classes))
    held = Batches(others, held_out, len(classes)) if held_out else None
    seconds = {"activations": time.perf_counter() - started}
    network, cut = cut_copy(model, last_frozen)
    probe = train_probe(network, cut, training, seed)
    seconds["probe"] = time.perf_counter() - started - seconds["activations"]
    release_all()  # training needs the memory more
    return Preparation(
        model,
        first,
        last_frozen,
        copies,
        classes,
        names,
        training,
        held,
        probe,
        seconds,
        seed,
        network,
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
    return checks.as_array(labels, "labels").size if count is None else count


def _activations(
    model: Model,
    last_frozen: str | None,
    inputs: "Images | Sentences",
    labels: ArrayLike,
    copies: tuple[str, ...],
    cache: bool,
    engine: str | None,
) -> np.ndarray | Ragged:
    """The output of the last frozen block: (n, copies, ...), or `Ragged`."""
    result = model.activations(inputs, last_frozen, copies, cache, engine)
    checks.labels(labels, len(result))  # a tf.data.Dataset has been counted only now
    if isinstance(result, Ragged) or len(copies) > 1:
        return result
    return result[:, None]
