"""Fine-tuning in two stages, without ever computing the frozen part twice: probe first, then the last blocks."""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np

from . import engines
from .backbones import PretrainedModel
from .blocks import is_kernel
from .checkpoint import Checkpoint, fingerprint
from .errors import UserInputError
from .examples import Examples, count_of, given, share_of, split
from .files import cache_folder
from .freed_memory import clear_away
from .freezing import freeze, unfreeze
from .guards.pretrained import about_distance, share_moved
from .heads import train_classifier
from .predictor import Predictor, check_labels, names_of
from .ragged import Ragged
from .settings import Settings, settings_from
from .text_models import PretrainedTextModel
from .training import EVALUATION_BATCH, Training, descriptions
from .training_report import TrainingReport


class FineTuned(Predictor):
    """A fine-tuned network. Made by `fine_tune`. `predict`, `score`, `confusion` and `report` take what it reads.

    Attributes:
        network: an ordinary `keras.Model`, pixels [0, 255] float32 (n, height, width, 3), or token ids int32
            (n, length), → probabilities (n, classes). `network.save("name.keras")` saves it; Keras alone loads it.
        input_size: (height, width) in pixels; of sentences None.
        record: what happened, ready for JSON: "from", "views", "rows" (learned from and held out), "settings",
            "seconds" of each stage, "estimated_seconds" of the last one, "probe" (its validation_accuracy and
            validation_loss, if rows were held out), "epochs" (of each: loss, learning_rate,
            validation_accuracy, validation_loss, seconds), "best_epoch" (0: the probe's head was not improved on),
            "moved" (block's name → how far, see `tl.guards.moved`), "changed" (names of the weights that are not what
            they were) and "resumed_after" (epochs).
    """

    def __init__(self, network, classes: np.ndarray, class_names: list[str] | None, read: Callable, record: dict):
        super().__init__(classes, class_names)
        self.network, self.record = network, record
        self.input_size = tuple(network.input_shape[1:3]) if len(network.input_shape) == 4 else None
        self._read = read

    def __repr__(self) -> str:
        epochs, seconds = len(self.record["epochs"]), sum(self.record["seconds"].values())
        return f"<{self.network.name}: {len(self.classes)} classes, {epochs} epochs, {seconds:.0f} s>"

    def predict_proba(self, inputs) -> np.ndarray:
        """Probability of each class: float32 (n, classes); pictures or sentences as for `extract_features`."""
        return self._read(self.network, inputs)


def fine_tune(
    model: PretrainedModel | PretrainedTextModel,
    inputs,
    labels,
    from_: str | int | None = 3,
    *,
    validation: float | tuple = 0.1,
    views: int | Sequence[str] | None = None,
    class_names: Sequence[str] | None = None,
    sample_weight=None,
    cache: bool = True,
    **settings,
) -> FineTuned:
    """Adapt a pretrained network to new classes: a linear probe first, then its last blocks.

    The probe's weights become the head before anything of the network is trained, so that no random head drags good
    features away (LP-FT: A. Kumar et al., "Fine-Tuning can Distort Pretrained Features and Underperform
    Out-of-Distribution", ICLR 2022); shortened, so that its answers are the same and less sure. The blocks before the
    cut stay as they are, and what they hand on is computed once for each view of each picture. Batch norms stay frozen
    everywhere. `model` itself is not changed. Sentences go the same way as pictures, a cut after any layer of BERT.

    Stopped half-way, the same call goes on after the last finished epoch and comes to the same weights.

    Args:
        model: from `load_pretrained_model`.
        inputs, labels: to learn from; pictures or sentences as for `extract_features`, whole numbers or text (n,).
        from_: the first block that is trained, by name, or how many of the last blocks; None: the whole network.
        validation: share of each class that is held out, or (inputs, labels), or 0. With it the weights of the
            epoch with the best accuracy on these are kept; without, the last.
        views: how each picture is varied, a number or names, see `tlcourse.views`; 2 if nothing is said. Sentences
            are not varied.
        class_names: names for whole-number labels 0, 1, …
        sample_weight: float (n,), how much each row counts beside the others.
        cache: False computes everything anew and keeps nothing.
        settings: epochs, batch_size, learning_rate, weight_decay, dropout, label_smoothing, patience, seed; see
            `tlcourse.settings.Settings`; for BERT the model has some of its own, `model.settings`.

    Raises:
        UserInputError: as `extract_features` and `train_classifier`; unknown block, view or setting.
    """
    first = _first_block(model, from_)
    settings, views = settings_from({**model.settings, **settings}), model.views(views)
    last_frozen = _block_before(model, first)
    learned, held_out, classes = split(
        labels, sample_weight, count_of(model, inputs, labels), share_of(validation), settings.seed
    )
    names = names_of(classes, class_names)
    if isinstance(validation, tuple):
        held_out = given(model, validation, classes)
    clear_away()
    network, seconds = _copy(model, last_frozen), _Stopwatch()
    activations = _activations(model, inputs, labels, last_frozen, views, cache)
    learn, judged = Examples(activations, *learned), held_out and Examples(activations, *held_out)
    if isinstance(validation, tuple):
        judged = Examples(_activations(model, *validation, last_frozen, views[:1], cache), *held_out)
    seconds.lap("activations")
    start = network.get_layer(model.blocks[last_frozen][-1]).output if last_frozen else network.inputs[0]
    describe = descriptions(network, start, learn.dtype)
    head = _probe(describe, learn, settings.seed)
    before = _digests(network, head)
    seconds.lap("probe")
    engines.drop_all()  # training needs the memory more
    training = Training(network, start, describe, head, learn, judged, settings)
    checkpoint = _checkpoint(model, first, views, settings, before, (learn, judged), cache)
    estimate = settings.epochs * training.steps * training.seconds_a_step()
    report = TrainingReport(settings.epochs)
    report.start(model.kind, len(learn), len(judged or ()), estimate)
    training.run(checkpoint, report.epoch)
    seconds.lap("training")
    record = {
        "from": first,
        "views": list(views),
        "rows": {"learned_from": len(learn), "held_out": len(judged or ())},
        "settings": asdict(settings),
        "seconds": seconds.laps,
        "estimated_seconds": estimate,
        "probe": training.probe,
        "epochs": training.epochs,
        "best_epoch": training.best_epoch,
        "resumed_after": training.resumed_after,
        "moved": _moved(model, training),
        "changed": [path for path, digest in _digests(network, head).items() if digest != before[path]],
    }
    report.warn(about_distance(record["moved"]))
    whole = _with_head(network, head, settings)
    checkpoint.remove()
    return FineTuned(whole, classes, names, model.reader(), record)


