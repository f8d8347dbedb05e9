"""Lesson 09: what a search adds to the defaults, and what several descriptions of a picture add to one.

A search chooses on validation rows; test rows are read once for the default and once for what was chosen. Each seed is
another draw of the rows, and another course of the search.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import optuna
from stacking import BLOCKS, backbones, costs, folds_and_hands, loaded, stacks, widths

import tlcourse as tl
from tlcourse.datasets import Split

SEEDS = (0, 1, 2, 3, 4)
PROBE_TRIALS, TUNING_TRIALS = 40, 20
CELLS, NUMERALS, SIGNS_OF_EACH = (
    100,
    10,
    10,
)  # that are searched on: cells of each class; numerals, and labels of each
CUTS = (1, 2)  # so many of the last blocks are fine-tuned; by default the last of these


def tuning() -> dict:
    """What lesson 09 reads: searches, stacks, and what a description costs."""
    return {
        "search": searches(),
        "stacks": stacks(SEEDS),
        "folds": folds_and_hands(SEEDS),
        "costs": costs(),
    }


@dataclass(frozen=True)
class Draw:
    """What is learned from, what is chosen on, what is read once; and in how many views pictures are learned."""

    seed: int
    learned: Split
    validation: Split
    test: Split
    views: int

    @property
    def splits(self) -> tuple[Split, Split, Split]:
        return self.learned, self.validation, self.test


def solar_draws() -> Iterator[Draw]:
    for seed in SEEDS:
        data = tl.load_dataset("solar", seed=seed)
        yield Draw(
            seed, data.train.sample(CELLS, seed), data.validation, data.test, views=2
        )


def kanji_draws() -> Iterator[Draw]:
    data = tl.load_dataset("kanji")
    numerals = data.with_classes(data.class_names[:NUMERALS])
    for seed in SEEDS:
        learned = numerals.train.sample(SIGNS_OF_EACH, seed)
        yield Draw(
            seed, learned, numerals.validation, numerals.test, views=1
        )  # a mirrored sign is another one


def searches() -> dict:
    """Data set → way → what the default and the chosen trial reach on validation and test, one entry a draw."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    ways = {
        "probe": probe,
        "probe and blocks": probe_and_blocks,
        "fine-tuning": fine_tuning,
    }
    draws_of = {"solar": solar_draws, "kanji": kanji_draws}
    return {
        name: {
            way: together([search(of(draw), draw.seed) for draw in draws()])
            for way, of in ways.items()
        }
        for name, draws in draws_of.items()
    }


@dataclass(frozen=True)
class Fitted:
    """One training: its accuracy on validation, and a function that reads the test."""

    validation: float
    test: Callable[[], float]


@dataclass(frozen=True)
class Way:
    """What is searched.

    Attributes:
        fit: settings → `Fitted`; of no settings, the default.
        space: trial → settings.
        trials: how many.
        without_search: the default's accuracy on the test, where the validation rows are learned from, too.
    """

    fit: Callable[[dict], Fitted]
    space: Callable
    trials: int
    without_search: Callable[[], float]


def search(way: Way, seed: int) -> dict:
    """The default, then so many trials; the best on validation is chosen, and the default where none is better."""
    fit, space, trials = way.fit, way.space, way.trials
    default = fit({})
    study = optuna.create_study(
        direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed)
    )
    began = time.perf_counter()
    study.optimize(lambda trial: fit(space(trial)).validation, n_trials=trials)
    seconds = time.perf_counter() - began
    better = study.best_value > default.validation
    found = {"default": both_scores(default)}
    found["chosen"] = (
        both_scores(fit(space(optuna.trial.FixedTrial(study.best_params))))
        if better
        else found["default"]
    )
    found["default, validation learned too"] = {"test": rounded(way.without_search())}
    settings = study.best_params if better else {}
    print(f"  {found} {settings} {seconds:.0f} s", flush=True)
    return {**found, "settings": settings, "trials": trials, "seconds": seconds}


def both_scores(fitted: Fitted) -> dict[str, float]:
    return {"validation": rounded(fitted.validation), "test": rounded(fitted.test())}


def together(draws: list[dict]) -> dict:
    """Of several draws one record: lists of their accuracies and settings, and trials a minute in the median draw."""
    minutes = float(np.median([draw["seconds"] for draw in draws])) / 60
    accuracies = {
        name: list(found)
        for name, found in draws[0].items()
        if isinstance(found, dict) and "test" in found
    }
    found = {
        name: {split: [draw[name][split] for draw in draws] for split in splits}
        for name, splits in accuracies.items()
    }
    return {
        **found,
        "settings": [draw["settings"] for draw in draws],
        "trials": draws[0]["trials"],
        "trials_per_minute": round(draws[0]["trials"] / minutes),
    }


