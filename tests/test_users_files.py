"""A user's own files stay byte for byte as they are, wherever they lie: beside the cache, in it, or in its place."""

import hashlib
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import threading
import warnings
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from killed import write_and_be_killed
from small_disk import cannot_be_made
from typer.testing import CliRunner

import tlcourse as tl
from tlcourse import cli, doctor, files
from tlcourse.doctor import kept, machine
from tlcourse.errors import UserInputError
from tlcourse.features import cache
from tlcourse.features.cache import CacheWarning, RowCache
from tlcourse.features.features import compute

ROOT = Path(tl.__file__).resolve().parent.parent
SHORT, LONG = (
    "0123456789abcdef" + "0" * 4,
    "0123456789abcdef" + "0" * 8,
)  # as the cache's own names end
NAME = f"network-{SHORT}"


def write_database(path):
    """Another program's, with a table of the name that the cache uses."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(
            "CREATE TABLE rows (key BLOB PRIMARY KEY, value BLOB NOT NULL, checksum BLOB NOT NULL)"
        )
        connection.execute("INSERT INTO rows VALUES ('a', 'years of work', 'b')")
        connection.commit()


def write_files(folder):
    """A user's folder: files of every kind that the cache keeps, some under the very names that it gives."""
    names = [
        *(
            "mine.npz",
            "model.tflite",
            "table.parquet",
            "list.csv",
            "letter.txt",
            "CACHEDIR.TAG",
            ".unfinished-notes",
        ),
        *(
            f"networks/{LONG}-keras-3.15.0.tflite",
            f"networks/{LONG}-keras-3.15.0.sha256",
            f"training/net-{LONG}.npz",
        ),
        *(
            f"shards/{LONG}/shard-000000.parquet",
            f"shards/{LONG}/_job.json",
            "shards/mine/shard-000000.parquet",
        ),
        *(
            "models/minilm/model.safetensors",
            "dogs/train/pug/rex.jpg",
            "features/notes.txt",
        ),
    ]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(f"mine: {name}".encode() * 1000)
    for name in ("lab.sqlite", "features/lab.sqlite", f"features/{NAME}.sqlite"):
        write_database(folder / name)
    (folder / "link.sqlite").symlink_to("lab.sqlite")


def write_among_the_caches_own(folder):
    """A user's files and links in a cache that is marked as the course's."""
    marked, mine = files.make_cache_folder(), folder / "mine"
    for name in (
        "mine.npz",
        "training/mine.npz",
        "features/mine.npz",
        "features/notes/a.txt",
        "shards/mine/a.parquet",
    ):
        (marked / name).parent.mkdir(parents=True, exist_ok=True)
        (marked / name).write_bytes(b"mine" * 1000)
    write_files(mine)
    write_database(marked / "features" / "lab.sqlite")
    write_database(marked / "features" / f"other-{SHORT}.sqlite")
    (marked / "features" / f"linked-{SHORT}.sqlite").symlink_to(mine / "lab.sqlite")
    (marked / "training" / f"linked-{LONG}.npz").symlink_to(mine / "mine.npz")
    (marked / "networks").symlink_to(mine / "networks")
    (marked / "shards" / LONG).symlink_to(mine / "shards" / LONG)


def snapshot(folder):
    """Every file and link of a folder: path → content or target, and when it was changed."""
    return {
        path: (
            os.readlink(path) if path.is_symlink() else path.read_bytes(),
            path.lstat().st_mtime_ns,
        )
        for path in sorted(folder.rglob("*"))
        if path.is_symlink() or path.is_file()
    }


def make_old(folder):
    """Used less recently than anything of the cache's: what makes room first."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            os.utime(path, (1, 1))


PLACES = {
    "beside the cache": write_files,
    "in the cache's folder, which is not marked": lambda folder: write_files(
        folder / "tlcourse-cache"
    ),
    "among the cache's own files": write_among_the_caches_own,
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "data"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.fixture(params=PLACES)
def before(folder, request):
    """The user's files, which lie somewhere in `folder`."""
    PLACES[request.param](folder)
    make_old(folder)
    return snapshot(folder)


def unchanged(before, folder):
    after = snapshot(folder)
    return {path for path in before if after.get(path) != before[path]} == set()


