"""The study of opinions gives what lesson 07 reads, by the names that it reads it by; with very little work here."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.training.learning_curves import LearningCurve

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import sentiment  # noqa: E402
import small_networks  # noqa: E402

TINY = Path(__file__).resolve().parent / "tiny_bert" / "plain"
DOMAINS = ("films", "products", "tweets")


@pytest.fixture(scope="module")
def found():
    """The study with a tiny BERT, twelve sentences of a domain, one epoch and two draws; as its file will have it."""

    def load_dataset(name, domain):
        whole = real_data(name, domain=domain)
        train, test = whole.train.sample(6), whole.test.sample(4)
        return replace(whole, train=train, test=test)

    def fine_tune(*arguments, **options):
        return real_tuning(*arguments, **options | {"epochs": 1})

    real_data, real_tuning = tl.load_dataset, tl.fine_tune
    real_model = tl.load_pretrained_model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tl, "load_dataset", load_dataset)
        patch.setattr(tl, "load_pretrained_model", lambda name: real_model(TINY))
        patch.setattr(tl, "fine_tune", fine_tune)
        patch.setattr(small_networks, "TEXT_STEPS", (2, 2))
        for name, value in {
            "SEEDS": (0, 1),
            "LABELS": (2, None),
            "NEW_LABELS": (1, 2),
            "BLOCKS": 1,
        }.items():
            patch.setattr(sentiment, name, value)
        patch.setattr(sentiment, "EPOCHS", {None: 1})
        yield json.loads(json.dumps(sentiment.sentiment()))


# Two sentences make scikit-learn doubt.
pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]


@pytest.mark.parametrize("domain", DOMAINS)
def test_each_domain_has_a_learning_curve_of_all_methods(found, domain):
    curve = LearningCurve.of(found["curves"][domain])
    assert list(curve.points) == [
        "bag of words",
        "frozen BERT",
        "fine-tuned BERT",
        "from scratch",
    ]
    assert curve.seeds == [0, 1]
    for points in curve.points.values():
        assert [(point.labels, point.rows) for point in points] == [(2, 4), (None, 12)]
        assert all(len(point.accuracies) == len(point.seconds) == 2 for point in points)
        assert all(
            0 <= accuracy <= 1 for point in points for accuracy in point.accuracies
        )


def test_each_domain_has_the_share_of_its_larger_class(found):
    assert found["larger_class"] == dict.fromkeys(DOMAINS, 0.5)


@pytest.mark.parametrize("domain", DOMAINS[1:])
def test_each_new_domain_has_three_uses_of_its_labels(found, domain):
    ways = found["new_labels"][domain]
    assert set(ways) == {
        "new labels alone",
        "films and new labels",
        "new labels, features tuned on films",
    }
    for points in ways.values():
        assert [point["labels"] for point in points] == [1, 2]
        assert all(len(point["accuracies"]) == 2 for point in points)


def test_the_bag_of_words_learns_which_words_are_praise():
    sentences = [
        "good film",
        "bad film",
        "good plot",
        "bad plot",
        "good",
        "bad",
        "so good",
        "so bad",
        "good!",
        "bad!",
    ]
    predict = sentiment.bag_of_words(sentences, np.array([1, 0] * 5), seed=0)
    assert predict(["a good one", "a bad one"]).tolist() == [1, 0]
