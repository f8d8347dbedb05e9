"""What comes out of the cache is what was put in, or nothing, whatever happened."""

import os
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import closing

import numpy as np
import pytest

from tlcourse.features import cache
from tlcourse.features.cache import RowCache, clear, contents, make_room
from tlcourse.folders import make_cache_folder

KEYS = [bytes([number]) * 20 for number in range(6)]
ROWS = {key: np.full((2, 3), number, np.float32) for number, key in enumerate(KEYS)}
WHOLE = {key: float(number) for number, key in enumerate(KEYS)}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    for name in ("TLCOURSE_CACHE_GB", "TLCOURSE_SHARED_CACHE"):
        monkeypatch.delenv(name, raising=False)
    cache._warn_once.cache_clear()
    return make_cache_folder()


def named(name):
    return f"{name}-{'0' * 20}"


def fill(name="network", rows=ROWS):
    with RowCache(named(name), (2, 3), np.float32) as store:
        store.put(rows)
    return store.path


def kept(name="network", keys=KEYS):
    """Key → first number of the row, of all rows that the cache gives."""
    with RowCache(named(name), (2, 3), np.float32) as store:
        return {key: row[0, 0] for key, row in store.get(keys).items()}


def many(count):
    return {bytes([n]) * 20: np.full((2, 3), n, np.float32) for n in range(count)}


def change(path, statement, *values):
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(statement, values)
        connection.commit()


def test_an_altered_row_counts_as_absent_and_the_others_stay():
    altered = np.full((2, 3), 1.5, np.float32).tobytes()
    change(fill(), "UPDATE rows SET value = ? WHERE key = ?", altered, KEYS[1])
    assert kept() == {key: value for key, value in WHOLE.items() if key != KEYS[1]}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9])
def test_a_file_cut_short_gives_no_wrong_row_and_can_be_used_again(share):
    path = fill(rows=many(200))
    os.truncate(path, int(path.stat().st_size * share))
    assert all(WHOLE[key] == value for key, value in kept().items())
    fill()
    assert kept() == WHOLE


@pytest.mark.filterwarnings("ignore::tlcourse.features.cache.CacheWarning")
def test_no_altered_byte_anywhere_gives_a_wrong_row():
    path = fill()
    whole = path.read_bytes()
    for position in np.random.default_rng(0).choice(len(whole), 60, replace=False):
        altered = bytearray(whole)
        altered[position] ^= 0xFF
        path.write_bytes(altered)
        assert all(WHOLE[key] == value for key, value in kept().items()), position
        path.unlink(missing_ok=True)


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0,
    reason="nothing is read-only for root",
)
def test_a_read_only_cache_is_read_from_and_silently_not_written_to():
    path = fill(rows={KEYS[0]: ROWS[KEYS[0]]})
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fill()
            assert kept() == {KEYS[0]: 0.0}
    finally:
        path.parent.chmod(0o755)


@pytest.fixture
def shared(folder, monkeypatch):
    """A common cache with all rows in it; the user's own is empty."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder / "common"))
    path = fill()
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder / "own"))
    monkeypatch.setenv("TLCOURSE_SHARED_CACHE", str(folder / "common"))
    return path


def test_rows_that_the_own_cache_lacks_come_from_the_common_one(shared):
    fill(rows={KEYS[0]: np.full((2, 3), 9, np.float32)})
    assert kept() == {**WHOLE, KEYS[0]: 9.0}


TOGETHER = """
import sys, numpy as np
from tlcourse.features.cache import RowCache
own = int(sys.argv[1])
for turn in range(20):
    with RowCache("network-" + "0" * 20, (2, 3), np.float32) as store:
        keys = [bytes([own, turn, n]) for n in range(10)]
        store.put({key: np.full((2, 3), own, np.float32) for key in keys})
        assert len(store.get(keys)) == 10
"""


def test_two_processes_at_once_lose_nothing():
    command = [sys.executable, "-W", "error", "-c", TOGETHER]
    running = [subprocess.Popen([*command, str(own)]) for own in (1, 2)]
    assert [process.wait(timeout=300) for process in running] == [0, 0]
    for own in (1, 2):
        keys = [bytes([own, turn, n]) for turn in range(20) for n in range(10)]
        assert kept(keys=keys) == dict.fromkeys(keys, float(own))


def test_a_cache_that_another_process_clears_meanwhile_goes_on():
    with RowCache(named("network"), (2, 3), np.float32) as store:
        store.put(ROWS)
        clear()
        store.put(ROWS)
    assert kept() == WHOLE


def size():
    return sum(size for _, size in contents())


def test_what_was_not_used_for_longest_is_emptied_first():
    names = ["old", "middle", "new"]
    paths = [fill(name, many(250)) for name in names]
    for age, path in enumerate(reversed(paths)):
        os.utime(path, (1e9 - age, 1e9 - age))
    make_room(paths[1].stat().st_size + paths[2].stat().st_size)
    assert [len(kept(name, many(250))) for name in names] == [0, 250, 250]


def test_the_file_in_use_is_not_emptied_for_one_dated_later(monkeypatch):
    other = fill("other", many(250))
    os.utime(other, (time.time() + 30,) * 2)  # a file server's clock is ahead
    monkeypatch.setenv("TLCOURSE_CACHE_GB", str(other.stat().st_size * 1.5 / 1e9))
    fill("network", many(250))
    assert len(kept("network", many(250))) == 250


def test_what_does_not_fit_into_the_limit_is_not_kept(monkeypatch):
    fill()
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0.000013")
    fill(rows=many(250))
    assert kept(keys=list(many(250))) == WHOLE


def test_a_limit_of_0_means_no_cache(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0")
    fill()
    assert not (folder / "features").exists()


def test_clearing_empties_everything_and_tells_how_much():
    fill("one", many(250)), fill("two", many(250))
    before = size()
    assert clear() == before - size() > 0
    assert kept("one", many(250)) == kept("two", many(250)) == {}