class Mean:
    """An engine that gives each picture's mean colour."""

    batch, output_shape, key = 1, (3,), "mean"

    def run(self, batch):
        return batch.mean(axis=(1, 2)).astype(np.float32)


def fill_beyond_the_limit(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0.00002")
    pictures = np.random.default_rng(0).integers(0, 255, (20, 8, 8, 3), np.uint8)
    for name in ("one", "two", "three"):
        compute(Mean(), pictures, (8, 8), name=name)
    with RowCache(NAME, (3,), np.float32) as rows:
        rows.put({b"k" * 20: np.ones(3, np.float32)})


def keep_and_drop_a_state(folder, monkeypatch):
    path = files.cache_folder() / "training" / f"other-{LONG}.npz"
    cache.keep(path, lambda file: np.save(file, np.ones(3)), 24)
    path.unlink()


def examined():
    """What the doctor says of the cache."""
    looks = (
        kept.cache,
        kept.other_files,
        kept.cached_files,
        kept.killed_runs,
        machine.disk,
        machine.clock,
    )
    return [finding for look in looks for finding in look()]


def run_command(*arguments):
    result = CliRunner().invoke(cli.app, arguments, env={"COLUMNS": "200"})
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result.output


OPERATIONS = {
    "filled beyond the limit": fill_beyond_the_limit,
    "cleared": lambda folder, monkeypatch: run_command("cache", "clear"),
    "shown": lambda folder, monkeypatch: run_command("cache", "show"),
    "examined by the doctor": lambda folder, monkeypatch: examined(),
    "a state kept": keep_and_drop_a_state,
}


@pytest.mark.filterwarnings("ignore::tlcourse.features.cache.CacheWarning")
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_users_files_stay_as_they_are(before, folder, operation, monkeypatch):
    OPERATIONS[operation](folder, monkeypatch)
    assert unchanged(before, folder)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::tlcourse.features.cache.CacheWarning")
def test_fine_tuning_leaves_a_users_files_as_they_are(
    before, folder, monkeypatch, bundled_model, photographs
):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0.001")
    tl.fine_tune(
        bundled_model,
        photographs,
        [0, 1, 0, 1],
        "head",
        epochs=1,
        augmentations=1,
        validation=0,
    )
    assert unchanged(before, folder)


EXTRACT = """
import numpy as np
import tlcourse as tl
pictures = np.random.default_rng(0).integers(0, 255, (8, 40, 40, 3), np.uint8)
tl.load_pretrained_model().extract_features(pictures)
"""


@pytest.mark.slow
def test_two_processes_and_one_that_clears_leave_a_users_files_as_they_are(
    before, folder
):
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "TLCOURSE_CACHE_GB": "0.00002",
    }
    running = [
        subprocess.Popen([sys.executable, "-c", EXTRACT], env=environment)
        for _ in range(2)
    ]
    while any(process.poll() is None for process in running):
        subprocess.run(
            [sys.executable, "-m", "tlcourse", "cache", "clear"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
    assert [process.returncode for process in running] == [0, 0] and unchanged(
        before, folder
    )


OWN_NAMES = st.sampled_from(
    [
        f"a-{SHORT}.sqlite",
        f"{LONG}-keras-3.tflite",
        f"a-{LONG}.npz",
        "shard-000001.parquet",
        "_job.json",
        LONG,
    ]
)
USER_NAMES = st.sampled_from(
    [
        "lab.sqlite",
        "a.npz",
        "b.tflite",
        "c.parquet",
        "CACHEDIR.TAG",
        "x.sha256",
        "a.sqlite-wal",
    ]
)
FOLDERS = st.sampled_from(
    [
        "",
        "features/",
        "networks/",
        "training/",
        "shards/",
        f"shards/{LONG}/",
        "mine/",
        "a/b/",
    ]
)
CONTENTS = (
    st.sampled_from(
        [None, b"", b"text", b"SQLite format 3\0", b"SQLite format 3\0" + bytes(200)]
    )
    | st.binary()
)
SIGNATURES = st.sampled_from(
    [b"", b"Signature: 8a477f597d28d172789f06886806bc55\n# of another program\n"]
)


@settings(max_examples=25, deadline=None)
@given(
    tree=st.dictionaries(
        st.tuples(FOLDERS, OWN_NAMES | USER_NAMES), CONTENTS, min_size=1
    ),
    tag=SIGNATURES,
    inside=st.booleans(),
)
def test_any_files_of_a_user_stay_as_they_are(tree, tag, inside):
    """Anywhere beside the cache, or in its folder without its mark."""
    with (
        tempfile.TemporaryDirectory() as data,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        monkeypatch.setenv("TLCOURSE_CACHE", data)
        root = Path(data, "tlcourse-cache") if inside else Path(data)
        (root / "a file").parent.mkdir(exist_ok=True)
        (root / "a file").touch()
        for (folder, name), content in tree.items():
            path = root / folder / name
            if (
                path.is_dir() or path.parent.is_file()
            ):  # a name for a file and a folder at once
                continue
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
            for name in (f"a-{SHORT}", f"b-{SHORT}"):
                put(name)
            cache.make_room(0)
            cache.clear()
        assert unchanged(before, Path(data))


# What stands in the cache's way is said


def put(name=NAME):
    with RowCache(name, (3,), np.float32) as rows:
        rows.put({b"k" * 20: np.ones(3, np.float32)})
        return rows.get([b"k" * 20])


def database_of_the_same_name(marked):
    write_database(marked / "features" / f"{NAME}.sqlite")


def link_of_the_same_name(marked):
    write_database(marked.parent / "lab.sqlite")
    (marked / "features").mkdir()
    (marked / "features" / f"{NAME}.sqlite").symlink_to(marked.parent / "lab.sqlite")


def linked_folder(marked):
    (marked.parent / "mine").mkdir()
    (marked / "features").symlink_to(marked.parent / "mine")


def unmarked(marked):
    (marked / "CACHEDIR.TAG").unlink()
    (marked / "letter.txt").touch()


def tag_of_another_program(marked):
    (marked / "CACHEDIR.TAG").write_text(
        "Signature: 8a477f597d28d172789f06886806bc55\n# by cargo\n"
    )


@pytest.mark.parametrize(
    "obstacle",
    [
        database_of_the_same_name,
        link_of_the_same_name,
        linked_folder,
        unmarked,
        tag_of_another_program,
    ],
)
def test_the_cache_is_done_without_where_it_would_touch_other_files(folder, obstacle):
    obstacle(files.make_cache_folder())
    before = snapshot(folder)
    with pytest.warns(CacheWarning, match="cannot be used"):
        assert put() == {}
    assert snapshot(folder) == before


def test_what_is_left_alone_is_said_by_show_clear_and_doctor(folder):
    put()
    (files.cache_folder() / "features" / "mine.npz").write_bytes(b"mine")
    said = [run_command("cache", "show"), run_command("cache", "clear")]
    said += [finding.text for finding in examined() if finding.subject == "other files"]
    assert ["features/mine.npz" in text for text in said] == [True] * 3


def test_an_unmarked_folder_is_said_by_show_clear_and_doctor(folder):
    write_files(files.cache_folder())
    said = [run_command("cache", "show"), run_command("cache", "clear")]
    said += [finding.text for finding in examined() if finding.subject == "other files"]
    assert ["TLCOURSE_CACHE to another folder" in text for text in said] == [True] * 3


def test_of_a_cache_with_its_own_files_alone_nothing_is_said(folder):
    put()
    keep_and_drop_a_state(folder, None)
    assert cache.left_alone() == ""


def test_other_files_do_not_count_towards_the_limit(folder, monkeypatch):
    put()
    (files.cache_folder() / "features" / "mine.sqlite").write_bytes(bytes(1_000_000))
    (folder / "mine.sqlite").write_bytes(bytes(1_000_000))
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0.0001")
    assert (
        len(put(f"another-{SHORT}")) == 1
        and sum(size for _, size in cache.contents()) < 100_000
    )
    assert len(put()) == 1


# How the folder is marked


def test_the_caches_folder_has_a_cache_directory_tag(folder):
    put()
    tag = folder / "tlcourse-cache" / "CACHEDIR.TAG"
    assert tag.read_bytes()[:43] == b"Signature: 8a477f597d28d172789f06886806bc55"
    assert [path.name for path in folder.iterdir()] == ["tlcourse-cache"]


def test_a_process_killed_before_it_marked_the_folder_does_not_matter(folder):
    (folder / "tlcourse-cache").mkdir()
    write_and_be_killed(folder / "tlcourse-cache" / "CACHEDIR.TAG")
    assert len(put()) == 1


def test_threads_that_begin_a_cache_at_once_all_use_it(tmp_path, monkeypatch):
    for turn in range(10):
        monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / f"{turn}"))
        start, failed = threading.Barrier(8), []

        def begin(start=start, failed=failed):
            start.wait()
            try:
                (
                    files.make_cache_folder("features") / f"{threading.get_ident()}"
                ).touch()
            except OSError as error:
                failed.append(error)

        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []


def test_a_folder_that_another_process_marks_and_fills_meanwhile_is_used(
    folder, monkeypatch
):
    is_untouched = files.is_untouched

    def meanwhile(path):
        monkeypatch.setattr(files, "is_untouched", is_untouched)
        files.make_cache_folder("features")
        return is_untouched(path)

    monkeypatch.setattr(files, "is_untouched", meanwhile)
    assert len(put()) == 1


def test_a_folder_reached_by_a_link_is_used(folder, monkeypatch):
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder.parent / "link"))
    assert len(put()) == 1 and len(cache.contents()) == 1
    assert (folder / "tlcourse-cache" / "features").is_dir()


