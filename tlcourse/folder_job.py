"""A folder of pictures → an exported network, the whole job in one call: `tlcourse train`.

Check, divide by identity, probe, fine-tune, choose by the validation pictures, judge once by the test pictures, export.
The linear probe is the simpler model: it is kept unless the fine-tuned network is better by more than one standard
error (see `evaluation.paired_gain`).
Features, activations and each finished epoch are kept (see `cache`): stopped anywhere, the same call goes on and comes
to the same network.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import cast

import numpy as np

from . import validation
from .datasets import Dataset, examine, from_folder
from .errors import TLCourseError, UserInputError, printable
from .exported import CARD, RECORD, ExportedModel, load_exported, read_record
from .exporting import export
from .features.engine import workers
from .features.pictures import Pictures
from .files import as_path, sha256
from .models import efficientnet_lite
from .models.load import load_pretrained_model
from .models.vision import PretrainedModel
from .output_folder import check_output_folder, claimed
from .training.cut import block_among, first_block
from .training.evaluation import Gain, paired_gain
from .training.fine_tuned import FineTuned
from .training.finetuning import fine_tune
from .training.heads import Classifier, train_classifier
from .training.settings import Settings
from .training.training_report import duration

TIMED = 16  # pictures by which the time is estimated
# What a picture costs, in times the network's way from pixels to features; measured on two cores, see `make results`.
EPOCH_COST, JUDGING_COST = 0.5, 6.0
EXPORT_SECONDS = 25  # conversions, whatever the number of pictures
SHOWN = 10  # classes and mistakes that are said; the model card has more


def train_folder(
    folder: str | PathLike,
    out: str | PathLike,
    backbone: str = "efficientnet_lite0",
    from_: str | int = 3,
    epochs: int = 10,
    seed: int = 0,
    licence: str | None = None,
    say: Callable[[str], None] = print,
    scheduler: str | None = None,
) -> ExportedModel:
    """Train a network on a folder of class folders, judge it, and export it.

    Args:
        folder: as for `datasets.from_folder`.
        out: a new folder, or one that is empty. Where it holds what this very job has made, nothing is done.
        backbone: as for `load_pretrained_model`; one that sees.
        from_, epochs, seed: as for `fine_tune`; with 0 epochs the linear probe is all.
        licence: of the pictures, for the model card.
        say: is given a line after the other on what is done and found.
        scheduler: address of a Dask scheduler whose workers compute features and activations, bit for bit the same;
            they must see the pictures, and the cache's folder (TLCOURSE_CACHE), under the same paths. What is trained,
            judged and exported stays here.

    Raises:
        UserInputError: as `from_folder`, `fine_tune` and `export`; too few pictures for three splits.
        TLCourseError: as `export`; the scheduler cannot be reached.
    """
    goal = as_path(out, "out")
    settings, model = _checked(backbone, from_, epochs, seed, licence)
    if (goal / RECORD).is_file():  # of this very job, perhaps: nothing is written then
        dataset = _read(folder, say)
        if not _made_before(goal, _fingerprint(dataset, settings)):
            check_output_folder(goal)
        say(
            f"{goal} holds the network of this very job: the same pictures, the same settings. Nothing is to be done."
        )
        return load_exported(goal)
    check_output_folder(goal)
    with claimed(goal):
        return _train(folder, goal, settings, model, say, scheduler)


def _checked(
    backbone: str, from_: str | int | None, epochs: int, seed: int, licence: str | None
) -> tuple[dict, PretrainedModel | None]:
    """The settings of the job, and the model where it had to be loaded for that; or a sentence, before any work."""
    epochs = validation.whole_number("epochs", epochs, 0, 10_000)
    seed = int(Settings(seed=seed).seed)
    from_ = int(from_) if isinstance(from_, np.integer) else from_
    if licence is not None and not isinstance(licence, str):
        raise UserInputError(
            f"licence is {validation.shown(licence)}; expected a text, or None."
        )
    settings = {
        "backbone": backbone,
        "from": from_,
        "epochs": epochs,
        "seed": seed,
        "licence": licence,
    }
    if (
        isinstance(backbone, str) and backbone in efficientnet_lite.SCALING
    ):  # its blocks are known without loading it
        block_among(list(efficientnet_lite.block_layers(backbone)), backbone, from_)
        return settings, None
    model = _load(backbone)
    first_block(model, from_)
    return settings, model


def _load(backbone: str) -> PretrainedModel:
    model = load_pretrained_model(backbone)
    if not isinstance(model, PretrainedModel):
        raise UserInputError(
            f"{backbone} reads; to see, take one that does: tl.list_pretrained_models()."
        )
    return model


def _train(
    folder: str | PathLike,
    goal: Path,
    settings: dict,
    model: PretrainedModel | None,
    say: Callable[[str], None],
    scheduler: str | None,
) -> ExportedModel:
    """The job itself, its arguments checked."""
    began, dataset = time.perf_counter(), _read(folder, say)
    job: dict[str, str | int | float | None] = {
        "fingerprint": _fingerprint(dataset, settings),
        **settings,
    }
    model = model or _load(settings["backbone"])
    with _cluster(scheduler) as (engine, threads):
        job["estimated_seconds"] = estimate = round(
            _estimate(model, dataset, settings["epochs"], threads)
        )
        say(
            f"This takes about {duration(estimate)}, less where an earlier run has been stopped."
        )
        probe, right = _probe(model, dataset, settings["seed"], engine)
        job["probe"] = float(np.mean(right))
        say(f"Linear probe: {job['probe']:.1%} of the validation pictures.")
        chosen = _best(model, dataset, probe, right, job, say, engine)
    say(f"Judging by the test pictures, once, and exporting to {goal} …")
    job["seconds"] = round(time.perf_counter() - began, 1)
    made = export(chosen, goal, dataset, model, settings["licence"], about={"job": job})
    for line in _findings(made.record):
        say(printable(line))
    for name, file in made.record["files"].items():
        say(
            f"  {goal / name}: {file['bytes'] / 1e6:.1f} MB, {file['accuracy']:.1%} right"
        )
    say(
        f"Done in {duration(time.perf_counter() - began)}. {goal / CARD} says all this and more."
    )
    return made


def _read(folder: str | PathLike, say: Callable) -> Dataset:
    """The pictures, checked and divided; what was found is said."""
    say(printable(f"Looking at the pictures in {folder} …"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what was left out is said below
        dataset = from_folder(folder)
    for line in repr(examine(dataset)).splitlines():
        say(line)
    for file, why in dataset.skipped[:SHOWN]:
        say(printable(f"  left out: {file}: {why}"))
    missing = [name for name, split in dataset.splits.items() if not len(split)]
    if missing:
        raise UserInputError(
            f"There are too few pictures in {folder}: nothing is left for {' and '.join(missing)}. Each class needs "
            "three different pictures or more: one to learn from, one to choose by, one to be judged by."
        )
    return dataset


def _fingerprint(dataset: Dataset, settings: dict) -> str:
    """SHA-256 of all that the job depends on: each picture's content, class and split, and the settings."""
    summary = hashlib.sha256(
        json.dumps([dataset.class_names, settings], sort_keys=True).encode()
    )
    for name, split in dataset.splits.items():
        contents = sorted(
            zip(
                map(sha256, cast(Pictures, split.images).paths),
                split.labels.tolist(),
                strict=True,
            )
        )
        summary.update(json.dumps([name, contents]).encode())
    return summary.hexdigest()


