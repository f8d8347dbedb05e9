"""Lesson 10: what a search adds to the defaults; with `stacks`, what an ensemble does.

A search selects on the validation set; the test set is used once for the default and
once for what was selected. Each seed is another split, and another run of the search.
"""

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import optuna

import tlcourse as tl
from tlcourse.datasets import Split

from .stacks import BLOCKS, backbones, costs, grouped_folds, loaded, stacks, widths

SEEDS = (0, 1, 2, 3, 4)
CELLS = 100  # of each class
NUMERALS, LABELS = 10, 10  # of the Kanji, and labels of each
CUTS = (
    1,
    2,
)  # how many of the last blocks are fine-tuned; by default the last of these
WITH_VALIDATION = "default, trained on validation too"  # the lessons' name


def tuning() -> dict:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {
        "probe": ProbeSearch,
        "probe and blocks": BlockSearch,
        "fine-tuning": TuningSearch,
    }
    search = {
        name: {
            kind: joined([run(make(splits(seed))) for seed in SEEDS])
            for kind, make in kinds.items()
        }
        for name, splits in {"solar": solar_splits, "kanji": kanji_splits}.items()
    }
    return {
        "search": search,
        "stacks": stacks(SEEDS),
        "folds": grouped_folds(SEEDS),
        "costs": costs(),
    }


class Splits(NamedTuple):
    """The splits of one seed; `augmentations` are the copies per training picture."""

    seed: int
    training: Split
    validation: Split
    test: Split
    augmentations: int


def solar_splits(seed: int) -> Splits:
    data = tl.load_dataset("solar", seed=seed)
    training = data.train.sample(CELLS, seed)
    return Splits(seed, training, data.validation, data.test, augmentations=2)


def kanji_splits(seed: int) -> Splits:
    data = tl.load_dataset("kanji")
    numerals = data.with_classes(data.class_names[:NUMERALS])
    training = numerals.train.sample(LABELS, seed)
    # One copy: a mirrored character is another one.
    return Splits(seed, training, numerals.validation, numerals.test, augmentations=1)


class ProbeSearch:
    """Settings of a linear probe on the features as they come."""

    trials = 40

    def __init__(self, splits: Splits):
        self.splits = splits
        self.features = self._extract()

    def _extract(self, blocks=None) -> list[np.ndarray]:
        model, splits = loaded(backbones()[0]), self.splits
        return [
            model.extract_features(split.images, blocks)
            for split in (splits.training, splits.validation, splits.test)
        ]

    def suggest(self, trial: optuna.Trial) -> dict:
        return {
            "C": trial.suggest_float("C", 1e-5, 10, log=True),
            "common_scale": trial.suggest_categorical("common_scale", [True, False]),
        }

    def fit(self, **settings) -> tuple[float, Callable[[], float]]:
        """Accuracy on the validation set, and a function for that on the test set."""
        return self._fit(self.features, **settings)

    def _fit(self, features: list[np.ndarray], **settings):
        (training, validation, test), splits = features, self.splits
        labels = splits.training.labels
        probe = tl.train_classifier(training, labels, seed=splits.seed, **settings)
        return (
            probe.score(validation, splits.validation.labels),
            lambda: probe.score(test, splits.test.labels),
        )

    def with_validation(self) -> float:
        """Test accuracy of the default, trained on the validation rows, too."""
        splits, rows = self.splits, np.vstack(self.features[:2])
        labels = np.concatenate([splits.training.labels, splits.validation.labels])
        probe = tl.train_classifier(rows, labels, seed=splits.seed)
        return probe.score(self.features[2], splits.test.labels)


