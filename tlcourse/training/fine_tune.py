"""Fine-tuning in two stages (LP-FT): a linear probe first, then the last blocks.

The output of the frozen blocks is computed once; Keras' `fit` trains the rest on it.
"""

import gc
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserInputError
from ..features.engine import is_dask, release_all
from ..features.pictures import Images
from ..models.wordpiece import Sentences
from ..native import import_tensorflow
from ..validation import as_array, names_of
from ..validation import labels as check_labels
from .batches import Batches, LabelledRows, split_rows
from .classifiers import FineTuned, positions_among
from .freezing import block_index, freeze, unfreeze
from .preparation import Model, Preparation, Settings, train_probe


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
        The first block to train, by name, or how many of the last blocks; None: all.
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
    **settings
        epochs, batch_size, learning_rate (the highest, after a warm-up), weight_decay,
        dropout (in front of the head), label_smoothing, patience (epochs without a
        better validation accuracy) and seed: see `tlcourse.training.preparation`.

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
    """Compute once the activations and the probe that many fine-tunings share.

    Parameters as `fine_tune`; `seed` is that of the validation rows, of the probe, and
    of trainings without another one. With `engine="dask"` a cluster's workers compute
    the activations, see `extract_features`.

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
    share = 0 if isinstance(validation, tuple) else validation
    if own_set is not None and len(own_set) != 2:
        raise UserInputError("validation is a tuple; expected (inputs, labels).")
    count = _count(model, inputs, labels)
    classes, rows, held = split_rows(labels, sample_weight, count, share, seed)
    names = names_of(classes, class_names)
    if own_set:
        count = _count(model, *own_set)
        targets = positions_among(classes, own_set[1], count)
        held = LabelledRows(np.arange(count), targets, np.ones(count))

    import_tensorflow()
    import keras

    gc.collect()  # networks refer to themselves in circles
    started = time.perf_counter()
    blocks = list(model.blocks)
    last_frozen = blocks[blocks.index(first) - 1] if first else None

    def computed(inputs: Any, labels: ArrayLike, copies: tuple[str, ...]) -> Any:
        """The output of the last frozen block: (n, copies, …), or (tokens, …) each."""
        rows: Any = model.activations(inputs, last_frozen, copies, cache, engine)
        check_labels(labels, len(rows))  # a tf.data.Dataset is counted only now
        is_text = isinstance(rows, list)
        return rows if is_text or len(copies) > 1 else rows[:, None]

    activations = others = computed(inputs, labels, copies)
    if own_set:
        others = computed(*own_set, copies[:1])
    prepared = time.perf_counter()
    network = model.copy_network()
    if last_frozen is None:
        unfreeze(network)
    else:
        freeze(network, up_to=last_frozen)
    cut = model.blocks[last_frozen][-1] if last_frozen else network.layers[0].name
    training = Batches(activations, rows, len(classes))
    tail = keras.Model(network.get_layer(cut).output, network.output)
    features = training.outputs(tail)
    probe = train_probe(features, training.rows, seed)
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
        features=features,
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
    return as_array(labels, "labels").size if count is None else count
