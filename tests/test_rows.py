"""Results as rows: in memory or in a file, and parts of different lengths."""

import numpy as np
import pytest

from tlcourse.features import compute
from tlcourse.features.compute import RowCollector
from tlcourse.features.text import padded

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


def test_parts_are_padded_with_zeros_to_the_longest_of_them():
    result = padded([PARTS[1], PARTS[0]])
    assert result.shape == (2, 3, 2) and result.dtype == np.float32
    assert np.array_equal(result[0, :1], PARTS[1]) and not result[0, 1:].any()
    assert np.array_equal(result[1], PARTS[0])
