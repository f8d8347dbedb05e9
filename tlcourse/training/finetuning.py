"""Fine-tuning in two stages, without ever computing the frozen part twice: probe first, then the last blocks."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from ..files import cache_folder
from ..guards.pretrained import about_distance
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from .checkpoint import Checkpoint, fingerprint
from .cut import first_block
from .fine_tuned import FineTuned
from .preparation import Preparation, Stopwatch, prepare_fine_tuning
from .settings import Settings, settings_from
from .training_report import TrainingReport

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from ..features.inputs import Images
    from ..models.wordpiece import Sentences


def fine_tune(
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
    **settings: "Any",
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
        views: how each picture is varied, a number or names, see `tlcourse.features.augment`; 2 if nothing is said. Sentences
            are not varied.
        class_names: names for whole-number labels 0, 1, …
        sample_weight: float (n,), how much each row counts beside the others.
        cache: False computes everything anew and keeps nothing.
        engine: "dask": a cluster's workers compute what the frozen blocks hand on, see `extract_features`; training
            itself stays in this process.
        settings: epochs, batch_size, learning_rate, weight_decay, dropout, label_smoothing, patience, seed; see
            `tlcourse.training.settings.Settings`; for BERT the model has some of its own, `model.settings`.

    Raises:
        UserInputError: as `extract_features` and `train_classifier`; unknown block, view or setting.
    """
    first_block(model, from_)  # checks both
    chosen = settings_from({**model.settings, **settings})
    given: dict[str, Any] = {
        "validation": validation,
        "views": views,
        "class_names": class_names,
    }
    preparation = prepare_fine_tuning(
        model,
        inputs,
        labels,
        from_,
        **given,
        sample_weight=sample_weight,
        cache=cache,
        engine=engine,
        seed=chosen.seed,
    )
    watch = Stopwatch()
    training = preparation.training(chosen)
    checkpoint = _checkpoint(preparation, chosen) if cache else Checkpoint(None)
    estimate = chosen.epochs * training.steps * training.seconds_a_step()
    report = TrainingReport(chosen.epochs)
    report.start(
        model.kind, len(preparation.learn), len(preparation.judged or ()), estimate
    )
    tuned = preparation.run_once(training, checkpoint, report.epoch)
    watch.lap("training")
    tuned.record |= {
        "seconds": preparation.seconds | watch.laps,
        "estimated_seconds": estimate,
    }
    report.warn(about_distance(tuned.record["moved"]))
    checkpoint.remove()
    return tuned


def _checkpoint(preparation: Preparation, settings: Settings) -> Checkpoint:
    """Where this very training is kept: what it depends on is in the file's name."""
    import keras
    import tensorflow as tf

    name, versions = (
        preparation.model.name,
        [tf.__version__, keras.__version__, np.__version__],
    )
    parts = [
        name,
        preparation.first,
        preparation.views,
        asdict(settings),
        versions,
        preparation.digests,
    ]
    key = fingerprint(parts, [preparation.learn, preparation.judged])
    return Checkpoint(cache_folder() / "training" / f"{name}-{key[:24]}.npz")