@pytest.mark.parametrize("variable", ["TLCOURSE_CACHE", "TLCOURSE_SHARED_CACHE"])
def test_the_home_folder_of_a_user_who_does_not_exist_is_refused(
    folder, monkeypatch, variable
):
    monkeypatch.setenv(variable, "~no-such-user/cache")
    with pytest.raises(UserInputError, match=f"{variable}.*no-such-user"):
        put()


def test_the_doctor_names_a_cache_that_cannot_be_found(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", "~no-such-user/cache")
    assert "broken" in [
        finding.state for finding in doctor.examine() if "no-such-user" in finding.text
    ]


def test_an_empty_variable_is_none(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_SHARED_CACHE", "")
    assert files.shared_cache_folder() is None


# What killed processes have left


def as_of_another_machine(left):
    """The same file, as another machine or container of this host name would have called it."""
    digest = files._machine()
    other = left.with_name(
        left.name.replace(digest, hashlib.sha256(digest.encode()).hexdigest()[:8])
    )
    return left.rename(other)


def test_what_a_namesake_may_be_writing_stays_for_a_day(tmp_path):
    left = as_of_another_machine(write_and_be_killed(tmp_path / "file"))
    files.clear_left_over(tmp_path)
    assert left.exists()
    os.utime(left, (1, 1))
    files.clear_left_over(tmp_path)
    assert not left.exists()


def test_what_is_being_written_is_not_taken_by_another_container(tmp_path):
    """In a container of the same host name this process's number means another process, or none."""
    program = (
        "import sys\nfrom pathlib import Path\nfrom tlcourse.files import write_atomically\n"
        "write_atomically(Path(sys.argv[1]), lambda file: file.write(b'theirs'))"
    )
    command = ["unshare", "--pid", "--fork", "--mount-proc"]
    try:
        if subprocess.run([*command, "true"], capture_output=True).returncode:
            cannot_be_made("this user cannot make a pid namespace")
    except FileNotFoundError:
        cannot_be_made("unshare is not installed")

    def write(file):
        file.write(b"ours")
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(
            [*command, sys.executable, "-c", program, str(tmp_path / "b")],
            check=True,
            env=environment,
        )

    files.write_atomically(tmp_path / "a", write)
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"ours", b"theirs"]


@pytest.mark.parametrize(
    "name",
    [
        ".unfinished-",
        ".unfinished-notes",
        ".unfinished-{node}-1",
        ".unfinished-{node}-99999999-x",
    ],
)
def test_a_users_file_of_a_similar_name_stays(tmp_path, name):
    path = tmp_path / name.format(
        node=re.sub(r"\W", "", os.uname().nodename) if hasattr(os, "uname") else "pc"
    )
    path.write_bytes(b"mine")
    os.utime(path, (1, 1))
    files.clear_left_over(tmp_path)
    assert path.read_bytes() == b"mine"