def _first_block(model: PretrainedModel, from_: str | int | None) -> str | None:
    """The name of the first block that is trained, or None for the whole network."""
    if not isinstance(model, PretrainedModel | PretrainedTextModel):
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


def _block_before(model: PretrainedModel, first: str | None) -> str | None:
    """The last block that stays as it is, or None."""
    names = list(model.blocks)
    return names[names.index(first) - 1] if first else None


def _copy(model: PretrainedModel, last_frozen: str | None):
    """A copy of the model's network in which the blocks behind this one are trainable, batch norms excepted."""
    network = model.copy_network()
    if last_frozen:
        freeze(network, up_to=last_frozen)
    else:
        unfreeze(network)
    return network


def _activations(model, inputs, labels, last_frozen: str | None, views, cache: bool) -> np.ndarray | Ragged:
    """What comes in at the cut: for each view of each picture (n, views, …), for each sentence (tokens, …)."""
    found = model.at_cut(inputs, last_frozen, views, cache)
    check_labels(labels, len(found))  # a tf.data.Dataset has said only now how many it holds
    return found if len(views) > 1 or isinstance(found, Ragged) else found[:, None]


def _probe(describe, learn: Examples, seed: int):
    """A linear probe on the network as it is, as a Dense layer."""
    found, weights = learn.outputs(describe, EVALUATION_BATCH), learn.weights
    return train_classifier(found, learn.targets, sample_weight=weights, seed=seed, common_scale=True).as_head()


def _digests(network, head) -> dict[str, str]:
    """A weight's path → what tells whether it has changed; copies of a BERT would be a hundred megabytes."""
    weights = (*network.weights, *head.weights)
    return {weight.path: engines.fast_digest_of([weight.numpy() + 0.0]) for weight in weights}  # -0.0 is 0.0


def _moved(model, training: Training) -> dict[str, float]:
    """How far each block behind the cut has moved, as a share of its length."""
    kernels = {}
    for variable, before in zip(training.variables, training.before, strict=True):
        if is_kernel(variable):
            kernels.setdefault(variable.path.split("/")[0], []).append((before, variable.numpy()))
    pairs = {block: [pair for name in names for pair in kernels.get(name, ())] for block, names in model.blocks.items()}
    return {block: round(share_moved(found), 4) for block, found in pairs.items() if found}


def _checkpoint(
    model, first, views, settings: Settings, before: dict[str, str], examples: tuple, cache: bool
) -> Checkpoint:
    """Where this very training is kept: what it depends on is in the file's name."""
    if not cache:
        return Checkpoint(None)
    import keras
    import tensorflow as tf

    versions = [tf.__version__, keras.__version__, np.__version__]
    name = fingerprint([model.name, first, views, asdict(settings), versions, before], list(examples))
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