class BlockSearch(ProbeSearch):
    """The same, and which blocks' averages and maxima are the features."""

    def __init__(self, splits: Splits):
        super().__init__(splits)
        self.wide = self._extract(BLOCKS)
        self.block_of_column = np.repeat(BLOCKS, widths(loaded(backbones()[0]), BLOCKS))

    def suggest(self, trial: optuna.Trial) -> dict:
        blocks = [
            block for block in BLOCKS if trial.suggest_categorical(block, [True, False])
        ]
        return {**super().suggest(trial), "blocks": blocks}

    def fit(self, blocks=None, **settings):
        if blocks is None:
            return super().fit(**settings)
        if not blocks:
            return 0.0, lambda: 0.0
        columns = np.isin(self.block_of_column, blocks)
        return self._fit([rows[:, columns] for rows in self.wide], **settings)


class TuningSearch:
    """Settings and cut of fine-tuning, with one preparation for each cut."""

    trials = 20

    def __init__(self, splits: Splits):
        self.splits, training = splits, splits.training
        held_out = (splits.validation.images, splits.validation.labels)
        self.prepared = {
            cut: self._prepare(training.images, training.labels, cut, held_out)
            for cut in CUTS
        }

    def _prepare(self, images, labels, cut: int, validation) -> tl.Preparation:
        return tl.prepare_fine_tuning(
            loaded(backbones()[0]),
            images,
            labels,
            cut,
            validation=validation,
            augmentations=self.splits.augmentations,
            seed=self.splits.seed,
        )

    def suggest(self, trial: optuna.Trial) -> dict:
        return {
            "blocks": trial.suggest_categorical("blocks", CUTS),
            "learning_rate": trial.suggest_float("learning_rate", 1e-5, 3e-3, log=True),
            "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True),
            "dropout": trial.suggest_float("dropout", 0, 0.6),
            "label_smoothing": trial.suggest_float("label_smoothing", 0, 0.2),
            "epochs": trial.suggest_int("epochs", 2, 8),
        }

    def fit(self, blocks: int | None = None, **settings):
        preparation, test = self.prepared[blocks or CUTS[-1]], self.splits.test
        tuned = preparation.run(**settings)
        return tuned.best["val_accuracy"], lambda: tuned.score(test.images, test.labels)

    def with_validation(self) -> float:
        training, validation = self.splits.training, self.splits.validation
        images = [*training.images, *validation.images]
        labels = np.concatenate([training.labels, validation.labels])
        tuned = self._prepare(images, labels, CUTS[-1], validation=0).run()
        return tuned.score(self.splits.test.images, self.splits.test.labels)


def run(search: ProbeSearch | TuningSearch) -> dict:
    """The default, then the trials; the best on validation is selected, if better."""
    validation, test = search.fit()
    default = chosen = _scores(validation, test())
    sampler = optuna.samplers.TPESampler(seed=search.splits.seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    start = time.perf_counter()
    study.optimize(lambda trial: search.fit(**search.suggest(trial))[0], search.trials)
    seconds, settings = time.perf_counter() - start, {}
    if study.best_value > validation:
        settings = study.best_params
        best = search.suggest(optuna.trial.FixedTrial(settings))
        validation, test = search.fit(**best)
        chosen = _scores(validation, test())
    found = {
        "default": default,
        "chosen": chosen,
        WITH_VALIDATION: {"test": round(float(search.with_validation()), 4)},
        "settings": settings,
        "trials": search.trials,
        "seconds": seconds,
    }
    print(f"  {found}", flush=True)
    return found


def _scores(validation: float, test: float) -> dict[str, float]:
    return {"validation": round(float(validation), 4), "test": round(float(test), 4)}


def joined(runs: list[dict]) -> dict:
    """Lists of the accuracies and settings of all seeds, and trials per minute."""
    minutes = float(np.median([run["seconds"] for run in runs])) / 60
    return {
        name: {split: [run[name][split] for run in runs] for split in runs[0][name]}
        for name in ("default", "chosen", WITH_VALIDATION)
    } | {
        "settings": [run["settings"] for run in runs],
        "trials": runs[0]["trials"],
        "trials_per_minute": round(runs[0]["trials"] / minutes),
    }
