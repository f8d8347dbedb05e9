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
from ..progress import progress_bar
from .classifiers import FineTuned
from .evaluation import keras_outputs
from .fine_tune import fine_tune
from .preparation import Model
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

    def labels_for(self, method: str, accuracy: float) -> int | None:
        """The fewest labels in total at which a method's mean reaches an accuracy.

        Of the numbers of labels that were measured; None where none of them does.
        """
        accuracy = validation.number("accuracy", accuracy, 0, 1)
        points = self._points_of(method)
        return min((one.rows for one in points if one.mean >= accuracy), default=None)

    def differences(self, method: str, baseline: str) -> list[tuple[int, float, float]]:
        """How far a method is ahead of another, compared split by split.

        Returns
        -------
        list of tuple
            For each number of labels in total: that number, the mean of the paired
            differences of accuracy, and its standard error (nan for a single split).
        """
        rows = []
        pairs = zip(self._points_of(method), self._points_of(baseline), strict=True)
        for point, other in pairs:
            if len(point.accuracies) != len(other.accuracies):
                raise UserInputError(
                    f"{method} has {len(point.accuracies)} accuracies with {point.rows} "
                    f"labels, {baseline} {len(other.accuracies)}; to be paired, both "
                    "need one for each split."
                )
            gains = np.subtract(point.accuracies, other.accuracies)
            sd = gains.std(ddof=1) if len(gains) > 1 else np.nan
            error = float(sd / np.sqrt(len(gains)))
            rows.append((point.rows, float(gains.mean()), error))
        return rows

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
        points = {
            method: [Point(**point) for point in each]
            for method, each in record["points"].items()
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

    Returns
    -------
    LearningCurve

    Raises
    ------
    UserInputError
        Unknown method, numbers that do not ascend, or a model for other inputs.

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
    counts = list(validation.elements(labels_per_class))
    numbers = counts[:-1] if counts and counts[-1] is None else counts
    for number in numbers:
        validation.whole_number("labels_per_class", number, 1)
    if not counts or numbers != sorted(set(numbers)):
        raise UserInputError(
            f"labels_per_class is {validation.shown(labels_per_class)}; expected "
            "ascending numbers from 1, and perhaps None, last, for all."
        )
    if isinstance(seeds, int | np.integer):
        seeds = range(validation.whole_number("seeds", seeds, 1, 1000))
    seeds = [validation.seed(seed) for seed in validation.elements(seeds)]
    functions = _functions(methods, dataset, model)
    if not seeds or not functions:
        raise UserInputError("methods or seeds is empty; expected one at least.")
    points: dict[str, list[Point]] = {name: [] for name in functions}
    total = len(functions) * len(counts) * len(seeds)
    with progress_bar(total=total, desc="Learning curve") as progress:
        for count in counts:
            for name, function in functions.items():
                pairs = []
                for seed in seeds:
                    split = dataset.train
                    split = split if count is None else split.sample(count, seed)
                    pairs.append(function(split, seed))
                    progress.update()
                accuracies, seconds = map(list, zip(*pairs, strict=True))
                points[name].append(Point(count, len(split), accuracies, seconds))
    return LearningCurve(dataset.name, seeds, points)


def _functions(
    methods: Sequence[str] | Mapping[str, str | Callable],
    dataset: Dataset,
    model: Model | None,
) -> dict[str, Callable]:
    """Method → function (split, seed) → accuracy and seconds."""
    if not isinstance(methods, Mapping):
        names = (methods,) if isinstance(methods, str) else validation.elements(methods)
        methods = dict(zip(names, names, strict=True))
    functions: dict[str, Callable] = {}
    for name, method in methods.items():
        if callable(method):
            functions[name] = partial(_own_method, dataset, method)
            continue
        validation.one_of("method", method, METHODS)
        model = model or load_pretrained_model()
        if model.kind != dataset.train.kind:
            raise UserInputError(
                f"The data set holds {dataset.train.kind}, and {model.name} takes "
                f'{model.kind}: model=tl.load_pretrained_model("minilm") is for text.'
            )
        if method == "probe":
            functions[name] = _probes(dataset, model)
        else:
            functions[name] = partial(_own_method, dataset, partial(_fine_tune, model))
    return functions


def _accuracy(predicted: Any, dataset: Dataset) -> float:
    right = np.asarray(predicted) == dataset.test.labels
    return float(np.average(right, weights=dataset.test.weights))


def _own_method(
    dataset: Dataset, method: Callable, split: Split, seed: int
) -> tuple[float, float]:
    """Accuracy and seconds of a function (split, seed)."""
    started = time.perf_counter()
    trained = method(split, seed)
    seconds = time.perf_counter() - started
    inputs, keras = dataset.test.inputs, sys.modules.get("keras")
    if keras and isinstance(trained, keras.Model):
        outputs = keras_outputs(trained, inputs)
        predicted = outputs.argmax(axis=1)
        if outputs.shape[1] == 1:  # a sigmoid
            predicted = (outputs[:, 0] > 0.5).astype(int)
    else:
        predicted = trained.predict(inputs)
    return _accuracy(predicted, dataset), seconds


def _fine_tune(model: Model, split: Split, seed: int) -> FineTuned:
    """With the defaults, and without validation rows."""
    inputs, labels, weights = split.inputs, split.labels, split.weights
    return fine_tune(
        model, inputs, labels, validation=0, sample_weight=weights, seed=seed
    )


def _probes(dataset: Dataset, model: Model) -> Callable:
    """Linear probes on cached features, whose cost is counted for every split."""
    some = dataset.train.inputs[: min(TIMED, len(dataset.train))]
    model.extract_features(some[:1], cache=False)  # starts the engine
    started = time.perf_counter()
    model.extract_features(some, cache=False)
    seconds_per_row = (time.perf_counter() - started) / len(some)
    test_features = model.extract_features(dataset.test.inputs)

    def probe(split: Split, seed: int) -> tuple[float, float]:
        features = model.extract_features(split.inputs)
        started = time.perf_counter()
        probe = train_classifier(
            features, split.labels, sample_weight=split.weights, seed=seed
        )
        seconds = time.perf_counter() - started + len(split) * seconds_per_row
        return _accuracy(probe.predict(test_features), dataset), seconds

    return probe