def _made_before(goal: Path, fingerprint: str) -> bool:
    if not (goal / RECORD).is_file():
        return False
    try:
        return read_record(goal).get("job", {}).get("fingerprint") == fingerprint
    except TLCourseError:  # another's folder: refused as any other that is not empty
        return False


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[tuple[str | None, int]]:
    """What is to compute features, and how many threads it has."""
    if scheduler is None:
        yield None, workers()
        return
    from .scale.cluster import connected

    with connected(scheduler) as client:
        yield "dask", sum(client.nthreads().values())


def _estimate(
    model: PretrainedModel, dataset: Dataset, epochs: int, threads: int
) -> float:
    """Seconds that the whole job takes by trying a few pictures; threads as fast as those here share the first part."""
    some = dataset.train.images[:TIMED]
    model.extract_features(some[:1], cache=False)  # starts the engine
    start = time.perf_counter()
    model.extract_features(some, cache=False)
    each = (time.perf_counter() - start) / len(some)
    train, validation, test = (len(split) for split in dataset.splits.values())
    views = len(model.augmentations(None)) if epochs else 0
    shared = (train + validation + views * train) * workers() / threads
    return (
        each * (shared + EPOCH_COST * epochs * train + JUDGING_COST * test)
        + EXPORT_SECONDS
    )


