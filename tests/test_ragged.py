"""Rows of different lengths: each part is what was put in, and padding is zeros behind it."""

import numpy as np
import pytest

from tlcourse.features import rows
from tlcourse.features.ragged import Ragged
from tlcourse.features.rows import Rows

LENGTHS = [3, 1, 0, 4]


@pytest.fixture
def parts():
    """Arrays (tokens, 2), no number in them 0."""
    return [
        np.arange(1, 2 * length + 1, dtype=np.float32).reshape(length, 2) + 10 * length
        for length in LENGTHS
    ]


@pytest.fixture
def ragged(parts):
    return Ragged(np.concatenate(parts), LENGTHS)


# Parts


def test_each_part_is_what_was_put_in(ragged, parts):
    assert len(ragged) == 4
    assert all(
        np.array_equal(found, part) for found, part in zip(ragged, parts, strict=True)
    )


def test_places_count_from_the_end_too(ragged, parts):
    assert np.array_equal(ragged[-1], parts[-1])


def test_a_slice_is_a_list_of_parts(ragged, parts):
    found = ragged[1::2]
    assert isinstance(found, list)
    assert all(np.array_equal(*pair) for pair in zip(found, parts[1::2], strict=True))


@pytest.mark.parametrize("place", [4, -5])
def test_there_is_nothing_behind_the_last_part(ragged, place):
    with pytest.raises(IndexError):
        ragged[place]


def test_a_number_of_numpy_is_a_place(ragged, parts):
    assert np.array_equal(ragged[np.int64(3)], parts[3])


def test_without_parts_there_is_nothing():
    assert list(Ragged(np.zeros((0, 2)), [])) == []


# Padding


def test_padded_to_the_longest_of_those_asked_for(ragged):
    assert ragged.padded([0, 1]).shape == (2, 3, 2)


def test_padding_is_zeros_behind_each_part(ragged, parts):
    padded = ragged.padded([3, 1, 2])
    for row, part in zip(padded, [parts[3], parts[1], parts[2]], strict=True):
        assert np.array_equal(row[: len(part)], part) and not row[len(part) :].any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32])
def test_padding_keeps_the_type(dtype):
    assert Ragged(np.ones(3, dtype), [1, 2]).padded([0, 1]).dtype == dtype


# Rows, in memory and in a file


def collected(parts):
    found = Rows((2,), np.float32)
    for part in parts:
        found.append(part)
    return found


def test_small_results_stay_in_memory(parts):
    found = collected(parts).array()
    assert not isinstance(found, np.memmap) and np.array_equal(
        found, np.concatenate(parts)
    )


def test_large_results_go_to_a_file_and_are_the_same(parts, monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 20)
    found = collected(parts)
    assert len(found) == 8
    assert isinstance(found.array(), np.memmap) and np.array_equal(
        found.array(), np.concatenate(parts)
    )


def test_the_file_has_no_name(parts, monkeypatch, tmp_path):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(rows, "LARGE", 20)
    found = collected(parts)
    assert len(found) == 8 and list(tmp_path.iterdir()) == []


def test_without_rows_there_is_an_empty_array():
    assert Rows((3,), np.float16).array().shape == (0, 3)


def test_rows_are_kept_in_the_type_asked_for():
    found = Rows((), np.float16)
    found.append(np.float32([1, 2]))
    assert found.array().dtype == np.float16


def test_parts_in_a_file_are_read_and_padded_like_any(parts, monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 20)
    on_disk, in_memory = (
        Ragged(collected(parts).array(), LENGTHS),
        Ragged(np.concatenate(parts), LENGTHS),
    )
    assert isinstance(on_disk.values, np.memmap)
    assert np.array_equal(on_disk.padded(range(4)), in_memory.padded(range(4)))
