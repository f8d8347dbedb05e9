"""Probe or fine-tuning: what decides, and on which pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlcourse.errors import UserInputError
from tlcourse.training.folds import group_folds
from tlcourse.training.probe import train_classifier
from tlcourse.training.selection import number_of_folds, select


def data(wrong):
    """Two classes far apart, 20 rows each, of which so many have the other's label."""
    labels = np.arange(40) // 20
    features = np.random.default_rng(0).normal(8.0 * labels[:, None] - 4, 1, (40, 2))
    labels[:wrong] = 1
    return features, labels, np.arange(40)


@pytest.mark.parametrize(
    ("gained", "lost", "is_fine_tuned"),
    [(2, 0, True), (2, 1, False), (4, 1, True), (2, 2, False), (0, 0, False)],
)
def test_the_probe_is_kept_unless_the_gain_exceeds_one_standard_error(
    gained, lost, is_fine_tuned
):
    features, labels, groups = data(wrong=4)
    said = []

    def predict(train, held):
        """Right but for the last `lost` rows, and first ones that the probe misses."""
        is_wrong = (held >= 40 - lost) | (held < 4 - gained)
        assert not set(train) & set(held)
        return np.where(is_wrong, 1 - labels[held], labels[held])

    selection = select(features, labels, groups, predict, say=said.append)
    assert selection.is_fine_tuned == is_fine_tuned
    assert selection.probe == pytest.approx(1 - 4 / 40)
    assert selection.fine_tuned == pytest.approx(1 - (4 - gained + lost) / 40)
    assert selection.choice == said[-1] and f"{gained - lost:+} of 40" in said[-1]
    assert ("fine-tuned one is kept" in said[-1]) == is_fine_tuned
    assert said[0].startswith("Linear probe: 90.0% of 40 pictures")


@pytest.mark.parametrize("wrong", [0, 1])
def test_where_fine_tuning_could_not_be_clearly_better_it_is_not_tried(wrong):
    fail = lambda *_: pytest.fail("it was tried")  # noqa: E731
    selection = select(*data(wrong), fail, say=lambda line: None)
    assert not selection.is_fine_tuned and selection.fine_tuned is None
    assert f"wrong for {wrong}" in selection.choice


def test_two_copies_of_one_picture_count_as_one_observation():
    """As two, they would be a gain of 2 with a standard error of 1.4."""
    features, labels, groups = data(wrong=1)
    features[1], labels[1], groups[1] = features[0], labels[0], groups[0]
    said = []
    selection = select(features, labels, groups, lambda *_: 1 / 0, say=said.append)
    assert not selection.is_fine_tuned and "wrong for 2" in selection.choice


def test_the_folds_are_fewer_only_where_each_class_has_rows_enough():
    assert number_of_folds(np.repeat([0, 1], 101)) == 2
    assert number_of_folds(np.repeat([0, 1], [1000, 100])) == 3
    assert number_of_folds(np.repeat(np.arange(60), 5)) == 3


def test_copies_do_not_make_the_probe_look_better_than_it_is():
    """Of noise, a probe knows the copies of its training rows and nothing else."""
    rng = np.random.default_rng(0)
    features = np.tile(rng.normal(size=(60, 300)), (2, 1))
    labels, groups = np.tile(np.arange(60) % 2, 2), np.tile(np.arange(60), 2)
    seen, unseen = (
        train_classifier(features, labels, groups=each).cross_validated_accuracy_
        for each in (None, groups)
    )
    assert seen > 0.8 and 0.3 < unseen < 0.7
    named = train_classifier(features, labels, groups=[f"dog {n:02}" for n in groups])
    assert named.cross_validated_accuracy_ == unseen


def test_groups_of_another_length_are_refused():
    with pytest.raises(UserInputError, match="groups of shape"):
        train_classifier(np.eye(4), [0, 1, 0, 1], groups=[1, 2, 3])


def test_without_fine_tuning_the_probe_is_cross_validated_all_the_same():
    said = []
    selection = select(*data(4), None, say=said.append)
    assert selection.probe == pytest.approx(0.9) and said[1:] == [selection.choice]
    assert selection.choice == "Only the linear probe was trained."


def test_copies_of_one_picture_per_class_are_refused():
    features, labels, _ = data(0)
    with pytest.raises(UserInputError, match="Add different ones"):
        select(features, labels, labels, None)


@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9)), min_size=2, max_size=60),
    st.integers(2, 3),
)
def test_folds_keep_groups_together_and_every_class_in_training(rows, count):
    labels = np.array([label for label, _ in rows])
    labels = np.unique(labels, return_inverse=True)[1]
    groups = 10 * labels + np.array([group for _, group in rows])
    folds = group_folds(labels, groups, count)
    several = [
        len(np.unique(groups[labels == label])) > 1 for label in np.unique(labels)
    ]
    held_out = np.concatenate([np.zeros(0, int), *(held for _, held in folds)])
    assert (
        np.sort(held_out).tolist() == np.flatnonzero(np.array(several)[labels]).tolist()
    )
    for train, held in folds:
        assert not set(groups[train]) & set(groups[held])
        assert set(labels[train]) == set(labels)
        assert np.sort(np.append(train, held)).tolist() == list(range(len(rows)))


def test_folds_are_stratified_and_depend_on_the_seed():
    labels = np.repeat([0, 1], [30, 12])
    folds = [group_folds(labels, np.arange(42), 3, seed) for seed in (0, 0, 1)]
    for _, held in folds[0]:
        assert np.bincount(labels[held]).tolist() == [10, 4]
    first, again, other = (one[0][1].tolist() for one in folds)
    assert first == again != other
