"""The cache can be trusted: what comes out is what was put in, or nothing, whatever happened to its files."""

import os
import sqlite3
import subprocess
import sys
import warnings

import numpy as np
import pytest

from tlcourse.features import cache
from tlcourse.features.cache import CacheWarning, RowCache
from tlcourse.folders import make_cache_folder

KEYS = [bytes([number]) * 20 for number in range(6)]
STATE = f"network-{'0' * 24}.npz"
ROWS = {key: np.full((2, 3), number, np.float32) for number, key in enumerate(KEYS)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    return make_cache_folder()


def rows(name="network"):
    return RowCache(name, (2, 3), np.float32)


def fill(name="network", content=ROWS):
    with rows(name) as store:
        store.put(content)
    return store.path


def found(name="network"):
    """Key → first number of the row, of all rows that the cache gives."""
    with rows(name) as store:
        return {key: row[0, 0] for key, row in store.get(KEYS).items()}


WHOLE = {key: float(number) for number, key in enumerate(KEYS)}


def test_rows_come_back_as_they_were_put(folder):
    fill()
    with rows() as store:
        back = store.get(KEYS)
    assert all(
        np.array_equal(back[key], ROWS[key]) and back[key].dtype == np.float32
        for key in KEYS
    )


def test_unknown_keys_are_left_out(folder):
    fill(content={KEYS[0]: ROWS[KEYS[0]]})
    assert found() == {KEYS[0]: 0.0}


def test_a_row_put_twice_is_the_later_one(folder):
    fill()
    fill(content={KEYS[0]: np.full((2, 3), 9, np.float32)})
    assert found()[KEYS[0]] == 9


def test_other_names_have_other_rows(folder):
    fill("one")
    assert found("another") == {}


def test_an_altered_row_counts_as_absent_and_the_others_stay(folder):
    path = fill()
    with sqlite3.connect(path) as connection:
        altered = np.full((2, 3), 1.5, np.float32).tobytes()
        connection.execute(
            "UPDATE rows SET value = ? WHERE key = ?", (altered, KEYS[1])
        )
    assert found() == {key: value for key, value in WHOLE.items() if key != KEYS[1]}


def test_a_row_under_anothers_key_counts_as_absent(folder):
    path = fill(content={KEYS[0]: ROWS[KEYS[0]]})
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE rows SET key = ?", (KEYS[1],))
    assert found() == {}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 0.9])
def test_a_file_cut_short_gives_no_wrong_row_and_can_be_used_again(folder, share):
    path = fill(
        content={bytes([n]) * 20: np.full((2, 3), n, np.float32) for n in range(200)}
    )
    os.truncate(path, int(path.stat().st_size * share))
    assert all(WHOLE[key] == value for key, value in found().items())
    fill()
    assert found() == WHOLE


def test_no_altered_byte_anywhere_gives_a_wrong_row(folder):
    path = fill()
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for position in rng.choice(len(whole), 60, replace=False):
        path.write_bytes(
            whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :]
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CacheWarning)
            assert all(WHOLE[key] == value for key, value in found().items()), position
        path.unlink(missing_ok=True)


def test_a_file_that_is_no_database_is_begun_anew(folder):
    path = fill()
    path.write_bytes(b"Dear Sir or Madam, " * 500)
    assert found() == {}
    fill()
    assert found() == WHOLE


def test_rows_of_another_format_are_not_read(folder):
    path = fill()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    assert found() == {}


def test_a_folder_that_cannot_be_made_is_done_without_and_said(folder, monkeypatch):
    (folder / "file").write_text("in the way")
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder / "file"))
    with pytest.warns(
        CacheWarning, match="cannot be used .* Results are right all the same"
    ):
        with rows() as store:
            store.put(ROWS)
            assert store.get(KEYS) == {}


def test_a_full_disk_is_done_without_and_said(folder, monkeypatch):
    def full(self, content):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(RowCache, "_write", full)
    with pytest.warns(CacheWarning, match="database or disk is full"):
        fill()


