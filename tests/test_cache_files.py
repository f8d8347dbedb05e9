"""A user's own files stay as they are: beside the cache, in it, or in its place."""

import os
import sqlite3
import tempfile
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from tlcourse import cli, folders
from tlcourse.features.cache import CacheWarning, RowCache, clear, make_room
from tlcourse.features.compute import compute

SHORT, LONG = "0123456789abcdef" + "0" * 4, "0123456789abcdef" + "0" * 8
NAME = f"network-{SHORT}"  # the cache's own names end like this
pytestmark = pytest.mark.filterwarnings("ignore::tlcourse.features.cache.CacheWarning")


def write_database(path):
    """Another program's, with a table of the name and form that the cache uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = "key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"CREATE TABLE rows ({columns})")
        connection.execute("INSERT INTO rows VALUES ('a', 'years of work', 'b')")
        connection.commit()


USERS_NAMES = (
    *("mine.npz", "table.parquet", "letter.txt", "CACHEDIR.TAG", ".unfinished-notes"),
    *(f"networks/{LONG}-keras-3.onnx", f"networks/{LONG}-keras-3.sha256"),
    *(f"training/net-{LONG}.npz", f"shards/{LONG}/shard-000000.parquet"),
    *("models/minilm/model.safetensors", "features/notes.txt"),
)


def write_files(folder):
    """A user's folder: some files have the very names that the cache gives."""
    for name in USERS_NAMES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"mine: {name}".encode() * 1000)
    for name in ("lab.sqlite", "features/lab.sqlite", f"features/{NAME}.sqlite"):
        write_database(folder / name)
    (folder / "link.sqlite").symlink_to("lab.sqlite")


def write_among_the_caches_own(folder):
    """A user's files and links in a cache that is marked as the course's."""
    cache, mine = folders.make_cache_folder(), folder / "mine"
    write_files(mine)
    for name in ("mine.npz", "training/mine.npz", "features/notes/a.txt"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_bytes(b"mine" * 1000)
    write_database(cache / "features" / "lab.sqlite")
    (cache / "features" / f"linked-{SHORT}.sqlite").symlink_to(mine / "lab.sqlite")
    (cache / "training" / f"linked-{LONG}.npz").symlink_to(mine / "mine.npz")
    (cache / "networks").symlink_to(mine / "networks")
    (cache / "shards").mkdir()
    (cache / "shards" / LONG).symlink_to(mine / "shards" / LONG)


PLACES = {
    "beside the cache": write_files,
    "in a folder that is not marked": lambda folder: write_files(
        folder / "tlcourse-cache"
    ),
    "among the cache's own files": write_among_the_caches_own,
}


def snapshot(folder):
    """Path of every file and link → content or target, and when it was changed."""
    return {
        path: (
            os.readlink(path) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def make_old(folder):
    """Used less recently than anything of the cache's: what is emptied first."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1, 1))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "data"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


class Mean:
    """An engine: each picture's mean colour."""

    batch, output_shape, key = 1, (3,), "mean"

    def run(self, batch):
        return batch.mean(axis=(1, 2)).astype(np.float32)


def put(name=NAME):
    """Keep a row, and read what is kept."""
    with RowCache(name, (3,), np.float32) as rows:
        rows.put({b"k" * 20: np.ones(3, np.float32)})
        return rows.get([b"k" * 20])


def fill_beyond_the_limit(monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0.00002")
    pictures = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), np.uint8)
    for name in ("one", "two", "three"):
        compute(Mean(), pictures, (8, 8), name=name)
    put()


def run_command(*arguments):
    result = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


OPERATIONS = {
    "filled beyond the limit": fill_beyond_the_limit,
    "cleared": lambda monkeypatch: run_command("cache", "clear"),
    "shown": lambda monkeypatch: run_command("cache", "show"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
@pytest.mark.parametrize("place", PLACES)
def test_a_users_files_stay_as_they_are(folder, place, operation, monkeypatch):
    PLACES[place](folder)
    make_old(folder)
    before = snapshot(folder)
    OPERATIONS[operation](monkeypatch)
    after = snapshot(folder)
    assert {path: after.get(path) for path in before} == before


FOLDERS = ("", "features/", "shards/", f"shards/{LONG}/", "mine/", "a/b/")
NAMES = (
    *(f"a-{SHORT}.sqlite", f"{LONG}-keras-3.onnx", f"a-{LONG}.npz", LONG),
    *("shard-000001.parquet", "lab.sqlite", "CACHEDIR.TAG", "x.sha256"),
)
CONTENTS = (None, b"", b"text", b"SQLite format 3\0", b"SQLite format 3\0" + bytes(200))
OTHERS_TAG = b"Signature: 8a477f597d28d172789f06886806bc55\n# of another program\n"


@settings(max_examples=25, deadline=None)
@given(
    tree=st.dictionaries(
        st.tuples(st.sampled_from(FOLDERS), st.sampled_from(NAMES)),
        st.sampled_from(CONTENTS) | st.binary(),
        min_size=1,
    ),
    tag=st.sampled_from([b"", OTHERS_TAG]),
    inside=st.booleans(),
)
def test_any_files_of_a_user_stay_as_they_are(tree, tag, inside):
    """Anywhere beside the cache, or in its folder without its mark."""
    with tempfile.TemporaryDirectory() as data, pytest.MonkeyPatch.context() as patch:
        patch.setenv("TLCOURSE_CACHE", data)
        root = Path(data, "tlcourse-cache") if inside else Path(data)
        root.mkdir(exist_ok=True)
        (root / "a file").touch()
        for (folder, name), content in tree.items():
            path = root / folder / name
            if path.is_dir() or path.parent.is_file():
                continue  # a name for a file and a folder at once
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink(missing_ok=True)
                write_database(path)
            else:
                path.write_bytes(content)
        if tag:
            (root / "CACHEDIR.TAG").write_bytes(tag)
        make_old(root)
        before = snapshot(Path(data))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CacheWarning)
            put()
            make_room(0)
            clear()
        after = snapshot(Path(data))
        assert {path: after.get(path) for path in before} == before


def link_of_the_same_name(cache):
    write_database(cache.parent / "lab.sqlite")
    (cache / "features").mkdir()
    (cache / "features" / f"{NAME}.sqlite").symlink_to(cache.parent / "lab.sqlite")


def linked_folder(cache):
    (cache.parent / "mine").mkdir()
    (cache / "features").symlink_to(cache.parent / "mine")


def no_mark(cache):
    (cache / "CACHEDIR.TAG").unlink()
    (cache / "letter.txt").touch()


def mark_of_another_program(cache):
    (cache / "CACHEDIR.TAG").write_bytes(OTHERS_TAG)


@pytest.mark.parametrize(
    "obstacle",
    [link_of_the_same_name, linked_folder, no_mark, mark_of_another_program],
)
def test_the_cache_is_not_used_where_it_would_touch_other_files(folder, obstacle):
    obstacle(folders.make_cache_folder())
    before = snapshot(folder)
    with pytest.warns(CacheWarning, match="cannot be used"):
        assert put() == {}
    assert snapshot(folder) == before
