"""A clock that was put back, or was never set: nothing is lost, no time is negative, and what cannot be is said."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

import tlcourse as tl
from tlcourse import folders
from tlcourse.errors import TLCourseError
from tlcourse.exercises.progress import Progress
from tlcourse.features import cache
from tlcourse.features.cache import RowCache

PACKAGE = Path(tl.__file__).parent
DIGEST = "0" * 20
YEAR = 365 * 24 * 3600
# Dates of files, and the clock itself.
MAY_READ_IT = {"features/cache.py", "files.py", "folders.py"}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def clock(monkeypatch):
    """`clock(seconds)` moves this process's clock."""
    real = time.time

    def move(seconds):
        monkeypatch.setattr(time, "time", lambda: real() + seconds)

    return move


def fill(name, megabytes=1):
    name = f"{name}-{DIGEST}"
    with RowCache(name, (megabytes * 250_000,), np.float32) as rows:
        rows.put({b"k" * 20: np.ones(megabytes * 250_000, np.float32)})
    return folder_of(name)


def folder_of(name):
    return folders.cache_folder() / "features" / f"{name}.sqlite"


def test_what_is_dated_in_the_future_makes_room_first(folder):
    ahead, now = fill("ahead"), fill("now")
    os.utime(ahead, (time.time() + YEAR,) * 2)
    assert [path.stem for path, _ in cache.contents()] == [
        f"now-{DIGEST}",
        f"ahead-{DIGEST}",
    ]
    cache.make_room(1_500_000)
    assert (ahead.stat().st_size < 100_000, now.stat().st_size > 1_000_000) == (
        True,
        True,
    )


def test_what_is_used_after_the_clock_was_put_back_counts_as_used_now(folder):
    for name in ("again", "never again"):
        os.utime(fill(name), (time.time() + YEAR,) * 2)
    fill("again")
    assert [path.stem for path, _ in cache.contents()] == [
        f"again-{DIGEST}",
        f"never again-{DIGEST}",
    ]


def test_rows_states_and_progress_are_found_after_the_clock_was_put_back(
    folder, clock, tmp_path, monkeypatch
):
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    fill("network")
    state = folder / "training" / f"state-{DIGEST}"

    def keep(array):
        cache.keep(state, lambda file: np.save(file, array), array.nbytes)

    keep(np.ones(3))
    tl.check("0.1", "nothing")
    clock(-40 * YEAR)
    with RowCache(f"network-{DIGEST}", (250_000,), np.float32) as rows:
        assert rows.get([b"k" * 20])[b"k" * 20].sum() == 250_000
    assert np.load(state).sum() == 3
    keep(np.zeros(3))
    tl.check("0.1", "nothing")
    assert np.load(state).sum() == 0 and Progress.read().tries == {"0.1": 2}


def test_durations_are_never_taken_from_the_clock():
    readers = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "time.time(" in path.read_text("utf-8")
        or "datetime" in path.read_text("utf-8")
    }
    assert readers <= MAY_READ_IT


def test_a_clock_before_1980_is_said_before_the_work(clock, tmp_path):
    clock(-time.time() + 1000)
    with pytest.raises(TLCourseError, match="clock is before 1980"):
        folders.check_output_folder(tmp_path / "mine")
    assert list(tmp_path.iterdir()) == []