@pytest.mark.skipif(
    os.geteuid() == 0 if hasattr(os, "geteuid") else True,
    reason="nothing is read-only for root",
)
def test_a_read_only_cache_is_read_from_and_silently_not_written_to(folder):
    path = fill(content={KEYS[0]: ROWS[KEYS[0]]})
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            fill()
            assert found() == {KEYS[0]: 0.0}
    finally:
        path.parent.chmod(0o755)


@pytest.fixture
def shared(folder, monkeypatch):
    """A class's common cache, with all rows in it; the user's own is empty."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder / "common"))
    fill()
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder / "own"))
    monkeypatch.setenv("TLCOURSE_SHARED_CACHE", str(folder / "common"))
    return folder / "common" / "tlcourse-cache" / "features" / "network.sqlite"


def test_rows_that_the_own_cache_lacks_come_from_the_common_one(shared):
    fill(content={KEYS[0]: np.full((2, 3), 9, np.float32)})
    assert found() == {**WHOLE, KEYS[0]: 9.0}


def test_nothing_is_written_to_the_common_cache(shared):
    before = shared.read_bytes()
    fill(content={KEYS[0]: np.full((2, 3), 9, np.float32)})
    found()
    assert shared.read_bytes() == before and [
        path.name for path in shared.parent.iterdir()
    ] == ["network.sqlite"]


@pytest.mark.parametrize("content", [b"", b"no database", None])
def test_a_common_cache_that_cannot_be_read_is_done_without_and_left_as_it_is(
    shared, content
):
    shared.unlink()
    if content is not None:
        shared.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fill(content={KEYS[0]: ROWS[KEYS[0]]})
        assert found() == {KEYS[0]: 0.0}
    assert (shared.read_bytes() if shared.exists() else None) == content


def test_without_a_cache_the_common_one_is_not_read_either(shared, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0")
    assert found() == {}


def test_two_processes_at_once_lose_nothing(folder):
    program = (
        "import sys, numpy as np\n"
        "from tlcourse.features.cache import RowCache\n"
        "own = int(sys.argv[1])\n"
        "for round in range(20):\n"
        "    with RowCache('network', (2, 3), np.float32) as store:\n"
        "        keys = [bytes([own, round, n]) for n in range(10)]\n"
        "        store.put({key: np.full((2, 3), own, np.float32) for key in keys})\n"
        "        assert len(store.get(keys)) == 10\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, str(own)])
        for own in (1, 2)
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    with rows() as store:
        for own in (1, 2):
            keys = [bytes([own, turn, n]) for turn in range(20) for n in range(10)]
            assert {float(row[0, 0]) for row in store.get(keys).values()} == {
                float(own)
            }
            assert len(store.get(keys)) == len(keys)


def test_a_process_killed_in_the_middle_of_a_write_leaves_the_rows_before_it(folder):
    fill()
    program = (
        "import os, sqlite3, numpy as np\n"
        "from tlcourse.features.cache import RowCache\n"
        "store = RowCache('network', (2, 3), np.float32).__enter__()\n"
        "store._connection.execute('PRAGMA cache_spill = 1')\n"
        "store._connection.execute('PRAGMA cache_size = 1')\n"
        "store._connection.execute('BEGIN IMMEDIATE')\n"
        "store._connection.execute('UPDATE rows SET value = zeroblob(100000)')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == -9
    assert found() == WHOLE


# Its size


def test_the_contents_tell_sizes_with_the_last_used_first(folder):
    older, newer = fill("older"), fill("newer")
    os.utime(older, (1, 1))
    assert cache.contents() == [
        (newer, newer.stat().st_size),
        (older, older.stat().st_size),
    ]


def big(name):
    return fill(
        name, {bytes([n]) * 20: np.full((2, 3), n, np.float32) for n in range(250)}
    )


def test_what_was_not_used_for_longest_makes_room_first(folder):
    old, middle, new = big("old"), big("middle"), big("new")
    for age, path in enumerate((new, middle, old)):
        os.utime(path, (1e9 - age, 1e9 - age))
    cache.make_room(new.stat().st_size + middle.stat().st_size)
    assert [len(found_rows(name)) for name in ("old", "middle", "new")] == [0, 250, 250]


def found_rows(name):
    with rows(name) as store:
        return store.get(bytes([n]) * 20 for n in range(250))


def test_a_filled_cache_stays_within_its_limit(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0.0001")
    for number in range(5):
        big(f"network{number}")
    assert (
        sum(size for _, size in cache.contents()) <= 100_000 + 5 * 12_288
    )  # an emptied file keeps three pages


def test_one_file_alone_does_not_outgrow_the_limit(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0.00005")
    with rows() as store:
        for start in range(0, 200, 10):
            store.put(
                {
                    bytes([n]) * 20: np.full((2, 3), n, np.float32)
                    for n in range(start, start + 10)
                }
            )
    assert store.path.stat().st_size <= 60_000


def test_a_limit_of_0_means_no_cache(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0")
    fill()
    assert [path.name for path in folder.iterdir()] == ["CACHEDIR.TAG"]


def test_a_limit_that_is_no_number_is_said_and_the_default_used(monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "five")
    with pytest.warns(
        CacheWarning,
        match="TLCOURSE_CACHE_GB is 'five'; expected a number of gigabytes",
    ):
        assert cache.limit() == 5e9


@pytest.mark.parametrize("chosen", ["nan", "inf", "five"])
def test_the_warning_of_a_limit_that_is_no_number_stands_at_the_callers_line(
    folder, monkeypatch, chosen
):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", chosen)
    with pytest.warns(CacheWarning, match=f"TLCOURSE_CACHE_GB is '{chosen}'") as caught:
        assert cache.limit() == 5e9
        fill()
    assert {warning.filename for warning in caught} == {__file__}


@pytest.mark.parametrize(
    "empty_it", [cache.clear, lambda: cache.make_room(0)], ids=["clear", "make_room"]
)
def test_a_database_of_0_bytes_is_still_used_after_the_cache_was_emptied(
    folder, empty_it
):
    """A process that is killed before its first transaction leaves such a file."""
    name = f"network-{'0' * 20}"
    path = fill(name)
    path.write_bytes(b"")
    os.utime(path, (1, 1))
    fill("another")
    empty_it()
    fill(name)
    assert found(name) == WHOLE
    cache.clear()
    assert found(name) == {}


def test_clearing_empties_everything_and_tells_how_much(folder):
    big("one"), big("two")
    before = sum(size for _, size in cache.contents())
    freed = cache.clear()
    assert freed == before - sum(size for _, size in cache.contents()) > 0
    assert found_rows("one") == found_rows("two") == {}


def test_clearing_takes_nothing_away_under_a_process_that_goes_on(folder):
    with rows() as store:
        store.put(ROWS)
        cache.clear()
        assert store.get(KEYS) == {}
        store.put(ROWS)
    assert found() == WHOLE


def writing(content):
    return lambda file: file.write(content)


def test_a_file_kept_beside_the_rows_makes_room_for_itself(folder, monkeypatch):
    old = fill()
    os.utime(old, (1, 1))
    monkeypatch.setenv("TLCOURSE_CACHE_GB", str((old.stat().st_size - 1) / 1e9))
    path = folder / "training" / STATE
    assert cache.keep(path, writing(b"state"), 5) and path.read_bytes() == b"state"
    assert found() == {}


@pytest.mark.parametrize("limit", ["0", "1e-9"])
def test_a_file_above_the_limit_is_not_kept(folder, monkeypatch, limit):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", limit)
    assert not cache.keep(folder / "training" / STATE, writing(b"state"), 5)
    assert not list(folder.rglob("*.npz"))


def test_a_file_that_cannot_be_written_is_done_without(folder):
    (folder / "training").write_bytes(b"no folder")
    assert not cache.keep(folder / "training" / STATE, writing(b"state"), 5)


def test_of_a_cache_that_cannot_be_used_once_is_enough(folder):
    (folder / "training").write_bytes(b"no folder")
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            cache.keep(folder / "training" / STATE, writing(b"state"), 5)
    assert [warning.category for warning in said] == [CacheWarning] and said[
        0
    ].filename == __file__
