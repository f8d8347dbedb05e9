"""Accuracy by number of labels: several methods, several draws, mean and spread, and what each point cost in time."""

import textwrap
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from .. import validation
from ..datasets.core import Dataset
from ..errors import UserInputError
from ..models.load import load_pretrained_model
from ..models.text import PretrainedTextModel
from ..models.vision import PretrainedModel
from ..progress import progress_bar
from .finetuning import fine_tune
from .heads import train_classifier
from .small_networks import train_network
from .small_text_network import train_text_network

METHODS = ("scratch", "probe", "fine-tune")
_TIMED = 32  # pictures by which the cost of the frozen network is measured


@dataclass(frozen=True)
class Point:
    """One method with so many labels of each class; a list holds one entry a draw.

    Attributes:
        labels: of each class; None: all there are.
        rows: labels altogether.
        accuracies: in [0, 1], on the test split.
        seconds: from pictures to a trained classifier.
    """

    labels: int | None
    rows: int
    accuracies: list[float]
    seconds: list[float]

    @property
    def mean(self) -> float:
        return float(np.mean(self.accuracies))

    @property
    def sd(self) -> float:
        """Standard deviation over the draws; 0 where there is only one."""
        return (
            float(np.std(self.accuracies, ddof=1)) if len(self.accuracies) > 1 else 0.0
        )

    def spread(self) -> str:
        """Mean ± standard deviation, in percent; the accuracy alone where there is one draw."""
        return f"{self.mean:.1%}" + (
            f" ± {self.sd:.1%}" if len(self.accuracies) > 1 else ""
        )


@dataclass(frozen=True)
class LearningCurve:
    """What `learning_curve` measured.

    Attributes:
        name: of the data set.
        seeds: of the draws.
        points: method → its points, from few labels to many.
    """

    name: str
    seeds: list[int]
    points: dict[str, list[Point]]

    def labels_for(self, method: str, accuracy: float) -> float | None:
        """Labels in all at which the method's mean first reaches an accuracy; None where it never does.

        Between two points the mean is taken to rise with the logarithm of the number of labels.
        """
        accuracy, before = validation.number("accuracy", accuracy, 0, 1), None
        for point in self._of(method):
            if point.mean >= accuracy:
                if before is None:
                    return float(point.rows)
                share = (accuracy - before.mean) / (point.mean - before.mean)
                return float(
                    np.exp(np.interp(share, [0, 1], np.log([before.rows, point.rows])))
                )
            before = point
        return None

    def crossing(self, first: str, second: str) -> float | None:
        """Labels in all from which on `second` is better than `first` on average; None where it never is."""
        gaps = [
            b.mean - a.mean
            for a, b in zip(self._of(first), self._of(second), strict=True)
        ]
        rows = [point.rows for point in self._of(first)]
        if gaps[-1] <= 0:
            return None
        place = max((i + 1 for i, gap in enumerate(gaps) if gap <= 0), default=0)
        if place == 0:
            return float(rows[0])
        low, high = np.log(rows[place - 1 : place + 1])
        share = -gaps[place - 1] / (gaps[place] - gaps[place - 1])
        return float(np.exp(low + share * (high - low)))

    def _of(self, method: str) -> list[Point]:
        if not isinstance(method, str) or method not in self.points:
            raise UserInputError(
                f"There is no method {validation.shown(method)} in this curve. There are {', '.join(self.points)}."
            )
        return self.points[method]

    def __repr__(self) -> str:
        draws = (
            "one draw"
            if len(self.seeds) == 1
            else f"mean ± sd over {len(self.seeds)} draws"
        )
        lines = [f"{self.name}: accuracy on the test split, {draws}; seconds (median)"]
        heads = [
            textwrap.wrap("labels a class", 7),
            *(textwrap.wrap(method, 20) for method in self.points),
        ]
        depth = max(map(len, heads))
        lines += [
            _row(*texts)
            for texts in zip(
                *([""] * (depth - len(head)) + head for head in heads), strict=True
            )
        ]
        for place, point in enumerate(next(iter(self.points.values()))):
            cells = [
                f"{p.spread()} {np.median(p.seconds):5.1f} s"
                for p in self._column(place)
            ]
            lines.append(_row("all" if point.labels is None else point.labels, *cells))
        return "\n".join(lines)

    def _column(self, place: int) -> list[Point]:
        return [points[place] for points in self.points.values()]

    def record(self) -> dict:
        """Ready for JSON; `LearningCurve.of(record)` makes the curve again."""
        points = {
            method: [vars(point) for point in found]
            for method, found in self.points.items()
        }
        return {"name": self.name, "seeds": self.seeds, "points": points}

    @classmethod
    def of(cls, record: dict) -> "LearningCurve":
        """The curve whose `record()` this is; also as `tl.results` gives it."""
        points = {
            method: [Point(**point) for point in found]
            for method, found in record["points"].items()
        }
        return cls(record["name"], record["seeds"], points)


