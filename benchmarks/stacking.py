"""Several descriptions of a picture: side by side, averaged, stacked; and what each of them costs."""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import sklearn
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

BLOCKS = (
    "block5c",
    "block6d",
    "block7a",
    "head",
)  # of lesson 00's exercise and of the demo
FOUR_BLOCKS = "four blocks"
DOG_LABELS, KANJI_LABELS = (5, 20), 4  # of each class
FOLDS = 5  # in which a stack's members predict rows that they have not seen, or as many as there are labels of a class
FEW_CLASSES = 10  # up to which support vector machines are stacked, too: of 100 classes they train 4,950
TIMED = 64  # pictures by which the cost of a description is measured


def backbones() -> list[str]:
    """The networks for pictures whose weights are on this machine."""
    known = tl.list_pretrained_models()
    return [
        name
        for name, about in known.items()
        if "pixels" in about and about.endswith(("bundled", "here"))
    ]


def descriptions() -> dict[str, tuple]:
    """Name of a description → the backbone, and the blocks if not the last alone, that give it."""
    names = backbones()
    return {name: (name, None) for name in names} | {
        f"{names[0]}, {FOUR_BLOCKS}": (names[0], BLOCKS)
    }


@cache
def loaded(name: str) -> tl.PretrainedModel:
    return tl.load_pretrained_model(name)


def widths(model: tl.PretrainedModel, blocks: Sequence[str]) -> list[int]:
    """How many numbers each block gives for a picture: averages and maxima of its channels."""
    return [
        2 * model.network.get_layer(model.blocks[block][-1]).output.shape[-1]
        for block in blocks
    ]


@dataclass(frozen=True)
class Task:
    """Rows to learn from and rows to be judged on, each with all descriptions side by side."""

    features: np.ndarray
    labels: np.ndarray
    weights: np.ndarray | None
    unseen: np.ndarray
    truth: np.ndarray
    truth_weights: np.ndarray | None


def stacks(seeds: Sequence[int]) -> dict:
    """Task → way → accuracies on the test rows, one a draw, and the seconds that fitting took."""
    found = {"solar": compared(solar_tasks(seeds), FOLDS)}
    for count, tasks in dog_tasks(seeds).items():
        found[f"dogs, {count} labels"] = compared(tasks, min(FOLDS, count))
    found[f"kanji, {KANJI_LABELS} labels"] = compared(
        kanji_tasks(seeds), min(FOLDS, KANJI_LABELS)
    )
    return found


def solar_tasks(seeds: Sequence[int]) -> Iterator[Task]:
    """By the published protocol, with weights."""
    for seed in seeds:
        data = tl.load_dataset("solar", seed=seed)
        yield task(data.train_and_validation, data.test)


def dog_tasks(seeds: Sequence[int]) -> dict[int, Iterator[Task]]:
    """By number of labels; {} where there are no dogs."""
    try:
        data = tl.load_dataset("dogs")
    except DatasetUnavailable as error:
        print(error)
        return {}
    return {count: drawn(data, count, seeds) for count in DOG_LABELS}


def kanji_tasks(seeds: Sequence[int]) -> Iterator[Task]:
    return drawn(tl.load_dataset("kanji"), KANJI_LABELS, seeds)


def drawn(data, count: int, seeds: Sequence[int]) -> Iterator[Task]:
    return (task(data.train.sample(count, seed), data.test) for seed in seeds)


def task(learned: Split, test: Split) -> Task:
    return Task(
        wide(learned),
        learned.labels,
        learned.weights,
        wide(test),
        test.labels,
        test.weights,
    )


def wide(split: Split) -> np.ndarray:
    """All descriptions side by side."""
    return np.hstack(
        [
            loaded(name).extract_features(split.images, blocks)
            for name, blocks in descriptions().values()
        ]
    )


def columns() -> dict[str, slice]:
    """Name of a description → its columns among all."""
    found, start = {}, 0
    for name, (backbone, blocks) in descriptions().items():
        width = (
            sum(widths(loaded(backbone), blocks))
            if blocks
            else loaded(backbone).feature_dim
        )
        found[name], start = slice(start, start + width), start + width
    return found


def compared(tasks: Iterable[Task], folds: int) -> dict:
    """Of each way, accuracies, and seconds of the median draw."""
    found: dict[str, list] = {}
    with sklearn.config_context(
        enable_metadata_routing=True
    ):  # so that weights come to all parts of a stack
        for seed, one in enumerate(tasks):
            for way, result in ways(one, folds, seed).items():
                found.setdefault(way, []).append(result)
            print(
                f"  {len(one.labels)} rows: { {way: results[-1] for way, results in found.items()} }",
                flush=True,
            )
    return {
        "rows": len(one.labels),
        "accuracies": {
            way: [accuracy for accuracy, _ in results] for way, results in found.items()
        },
        "seconds": {
            way: round(float(np.median([took for _, took in r])), 2)
            for way, r in found.items()
        },
    }


