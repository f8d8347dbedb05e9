"""A learning curve: the same rows for every method, and how it is read."""

import json

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import UserInputError
from tlcourse.training.learning_curves import LearningCurve, Point


@pytest.fixture(scope="module")
def dataset():
    names, rng = ["a", "b"], np.random.default_rng(0)
    splits = [
        Split(rng.integers(0, 9, (count, 4, 4), np.uint8), np.arange(count) % 2, names)
        for count in (60, 10, 40)
    ]
    return Dataset("noise", *splits, names, card=None)


class Majority:
    seen: list = []  # each training set's first rows, by method

    def __init__(self, split, seed):
        self.answer = np.bincount(split.labels, minlength=2).argmax()
        self.seen.append((seed, split.images[:].tobytes()))

    def predict(self, images):
        return np.full(len(images), self.answer)


def curve_of(**means):
    """A curve of one split, with 2, 20 and 200 rows."""
    rows = (2, 20, 200)
    points = {
        method: [Point(r // 2, r, [m], [1.0]) for r, m in zip(rows, each, strict=True)]
        for method, each in means.items()
    }
    return LearningCurve("made up", [0], points)


def test_all_methods_get_the_same_rows_and_are_tested_on_the_test_split(dataset):
    methods = {"one": Majority, "other": Majority}
    curve = tl.learning_curve(dataset, (2, None), methods, seeds=3)
    few, many = curve.points["one"]
    assert (few.labels, few.rows, many.labels, many.rows) == (2, 4, None, 60)
    assert few.accuracies == [0.5] * 3 and (few.mean, few.sd) == (0.5, 0.0)
    assert min(few.seconds) >= 0
    assert Majority.seen[:3] == Majority.seen[3:6] != Majority.seen[6:9]
    assert len(set(Majority.seen[:3])) == 3


def test_a_network_with_one_output_predicts_the_second_class_above_one_half(dataset):
    import keras

    def always(split, seed):
        probability = keras.layers.Lambda(
            lambda x: 0.1 + 0.8 * keras.ops.cast(x[:, :1, 0] > 4, "float32"),
            output_shape=(1,),
        )
        pictures = keras.Input((4, 4))
        return keras.Model(pictures, probability(pictures))

    curve = tl.learning_curve(dataset, (2,), {"bright corner": always}, seeds=1)
    images, labels = dataset.test.images, dataset.test.labels
    expected = np.mean((images[:, 0, 0] > 4) == labels)
    assert curve.points["bright corner"][0].accuracies == [pytest.approx(expected)]
    assert 0 < np.mean(images[:, 0, 0] > 4) < 1


# --- reading a curve ---


def test_labels_for_an_accuracy_are_the_fewest_that_were_measured():
    curve = curve_of(probe=[0.6, 0.8, 0.7])
    assert curve.labels_for("probe", 0.5) == 2
    assert curve.labels_for("probe", 0.7) == 20
    assert curve.labels_for("probe", 0.8) == 20
    assert curve.labels_for("probe", 0.95) is None


def test_differences_are_taken_split_by_split():
    points = {
        "probe": [Point(1, 2, [0.6, 0.8, 0.7], [1.0] * 3)],
        "scratch": [Point(1, 2, [0.5, 0.6, 0.4], [1.0] * 3)],
    }
    curve = LearningCurve("made up", [0, 1, 2], points)
    [(labels, mean, error)] = curve.differences("probe", "scratch")
    assert labels == 2 and mean == pytest.approx(0.2)
    assert error == pytest.approx(0.1 / np.sqrt(3))
    assert curve.differences("scratch", "probe")[0][1] == pytest.approx(-0.2)


def test_curves_with_different_numbers_of_splits_are_not_paired():
    points = {
        "probe": [Point(1, 2, [0.6, 0.8], [1.0] * 2)],
        "scratch": [Point(1, 2, [0.5, 0.6, 0.4], [1.0] * 3)],
    }
    curve = LearningCurve("made up", [0, 1, 2], points)
    with pytest.raises(UserInputError, match="one for each split"):
        curve.differences("probe", "scratch")


def test_one_split_has_no_standard_error():
    curve = curve_of(probe=[0.6, 0.7, 0.8], scratch=[0.5, 0.6, 0.9])
    differences = curve.differences("probe", "scratch")
    assert [labels for labels, _, _ in differences] == [2, 20, 200]
    assert np.isnan([error for _, _, error in differences]).all()


def test_a_curve_comes_back_from_its_record(dataset):
    curve = tl.learning_curve(dataset, (1, 2), {"majority": Majority}, seeds=2)
    assert LearningCurve.of(json.loads(json.dumps(curve.record()))) == curve


# --- what is refused ---


@pytest.mark.parametrize("counts", [[], [0, 1], [2, 2], [1.5], [None, 1], [True, 2]])
def test_numbers_of_labels_that_do_not_ascend_are_refused(dataset, counts):
    with pytest.raises(UserInputError, match="labels_per_class"):
        tl.learning_curve(dataset, counts, {"majority": Majority})