def _row(labels: object, *cells: str) -> str:
    """A line of the table; with four methods it still fits into a window of a laptop."""
    return f"{labels:>7}" + "".join(f"{cell:>22}" for cell in cells)


def learning_curve(
    dataset: Dataset,
    labels_per_class: Sequence[int | None] = (1, 2, 5, 10, 20),
    methods: Sequence[str] | dict[str, Callable] = METHODS,
    seeds: int | Sequence[int] = 5,
    model: PretrainedModel | None = None,
    size: tuple[int, int] | None = None,
) -> LearningCurve:
    """Train by each method on so many labels of each class, several draws each, and judge on the test split.

    The methods see the same rows in the same draw. Each test picture is predicted once and compared with its own
    label. Nothing is chosen by the test split.

    Args:
        dataset: from `load_dataset` or `datasets.from_folder`.
        labels_per_class: numbers from 1, ascending; None, last: all of the train split.
        methods: out of "scratch" (`train_network` or `train_text_network`), "probe" (`train_classifier` on features)
            and "fine-tune" (`fine_tune` with its defaults, no rows held out); or name → function (split, seed) →
            something with `predict(inputs)`.
        seeds: how many draws, or which.
        model: the pretrained one; efficientnet_lite0 if none is given, which takes pictures.
        size: (height, width) of the pictures that "scratch" is given; their own if none is given.

    Raises:
        UserInputError: unknown method, numbers that are not ascending, no seeds; sentences without a model that reads.
    """
    if not isinstance(dataset, Dataset):
        raise UserInputError(
            f"dataset is {validation.shown(dataset)}; expected a data set of tl.load_dataset or "
            "tl.datasets.from_folder."
        )
    counts, seeds = _counts(labels_per_class), _seeds(seeds)
    size = None if size is None else validation.size(size)
    if model is not None and not isinstance(
        model, PretrainedModel | PretrainedTextModel
    ):
        raise UserInputError(
            f"model is {validation.shown(model)}; expected one of tl.load_pretrained_model, or None."
        )
    if isinstance(methods, dict):
        if not methods or not all(
            isinstance(n, str) and callable(method) for n, method in methods.items()
        ):
            raise UserInputError(
                f"methods is {validation.shown(methods)}; expected names, or name → function (split, seed)."
            )
        functions: dict[str, Callable] = {
            name: partial(_own, dataset, method) for name, method in methods.items()
        }
    else:
        functions = _functions(methods, dataset, model, size)
    points: dict[str, list[Point]] = {name: [] for name in functions}
    with progress_bar(
        total=len(functions) * len(counts) * len(seeds), desc="Learning curve"
    ) as progress:
        for count in counts:
            found: dict[str, tuple[list[float], list[float]]] = {
                name: ([], []) for name in functions
            }
            for seed in seeds:
                rows = (
                    np.arange(len(dataset.train))
                    if count is None
                    else dataset.train.sample_rows(count, seed)
                )
                for name, method in functions.items():
                    accuracy, seconds = method(rows, seed)
                    found[name][0].append(accuracy)
                    found[name][1].append(seconds)
                    progress.update()
            for name, (accuracies, times) in found.items():
                points[name].append(Point(count, len(rows), accuracies, times))
    return LearningCurve(dataset.name, seeds, points)


def _seeds(seeds: int | Sequence[int]) -> list[int]:
    if given := validation.elements(seeds):
        return [validation.seed(seed) for seed in given]
    found = (
        []
        if isinstance(seeds, Sequence)
        else list(range(validation.whole_number("seeds", seeds, 0, 1000)))
    )
    if not found:
        raise UserInputError("seeds is empty; at least one draw is needed.")
    return found


def _counts(labels_per_class: Sequence[int | None]) -> list[int | None]:
    counts = list(validation.elements(labels_per_class))
    numbers = counts[:-1] if counts and counts[-1] is None else counts
    whole = all(
        isinstance(count, int | np.integer)
        and not isinstance(count, bool)
        and count > 0
        for count in numbers
    )
    if (
        not counts
        or not whole
        or numbers != sorted({count for count in numbers if count is not None})
    ):
        raise UserInputError(
            f"labels_per_class is {validation.shown(labels_per_class)}; expected ascending numbers from 1, and perhaps "
            "None, last, for all labels."
        )
    return counts


