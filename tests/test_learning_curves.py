"""A learning curve counts what was measured: the same rows for every method, each test picture once, honest time."""

import json

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import UserInputError
from tlcourse.training.learning_curves import LearningCurve, Point


def stripes(count, seed):
    """Grey 16 × 16 pictures with stripes, upright (0) or lying (1), in noise."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 2
    waves = np.where(np.arange(16) // 2 % 2, 60, 195)
    pictures = np.stack(
        [
            np.tile(waves, (16, 1)) if label else np.tile(waves, (16, 1)).T
            for label in labels
        ]
    )
    return np.clip(pictures + rng.normal(0, 25, pictures.shape), 0, 255).astype(
        np.uint8
    ), labels


@pytest.fixture(scope="module")
def dataset():
    names = ["upright", "lying"]
    train, validation, test = (
        Split(*stripes(count, seed), names) for seed, count in enumerate((60, 10, 40))
    )
    return Dataset("stripes", train, validation, test, names, card=None)


class Majority:
    def __init__(self, split, seed):
        self.answer = np.bincount(split.labels, minlength=2).argmax()
        self.seen = (len(split), seed)

    def predict(self, images):
        return np.full(len(images), self.answer)


def curve_of(**means):
    """A curve of one draw, with 2, 20 and 200 rows."""
    rows = (2, 20, 200)
    points = {
        method: [
            Point(r // 2, r, [mean], [1.0]) for r, mean in zip(rows, found, strict=True)
        ]
        for method, found in means.items()
    }
    return LearningCurve("made up", [0], points)


def test_a_point_counts_labels_and_judges_on_the_test_split(dataset):
    curve = tl.learning_curve(dataset, (2, None), {"majority": Majority}, seeds=3)
    few, many = curve.points["majority"]
    assert (few.labels, few.rows, many.labels, many.rows) == (2, 4, None, 60)
    assert (
        few.accuracies == [0.5] * 3
        and (few.mean, few.sd) == (0.5, 0.0)
        and min(few.seconds) >= 0
    )


# --- reading a curve ---


def test_labels_for_an_accuracy_are_read_on_a_logarithmic_axis():
    curve = curve_of(probe=[0.6, 0.8, 0.9])
    assert curve.labels_for("probe", 0.7) == pytest.approx(np.sqrt(2 * 20))
    assert curve.labels_for("probe", 0.5) == 2 and curve.labels_for(
        "probe", 0.9
    ) == pytest.approx(200)
    assert curve.labels_for("probe", 0.95) is None


def test_the_crossing_is_where_the_second_becomes_better_for_good():
    curve = curve_of(probe=[0.6, 0.7, 0.8], scratch=[0.5, 0.6, 0.9])
    assert curve.crossing("probe", "scratch") == pytest.approx(np.sqrt(20 * 200))
    assert curve.crossing("scratch", "probe") is None
    assert curve_of(a=[0.1, 0.1, 0.1], b=[0.2, 0.2, 0.2]).crossing("a", "b") == 2


def test_a_curve_comes_back_from_its_record(dataset):
    curve = tl.learning_curve(dataset, (1, 2), {"majority": Majority}, seeds=2)
    assert LearningCurve.of(json.loads(json.dumps(curve.record()))) == curve


# --- what is refused ---


@pytest.mark.parametrize(
    "counts", [[], [0, 1], [5, 2], [2, 2], [1.5], [None, 1], [True, 2]]
)
def test_numbers_of_labels_that_do_not_ascend_are_refused(dataset, counts):
    with pytest.raises(UserInputError, match="labels_per_class"):
        tl.learning_curve(dataset, counts, {"majority": Majority})