def probe(draw: Draw) -> Way:
    """The search of a probe on the features as they come."""
    features = features_of(draw)
    return Way(
        lambda settings: fitted_probe(draw, features, **settings),
        strength_and_scale,
        PROBE_TRIALS,
        lambda: probe_of_both(draw, features),
    )


def features_of(draw: Draw, blocks=None) -> list[np.ndarray]:
    return [
        loaded(backbones()[0]).extract_features(split.images, blocks)
        for split in draw.splits
    ]


def probe_of_both(draw: Draw, features: list[np.ndarray]) -> float:
    """Accuracy on the test of a probe that has learned from the validation rows, too."""
    labels = np.concatenate([draw.learned.labels, draw.validation.labels])
    return tl.train_classifier(np.vstack(features[:2]), labels, seed=draw.seed).score(
        features[2], draw.test.labels
    )


def probe_and_blocks(draw: Draw) -> Way:
    """The same, and which blocks' averages and maxima the probe is given; by default the features as they come."""
    plain, wide = features_of(draw), features_of(draw, BLOCKS)
    block_of_column = np.repeat(BLOCKS, widths(loaded(backbones()[0]), BLOCKS))

    def fit(settings: dict) -> Fitted:
        settings = dict(settings)
        chosen = settings.pop("blocks", None)
        if chosen == []:
            return Fitted(0.0, lambda: 0.0)
        columns = np.isin(block_of_column, chosen or ())
        return fitted_probe(
            draw, [rows[:, columns] for rows in wide] if chosen else plain, **settings
        )

    def space(trial) -> dict:
        blocks = [
            block for block in BLOCKS if trial.suggest_categorical(block, [True, False])
        ]
        return {**strength_and_scale(trial), "blocks": blocks}

    return Way(fit, space, PROBE_TRIALS, lambda: probe_of_both(draw, plain))


def strength_and_scale(trial) -> dict:
    return {
        "C": trial.suggest_float("strength", 1e-5, 10, log=True),
        "common_scale": trial.suggest_categorical("common_scale", [True, False]),
    }


def fitted_probe(draw: Draw, features: list[np.ndarray], **settings) -> Fitted:
    learned, judged, unseen = features
    classifier = tl.train_classifier(
        learned, draw.learned.labels, seed=draw.seed, **settings
    )
    return Fitted(
        classifier.score(judged, draw.validation.labels),
        lambda: classifier.score(unseen, draw.test.labels),
    )


def fine_tuning(draw: Draw) -> Way:
    """The search of settings and of the cut, with one preparation for each cut."""
    learned, judged, test = draw.splits
    validation = (judged.images, judged.labels)
    prepared = {
        cut: prepare(draw, learned.images, learned.labels, cut, validation)
        for cut in CUTS
    }

    def fit(settings: dict) -> Fitted:
        settings = {"blocks": CUTS[-1], **settings}
        tuned = prepared[settings.pop("blocks")].run(**settings)
        return Fitted(
            tuned.best["val_accuracy"],
            lambda: tuned.score(test.images, test.labels),
        )

    def without_search() -> float:
        images = joined(learned.images, judged.images)
        labels = np.concatenate([learned.labels, judged.labels])
        tuned = prepare(draw, images, labels, CUTS[-1], validation=0).run()
        return tuned.score(test.images, test.labels)

    return Way(fit, how_to_fine_tune, TUNING_TRIALS, without_search)


def prepare(draw: Draw, images, labels, cut: int, validation) -> tl.Preparation:
    options = {"validation": validation, "augmentations": draw.views, "seed": draw.seed}
    return tl.prepare_fine_tuning(
        loaded(backbones()[0]), images, labels, cut, **options
    )


def joined(first, second):
    """Pictures of two splits, arrays or files."""
    return (
        first.paths + second.paths
        if hasattr(first, "paths")
        else np.concatenate([first, second])
    )


def how_to_fine_tune(trial) -> dict:
    return {
        "blocks": trial.suggest_categorical("blocks", CUTS),
        "learning_rate": trial.suggest_float("learning_rate", 1e-5, 3e-3, log=True),
        "weight_decay": trial.suggest_float("weight_decay", 1e-4, 1e-1, log=True),
        "dropout": trial.suggest_float("dropout", 0, 0.6),
        "label_smoothing": trial.suggest_float("label_smoothing", 0, 0.2),
        "epochs": trial.suggest_int("epochs", 2, 8),
    }


def rounded(number) -> float:
    return round(float(number), 4)
