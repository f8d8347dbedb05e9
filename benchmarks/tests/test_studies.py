"""The studies return what lessons read, by the names that they read; with little work."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sentiment
import stacking
import studies
import tuning

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable
from tlcourse.training.learning_curves import LearningCurve

TINY = Path(__file__).resolve().parents[2] / "tests" / "tiny_bert" / "plain"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # two rows per class are few
]


def faster(patch, name, **options):
    """Let a call of the course be made with these options, whatever a study asks."""
    real = getattr(tl, name)
    patch.setattr(tl, name, lambda *args, **given: real(*args, **given | options))


@pytest.fixture
def quick(monkeypatch):
    faster(monkeypatch, "train_network", steps=3)
    faster(monkeypatch, "fine_tune", epochs=1)
    for name, value in {
        "SEEDS": (0, 1),
        "SIGNS": 4,
        "LABELS": (1, 2),
        "LAYER_SIGNS": (2, 4),
        "LAYER_LABELS": 1,
        "TUNING_SEEDS": (0, 1),
        "BLOCKS_THAT_LEARN": (0, 1),
        "TUNED_BLOCKS": 1,
        "RATES": (1e-4,),
    }.items():
        monkeypatch.setattr(studies, name, value)
    solar = tl.load_dataset("solar")
    few = lambda seed: (solar.train.sample(8, seed), solar.validation.sample(8))  # noqa: E731
    monkeypatch.setattr(studies, "tuning_cells", few)


def test_the_study_of_kanji(quick, monkeypatch):
    scratch = {"from scratch": lambda *args: studies.small({}, *args)}
    monkeypatch.setattr(studies, "ways", lambda source: scratch)
    found = json.loads(json.dumps(studies.kanji()))
    curve = LearningCurve.of(found["ways"])
    assert [point.labels for point in curve.points["from scratch"]] == [1, 2]
    for depths in found["layers"]["signs"].values():
        assert all(len(way["mean"]) == len(way["sd"]) == 4 for way in depths.values())
    assert {"as it is", "inverted", "labels shuffled"} < set(found["spoiled"])


def test_the_study_of_fine_tuning(quick):
    found = json.loads(json.dumps(studies.solar_tuning()))
    assert found["cells"] == 2 * studies.TUNED_CELLS
    for study, first in (("blocks", "blocks that learn"), ("rates", "learning rate")):
        assert list(found[study]) == [first, "mean", "sd", "seconds"]
        assert len({len(column) for column in found[study].values()}) == 1


def test_the_study_of_opinions(monkeypatch):
    load, load_model = tl.load_dataset, tl.load_pretrained_model

    def few(name, domain):
        whole = load(name, domain=domain)
        return replace(whole, train=whole.train.sample(6), test=whole.test.sample(4))

    monkeypatch.setattr(tl, "load_dataset", few)
    monkeypatch.setattr(tl, "load_pretrained_model", lambda name: load_model(TINY))
    faster(monkeypatch, "fine_tune", epochs=1)
    faster(monkeypatch, "train_text_network", steps=2)
    for name, value in {
        "SEEDS": (0, 1),
        "LABELS": (2, None),
        "NEW_LABELS": (1, 2),
        "BLOCKS": 1,
        "EPOCHS": {None: 1},
    }.items():
        monkeypatch.setattr(sentiment, name, value)
    found = json.loads(json.dumps(sentiment.sentiment()))
    domains = ("films", "products", "tweets")
    assert found["larger_class"] == dict.fromkeys(domains, 0.5)
    for domain in domains:
        for points in LearningCurve.of(found["curves"][domain]).points.values():
            assert [(one.labels, one.rows) for one in points] == [(2, 4), (None, 12)]
    assert set(found["new_labels"]) == set(domains[1:])


def test_the_bag_of_words_learns_which_words_are_praise():
    words = ["good film", "bad film", "good plot", "bad plot", "good", "bad"] * 2
    predict = sentiment.bag_of_words(words, np.array([1, 0] * 6), seed=0)
    assert predict(["a good one", "a bad one"]).tolist() == [1, 0]


def test_the_study_of_searches_and_stacks(monkeypatch):
    load = tl.load_dataset

    def few(name, **options):
        if name == "dogs":
            raise DatasetUnavailable("no dogs here")
        whole = load(name, **options)
        if name == "samples":
            return whole
        two = whole.with_classes(whole.class_names[:2])
        train, validation, test = (one.sample(6) for one in two.splits.values())
        return replace(two, train=train, validation=validation, test=test)

    monkeypatch.setattr(tl, "load_dataset", few)
    monkeypatch.setattr(tl.FineTuned, "score", lambda *_: 0.5)
    for module, name, value in (
        (tuning, "SEEDS", (0, 1)),
        (tuning, "PROBE_TRIALS", 3),
        (tuning, "TUNING_TRIALS", 2),
        (tuning, "CUTS", (1,)),
        (tuning, "CELLS", 5),
        (tuning, "NUMERALS", 2),
        (tuning, "SIGNS_OF_EACH", 4),
        (tuning, "BLOCKS", ("block7a", "head")),
        (stacking, "BLOCKS", ("block7a", "head")),
        (stacking, "TIMED", 2),
    ):
        monkeypatch.setattr(module, name, value)
    found = json.loads(json.dumps(tuning.tuning()))
    for ways in found["search"].values():
        for searched in ways.values():
            for which in ("default", "chosen"):
                assert {len(one) for one in searched[which].values()} == {2}
    assert list(found["stacks"]) == ["solar", "kanji, 4 labels"]
    for task in found["stacks"].values():
        assert {len(one) for one in task["accuracies"].values()} == {2}
    assert len(found["folds"]) == 3 and len(found["costs"]) == 3


def test_what_is_chosen_is_the_best_of_the_trials_on_validation():
    tested = []

    def fit(settings):
        x = settings.get("x", 0.5)
        return tuning.Fitted(x, lambda: tested.append(x) or x / 2)

    def suggest(trial):
        return {"x": trial.suggest_float("x", 0, 1)}

    searched = tuning.search(tuning.Way(fit, suggest, 8, lambda: 0.0), seed=0)
    assert searched["default"] == {"validation": 0.5, "test": 0.25}
    assert searched["chosen"]["validation"] > 0.7
    # The test set was used for the default and for the chosen trial alone.
    assert len(tested) == 2 and searched["settings"]["x"] == tested[-1]


def test_only_networks_whose_weights_are_here_are_stacked(monkeypatch):
    known = {
        "a": "224×224 pixels, bundled",
        "b": "224×224 pixels, here",
        "c": "224×224 pixels, tlcourse fetch c",
        "d": "sentences, here",
    }
    monkeypatch.setattr(tl, "list_pretrained_models", lambda: known)
    assert stacking.backbones() == ["a", "b"]
