"""Results as rows: in memory or in a file, and parts of different lengths."""

import numpy as np
import pytest

from tlcourse.features import compute
from tlcourse.features.compute import RowCollector
from tlcourse.features.text import Ragged

LENGTHS = [3, 1, 0, 4]
PARTS = np.split(np.arange(16, dtype=np.float32).reshape(8, 2), np.cumsum(LENGTHS)[:-1])


@pytest.mark.parametrize("is_large", [False, True])
def test_rows_come_back_as_they_were_appended(is_large, monkeypatch, tmp_path):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(compute, "LARGE", 20 if is_large else 1000)
    result = RowCollector((2,), np.float32)
    for part in PARTS:
        result.append(part)
    assert isinstance(result.array(), np.memmap) == is_large
    assert np.array_equal(result.array(), np.concatenate(PARTS))


def test_parts_are_those_that_were_put_together():
    ragged = Ragged(np.concatenate(PARTS), LENGTHS)
    assert len(ragged) == 4
    assert all(map(np.array_equal, ragged, PARTS))
    assert all(map(np.array_equal, ragged[1:3], PARTS[1:3]))
    assert np.array_equal(ragged[-1], PARTS[-1])
    with pytest.raises(IndexError):
        ragged[4]


def test_parts_are_padded_with_zeros_to_the_longest_of_them():
    ragged = Ragged(np.concatenate(PARTS), LENGTHS)
    padded = ragged.padded([1, 0])
    assert padded.shape == (2, 3, 2) and padded.dtype == np.float32
    assert np.array_equal(padded[0, :1], PARTS[1]) and not padded[0, 1:].any()
    assert np.array_equal(padded[1], PARTS[0])
