"""The studies return what lessons read, under the names that lessons read."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from studies import (
    answers,
    augmentation,
    choosing,
    cluster,
    field_recipes,
    kanji,
    misuse,
    resizing,
    searches,
    sentiment,
    small_networks,
    solar_arms,
    solar_training,
    stacks,
    transfer,
)
from studies import mistakes_in_evaluation as evaluation
from studies import mistakes_in_preprocessing as preprocessing

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable
from tlcourse.models.bert_folder import is_whole

TINY = Path(__file__).resolve().parents[2] / "tests" / "tiny_bert" / "plain"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::UserWarning"),  # two rows per class are few
]


def constants(monkeypatch, module, **values):
    for name, value in values.items():
        monkeypatch.setattr(module, name, value)


@pytest.fixture
def one_epoch(monkeypatch):
    """Every training is as short as it can be, whatever a study asks for."""
    fine_tune = tl.fine_tune
    short = {"epochs": 1}
    monkeypatch.setattr(tl, "fine_tune", lambda *a, **k: fine_tune(*a, **k | short))
    monkeypatch.setattr(small_networks, "number_of_steps", lambda *_: 2)


@pytest.fixture
def few(monkeypatch):
    """Every data set has two classes and few rows; there are no dogs."""
    load = tl.load_dataset

    def load_few(name, **options):
        whole = load(name, **options)
        if name == "dogs":
            raise DatasetUnavailable("no dogs here")
        if name == "samples":
            return whole
        two = whole.with_classes(whole.class_names[:2])
        return replace(
            two, **{part: split.sample(6) for part, split in two.splits.items()}
        )

    monkeypatch.setattr(tl, "load_dataset", load_few)


def test_kanji(few, monkeypatch):
    short = {"SOURCE_STEPS": 2, "HEAD_STEPS": 1, "STEPS": (1, 1), "RATES": (1e-3,)}
    small = {"SEEDS": (0, 1), "LABELS": (1, 2), "FEW": 1, "CHARACTERS": 2}
    constants(monkeypatch, kanji, **short, **small, DEPTHS=(1, 3))
    found = json.loads(json.dumps(kanji.kanji()))
    curve = tl.LearningCurve.of(found["ways"])
    assert {len(points) for points in curve.points.values()} == {2}
    for arms in found["layers"]["ways"].values():
        assert len(arms) == len(found["layers"]["convolutions"]) == 3
    sources = {"as it is", "inverted", "labels shuffled"}
    assert sources | {"from scratch"} < set(found["spoiled"])
    for name in sources:
        assert set(found["spoiled"][name]) == set(kanji.WAYS)


def test_curves(one_epoch, few, monkeypatch):
    labels = {"STAMP_LABELS": (1,), "KANJI_LABELS": (1,), "SOLAR_LABELS": (1, None)}
    labels |= {"SOLAR_RANDOM_LABELS": (1, None), "SOLAR_RANDOM_SEEDS": (0,)}
    random = {"RANDOM_SIDE": 32, "RANDOM_STEPS": (1, 1), "SOLAR_RANDOM_STEPS": (1, 1)}
    constants(monkeypatch, transfer, SEEDS=(0,), **labels, **random)
    found = json.loads(json.dumps(transfer.curves()))
    for name in ("stamps", "kanji", "solar", "solar_random_weights"):
        curve = tl.LearningCurve.of(found[name])
        assert {"small CNN", "probe", "fine-tune"} <= set(curve.points)
        assert len({len(points) for points in curve.points.values()}) == 1


def test_solar_tuning(one_epoch, few, monkeypatch):
    settings = {"TUNING_SEEDS": (0, 1), "BLOCKS": (0, 1), "TUNED_BLOCKS": 1}
    constants(monkeypatch, transfer, RATES=(1e-4,), TUNED_CELLS=3, **settings)
    found = json.loads(json.dumps(transfer.solar_tuning()))
    for study, first in (("blocks", "blocks trained"), ("rates", "learning rate")):
        assert list(found[study]) == [first, "mean", "sd", "seconds"]
        assert len({len(column) for column in found[study].values()}) == 1


def test_solar_arms(one_epoch, few, monkeypatch):
    lite0, lite2 = (
        ("efficientnet_lite0", "int8", 75),
        ("efficientnet_lite2", "int8", 75),
    )
    features = {"one": [lite0], "two": [lite0, lite2]}
    members = ("SVM: two", "fine-tuned at 75, four views")
    tunings, ensembles = {75: ("block7a", 1)}, {"both": members}
    constants(monkeypatch, solar_arms, SEEDS=(0, 1), FEATURES=features)
    constants(monkeypatch, solar_arms, FINE_TUNINGS=tunings, ENSEMBLES=ensembles)
    found = json.loads(json.dumps(solar_arms.solar_arms()))
    probes = {"probe: one", "probe: two", "SVM: one"}
    assert set(found["arms"]) == {"both", "fine-tuned at 75", *members, *probes}
    for arm in found["arms"].values():
        assert arm["n"] == 2 and all(0 <= each <= 1 for each in arm["accuracies"])
    assert {"fine-tuned at 75", "SVM: two"} < set(found["processor_seconds"])


def test_solar_training(few, monkeypatch):
    small = ("efficientnet_lite0", 75, "block7a")
    trainings = {"base": (1, False), "mixup": (2, True)}
    constants(monkeypatch, solar_training, TRAININGS={small: trainings})
    constants(monkeypatch, solar_training, BASE="base", ENSEMBLES=[("base", "mixup")])
    monkeypatch.setitem(solar_training.SETTINGS, "batch_size", 4)
    found = json.loads(json.dumps(solar_training.solar_training()))
    averaged = {f"{arm}, averaged weights" for arm in trainings}
    assert set(found) == {*trainings, *averaged, "base and mixup"}
    assert found["base"]["minus_base"] == [0, 0]
    assert all(0 <= score <= 1 for arm in found.values() for score in arm["accuracies"])


def test_mixup_mixes_cells_labels_and_weights_in_one_proportion():
    rows = np.eye(8, dtype=np.float32)
    cells, labels, weights = solar_training.mixed(rows, rows, rows.sum(axis=1))
    np.testing.assert_allclose(cells, labels, atol=1e-6)
    np.testing.assert_allclose(np.sum(labels, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(weights, 1, atol=1e-6)


def test_averaged_weights_follow_the_trained_ones(monkeypatch):
    import keras

    constants(monkeypatch, solar_training, MOMENTUM=0.75)
    layer = keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")
    average = solar_training.AverageWeights()
    average.set_model(keras.Sequential([keras.Input((1,)), layer]))
    average.on_train_begin()
    for value in (4.0, 8.0):
        layer.kernel.assign([[value]])
        average.on_train_batch_end(0)
    average.apply()
    assert layer.kernel.numpy().item() == 0.75 * 1 + 0.25 * 8


def test_the_mean_of_the_probabilities_decides(monkeypatch):
    constants(
        monkeypatch, solar_arms, ENSEMBLES={"both": ("a", "b"), "none": ("a", "c")}
    )
    test = tl.datasets.Split(
        np.zeros((2, 8, 8), np.uint8),
        np.array([1, 0]),
        ["good", "bad"],
        np.array([3.0, 1]),
    )
    members = {"a": np.array([0.9, 0.9]), "b": np.array([0.2, 0.8])}
    measured = solar_arms.accuracies(members, test)
    assert measured == {"a": 0.75, "b": 0.0, "both": 0.75}


def test_an_arm_that_was_dropped_says_on_how_many_splits_it_was_measured():
    first, second = {"kept": 0.8, "dropped": 0.7}, {"kept": 0.9}
    found = solar_arms.summarised([first, second], {"SVM": [1, 3]})
    assert found["arms"]["kept"]["mean"] == 0.85 and found["arms"]["kept"]["n"] == 2
    assert found["arms"]["dropped"]["n"] == 1
    assert found["processor_seconds"] == {"SVM": 2}


def test_augmentation(few, monkeypatch):
    constants(monkeypatch, augmentation, SEEDS=(0, 1), PER_CLASS=1, EPOCHS=1)
    found = json.loads(json.dumps(augmentation.augmentation()))
    assert found["difference"]["n"] == 2
    for name in ("with", "without"):
        assert 0 <= found[name]["mean"] <= 1 and found[name]["seconds"] > 0


def test_field_recipes(few, monkeypatch):
    seeds, short = {"SEEDS": (0, 1), "SOLAR_SEEDS": (0, 1)}, {"EPOCHS": 1, "TIMED": 2}
    heads = {"efficientnet_lite0": "flatten"}
    constants(monkeypatch, field_recipes, **seeds, **short, HEADS=heads)
    found = json.loads(json.dumps(field_recipes.field_recipes()))
    for study in (found, found["solar"]):
        probe = study["efficientnet_lite0"]["probe"]
        assert probe["n"] == 2 and probe["seconds"] > 0
    splits = {0: field_recipes.published_protocol(0)}
    recipe = field_recipes.of_network("efficientnet_lite0", splits)
    assert list(recipe) == ["recipe", "probe", "difference"]
    assert 0 <= recipe["recipe"]["mean"] <= 1 and recipe["difference"]["n"] == 1


def test_resizing(monkeypatch):
    load = tl.load_dataset

    def birds_or_nothing(name):
        if name == "solar":
            raise DatasetUnavailable("no cells here")
        return load("stamps").with_classes(["bird", "fruit"])

    monkeypatch.setattr(tl, "load_dataset", birds_or_nothing)
    settings = {"SEEDS": (0, 1), "LABELS": dict.fromkeys(("stamps", "solar"), (2, 3))}
    names = {"bird": "toucan", "fruit": "lemon"}
    constants(monkeypatch, resizing, **settings, NAMES=names)
    found = json.loads(json.dumps(resizing.resizing()))
    probes, labels = found["probe"]["stamps"], found["labels"]["stamps"]
    assert set(found["probe"]) == {"stamps"} and set(probes) == {"2", "3"}
    for by_mode in (*probes.values(), labels["top 1"], labels["top 5"]):
        assert list(by_mode) == ["squash", "crop", "pad"]
        assert (
            by_mode["squash"]["difference"] == by_mode["squash"]["standard_error"] == 0
        )
    assert labels["top 1"]["crop"]["mean"] <= labels["top 5"]["crop"]["mean"]
    assert labels["top 5"]["pad"] == labels["top 5"]["squash"]  # stamps are square
    assert {one["n"] for one in probes["2"].values()} == {2}


def test_choosing(few, monkeypatch):
    sizes = {"SPLITS": 2, "SPLITS_OF_ALL_CELLS": 2, "FEW_CELLS": 3, "EPOCHS": 1}
    constants(monkeypatch, choosing, **sizes)
    for part, rows in ((choosing.few_cells, 6), (choosing.all_cells, 24)):
        found = json.loads(json.dumps(part()))
        assert (found["train"], found["test"], len(found["splits"])) == (rows, 12, 2)
        for split in found["splits"]:
            kept = "fine_tuned" if split["is_fine_tuned"] else "probe"
            assert split["chosen"] == split[kept] and split["choice"]
        differences = [one["fine_tuned"] - one["probe"] for one in found["splits"]]
        measured = found["minus_probe"]["fine_tuned"]
        assert measured["mean"] == pytest.approx(sum(differences) / 2, abs=1e-4)
        error = abs(differences[0] - differences[1]) / 2
        assert measured["se"] == pytest.approx(error, abs=1e-4)
    assert choosing.dogs() == {}


def test_sentiment(one_epoch, few, monkeypatch):
    load_model = tl.load_pretrained_model
    monkeypatch.setattr(tl, "load_pretrained_model", lambda name: load_model(TINY))
    settings = {"SEEDS": (0, 1), "LABELS": (2, None), "NEW_LABELS": (1, 2)}
    constants(monkeypatch, sentiment, BLOCKS=1, **settings)
    found = json.loads(json.dumps(sentiment.sentiment()))
    domains = ("films", "products", "tweets")
    assert found["larger_class"] == dict.fromkeys(domains, 0.5)
    for domain in domains:
        curve = tl.LearningCurve.of(found["curves"][domain])
        assert list(curve.points) == list(sentiment.METHODS)
        for points in curve.points.values():
            assert [(one.labels, one.rows) for one in points] == [(2, 4), (None, 12)]
    for ways in found["new_labels"].values():
        assert list(ways)[-1] == "new labels, fine-tuned" and len(ways) == 4
        for points in ways.values():
            assert [len(point["accuracies"]) for point in points] == [2, 2]
    assert set(found["new_labels"]) == set(domains[1:])


def test_answers(monkeypatch):
    if not is_whole("minilm"):
        pytest.skip("minilm is not here: tlcourse fetch minilm")
    sizes = {"SEEDS": (0, 1), "QUESTIONS": 4, "TESTED": 3}
    constants(monkeypatch, answers, **sizes, EPOCHS=1, FROZEN_EPOCHS=1)
    found = json.loads(json.dumps(answers.answers()))
    for way in ("MiniLM", "TF-IDF"):
        recalls = found["search"][way]
        assert 0 < recalls["recall@1"] <= recalls["recall@5"] <= 1
    assert list(found["spans"]["arms"]) == list(answers.RATES)
    for arm in found["spans"]["arms"].values():
        assert len(arm.pop("seconds")) == 2 and len(arm) == 5
        for measured in arm.values():
            for exact, f1 in zip(*measured.values(), strict=True):
                assert 0 <= exact <= f1 <= 1


@pytest.mark.parametrize(
    ("text", "answer", "f1"),
    [
        ("the krona", "krona", 2 / 3),
        ("krona", "krona", 1),
        ("euro", "krona", 0),
        ("", "krona", 0),
    ],
)
def test_f1_counts_words_in_common(text, answer, f1):
    assert answers.f1_of_words(text, answer) == pytest.approx(f1)


def test_misuse(few, monkeypatch):
    for module in (misuse, preprocessing):
        constants(monkeypatch, module, SEEDS=(0, 1), NUMERALS=2, LABELS=2)
    constants(monkeypatch, misuse, HEAD_EPOCHS=1, EPOCHS=2)
    constants(monkeypatch, preprocessing, CELLS=2)
    small = {"CELLS": 6, "TESTS": 2, "TEST_CELLS": 4, "STRENGTHS": (1e-2,)}
    constants(monkeypatch, evaluation, BLOCKS=("head",), **small)
    found = json.loads(json.dumps(misuse.misuse()))
    assert list(found["mistakes"]) == list(misuse.MISTAKES)
    for mistake in found["mistakes"].values():
        assert mistake["cost"]["n"] == mistake["check"]["of"] == 2
    assert set(found["losses"]) == set(misuse.OUTPUTS)
    assert set(found["preprocessings"]) == {"solar", "numerals"}


def test_searches_and_stacks(few, monkeypatch, tmp_path):
    # Only bundled networks: VGG16 and Xception may lie in the user's folder of Keras.
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(tl.FineTuned, "score", lambda *_: 0.5)
    constants(monkeypatch, searches, SEEDS=(0, 1), CUTS=(1,), CELLS=5, LABELS=4)
    for kind, trials in ((searches.ProbeSearch, 3), (searches.TuningSearch, 2)):
        monkeypatch.setattr(kind, "trials", trials)
    for module in (searches, stacks):
        constants(monkeypatch, module, BLOCKS=("block7a", "head"))
    monkeypatch.setattr(stacks, "TIMED", 2)
    found = json.loads(json.dumps(searches.tuning()))
    for kinds in found["search"].values():
        for kind in kinds.values():
            for which in ("default", "chosen"):
                assert {len(one) for one in kind[which].values()} == {2}
    assert list(found["stacks"]) == ["solar", "kanji, 4 labels"]
    for task in found["stacks"].values():
        assert {len(one) for one in task["accuracies"].values()} == {2}
    assert len(found["folds"]) == 3 and len(found["costs"]) == 3


def test_a_search_selects_on_validation_and_uses_the_test_set_twice():
    tested = []

    class Search:
        splits = type("Splits", (), {"seed": 0})
        trials = 8

        def suggest(self, trial):
            return {"x": trial.suggest_float("x", 0, 1)}

        def fit(self, x=0.5):
            return x, lambda: tested.append(x) or x / 2

        def with_validation(self):
            return 0.0

    found = searches.run(Search())
    assert found["default"] == {"validation": 0.5, "test": 0.25}
    assert found["chosen"]["validation"] > 0.7
    assert len(tested) == 2 and found["settings"]["x"] == tested[-1]


def test_only_networks_whose_weights_are_here_are_stacked(monkeypatch):
    known = {
        "a": "224×224 pixels, bundled",
        "b": "224×224 pixels, here",
        "c": "224×224 pixels, tlcourse fetch c",
        "d": "sentences, here",
    }
    monkeypatch.setattr(tl, "list_pretrained_models", lambda: known)
    assert stacks.backbones() == ["a", "b"]


def test_two_processes_train_a_head_as_one_does(monkeypatch):
    monkeypatch.setattr(cluster, "CELLS", 24)
    found = cluster.training()
    assert found["rows"] == 48
    assert [found[name]["processes"] for name in ("one", "two")] == [1, 2]
    one, two = (found[name]["losses"] for name in ("one", "two"))
    assert one == pytest.approx(two, abs=1e-4) and one[-1] < one[0]
