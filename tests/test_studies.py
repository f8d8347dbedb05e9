"""The studies give what the lessons read, by the names that they read it by; with very little work here."""

import json
import sys
from pathlib import Path

import pytest

import tlcourse as tl
from tlcourse.training.learning_curves import LearningCurve

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import studies  # noqa: E402

pytestmark = pytest.mark.slow


@pytest.fixture
def quick(monkeypatch):
    """Two draws, few steps, few signs, one epoch."""

    def train(*arguments, **options):
        return real(*arguments, **options | {"steps": 3})

    def fine_tune(*arguments, **options):
        return real_tuning(*arguments, **options | {"epochs": 1})

    real, real_tuning = studies.train, tl.fine_tune
    monkeypatch.setattr(studies, "train", train)
    monkeypatch.setattr(tl, "fine_tune", fine_tune)
    for name, value in {
        "SEEDS": (0, 1),
        "SIGNS": 3,
        "LABELS": (1, 2),
        "LAYER_SIGNS": (2, 3),
        "LAYER_LABELS": 1,
        "TUNING_SEEDS": (0, 1),
        "BLOCKS_THAT_LEARN": (0, 1),
        "TUNED_BLOCKS": 1,
        "RATES": (1e-4,),
    }.items():
        monkeypatch.setattr(studies, name, value)
    solar = tl.load_dataset("solar")
    monkeypatch.setattr(
        studies,
        "tuning_cells",
        lambda seed: (solar.train.sample(8, seed), solar.validation.sample(8)),
    )


def test_the_study_of_kanji_has_ways_layers_and_spoiled_sources(quick, monkeypatch):
    monkeypatch.setattr(
        studies,
        "ways",
        lambda source: {"from scratch": lambda *a: studies.small({}, *a)},
    )
    found = json.loads(json.dumps(studies.kanji()))
    curve = LearningCurve.of(found["ways"])
    assert [point.labels for point in curve.points["from scratch"]] == [
        1,
        2,
    ] and curve.seeds == [0, 1]
    for signs in ("2", "3"):
        for way in ("frozen", "trained further"):
            depths = found["layers"]["signs"][signs][way]
            assert len(depths["mean"]) == len(depths["sd"]) == 4 and all(
                0 <= mean <= 1 for mean in depths["mean"]
            )
    for name in ("as it is", "inverted", "labels shuffled"):
        assert set(found["spoiled"][name]) == {"frozen", "trained further"}
        assert all(score["n"] == 2 for score in found["spoiled"][name].values())
    assert set(found["spoiled"]["scratch"]) == {"mean", "sd", "n", "seeds"}


def test_without_a_carried_layer_frozen_and_trained_further_are_the_same(quick):
    data = tl.load_dataset("kanji").with_classes(["一", "二"])
    source = studies.pretrained(*studies.digits_test())
    found = studies.layers(data, source)
    assert found["frozen"]["mean"][0] == found["trained further"]["mean"][0]


def test_the_study_of_fine_tuning_has_blocks_and_rates_side_by_side(quick):
    found = json.loads(json.dumps(studies.solar_tuning()))
    assert found["cells"] == 2 * studies.TUNED_CELLS
    for study, first, values in (
        ("blocks", "blocks that learn", [0, 1]),
        ("rates", "learning rate", [1e-4]),
    ):
        assert (
            list(found[study]) == [first, "mean", "sd", "seconds"]
            and found[study][first] == values
        )
        assert all(len(column) == len(values) for column in found[study].values())
