"""Accuracy by number of labels: several methods, several splits, and their cost."""

import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import zip_longest
from typing import Any

import numpy as np

from .. import validation
from ..datasets.core import Dataset, Split
from ..errors import UserInputError
from ..models.load import load_pretrained_model
from ..models.text import PretrainedTextModel
from ..progress import progress_bar
from .classifiers import FineTuned
from .evaluation import keras_outputs
from .fine_tune import Model, fine_tune
from .probe import train_classifier

METHODS = ("probe", "fine-tune")
TIMED = 32  # pictures with which the frozen network is timed


@dataclass(frozen=True)
class Point:
    """One method with so many labels per class."""

    labels: int | None  # per class; None: all there are
    rows: int  # labels in total
    accuracies: list[float]  # in [0, 1], on the test split; one for each seed
    seconds: list[float]  # from pictures to a trained classifier; one for each seed

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def sd(self) -> float:
        """Standard deviation over the seeds; 0 if there is one."""
        several = len(self.accuracies) > 1
        return float(np.std(self.accuracies, ddof=1)) if several else 0.0

    def __str__(self) -> str:
        sd = f" ± {self.sd:.1%}" if len(self.accuracies) > 1 else ""
        return f"{self.mean:.1%}{sd} {np.median(self.seconds):5.1f} s"


@dataclass(frozen=True)
class LearningCurve:
    """The result of `learning_curve`."""

    name: str  # of the data set
    seeds: list[int]
    points: dict[str, list[Point]]  # of each method, from few labels to many

    def labels_for(self, method: str, accuracy: float) -> float | None:
        """Labels in total at which a method's mean reaches an accuracy, or None.

        Interpolated between two points on a logarithmic axis.
        """
        accuracy = validation.number("accuracy", accuracy, 0, 1)
        before = None
        for point in self._points_of(method):
            if point.mean >= accuracy:
                if before is None:
                    return float(point.rows)
                share = (accuracy - before.mean) / (point.mean - before.mean)
                return _between(before.rows, point.rows, share)
            before = point
        return None

    def crossing(self, first: str, second: str) -> float | None:
        """Labels in total from which on `second` is better on average, or None."""
        pairs = zip(self._points_of(first), self._points_of(second), strict=True)
        gaps = [other.mean - one.mean for one, other in pairs]
        rows = [point.rows for point in self._points_of(first)]
        if gaps[-1] <= 0:
            return None
        worse = [index for index, gap in enumerate(gaps) if gap <= 0]
        if not worse:
            return float(rows[0])
        before, after = worse[-1], worse[-1] + 1
        share = -gaps[before] / (gaps[after] - gaps[before])
        return _between(rows[before], rows[after], share)

    def _points_of(self, method: str) -> list[Point]:
        return self.points[validation.one_of("method", method, self.points)]

    def __repr__(self) -> str:
        count = len(self.seeds)
        over = "one split" if count == 1 else f"mean ± sd over {count} splits"
        titles = [textwrap.wrap(text, 20) for text in ("labels", *self.points)]
        rows = list(zip_longest(*titles, fillvalue=""))
        for points in zip(*self.points.values(), strict=True):
            rows.append((points[0].labels or "all", *points))
        lines = [
            f"{row[0]!s:>6}" + "".join(f"{c!s:>22}" for c in row[1:]) for row in rows
        ]
        title = f"{self.name}: accuracy on the test split by labels per class, {over};"
        return "\n".join([f"{title} seconds (median)", *lines])

    def record(self) -> dict:
        """Ready for JSON; `LearningCurve.of(record)` restores the curve."""
        return asdict(self)

    @classmethod
    def of(cls, record: dict) -> "LearningCurve":
        """The curve with this `record()`, such as `tl.results` returns."""
        methods = record["points"].items()
        points = {
            method: [Point(**point) for point in each] for method, each in methods
        }
        return cls(record["name"], record["seeds"], points)


def learning_curve(
    dataset: Dataset,
    labels_per_class: Sequence[int | None] = (1, 2, 5, 10, 20),
    methods: Sequence[str] | Mapping[str, str | Callable] = METHODS,
    seeds: int | Sequence[int] = 5,
    model: Model | None = None,
) -> LearningCurve:
    """Train by each method on so many labels per class, and test on the test split.

    Parameters
    ----------
    dataset : Dataset
    labels_per_class : sequence of int
        Ascending, from 1; None, last: the whole training split.
    methods : sequence or mapping
        "probe" (`train_classifier` on features) and "fine-tune" (`fine_tune` with its
        defaults, without validation rows); or a mapping from names to one of these, or
        to a function `(split, seed)` that returns something with `predict(inputs)`: a
        classifier, or a network of Keras whose outputs are the classes 0, 1, …
    seeds : int or sequence of int
        How many random splits, or their seeds; all methods get the same.
    model : PretrainedModel or PretrainedTextModel, optional
        By default efficientnet_lite0, which takes pictures.

    Examples
    --------
    >>> import tlcourse as tl
    >>> digits = tl.load_dataset("digits").with_classes(["0", "1"])
    >>> from sklearn.dummy import DummyClassifier
    >>> def majority(split, seed):
    ...     return DummyClassifier().fit(split.images, split.labels)
    >>> curve = tl.learning_curve(digits, (1, 5), {"majority": majority}, seeds=2)
    >>> [point.rows for point in curve.points["majority"]]
    [2, 10]
    """
    if not isinstance(dataset, Dataset) or not isinstance(model, Model | None):
        raise UserInputError(
            f"learning_curve was given {validation.shown(dataset)} and "
            f"{validation.shown(model)}; expected a data set of tl.load_dataset, and a "
            "model of tl.load_pretrained_model, or None."
        )
    counts = _check_counts(labels_per_class)
    if isinstance(seeds, int | np.integer):
        seeds = range(validation.whole_number("seeds", seeds, 1, 1000))
    seeds = [validation.seed(seed) for seed in validation.elements(seeds)]
    if not seeds:
        raise UserInputError("seeds is empty; expected a number from 1, or seeds.")
    functions = _functions(methods, dataset, model)
    points: dict[str, list[Point]] = {name: [] for name in functions}
    total = len(functions) * len(counts) * len(seeds)
    with progress_bar(total=total, desc="Learning curve") as progress:
        for count in counts:
            splits = [_rows(dataset.train, count, seed) for seed in seeds]
            for name, function in functions.items():
                pairs = []
                for rows, seed in zip(splits, seeds, strict=True):
                    pairs.append(function(rows, seed))
                    progress.update()
                accuracies, seconds = map(list, zip(*pairs, strict=True))
                points[name].append(Point(count, len(splits[0]), accuracies, seconds))
    return LearningCurve(dataset.name, seeds, points)


