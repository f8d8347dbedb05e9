"""A disk that is full, really: a sentence, nothing half written, what was there stays, and with room it goes on."""

import sys
from pathlib import Path

import numpy as np
import pytest
from small_disk import SmallDisk, cannot_be_made

from tlcourse.features import cache
from tlcourse.features.cache import CacheWarning, RowCache

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))

ROW = np.arange(25_000, dtype=np.float32)  # 100 kB
NAME = f"network-{'0' * 20}"
FULL = "No space left on device"


@pytest.fixture
def disk(tmp_path):
    """A disk of 2 MB."""
    try:
        small = SmallDisk(tmp_path / "small disk", 2000)
    except (OSError, FileNotFoundError) as error:
        cannot_be_made(str(error))
    yield small
    small.unmount()


@pytest.fixture
def cache_on_disk(disk, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(disk.path / "cache"))
    return disk


def put(numbers):
    with RowCache(NAME, ROW.shape, ROW.dtype) as store:
        store.put({bytes([number]) * 20: ROW + number for number in numbers})


def found(numbers):
    """The numbers whose rows are there, and right."""
    with RowCache(NAME, ROW.shape, ROW.dtype) as store:
        rows = store.get([bytes([number]) * 20 for number in numbers])
    return [
        number
        for number in numbers
        if np.array_equal(rows.get(bytes([number]) * 20), ROW + number)
    ]


def visible(folder):
    return sorted(path.name for path in folder.rglob("*") if path.name != "ballast")


# The cache


def test_rows_that_do_not_fit_are_done_without_and_the_earlier_ones_stay(cache_on_disk):
    put([1])
    with pytest.warns(CacheWarning, match="cannot be used .*full.* Results are right"):
        put(range(2, 40))
    assert found(range(40)) == [1]
    cache_on_disk.grow()
    put(range(2, 40))
    assert found(range(1, 40)) == list(range(1, 40))


def test_clearing_the_cache_makes_room_on_a_disk_without_any(cache_on_disk):
    put(range(10))
    cache_on_disk.fill()
    assert cache_on_disk.free() == 0
    assert cache.clear() > 900_000 and cache_on_disk.free() > 900_000
    put([1])
    assert found([1]) == [1]


# Past one machine
