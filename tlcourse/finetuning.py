"""Fine-tuning in two stages, without ever computing the frozen part twice: probe first, then the last blocks."""

import time
from collections.abc import Sequence
from dataclasses import asdict
from importlib import metadata

import numpy as np

from . import engines, features
from .backbones import PretrainedModel
from .errors import UserInputError
from .files import cache_folder
from .heads import train_classifier
from .predictor import Predictor, check_labels, check_weights, names_of
from .tail import tail
from .training import EVALUATION_BATCH, Checkpoint, Examples, Settings, Training, fingerprint, settings_from
from .training_report import TrainingReport
from .views import view_names


class FineTuned(Predictor):
    """A fine-tuned network. Made by `fine_tune`. `predict`, `score`, `confusion` and `report` take pictures.

    Attributes:
        network: an ordinary `keras.Model`, pixels [0, 255] float32 (n, height, width, 3) → probabilities
            (n, classes). `network.save("name.keras")` saves it; Keras alone loads it.
        input_size: (height, width) in pixels.
        record: what happened, ready for JSON: "from", "views", "rows" (learned from and held out), "settings",
            "seconds" of each stage, "estimated_seconds" of the last one, "epochs" (of each: loss, learning_rate,
            validation_accuracy, validation_loss, seconds), "best_epoch" (0: the probe's head was not improved on),
            "changed" (names of the weights that are not what they were) and "resumed_after" (epochs).
    """

    def __init__(self, network, classes: np.ndarray, class_names: list[str] | None, input_size, record: dict):
        super().__init__(classes, class_names)
        self.network, self.input_size, self.record = network, input_size, record

    def __repr__(self) -> str:
        epochs, seconds = len(self.record["epochs"]), sum(self.record["seconds"].values())
        return f"<{self.network.name}: {len(self.classes)} classes, {epochs} epochs, {seconds:.0f} s>"

    def predict_proba(self, images) -> np.ndarray:
        """Probability of each class: float32 (n, classes); pictures as for `extract_features`."""
        engine = engines.compile_network(self.network)
        return features.compute(engine, images, self.input_size, describe="Predicting")


def fine_tune(
    model: PretrainedModel,
    images,
    labels,
    from_: str | int | None = 3,
    *,
    validation: float | tuple = 0.1,
    views: int | Sequence[str] = 2,
    class_names: Sequence[str] | None = None,
    sample_weight=None,
    cache: bool = True,
    **settings,
) -> FineTuned:
    """Adapt a pretrained network to new classes: a linear probe first, then its last blocks.

    The probe's weights become the head before anything of the network is trained, so that no random head drags good
    features away (LP-FT: A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR 2022). The blocks before the cut stay as they are, and what they hand on is computed
    once for each view of each picture. Batch norms stay frozen everywhere. `model` itself is not changed.

    Stopped half-way, the same call goes on after the last finished epoch and comes to the same weights.

    Args:
        model: from `load_pretrained_model`.
        images, labels: to learn from; pictures as for `extract_features`, whole numbers or text (n,).
        from_: the first block that is trained, by name, or how many of the last blocks; None: the whole network,
            from the pixels.
        validation: share of each class that is held out, or (images, labels), or 0. With it the weights of the
            epoch with the best accuracy on these are kept; without, the last.
        views: how each picture is varied, a number or names, see `tlcourse.views`.
        class_names: names for whole-number labels 0, 1, …
        sample_weight: float (n,), how much each row counts beside the others.
        cache: False computes everything anew and keeps nothing.
        settings: epochs, batch_size, learning_rate, weight_decay, dropout, label_smoothing, patience, seed; see
            `tlcourse.training.Settings`.

    Raises:
        UserInputError: as `extract_features` and `train_classifier`; unknown block, view or setting.
    """
    settings, views = settings_from(settings), view_names(views)
    first = _first_block(model, from_)
    network = _copy(model, first)
    start = _start(network, model, first)
    report, seconds = TrainingReport(settings.epochs), _Stopwatch()
    activations = _activations(model, images, first, views, cache)
    learn, held_out, classes = _examples(labels, sample_weight, activations, validation, settings.seed)
    names = names_of(classes, class_names)
    if isinstance(validation, tuple):
        held_out = _held_out(model, validation, first, views, cache, classes)
    seconds.lap("activations")
    head = _probe(network, start, learn, classes, settings.seed)
    before = {weight.path: weight.numpy() for weight in (*network.weights, *head.weights)}
    seconds.lap("probe")
    training = Training(network, start, head, learn, held_out, settings)
    checkpoint = _checkpoint(model, first, views, settings, before, (learn, held_out), cache)
    estimate = settings.epochs * training.steps * training.seconds_a_step()
    report.start(len(learn), len(held_out or ()), estimate)
    training.run(checkpoint, report.epoch)
    seconds.lap("training")
    whole = _with_head(network, head, settings)
    record = {
        "from": first,
        "views": list(views),
        "rows": {"learned_from": len(learn), "held_out": len(held_out or ())},
        "settings": asdict(settings),
        "seconds": seconds.laps,
        "estimated_seconds": estimate,
        "epochs": training.epochs,
        "best_epoch": training.best_epoch,
        "resumed_after": training.resumed_after,
        "changed": [w.path for w in (*network.weights, *head.weights) if not np.array_equal(before[w.path], w.numpy())],
    }
    checkpoint.remove()
    return FineTuned(whole, classes, names, model.input_size, record)


