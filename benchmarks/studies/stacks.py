"""Lesson 10: several networks' features, concatenated, averaged and stacked; costs."""

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import sklearn
from runner import Arm, run_once
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import tlcourse as tl
from tlcourse.datasets import Split
from tlcourse.errors import DatasetUnavailable

BLOCKS = ("block5c", "block6d", "block7a", "head")  # of lesson 00 and of the demo
FOUR_BLOCKS = "four blocks"
DOG_LABELS, KANJI_LABELS = (5, 20), 4  # of each class
FOLDS = 5  # of a stack, or as many as there are labels of a class
FEW_CLASSES = 10  # beyond, no SVM is stacked: of 100 classes it fits 4,950
TIMED = 64  # pictures with which a network's cost is measured


def backbones() -> list[str]:
    """The networks for pictures whose weights are on this machine."""
    return [
        name
        for name, about in tl.list_pretrained_models().items()
        if "pixels" in about and about.endswith(("bundled", "here"))
    ]


def feature_sets() -> dict[str, tuple[str, tuple | None]]:
    """Name → network, and its blocks or None for the last one's output."""
    names = backbones()
    sets = {name: (name, None) for name in names}
    return sets | {f"{names[0]}, {FOUR_BLOCKS}": (names[0], BLOCKS)}


@cache
def loaded(name: str) -> tl.PretrainedModel:
    return tl.load_pretrained_model(name)


def widths(model: tl.PretrainedModel, blocks: Sequence[str]) -> list[int]:
    """Features of each block: averages and maxima of its channels."""
    layers = [model.network.get_layer(model.blocks[block][-1]) for block in blocks]
    return [2 * layer.output.shape[-1] for layer in layers]


class Task(NamedTuple):
    """A training and a test split, each with all feature sets in one array."""

    train: Split
    test: Split
    train_features: np.ndarray
    test_features: np.ndarray


def task(train: Split, test: Split) -> Task:
    return Task(train, test, _all_features(train), _all_features(test))


def _all_features(split: Split) -> np.ndarray:
    sets = feature_sets().values()
    parts = [loaded(name).extract_features(split.images, bs) for name, bs in sets]
    return np.hstack(parts)


def stacks(seeds: Sequence[int]) -> dict:
    """Task → kind of ensemble → test accuracies, one for each seed, and seconds."""
    found = {"solar": compared(solar_tasks(seeds), FOLDS)}
    try:
        dogs = tl.load_dataset("dogs")
    except DatasetUnavailable as error:
        print(error)
    else:
        for count in DOG_LABELS:
            folds = min(FOLDS, count)
            tasks = sampled_tasks(dogs, count, seeds)
            found[f"dogs, {count} labels"] = compared(tasks, folds)
    kanji = sampled_tasks(tl.load_dataset("kanji"), KANJI_LABELS, seeds)
    folds = min(FOLDS, KANJI_LABELS)
    return found | {f"kanji, {KANJI_LABELS} labels": compared(kanji, folds)}


def solar_tasks(seeds: Sequence[int]) -> Iterator[Task]:
    """By the published protocol, with weights."""
    for seed in seeds:
        data = tl.load_dataset("solar", seed=seed)
        yield task(data.train_and_validation, data.test)


def sampled_tasks(data, count: int, seeds: Sequence[int]) -> Iterator[Task]:
    return (task(data.train.sample(count, seed), data.test) for seed in seeds)


def compared(tasks: Iterable[Task], folds: int) -> dict:
    """Accuracies of all seeds, and the median of the seconds."""
    accuracies, seconds = {}, {}
    with sklearn.config_context(enable_metadata_routing=True):  # for the weights
        for seed, one in enumerate(tasks):
            for name, (accuracy, took) in ensembles(one, folds, seed).items():
                accuracies.setdefault(name, []).append(accuracy)
                seconds.setdefault(name, []).append(took)
            print(f"  {len(one.train)} rows: {accuracies}", flush=True)
    medians = {name: round(float(np.median(each)), 2) for name, each in seconds.items()}
    return {"rows": len(one.train), "accuracies": accuracies, "seconds": medians}