def _functions(
    names: Sequence[str],
    dataset: Dataset,
    model: PretrainedModel | PretrainedTextModel | None,
    size: tuple[int, int] | None,
) -> dict[str, Callable]:
    """Method → function (rows, seed) → accuracy and seconds."""
    given, names = (
        names,
        (names,) if isinstance(names, str) else validation.elements(names),
    )
    unknown = [
        name for name in names if not isinstance(name, str) or name not in METHODS
    ]
    if unknown or not names:
        raise UserInputError(
            f"There is no method {validation.shown(unknown or given)}. There are {', '.join(METHODS)}."
        )
    chosen: PretrainedModel | PretrainedTextModel
    if dataset.train.kind == "sentences":
        chosen = _that_reads(model)
        train: Callable = partial(train_text_network, tokenizer=chosen.tokenizer)
    else:
        chosen = model or load_pretrained_model()
        train = partial(train_network, size=size)
    known: dict[str, Callable[[], Callable]] = {
        "scratch": lambda: partial(_scratch, dataset, train),
        "probe": lambda: _Probes(dataset, chosen),
        "fine-tune": lambda: partial(_fine_tuned, dataset, chosen),
    }
    return {name: known[name]() for name in names}


def _that_reads(
    model: PretrainedModel | PretrainedTextModel | None,
) -> PretrainedTextModel:
    if not isinstance(model, PretrainedTextModel):
        raise UserInputError(
            "The data set holds sentences, so the model must be one that reads: "
            'tl.learning_curve(…, model=tl.load_pretrained_model("minilm")).'
        )
    return model


def _share_right(predicted: np.ndarray, dataset: Dataset) -> float:
    return float(
        np.average(predicted == dataset.test.labels, weights=dataset.test.weights)
    )


def _own(
    dataset: Dataset, method: Callable, rows: np.ndarray, seed: int
) -> tuple[float, float]:
    start = time.perf_counter()
    trained = method(dataset.train.select(rows), seed)
    seconds = time.perf_counter() - start
    return _share_right(
        np.asarray(trained.predict(dataset.test.inputs)), dataset
    ), seconds


def _scratch(
    dataset: Dataset, train: Callable, rows: np.ndarray, seed: int
) -> tuple[float, float]:
    part = dataset.train.select(rows)
    trained = train(part.inputs, part.labels, sample_weight=part.weights, seed=seed)
    return _share_right(trained.predict(dataset.test.inputs), dataset), trained.record[
        "seconds"
    ]


def _fine_tuned(
    dataset: Dataset,
    model: PretrainedModel | PretrainedTextModel,
    rows: np.ndarray,
    seed: int,
) -> tuple[float, float]:
    part = dataset.train.select(rows)
    trained = fine_tune(
        model,
        part.inputs,
        part.labels,
        validation=0,
        sample_weight=part.weights,
        seed=seed,
    )
    return _share_right(trained.predict(dataset.test.inputs), dataset), sum(
        trained.record["seconds"].values()
    )


class _Probes:
    """Linear probes on features, computed once a picture for all draws; their cost is counted in every draw."""

    def __init__(
        self, dataset: Dataset, model: PretrainedModel | PretrainedTextModel
    ) -> None:
        self._dataset, self._model = dataset, model
        some = dataset.train.inputs[: min(_TIMED, len(dataset.train))]
        model.extract_features(some[:1], cache=False)  # starts the engine
        start = time.perf_counter()
        width = model.extract_features(some, cache=False).shape[1]
        self._seconds_a_picture = (time.perf_counter() - start) / len(some)
        self._learned = np.full((len(dataset.train), width), np.nan, np.float32)
        self._unseen = model.extract_features(dataset.test.inputs)

    def __call__(self, rows: np.ndarray, seed: int) -> tuple[float, float]:
        train = self._dataset.train
        weights = None if train.weights is None else train.weights[rows]
        new = rows[np.isnan(self._learned[rows, 0])]
        if len(new):
            self._learned[new] = self._model.extract_features(train.select(new).inputs)
        start = time.perf_counter()
        probe = train_classifier(
            self._learned[rows], train.labels[rows], sample_weight=weights, seed=seed
        )
        seconds = time.perf_counter() - start + len(rows) * self._seconds_a_picture
        return _share_right(probe.predict(self._unseen), self._dataset), seconds
