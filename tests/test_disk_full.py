"""A disk that is full, really: a sentence, nothing half written, what was there stays, and with room it goes on."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from small_disk import SmallDisk, cannot_be_made

from tlcourse.errors import TLCourseError
from tlcourse.features import cache
from tlcourse.features.cache import CacheWarning, RowCache

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import records  # noqa: E402

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


# What is kept of work


def test_measured_results_that_do_not_fit_leave_the_file_as_it_was_and_are_printed(
    disk,
):
    file = disk.path / "results.json"
    records.write({"demo": 1}, file)
    disk.fill()
    with pytest.raises(
        SystemExit, match=f'(?s)"solar": "xx.*{FULL}.* is as it was.* make room'
    ):
        records.write({"solar": "x" * 100_000}, file)
    assert json.loads(file.read_text()) == {"demo": 1} and visible(disk.path) == [
        "results.json"
    ]


# Past one machine


@pytest.mark.slow
def test_shards_that_do_not_fit_are_said_and_those_that_did_stay(disk, tmp_path):
    from dask_engines import MeanColour
    from PIL import Image

    from tlcourse.distributed import compute_features

    (tmp_path / "pictures").mkdir()
    for number in range(70):
        Image.fromarray(np.full((9, 7, 3), number, np.uint8)).save(
            tmp_path / "pictures" / f"{number:02}.png"
        )
    engine, out = MeanColour(tmp_path / "diary"), disk.path / "out"
    disk.fill(leaving=12_000)
    with pytest.raises(
        TLCourseError, match=f"cannot (write|be written) to .*{FULL}.* Make room"
    ):
        compute_features(engine, tmp_path / "pictures", (8, 8), out=out)
    disk.grow()
    shards = compute_features(engine, tmp_path / "pictures", (8, 8), out=out)
    assert np.array_equal(shards.features[:, 0], np.arange(70)) and not list(
        out.glob(".*")
    )
