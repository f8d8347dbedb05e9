"""A folder of pictures → an exported network in one call: `tlcourse train`.

Check, split by identity, choose between a linear probe and fine-tuning by
cross-validation on the training and validation pictures (`select`), train on all of
them, test once on the test pictures, export. Features, activations, each finished epoch
and each fold are cached: interrupted, the same call goes on.
"""

import hashlib
import json
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from os import PathLike
from pathlib import Path
from typing import cast

import numpy as np

from . import validation
from .datasets import Dataset, Split, examine, from_folder
from .datasets.same_pictures import same_pictures
from .errors import TLCourseError, UserInputError, printable
from .export_record import CARD, RECORD, read_record
from .exporting import export
from .features.engine import workers
from .features.pictures import Pictures
from .files import as_path, sha256
from .folders import check_output_folder
from .models.load import load_pretrained_model
from .models.vision import PretrainedModel
from .predict import ExportedModel, load_exported
from .progress import duration
from .training.classifiers import FineTuned
from .training.fine_tune import first_block, prepare_fine_tuning
from .training.preparation import TRAINING, Preparation, Settings
from .training.probe import LinearProbe, train_classifier
from .training.selection import Selection, number_of_folds, select

TIMED = 16  # pictures with which the time is estimated
# Cost per picture in forward passes of the network, measured on two cores.
EPOCH_COST, TEST_COST = 0.5, 6.0
EXPORT_SECONDS = 25  # conversions, whatever the number of pictures
SHOWN = 10  # files that were left out and are printed


def train_folder(
    folder: str | PathLike,
    out: str | PathLike,
    backbone: str = "efficientnet_lite0",
    from_block: str | int | None = 3,
    epochs: int = 10,
    seed: int = 0,
    licence: str | None = None,
    say: Callable[[str], None] = print,
    scheduler: str | None = None,
    resize: str | None = None,
) -> ExportedModel:
    """Train a network on a folder of class folders, test it, and export it.

    Arguments are those of `from_folder`, `load_pretrained_model` (one that takes
    pictures), `fine_tune` (with 0 epochs only a linear probe is trained) and `export`.
    `out` is a new folder, or holds the result of this very job. `say` is called with
    one line after the other on what is done. The workers of a Dask `scheduler` must see
    pictures and cache under the same paths.
    """
    out = as_path(out, "out")
    validation.text("licence", licence or "")
    model = load_pretrained_model(backbone, resize=resize)
    if not isinstance(model, PretrainedModel):
        raise UserInputError(
            f"{backbone} takes sentences; choose one that takes pictures, see "
            "tl.list_pretrained_models()."
        )
    first_block(model, from_block)
    settings = {
        "backbone": backbone,
        "from_block": from_block,
        "epochs": validation.whole_number("epochs", epochs, 0, 10_000),
        "seed": validation.seed(seed),
        "licence": licence,
        "resize": model.resize,
    }
    if not (out / RECORD).is_file():  # else it may be the result of this very job
        check_output_folder(out)
    dataset, groups = _read(folder, say)
    fingerprint = settings["fingerprint"] = _fingerprint(dataset, settings)
    if _is_result_of(out, fingerprint):
        say(f"{out} already holds this network: nothing to do.")
        return load_exported(out)
    check_output_folder(out)
    start = time.perf_counter()
    with _cluster(scheduler) as (engine, threads):
        estimate = round(_estimate(model, dataset, epochs, threads))
        say(f"This takes about {duration(estimate)}, or less after an interruption.")
        options = {"seed": seed, "engine": engine}
        pictures = dataset.train_and_validation
        chosen, selection = _select(
            model, pictures, groups, from_block, epochs, say, options
        )
    say(f"Testing on the test pictures, once, and exporting to {out} …")
    seconds = round(time.perf_counter() - start, 1)
    job = {**settings, "estimated_seconds": estimate, "seconds": seconds}
    job |= selection._asdict()
    exported = export(chosen, out, dataset, model, licence, {"job": job})
    test = exported.record["test"]
    low, high = test["interval"]
    say(
        f"{test['accuracy']:.1%} of {test['pictures']:,} test pictures are right (95 % "
        f"interval {low:.1%} to {high:.1%}); always answering "
        f"{printable(test['most_frequent'])}: {test['baseline']:.1%}."
    )
    for name, file in exported.record["files"].items():
        size = file["bytes"] / 1e6
        say(f"  {out / name}: {size:.1f} MB, {file['accuracy']:.1%} right")
    seconds = time.perf_counter() - start
    say(f"Done in {duration(seconds)}. {out / CARD} has all this and more.")
    return exported


