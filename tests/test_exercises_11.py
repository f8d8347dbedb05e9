"""The checks of lesson 11: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

MEASURED = {
    "dask_1": {"pictures_per_second": 50.0},
    "dask_2": {"pictures_per_second": 80.0},
    "bytes_a_picture": 3000,
    "file_bytes_a_picture": 30_000,
}
HOURS = 100e6 / (50 * 80) / 3600


@pytest.mark.parametrize("answer", [HOURS, 6.94, 7])
def test_11_1_right(answer):
    assert_right(
        check("11.1", answer, MEASURED), "6.9 hours on 50 machines", "347 machine-hours"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (HOURS * 50, "Those are the machine-hours"),
        (HOURS * 3600, "Those are seconds"),
        (HOURS * 60, "Those are minutes"),
        (HOURS / 2, "do not count them twice"),
        (HOURS * 80 / 50, "with one worker a machine"),
        (1000, "One machine does 80 pictures a second"),
        (0, "a number of hours is above 0"),
        ("many", "you gave 'many'; expected a number of hours"),
        (HOURS + 0.9, "One machine does 80 pictures a second"),
        (HOURS - 0.9, "One machine does 80 pictures a second"),
        (-HOURS, "a number of hours is above 0"),
        ([HOURS], "an array of shape (1,)"),
    ],
)
def test_11_1_wrong(answer, words):
    assert_wrong(check("11.1", answer, MEASURED), words)


def test_11_1_odd_answers():
    assert_right(check("11.1", np.array(np.float32(HOURS)), MEASURED))
    assert_odd_answers_are_refused(
        "11.1", MEASURED, others=[100e6, 50, 80, "7", {"hours": HOURS}]
    )
    for measured in (
        None,
        {},
        80,
        {"dask_2": {"pictures_per_second": 0}},
        {"dask_2": {"pictures_per_second": None}},
    ):
        assert_wrong(check("11.1", HOURS, measured), "cannot read")


def test_11_2_right():
    assert_right(check("11.2", 0.3, MEASURED), "0.30 TB", "3.0 TB of the pictures")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (3.0, "the pictures' own files"),
        (0.512, "what they take in memory"),
        (300, "but for the unit"),
        (300_000, "but for the unit"),
        (7, "Pictures times bytes a picture"),
        (-1, "a number of terabytes is above 0"),
        (0.3 + 0.9, "Pictures times bytes a picture"),
        (3000, "Pictures times bytes a picture"),
        (100e6 * 3000, "Pictures times bytes a picture"),
        ("0.3", "expected a number of terabytes"),
    ],
)
def test_11_2_wrong(answer, words):
    assert_wrong(check("11.2", answer, MEASURED), words)


def test_11_2_odd_answers():
    assert_right(check("11.2", np.float32(0.3), MEASURED))
    assert_odd_answers_are_refused(
        "11.2", MEASURED, others=[0.273, 0.31, 0.29, [0.3], {"terabytes": 0.3}]
    )


FEATURES = np.ones((6, 3), np.float32)
FEATURES[[1, 4]] = np.nan
USABLE = np.array([True, False, True, True, False, True])


def test_11_3_right():
    assert_right(
        check("11.3", USABLE, FEATURES), "4 of 6 rows", "its neighbour's label"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (~USABLE, "the other way round"),
        (np.flatnonzero(USABLE), "as numbers"),
        (np.isfinite(FEATURES), "One for each row"),
        (np.ones(6, bool), "Not all of them"),
        (np.array([True, True, True, True, False, True]), "1 rows are marked wrongly"),
        (FEATURES[USABLE], "expected True or False for each of the 6 rows"),
        (USABLE.astype(int), "expected True or False for each of the 6 rows"),
        (USABLE[:5], "expected True or False for each of the 6 rows"),
        (USABLE[:, None], "expected True or False for each of the 6 rows"),
        (USABLE.astype(object), "expected an array of True and False"),
        (USABLE.astype(str), "expected an array of True and False"),
        (np.zeros(6, bool), "4 rows are marked wrongly"),
        (np.roll(USABLE, 1), "rows are marked wrongly"),
        (
            np.isfinite(FEATURES).any(axis=0),
            "expected True or False for each of the 6 rows",
        ),
    ],
)
def test_11_3_wrong(answer, words):
    assert_wrong(check("11.3", answer, FEATURES), words)


def test_11_3_odd_answers():
    assert_right(check("11.3", USABLE.tolist(), FEATURES))
    assert_odd_answers_are_refused(
        "11.3", FEATURES, others=[4, 0.5, FEATURES, {"usable": USABLE}, [USABLE]]
    )


def test_11_3_features_without_a_row_of_nan():
    clean = FEATURES[USABLE]
    assert_wrong(check("11.3", np.ones(4, bool), clean), "holds no row of NaN any more")
    assert_wrong(check("11.3", USABLE, None), "cannot read")
