"""The confusion matrix, Wilson's interval and the one-standard-error rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tlcourse.errors import UserInputError
from tlcourse.training.evaluation import ConfusionMatrix, interval, paired_gain

NAMES = ["pug", "beagle", "collie"]


def test_rows_are_true_classes_and_columns_predicted_ones():
    true, predicted = [0, 0, 0, 0, 1, 1, 1, 2], [0, 0, 1, 2, 1, 0, 0, 2]
    matrix = ConfusionMatrix.of(true, predicted, NAMES)
    assert matrix.counts.tolist() == [[2, 1, 1], [2, 1, 0], [0, 0, 1]]
    assert matrix.accuracy == 0.5


@pytest.mark.parametrize(
    ("labels", "predicted"),
    [
        ([0, 1], [0]),
        ([], []),
        ([0, 3], [0, 1]),
        ([1, 1], [-1, 0]),
        (["pug"], ["pug"]),
        ([0.0], [0.0]),
    ],
)
def test_what_are_no_pairs_of_positions_is_refused(labels, predicted):
    with pytest.raises(UserInputError, match="predictions"):
        ConfusionMatrix.of(labels, predicted, NAMES)


@pytest.mark.parametrize(
    ("right", "of", "expected"),
    [
        (226, 244, (0.8865, 0.9530)),
        (0, 10, (0.0, 0.2775)),
        (10, 10, (0.7225, 1.0)),
        (1, 1, (0.2065, 1.0)),
    ],
)
def test_the_interval_is_wilsons(right, of, expected):
    """By the formula in Wilson's paper, worked out by hand."""
    z, share = 1.959964, right / of
    half = z * np.sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    ends = share + z * z / (2 * of) + np.array([-half, half])
    assert interval(right, of) == pytest.approx(ends / (1 + z * z / of), abs=1e-4)
    assert interval(right, of) == pytest.approx(expected, abs=1e-3)


# One standard error


def test_copies_are_right_or_wrong_together():
    before, after = np.zeros(4, bool), np.array([True, True, False, False])
    assert paired_gain(before, after).exceeds_one_standard_error
    gain = paired_gain(before, after, groups=["a", "a", "b", "c"])
    assert gain == (4, 2, 2.0) and not gain.exceeds_one_standard_error


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=200))
def test_the_standard_error_is_that_of_the_paired_differences(pairs):
    simpler, other = np.array(pairs).T
    gain, differences = paired_gain(simpler, other), other.astype(int) - simpler
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    assert gain.net == differences.sum()
    if not np.isclose(differences.mean(), error):  # at the border rounding would decide
        assert gain.exceeds_one_standard_error == (differences.mean() > error)
