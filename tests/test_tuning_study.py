"""The study of searches and stacks gives what lesson 09 reads, by the names that it reads it by; with little work."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import StackingClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import stacking  # noqa: E402
import tuning  # noqa: E402

pytestmark = pytest.mark.slow

DRAWS = 2


@pytest.fixture(scope="module")
def found():
    """The study on a dozen rows of each data set, with few trials and two draws; as its file will have it."""

    def load_dataset(name, **options):
        if name == "dogs":
            raise DatasetUnavailable("no dogs here")
        whole = real(name, **options)
        if name == "samples":
            return whole
        few = whole.with_classes(whole.class_names[:2])
        train, validation, test = (split.sample(6) for split in few.splits.values())
        return replace(few, train=train, validation=validation, test=test)

    real = tl.load_dataset
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tl, "load_dataset", load_dataset)
        patch.setattr(
            tl.FineTuned, "score", lambda *_: 0.5
        )  # a network made ready to read the test takes seconds
        for module, name, value in (
            (tuning, "SEEDS", tuple(range(DRAWS))),
            (tuning, "PROBE_TRIALS", 3),
            (tuning, "TUNING_TRIALS", 2),
            (tuning, "CUTS", (1,)),
            (tuning, "CELLS", 5),
            (tuning, "NUMERALS", 2),
            (tuning, "SIGNS_OF_EACH", 4),
            (stacking, "BLOCKS", ("block7a", "head")),
            (tuning, "BLOCKS", ("block7a", "head")),
            (stacking, "TIMED", 2),
        ):
            patch.setattr(module, name, value)
        yield json.loads(json.dumps(tuning.tuning()))


@pytest.mark.parametrize("data", ["solar", "kanji"])
@pytest.mark.parametrize("way", ["probe", "probe and blocks", "fine-tuning"])
def test_each_search_has_default_and_chosen_on_both_splits_in_every_draw(
    found, data, way
):
    searched = found["search"][data][way]
    assert (
        searched["trials"] == (2 if way == "fine-tuning" else 3)
        and searched["trials_per_minute"] > 0
    )
    assert len(searched["settings"]) == DRAWS
    for which in ("default", "chosen"):
        for split in ("validation", "test"):
            accuracies = searched[which][split]
            assert len(accuracies) == DRAWS and all(
                0 <= accuracy <= 1 for accuracy in accuracies
            )
    assert list(searched["default, validation learned too"]) == ["test"]


def test_what_is_chosen_is_the_best_of_the_trials_on_validation():
    tested = []

    def fit(settings):
        x = settings.get("x", 0.5)
        return tuning.Fitted(x, lambda: tested.append(x) or x / 2)

    way = tuning.Way(
        fit, lambda trial: {"x": trial.suggest_float("x", 0, 1)}, 8, lambda: 0.0
    )
    searched = tuning.search(way, seed=0)
    assert searched["default"] == {"validation": 0.5, "test": 0.25}
    assert (
        searched["chosen"]["validation"] > 0.7
        and searched["settings"]["x"] == tested[-1]
    )
    assert (
        len(tested) == 2
    )  # the test was read for the default and for the chosen trial, and for no other


def test_the_default_stays_where_no_trial_is_better():
    fitted = tuning.Fitted(0.5, lambda: 0.25)
    way = tuning.Way(lambda settings: fitted, lambda trial: {}, 2, lambda: 0.75)
    searched = tuning.search(way, seed=0)
    assert searched["chosen"] == searched["default"] and searched["settings"] == {}
    assert searched["default, validation learned too"] == {"test": 0.75}


def test_the_same_seed_searches_the_same():
    def searched(seed):
        def fit(settings):
            return tuning.Fitted(-((settings.get("x", 0) - 0.3) ** 2), lambda: 0)

        way = tuning.Way(
            fit, lambda trial: {"x": trial.suggest_float("x", 0, 1)}, 12, lambda: 0
        )
        return tuning.search(way, seed)

    assert searched(1)["settings"] == searched(1)["settings"] != searched(2)["settings"]


NAMES = ["efficientnet_lite0", "efficientnet_lite2"]


def test_each_task_has_every_way_in_every_draw(found):
    ways = [
        *NAMES,
        "efficientnet_lite0, four blocks",
        "side by side",
        "averaged",
        "averaged, four blocks too",
    ]
    ways += ["stacked", "stacked, support vectors too"]
    assert list(found["stacks"]) == ["solar", "kanji, 4 labels"]
    for task in found["stacks"].values():
        assert sorted(task["accuracies"]) == sorted(task["seconds"]) == sorted(ways)
        assert all(
            len(accuracies) == DRAWS for accuracies in task["accuracies"].values()
        )


def test_folds_are_at_random_by_hand_and_compared_with_unseen_hands(found):
    assert list(found["folds"]) == ["folds at random", "folds by hand", "unseen hands"]
    assert all(len(accuracies) == DRAWS for accuracies in found["folds"].values())


def test_each_description_has_its_cost(found):
    assert list(found["costs"]) == [*NAMES, "efficientnet_lite0, four blocks"]
    assert [cost["features"] for cost in found["costs"].values()] == [
        1280,
        1280,
        2 * (320 + 1280),
    ]
    assert all(
        cost["seconds_a_picture"] > 0 and cost["peak_megabytes"] > 50
        for cost in found["costs"].values()
    )


def test_only_networks_whose_weights_are_here_are_used(monkeypatch):
    known = {
        "a": "224×224 pixels, bundled",
        "b": "224×224 pixels, here",
        "c": "224×224 pixels, tlcourse fetch c",
        "d": "sentences, here",
    }
    monkeypatch.setattr(tl, "list_pretrained_models", lambda: known)
    assert stacking.backbones() == ["a", "b"]


@pytest.fixture(scope="module")
def told_apart():
    """Rows of two descriptions of three numbers each, of two classes."""
    rng = np.random.default_rng(0)

    def rows(count):
        labels = np.arange(count) % 2
        features = rng.normal(size=(count, 6))
        features[:, [0, 3]] += labels[:, None]
        return features, labels

    (features, labels), (unseen, truth) = rows(60), rows(400)
    return stacking.Task(features, labels, np.linspace(0.1, 1, 60), unseen, truth, None)


@pytest.fixture
def two_backbones(monkeypatch):
    monkeypatch.setattr(stacking, "backbones", lambda: ["a", "b"])
    monkeypatch.setattr(
        stacking,
        "columns",
        lambda: {"a": slice(0, 3), "b": slice(3, 6), "c": slice(0, 6)},
    )


def test_averages_and_stacks_are_scikit_learn_s(told_apart, two_backbones):
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        found = stacking.ways(told_apart, folds=4, seed=1)
        members = [
            (name, stacking.on(place, tl.LinearProbe(seed=1)))
            for name, place in (("a", slice(0, 3)), ("b", slice(3, 6)))
        ]
        parts = StratifiedKFold(4, shuffle=True, random_state=1)
        for way, classifier in {
            "averaged": VotingClassifier(members, voting="soft"),
            "stacked": StackingClassifier(
                members, stacking.weighted(LogisticRegression()), cv=parts
            ),
        }.items():
            stacking.fit(classifier, told_apart)
            answers = classifier.predict(told_apart.unseen)
            assert found[way][0] == stacking.share_right(answers, told_apart)


def test_several_that_err_apart_are_better_together(told_apart, two_backbones):
    import sklearn

    with sklearn.config_context(enable_metadata_routing=True):
        found = stacking.ways(told_apart, folds=4, seed=1)
    assert min(found["averaged"][0], found["side by side"][0]) > max(
        found["a"][0], found["b"][0]
    )