def ensembles(one: Task, folds: int, seed: int) -> dict[str, tuple[float, float]]:
    """Name → test accuracy and seconds of fitting."""
    columns, names = _columns(), backbones()
    probes = {
        name: on(own, tl.LinearProbe(random_state=seed))
        for name, own in columns.items()
    }
    both = slice(0, columns[names[-1]].stop)
    members = [(name, probes[name]) for name in names]
    stacked = {"stacked": members}
    if len(np.unique(one.train.labels)) <= FEW_CLASSES:
        machines = [
            (f"{name}, SVM", on(columns[name], SVC(C=10), scale=True)) for name in names
        ]
        stacked["stacked, with SVMs"] = members + machines
    cv = StratifiedKFold(folds, shuffle=True, random_state=seed)
    classifiers = {"concatenated": on(both, tl.LinearProbe(random_state=seed))}
    for name, parts in stacked.items():
        last = weighted(LogisticRegression())
        classifiers[name] = StackingClassifier(parts, last, cv=cv)

    seconds, probabilities = {}, {}
    for name, classifier in (probes | classifiers).items():
        seconds[name] = _fit(classifier, one)
        probabilities[name] = classifier.predict_proba(one.test_features)
    averaged = {"averaged": names, f"averaged, with {FOUR_BLOCKS}": list(probes)}
    for name, parts in averaged.items():
        probabilities[name] = sum(probabilities[part] for part in parts)
        seconds[name] = sum(seconds[part] for part in parts)
    classes = next(iter(probes.values())).classes_
    order = [*probes, "concatenated", *averaged, *stacked]
    return {
        name: (
            _accuracy(classes[probabilities[name].argmax(axis=1)], one),
            seconds[name],
        )
        for name in order
    }


def _columns() -> dict[str, slice]:
    """Feature set → its columns among all."""
    found, start = {}, 0
    for name, (network, blocks) in feature_sets().items():
        model = loaded(network)
        width = sum(widths(model, blocks)) if blocks else model.feature_dim
        found[name], start = slice(start, start + width), start + width
    return found


def on(columns: slice, classifier, scale: bool = False):
    """A classifier of these columns alone."""
    chosen = ColumnTransformer([("columns", "passthrough", columns)])
    scaler = [StandardScaler().set_fit_request(sample_weight=False)] if scale else []
    return make_pipeline(chosen, *scaler, weighted(classifier))


def weighted(estimator):
    return estimator.set_fit_request(sample_weight=True)


def _fit(classifier, one: Task) -> float:
    weights = one.train.weights
    options = {} if weights is None else {"sample_weight": weights}
    start = time.perf_counter()
    classifier.fit(one.train_features, one.train.labels, **options)
    return time.perf_counter() - start


def _accuracy(predicted: np.ndarray, one: Task) -> float:
    correct = predicted == one.test.labels
    return round(float(np.average(correct, weights=one.test.weights)), 4)


def grouped_folds(seeds: Sequence[int]) -> dict:
    """A probe's accuracy on folds at random and by font, and on unseen fonts."""
    data = tl.load_dataset("kanji")
    numerals, model = data.with_classes(data.class_names[:10]), loaded(backbones()[0])
    unseen = model.extract_features(numerals.test.images)
    found = {"folds at random": [], "folds by font": [], "unseen fonts": []}
    for seed in seeds:
        part, probe = numerals.train.sample(20, seed), tl.LinearProbe(random_state=seed)
        features = model.extract_features(part.images)
        at_random = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        by_font = {"cv": LeaveOneGroupOut(), "groups": part.groups}
        scores = (
            cross_val_score(probe, features, part.labels, cv=at_random).mean(),
            cross_val_score(probe, features, part.labels, **by_font).mean(),
            probe.fit(features, part.labels).score(unseen, numerals.test.labels),
        )
        for each, score in zip(found.values(), scores, strict=True):
            each.append(round(float(score), 4))
    return found


def costs() -> dict:
    """Feature set → features, seconds per picture and memory, in a fresh process."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        cells = Path(folder, "cells.npy")
        np.save(cells, np.stack(tl.load_dataset("solar").train.images[:TIMED]))
        for name, (network, blocks) in feature_sets().items():
            options = {"source": cells, "network": network, "blocks": blocks}
            answer = run_once(Arm("ours.py", "images", options), Path(folder, "cache"))
            found[name] = {
                "features": answer["shape"][1],
                "seconds_per_picture": round(answer["seconds"] / TIMED, 4),
                "peak_megabytes": round(answer["peak_megabytes"]),
            }
    return found