def _first_block(model: PretrainedModel, from_: str | int | None) -> str | None:
    """The name of the first block that is trained, or None for the whole network."""
    if not isinstance(model, PretrainedModel):
        raise UserInputError(
            f"fine_tune was given {type(model).__name__}; expected a pretrained model: "
            "model = tl.load_pretrained_model()."
        )
    names = list(model.blocks)
    if from_ is None or from_ == names[0] or (isinstance(from_, int) and from_ == len(names)):
        return None
    if isinstance(from_, int | np.integer) and not isinstance(from_, bool) and 1 <= from_ < len(names):
        return names[-from_]
    if from_ in names:
        return from_
    raise UserInputError(
        f"from_ is {from_!r}; expected the first block to train, or how many of the last blocks (1 to {len(names)}), "
        f"or None for the whole network. The blocks of {model.name}: {', '.join(names)}."
    )


def _copy(model: PretrainedModel, first: str | None):
    """A copy of the model's network in which the blocks from `first` on are trainable, batch norms excepted."""
    import keras

    network = keras.models.clone_model(model.network)
    network.set_weights(model.network.get_weights())
    names = list(model.blocks)
    trained = {layer for block in names[names.index(first) if first else 0 :] for layer in model.blocks[block]}
    network.trainable = True
    for layer in network.layers:
        layer.trainable = layer.name in trained and not isinstance(layer, keras.layers.BatchNormalization)
    return network


def _start(network, model: PretrainedModel, first: str | None):
    """The `KerasTensor` at the cut."""
    if first is None:
        return network.inputs[0]
    names = list(model.blocks)
    before = names[names.index(first) - 1]
    return network.get_layer(model.blocks[before][-1]).output


def _activations(model: PretrainedModel, images, first: str | None, views: tuple[str, ...], cache: bool) -> np.ndarray:
    """(n, views, …): what comes in at the cut, for each view of each picture."""
    if first is None:
        pixels = engines.Pixels(model.input_size)
        found = features.compute(pixels, images, model.input_size, views, np.uint8, describe="Preparing pictures")
    else:
        names = list(model.blocks)
        found = model.activations(images, names[names.index(first) - 1], views, cache)
    return found if len(views) > 1 else found[:, None]


def _examples(labels, sample_weight, activations, validation, seed: int):
    """What is learned from, what is held out of it (or None), and the classes."""
    labels = check_labels(labels, len(activations))
    weights = check_weights(sample_weight, len(activations))
    classes, targets = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise UserInputError(
            f"All {len(labels)} labels are {classes[0].item()!r}; fine-tuning needs examples of at least two classes."
        )
    share = 0 if isinstance(validation, tuple) else validation
    if isinstance(share, bool) or not isinstance(share, int | float | np.number) or not 0 <= share < 1:
        raise UserInputError(
            f"validation is {validation!r}; expected a share from 0 to below 1, or a pair (images, labels)."
        )
    rng = np.random.default_rng(seed)
    held = [
        rows[: min(round(share * len(rows)), len(rows) - 1)]
        for rows in (rng.permutation(np.flatnonzero(targets == position)) for position in range(len(classes)))
    ]
    held = np.sort(np.concatenate(held))
    kept = np.setdiff1d(np.flatnonzero(weights), held)
    if len(np.unique(targets[kept])) < len(classes):
        raise UserInputError("A class has no row with a weight above 0 to learn from. Leave it out, or give it one.")
    learn = Examples(activations, kept, targets[kept], weights[kept] / weights[kept].mean())
    judged = held[weights[held] > 0]
    return learn, Examples(activations, judged, targets[judged], weights[judged]) if len(judged) else None, classes


def _held_out(model, validation: tuple, first: str | None, views: tuple[str, ...], cache: bool, classes) -> Examples:
    if len(validation) != 2:
        raise UserInputError(f"validation has {len(validation)} parts; expected (images, labels).")
    images, labels = validation
    activations = _activations(model, images, first, views[:1], cache)
    targets = Predictor(classes, None).positions(labels, len(activations))
    return Examples(activations, np.arange(len(targets)), targets, np.ones(len(targets)))


def _probe(network, start, learn: Examples, classes: np.ndarray, seed: int):
    """A linear probe on the network as it is, as a Dense layer."""
    import tensorflow as tf

    run = tail(network, start)
    pictures = tf.TensorSpec((None, *start.shape[1:]), tf.as_dtype(learn.activations.dtype))
    describe = tf.function(lambda x: run(tf.cast(x, tf.float32)), autograph=False, input_signature=(pictures,))
    found = np.concatenate([describe(batch).numpy() for batch in learn.batches(EVALUATION_BATCH)])
    return train_classifier(found, learn.targets, sample_weight=learn.weights, seed=seed).as_head()


def _checkpoint(model, first, views, settings: Settings, before: dict, examples: tuple, cache: bool) -> Checkpoint:
    """Where this very training is kept: what it depends on is in the file's name."""
    if not cache:
        return Checkpoint(None)
    versions = [metadata.version("keras"), metadata.version("numpy")]
    weights = engines.digest_of(before.values())
    name = fingerprint([model.name, first, views, asdict(settings), versions, weights], list(examples))
    return Checkpoint(cache_folder() / "training" / f"{model.name}-{name[:24]}.npz")


def _with_head(network, head, settings: Settings):
    """The network and its head as one `keras.Model`; not compiled, so that its file holds no optimizer."""
    import keras

    dropped = keras.layers.Dropout(settings.dropout, name="dropout")(network.output)
    return keras.Model(network.inputs, head(dropped), name=f"{network.name}_fine_tuned")


class _Stopwatch:
    """Seconds of one stage after the other."""

    def __init__(self):
        self.laps, self._last = {}, time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now