def _probe(
    model: PretrainedModel, dataset: Dataset, seed: int, engine: str | None
) -> tuple[Classifier, np.ndarray]:
    """A linear probe, and which of the validation pictures it gets right."""
    splits = (dataset.train, dataset.validation)
    learned, judged = (
        model.extract_features(split.images, engine=engine) for split in splits
    )
    probe = train_classifier(
        learned, dataset.train.labels, dataset.class_names, seed=seed
    )
    return probe, probe.predict(judged) == dataset.validation.labels


def _best(
    model: PretrainedModel,
    dataset: Dataset,
    probe: Classifier,
    right: np.ndarray,
    job: dict,
    say: Callable,
    engine: str | None,
) -> FineTuned | Classifier:
    """The probe, or the fine-tuned network where that is better by more than one standard error; `job` says why."""
    if not job["epochs"]:
        job |= {"fine_tuned": None, "choice": "Only the linear probe was trained."}
        return probe
    tuned = fine_tune(
        model,
        dataset.train.images,
        dataset.train.labels,
        job["from"],
        validation=(dataset.validation.images, dataset.validation.labels),
        class_names=dataset.class_names,
        epochs=job["epochs"],
        seed=job["seed"],
        engine=engine,
    )
    tuned_right = tuned.predict(dataset.validation.images) == dataset.validation.labels
    gain = paired_gain(right, tuned_right)
    job |= {
        "fine_tuned": float(np.mean(tuned_right)),
        "choice": _about_choice(job["probe"], tuned_right, gain),
    }
    say(job["choice"])
    return tuned if gain.exceeds_one_standard_error else probe


def _about_choice(probe: float, tuned_right: np.ndarray, gain: Gain) -> str:
    """Which model was kept, and why, in a sentence or two."""
    more = (
        f"{abs(gain.net)} {'fewer' if gain.net < 0 else 'more'}"
        if gain.net
        else "as many"
    )
    compared = (
        f"Fine-tuned: {np.mean(tuned_right):.1%} of the validation pictures, the probe {probe:.1%}: {more} of "
        f"{gain.rows}"
    )
    if gain.exceeds_one_standard_error:
        return f"{compared}, which exceeds one standard error ({gain.standard_error:.1f}). The fine-tuned one is kept."
    within = (
        f", within one standard error ({gain.standard_error:.1f})"
        if gain.net > 0
        else ""
    )
    return f"{compared}{within}. The probe, the simpler model, is kept."


def _findings(record: dict) -> list[str]:
    """What the test pictures have shown, line by line."""
    test, (low, high) = record["test"], record["test"]["interval"]
    lines = [
        f"{test['accuracy']:.1%} of {test['pictures']:,} test pictures are right (95 % interval {low:.1%} to "
        f"{high:.1%}); always answering {test['most_frequent']}: {test['baseline']:.1%}."
    ]
    tested = {
        name: found for name, found in test["classes"].items() if found["pictures"]
    }
    recall = {
        name: found["right"] / found["pictures"] for name, found in tested.items()
    }
    worst = sorted(recall, key=lambda name: (recall[name], name))[:SHOWN]
    lines += [
        f"  {recall[name]:6.1%} of {tested[name]['pictures']:,} {name}"
        for name in worst
    ]
    if len(recall) > SHOWN:
        lines.append(
            f"  … and {len(recall) - SHOWN:,} classes that are recognised more often"
        )
    for one in test["surest_mistakes"][:3]:
        lines.append(
            f"  a sure mistake: {one['picture']}, {one['predicted']} ({one['probability']:.0%})"
        )
    return lines