def _rows(split: Split, count: int | None, seed: int) -> np.ndarray:
    """The positions of so many rows per class; None: all."""
    return np.arange(len(split)) if count is None else split.sample_rows(count, seed)


def _between(low: float, high: float, share: float) -> float:
    """A number of labels between two others, on a logarithmic axis."""
    return float(low * (high / low) ** share)


def _check_counts(labels_per_class: Sequence[int | None]) -> list[int | None]:
    counts = list(validation.elements(labels_per_class))
    numbers = counts[:-1] if counts and counts[-1] is None else counts
    for number in numbers:
        validation.whole_number("labels_per_class", number, 1)
    if not counts or numbers != sorted(set(numbers)):
        raise UserInputError(
            f"labels_per_class is {validation.shown(labels_per_class)}; expected "
            "ascending numbers from 1, and perhaps None, last, for all."
        )
    return counts


def _functions(
    methods: Sequence[str] | Mapping[str, str | Callable],
    dataset: Dataset,
    model: Model | None,
) -> dict[str, Callable]:
    """Method → function (rows, seed) → accuracy and seconds."""
    if not isinstance(methods, Mapping):
        names = (methods,) if isinstance(methods, str) else validation.elements(methods)
        methods = {name: name for name in names}
    if not methods:
        raise UserInputError(f"methods is empty; expected {' or '.join(METHODS)}.")
    is_text = dataset.train.kind == "sentences"
    functions: dict[str, Callable] = {}
    for name, method in methods.items():
        if not callable(method):
            if is_text and not isinstance(model, PretrainedTextModel):
                raise UserInputError(
                    "The data set holds sentences; expected a text model: "
                    'model=tl.load_pretrained_model("minilm").'
                )
            model = model or load_pretrained_model()
            if validation.one_of("method", method, METHODS) == "probe":
                functions[name] = _Probes(dataset, model)
                continue
            method = partial(_fine_tune, model)
        functions[name] = partial(_own_method, dataset, method)
    return functions


def _accuracy(predicted: Any, dataset: Dataset) -> float:
    right = np.asarray(predicted) == dataset.test.labels
    return float(np.average(right, weights=dataset.test.weights))


def _own_method(
    dataset: Dataset, method: Callable, rows: np.ndarray, seed: int
) -> tuple[float, float]:
    """Accuracy and seconds of a function (split, seed)."""
    started = time.perf_counter()
    trained = method(dataset.train.select(rows), seed)
    seconds = time.perf_counter() - started
    inputs, keras = dataset.test.inputs, sys.modules.get("keras")
    if keras and isinstance(trained, keras.Model):
        predicted = keras_outputs(trained, inputs).argmax(axis=1)
    else:
        predicted = trained.predict(inputs)
    return _accuracy(predicted, dataset), seconds


def _fine_tune(model: Model, split: Split, seed: int) -> FineTuned:
    """With the defaults, and without validation rows."""
    inputs, labels, weights = split.inputs, split.labels, split.weights
    return fine_tune(
        model, inputs, labels, validation=0, sample_weight=weights, seed=seed
    )


class _Probes:
    """Linear probes on cached features, whose cost is counted for every split."""

    def __init__(self, dataset: Dataset, model: Model) -> None:
        self._dataset, self._model = dataset, model
        some = dataset.train.inputs[: min(TIMED, len(dataset.train))]
        model.extract_features(some[:1], cache=False)  # starts the engine
        started = time.perf_counter()
        model.extract_features(some, cache=False)
        self._seconds_per_row = (time.perf_counter() - started) / len(some)
        self._test_features = model.extract_features(dataset.test.inputs)

    def __call__(self, rows: np.ndarray, seed: int) -> tuple[float, float]:
        split = self._dataset.train.select(rows)
        features = self._model.extract_features(split.inputs)
        started = time.perf_counter()
        probe = train_classifier(
            features, split.labels, sample_weight=split.weights, seed=seed
        )
        seconds = time.perf_counter() - started + len(rows) * self._seconds_per_row
        return _accuracy(probe.predict(self._test_features), self._dataset), seconds
