"""A disk that is full, really: a sentence, nothing half written, what was there stays, and with room it goes on."""

import json
import os
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from small_disk import SmallDisk, cannot_be_made
from test_exporting import CARD_OF_SHADES, NAMES, some_shades

import tlcourse as tl
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import TLCourseError
from tlcourse.exercises.progress import Progress
from tlcourse.features import cache
from tlcourse.features.cache import CacheWarning, RowCache
from tlcourse.scale import training
from tlcourse.scale.rank import JOB
from tlcourse.training.checkpoint import Checkpoint

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "benchmarks"))
import records  # noqa: E402

ROW = np.arange(25_000, dtype=np.float32)  # 100 kB
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
    with RowCache("network", ROW.shape, ROW.dtype) as store:
        store.put({bytes([number]) * 20: ROW + number for number in numbers})


def found(numbers):
    """The numbers whose rows are there, and right."""
    with RowCache("network", ROW.shape, ROW.dtype) as store:
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
    with pytest.warns(
        CacheWarning, match="cannot be used .*full.* Results are right all the same"
    ):
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


def test_features_are_the_same_with_a_cache_that_is_full(
    cache_on_disk, bundled_model, photographs
):
    cache_on_disk.fill()
    with pytest.warns(CacheWarning):
        here = bundled_model.extract_features(photographs)
    assert np.array_equal(
        here, bundled_model.extract_features(photographs, cache=False)
    )


def test_a_state_that_does_not_fit_is_said_and_the_one_before_it_stays(cache_on_disk):
    kept = Checkpoint(
        cache_on_disk.path / "cache" / "tlcourse-cache" / "training" / "state.npz"
    )
    kept.write({"weights": ROW})
    with pytest.warns(CacheWarning, match=FULL):
        kept.write({"weights": np.zeros(1_000_000)})
    assert np.array_equal(kept.read()["weights"], ROW) and visible(
        kept.path.parent
    ) == ["state.npz"]
    cache_on_disk.grow()
    kept.write({"weights": np.zeros(1_000_000)})
    assert kept.read()["weights"].shape == (1_000_000,)


# What is written for others


@pytest.fixture(scope="module")
def shades():
    splits = [
        Split(*some_shades(count, seed), NAMES) for seed, count in enumerate((4, 2, 3))
    ]
    return Dataset("shades", *splits, NAMES, CARD_OF_SHADES)


@pytest.fixture(scope="module")
def trained(shades):
    return tl.train_network(shades.train.images, shades.train.labels, NAMES, steps=2)


SLOW_ROOMS = [
    pytest.param(room, marks=pytest.mark.slow)
    for room in (60_000, 140_000, 235_000, 255_000)
]


@pytest.mark.parametrize("room", [0, *SLOW_ROOMS], ids="{:,} bytes left".format)
def test_an_export_that_does_not_fit_leaves_nothing(disk, trained, shades, room):
    disk.fill(leaving=room)
    with pytest.raises(
        TLCourseError,
        match=f"could not be written to .*{FULL}.* Make room, or choose another folder",
    ):
        tl.export(trained, disk.path / "mine", shades)
    assert visible(disk.path) == []
    disk.grow()
    assert tl.export(trained, disk.path / "mine", shades).record["classes"] == [0, 1, 2]


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


def test_progress_that_does_not_fit_is_said_and_the_earlier_stays(disk, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(disk.path / "progress.json"))
    tl.check("0.1", 1)
    disk.fill()
    with pytest.warns(
        UserWarning, match=f"Your progress could not be kept in .*{FULL}"
    ):
        tl.check("0.1", 2)
    assert Progress.read().tries == {"0.1": 1}
    disk.grow()
    tl.check("0.1", 2)
    assert Progress.read().tries == {"0.1": 2}


# Past one machine


def small_network():
    import keras

    return keras.Sequential(
        [keras.Input((1000,)), keras.layers.Dense(2, activation="softmax")]
    )


def test_a_training_for_many_machines_that_does_not_fit_is_begun_again_in_the_same_folder(
    disk, bundled_model
):
    network, inputs, labels = (
        small_network(),
        np.zeros((400, 1000), np.float32),
        np.arange(400) % 2,
    )
    for room in (0, 1_000_000, 1_900_000):
        disk.fill(leaving=room)
        with pytest.raises(
            TLCourseError, match=f"could not be written to .*{FULL}.* Make room there"
        ):
            training._prepare(
                disk.path / "out",
                network,
                np.tile(inputs, (2, 1)),
                labels,
                {"epochs": 1},
            )
        disk.grow(2)
    disk.grow()
    training._prepare(disk.path / "out", network, inputs, labels, {"epochs": 1})
    assert visible(disk.path / "out") == [
        "inputs.npy",
        JOB,
        "labels.npy",
        "network.keras",
    ]


@pytest.mark.slow
def test_shards_that_do_not_fit_are_said_and_those_that_did_stay(disk, tmp_path):
    from dask_engines import MeanColour
    from PIL import Image

    from tlcourse.scale import compute

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
        compute(engine, tmp_path / "pictures", (8, 8), out=out)
    disk.grow()
    shards = compute(engine, tmp_path / "pictures", (8, 8), out=out)
    assert np.array_equal(shards.features[:, 0], np.arange(70)) and not list(
        out.glob(".*")
    )


def test_temporary_files_that_do_not_fit_are_said(
    disk, trained, shades, tmp_path, monkeypatch
):
    """Conversions need a little room in TMPDIR."""
    monkeypatch.setattr("tempfile.tempdir", str(disk.path))
    monkeypatch.setenv("TMPDIR", str(disk.path))
    disk.fill()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CacheWarning)
        try:
            tl.export(trained, tmp_path / "mine", shades)
        except TLCourseError as error:
            assert "Make room" in str(error) and os.listdir(tmp_path) == ["small disk"]