def _read(
    folder: str | PathLike, say: Callable[[str], None]
) -> tuple[Dataset, np.ndarray]:
    """The pictures, checked and split, and which are copies; `say` gets a report.

    The groups are those of `same_pictures`, of training and validation pictures.
    """
    say(printable(f"Reading the pictures in {folder} …"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the same is reported below
        dataset, groups = _without_copies_of_the_test_set(from_folder(folder))
    for line in repr(examine(dataset)).splitlines():
        say(line)
    for file, why in dataset.skipped[:SHOWN]:
        say(printable(f"  left out: {file}: {why}"))
    labels, tested = dataset.train_and_validation.labels, dataset.test.labels
    few = [
        name
        for label, name in enumerate(dataset.class_names)
        if label not in tested or len(np.unique(groups[labels == label])) < 2
    ]
    if few:
        names = printable(", ".join(few))
        raise UserInputError(
            f"There are too few pictures of {names} in {folder}. Each class needs three "
            "different ones or more: for training, validation and test."
        )
    return dataset, groups


def _without_copies_of_the_test_set(dataset: Dataset) -> tuple[Dataset, np.ndarray]:
    """Leave out training and validation pictures that are also in the test set.

    Folders named train, validation and test are as their owner made them: a picture
    may be in two of them, resized, encoded again or mirrored.
    """
    images = [cast(Pictures, split.images) for split in dataset.splits.values()]
    groups = same_pictures(images[0] + images[1] + images[2])
    training, tested = np.split(groups, [-len(images[2]) or len(groups)])
    is_copy = np.isin(training, tested)
    skipped, parts, start = list(dataset.skipped), {}, 0
    for name, pictures in zip(("train", "validation"), images, strict=False):
        here = is_copy[start : start + len(pictures)]
        start += len(pictures)
        parts[name] = dataset.splits[name].select(~here)
        skipped += [
            (printable(path), "a copy of a test picture")
            for path in pictures[here].paths
        ]
    return replace(
        dataset, train=parts["train"], validation=parts["validation"], skipped=skipped
    ), training[~is_copy]


def _fingerprint(dataset: Dataset, settings: dict) -> str:
    """SHA-256 of all that the job depends on: each picture, its class, the settings."""
    about = json.dumps([TRAINING, dataset.class_names, settings], sort_keys=True)
    summary = hashlib.sha256(about.encode())
    for name, split in dataset.splits.items():
        digests = map(sha256, cast(Pictures, split.images).paths)
        contents = sorted(zip(digests, split.labels.tolist(), strict=True))
        summary.update(json.dumps([name, contents]).encode())
    return summary.hexdigest()


def _is_result_of(out: Path, fingerprint: str) -> bool:
    try:
        job = read_record(out).get("job")
        return isinstance(job, dict) and job.get("fingerprint") == fingerprint
    except TLCourseError:  # a foreign folder: refused as any other that is not empty
        return False


@contextmanager
def _cluster(scheduler: str | None) -> Iterator[tuple[str | None, int]]:
    """The engine that computes features, and its number of threads."""
    if scheduler is None:
        yield None, workers()
        return
    from .distributed.extraction import connected

    with connected(scheduler) as client:
        yield "dask", sum(client.nthreads().values())


def _estimate(
    model: PretrainedModel, dataset: Dataset, epochs: int, threads: int
) -> float:
    """Seconds that the whole job takes, from a trial with a few pictures."""
    some = dataset.train.images[:TIMED]
    model.extract_features(some[:1], cache=False)  # starts the engine
    start = time.perf_counter()
    model.extract_features(some, cache=False)
    each = (time.perf_counter() - start) / len(some)
    pictures, test = dataset.train_and_validation, len(dataset.test)
    count = len(pictures)
    copies = len(model.augmentations(None)) if epochs else 0
    frozen = (1 + copies) * count * workers() / threads
    # Each picture is trained on in all folds but one, and in the end once more.
    trained = epochs * number_of_folds(pictures.labels) * count
    passes = frozen + EPOCH_COST * trained + TEST_COST * test
    return each * passes + EXPORT_SECONDS


def _select(
    model: PretrainedModel,
    pictures: Split,
    groups: np.ndarray,
    from_block: str | int | None,
    epochs: int,
    say: Callable[[str], None],
    options: dict,
) -> tuple[FineTuned | LinearProbe, Selection]:
    """Choose by cross-validation on training and validation pictures; train on all."""
    images, labels, names = pictures.images, pictures.labels, pictures.class_names
    seed = options["seed"]
    features = model.extract_features(images, engine=options["engine"])
    settings = Settings.of(model, {"epochs": epochs or 1, "seed": seed})

    @cache  # not prepared unless it is needed
    def preparation() -> Preparation:
        return prepare_fine_tuning(
            model,
            images,
            labels,
            from_block,
            validation=0,
            class_names=names,
            **options,
        )

    def predict(train: np.ndarray, held: np.ndarray) -> np.ndarray:
        return preparation().predict_held_out(train, held, settings)

    selection = select(features, labels, groups, predict if epochs else None, seed, say)
    if selection.is_fine_tuned:
        return preparation().fit(settings, resume=True, verbose=True), selection
    probe = train_classifier(features, labels, names, seed=seed, groups=groups)
    return probe, selection