def ways(one: Task, folds: int, seed: int) -> dict[str, tuple[float, float]]:
    """Way → accuracy on the rows to be judged on, and seconds of fitting."""
    places, names = columns(), backbones()
    probes = {
        name: on(place, tl.LinearProbe(seed=seed)) for name, place in places.items()
    }
    several = [(name, probes[name]) for name in names]
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    together = {
        "side by side": on(slice(0, places[names[-1]].stop), tl.LinearProbe(seed=seed))
    }
    stacked = {"stacked": several}
    if len(np.unique(one.labels)) <= FEW_CLASSES:
        machines = [
            (f"{name}, support vectors", on(places[name], SVC(C=10), scale=True))
            for name in names
        ]
        stacked["stacked, support vectors too"] = several + machines
    for way, members in stacked.items():
        together[way] = StackingClassifier(
            members, weighted(LogisticRegression()), cv=parts
        )
    seconds = {
        way: fit(classifier, one) for way, classifier in (probes | together).items()
    }
    given = {
        way: classifier.predict_proba(one.unseen)
        for way, classifier in (probes | together).items()
    }
    averaged = {"averaged": names, f"averaged, {FOUR_BLOCKS} too": list(probes)}
    for way, members in averaged.items():
        given[way], seconds[way] = (
            sum(given[name] for name in members),
            sum(seconds[name] for name in members),
        )
    classes = next(iter(probes.values())).classes_
    order = [*probes, "side by side", *averaged, *stacked]
    return {
        way: (share_right(classes[given[way].argmax(axis=1)], one), seconds[way])
        for way in order
    }


def on(place: slice, classifier, scale: bool = False):
    """A classifier that sees these columns alone."""
    chosen = ColumnTransformer([("columns", "passthrough", place)])
    scaler = [StandardScaler().set_fit_request(sample_weight=False)] if scale else []
    return make_pipeline(chosen, *scaler, weighted(classifier))


def weighted(estimator):
    """It asks for the rows' weights."""
    return estimator.set_fit_request(sample_weight=True)


def fit(classifier, one: Task) -> float:
    """Seconds that it took."""
    weights = {} if one.weights is None else {"sample_weight": one.weights}
    began = time.perf_counter()
    classifier.fit(one.features, one.labels, **weights)
    return time.perf_counter() - began


def share_right(answers: np.ndarray, one: Task) -> float:
    return round(float(np.average(answers == one.truth, weights=one.truth_weights)), 4)


def folds_and_hands(seeds: Sequence[int]) -> dict:
    """A probe's accuracy on held-out folds at random and by hand, and on unseen hands: ten Kanji, 20 labels of each."""
    data = tl.load_dataset("kanji")
    numerals = data.with_classes(data.class_names[:10])
    unseen = loaded(backbones()[0]).extract_features(numerals.test.images)
    found = {"folds at random": [], "folds by hand": [], "unseen hands": []}
    for seed in seeds:
        part, probe = numerals.train.sample(20, seed), tl.LinearProbe(seed=seed)
        features = loaded(backbones()[0]).extract_features(part.images)
        at_random = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
        by_hand = {"cv": LeaveOneGroupOut(), "groups": part.groups}
        scores = (
            cross_val_score(probe, features, part.labels, cv=at_random).mean(),
            cross_val_score(probe, features, part.labels, **by_hand).mean(),
            probe.fit(features, part.labels).score(unseen, numerals.test.labels),
        )
        for name, score in zip(found, scores, strict=True):
            found[name].append(round(float(score), 4))
    return found


COST = """
import json, sys
import tlcourse as tl
from tlcourse.progress import measured
name, blocks, count = json.loads(sys.argv[1])
cells = tl.load_dataset("solar").train.images[:count]
model = tl.load_pretrained_model(name)
model.extract_features(cells[:2], blocks, cache=False)  # starts the engine
with measured() as took:
    features = model.extract_features(cells, blocks, cache=False)
print(json.dumps([features.shape[1], took.seconds / count, took.peak_megabytes]))
"""


def costs() -> dict:
    """Description → features, seconds a picture and peak memory, in a process of its own."""
    return {name: cost(*of) for name, of in descriptions().items()}


def cost(name: str, blocks: Sequence[str] | None) -> dict:
    command = [sys.executable, "-c", COST, json.dumps([name, blocks, TIMED])]
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "TQDM_DISABLE": "1", "TLCOURSE_CACHE": cache}
        done = subprocess.run(
            command, capture_output=True, text=True, check=True, env=environment
        )
    features, seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
    return {
        "features": features,
        "seconds_a_picture": round(seconds, 4),
        "peak_megabytes": round(megabytes),
    }
