"""What can befall a machine, made here one by one: the doctor names it and says what mends it."""

import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from killed import write_and_be_killed
from small_disk import SmallDisk, cannot_be_made

from tlcourse import doctor, evidence
from tlcourse.doctor import kept, kernels, machine, variables
from tlcourse.features.cache import RowCache, clear


@pytest.fixture(autouse=True)
def own_machine(tmp_path, monkeypatch):
    """A home, a cache and a working folder of this test; returns the cache's folder."""
    for variable in (
        *machine.WRITERS,
        "TMPDIR",
        "TEMP",
        "TMP",
        "LC_ALL",
        "KERAS_BACKEND",
        *variables.THREADS,
    ):
        monkeypatch.delenv(variable, raising=False)
    for name in ("home", "work", "cache"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "work" / "progress.json"))
    monkeypatch.chdir(tmp_path / "work")
    return tmp_path / "cache" / "tlcourse-cache"


def said(look, subject):
    """The one finding on this subject, as "state: text"."""
    (found,) = (finding for finding in look() if finding.subject == subject)
    return f"{found.state}: {found.text}"


QUIET = (
    *(machine.temporary_files, machine.home, machine.clock, variables.variables),
    *(
        kept.other_files,
        kept.cached_files,
        kept.killed_runs,
        kept.progress,
        kept.results,
    ),
)


@pytest.mark.parametrize("look", QUIET, ids=lambda look: look.__name__)
def test_nothing_is_said_where_nothing_is_wrong(look, monkeypatch):
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    assert list(look()) == []


@pytest.mark.parametrize(
    "look", [*QUIET, kept.cache, kernels.kernel], ids=lambda look: look.__name__
)
def test_the_doctor_looks_there(look):
    assert look in doctor.LOOKS


# Disk and folders


@pytest.fixture
def disk(tmp_path):
    try:
        small = SmallDisk(tmp_path / "disk", 1000)
    except OSError as error:
        cannot_be_made(str(error))
    yield small
    small.unmount()


def test_a_full_disk(disk, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(disk.path))
    disk.fill()
    text = said(machine.disk, "disk")
    assert (
        text.startswith(f"look: full: 0.0 GB free for {disk.path}")
        and "`tlcourse cache clear` makes room" in text
    )


def test_a_full_folder_of_temporary_files(disk, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(disk.path))
    text = said(machine.temporary_files, "temporary files")
    assert (
        text.startswith("look: only 0.0 GB free")
        and "set TMPDIR to a folder on another disk" in text
    )


def test_a_tmpdir_that_is_not_there(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "gone"))
    assert said(machine.temporary_files, "TMPDIR") == (
        f"look: there is no folder {tmp_path / 'gone'}. Make it, or run: unset TMPDIR"
    )


@pytest.fixture
def read_only(tmp_path):
    """A folder that not even root can write to."""
    folder = tmp_path / "read only"
    folder.mkdir()
    for options in (
        ["--bind", str(folder), str(folder)],
        ["-o", "remount,ro,bind", str(folder)],
    ):
        done = subprocess.run(["mount", *options], capture_output=True, text=True)
        if done.returncode:
            cannot_be_made(f"nothing could be mounted ({done.stderr.strip()})")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=False)


def test_a_tmpdir_that_cannot_be_written_to(read_only, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(read_only))
    text = said(machine.temporary_files, "TMPDIR")
    assert (
        text.startswith(
            f"look: {read_only} cannot be written to (Read-only file system)"
        )
        and "unset TMPDIR" in text
    )


def test_no_folder_for_temporary_files_at_all(monkeypatch):
    monkeypatch.setattr(
        tempfile,
        "gettempdir",
        lambda: (_ for _ in ()).throw(FileNotFoundError("no usable")),
    )
    assert said(machine.temporary_files, "temporary files").startswith(
        "broken: no folder takes any. Make room in /tmp"
    )


def test_a_home_that_cannot_be_written_to(read_only, monkeypatch):
    monkeypatch.setenv("HOME", str(read_only))
    monkeypatch.setenv("KERAS_HOME", str(read_only.parent))
    text = said(machine.home, "home")
    assert (
        "cannot be written to (Read-only file system). Set MPLCONFIGDIR, TFDS_DATA_DIR, IPYTHONDIR, "
        in text
    )
    assert "KERAS_HOME" not in text


def test_a_cache_that_cannot_be_written_to(read_only, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(read_only))
    assert "cannot be written to (Read-only file system). Set TLCOURSE_CACHE" in said(
        kept.cache, "cache"
    )


# The clock


def test_a_clock_before_the_course(monkeypatch):
    monkeypatch.setattr(
        machine,
        "time",
        SimpleNamespace(strftime=lambda form: "1970-01-01", time=lambda: 17.0),
    )
    text = said(machine.clock, "clock")
    assert text.startswith("look: it says 1970-01-01") and "Set the clock" in text


def test_files_from_the_future(own_machine):
    fill()
    (path,) = own_machine.glob("features/*.sqlite")
    os.utime(path, (time.time() + 9e5,) * 2)
    text = said(machine.clock, "clock")
    assert (
        text.startswith("look: 1 files of the cache are dated in the future")
        and "nothing is lost" in text
    )


# What is kept


def fill():
    with RowCache(f"network-{'0' * 20}", (2,), np.float32) as store:
        store.put({b"k" * 20: np.ones(2, np.float32)})


@pytest.mark.parametrize(
    "content", [b"no database", None], ids=["something else", "cut in the middle"]
)
def test_a_damaged_file_of_features(own_machine, content):
    fill()
    (path,) = own_machine.glob("features/*.sqlite")
    path.write_bytes(
        b"SQLite format 3\0" + bytes(50) if content is None else content * 100
    )
    text = said(kept.cached_files, "cached features")
    assert text.startswith(f"look: {path} is damaged") and "Nothing is lost" in text


def test_a_file_of_features_that_another_process_keeps(own_machine):
    fill()
    (path,) = own_machine.glob("features/*.sqlite")
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        text = said(kept.cached_files, "cached features")
    assert (
        text.startswith(f"look: another process is writing to {path}")
        and "Ctrl-Z" in text
    )
    assert list(kept.cached_files()) == []


def test_looking_changes_nothing(own_machine):
    fill()
    (path,) = own_machine.glob("features/*.sqlite")
    before = path.read_bytes()
    assert list(kept.cached_files()) == [] and path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_training_that_was_stopped_and_one_that_is_damaged(own_machine):
    state = own_machine / "training" / f"network-{'0' * 24}" / "latest.weights.h5"
    state.parent.mkdir(parents=True)
    state.write_bytes(b"weights")
    text = said(kept.killed_runs, "to go on with")
    assert (
        text.startswith("ok: 1 training that was stopped")
        and "The same call goes on from there" in text
    )


def test_what_a_killed_run_has_left_in_the_cache(own_machine):
    fill()
    write_and_be_killed(own_machine / "training" / "state.npz")
    text = said(kept.killed_runs, "left over")
    assert (
        text.startswith("look: 1 half-written files of killed runs")
        and "`tlcourse cache clear` removes them" in text
    )
    clear()
    assert list(kept.killed_runs()) == []


def test_what_a_killed_run_has_left_here():
    left = write_and_be_killed(Path("progress.json"))
    assert said(kept.killed_runs, "left over here").endswith(f"Run: rm -r {left.name}")


def test_a_damaged_file_of_progress_and_the_one_put_aside(monkeypatch):
    path = Path(os.environ["TLCOURSE_PROGRESS"])
    path.write_text('{"format": "tlcou')
    assert "The next tl.check puts it aside" in said(kept.progress, "progress")
    path.rename(path.with_name("progress.json.damaged"))
    assert (
        "was damaged and put aside. If you have a copy: tl.check.restore(file)"
        in said(kept.progress, "progress")
    )


def test_progress_that_cannot_be_kept(read_only, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(read_only / "progress.json"))
    assert "(Read-only file system). Set TLCOURSE_PROGRESS" in said(
        kept.progress, "progress"
    )


@pytest.mark.parametrize("content", ["", '{"demo": ', "[]"])
def test_damaged_results(tmp_path, monkeypatch, content):
    (tmp_path / "results.json").write_text(content)
    monkeypatch.setattr(evidence, "results_file", lambda: tmp_path / "results.json")
    assert "Run: git checkout -- benchmarks/results.json" in said(
        kept.results, "results"
    )


# Environment variables


def test_python_without_bytecode(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    monkeypatch.setattr(
        variables,
        "find_spec",
        lambda name: SimpleNamespace(cached=str(tmp_path / "none.pyc")),
    )
    text = said(variables.variables, "PYTHONDONTWRITEBYTECODE")
    assert text.startswith("look: is set") and text.endswith(
        "Run: unset PYTHONDONTWRITEBYTECODE"
    )


@pytest.mark.parametrize("value", ["-1", "0", "two", "1.5", "9999"])
@pytest.mark.parametrize("name", variables.THREADS)
def test_nonsense_for_a_number_of_threads(monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    text = said(variables.variables, name)
    assert text.startswith("look: is ") and text.endswith(f"Run: unset {name}")


@pytest.mark.parametrize("value", ["1", "2", "2,1"])
def test_sensible_numbers_of_threads(monkeypatch, value):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert not [
        finding
        for finding in variables.variables()
        if finding.subject == "OMP_NUM_THREADS"
    ]


def test_plain_ascii_and_a_folder_with_an_umlaut(tmp_path, monkeypatch):
    monkeypatch.setenv("LC_ALL", "C")
    monkeypatch.setenv("HOME", str(tmp_path / "Übung 1"))
    text = said(variables.variables, "LC_ALL")
    assert "cannot read the name of" in text and text.endswith(
        "Run: export LC_ALL=C.UTF-8"
    )


def test_another_backend_of_keras(monkeypatch):
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert said(variables.variables, "KERAS_BACKEND").endswith(
        "Run: unset KERAS_BACKEND"
    )


# The notebooks' kernel


@pytest.fixture
def kernelspec(tmp_path, monkeypatch):
    """Installs a kernel "python3" that starts this program."""

    def install(program):
        folder = tmp_path / "jupyter" / "kernels" / "python3"
        folder.mkdir(parents=True)
        spec = {
            "argv": [
                str(program),
                "-m",
                "ipykernel_launcher",
                "-f",
                "{connection_file}",
            ],
            "display_name": "Python 3",
        }
        (folder / "kernel.json").write_text(json.dumps(spec))
        monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
        monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
        return folder

    return install


def test_the_kernel_is_this_python(kernelspec):
    kernelspec(sys.executable)
    assert list(kernels.kernel()) == []


def test_a_kernel_of_another_python(kernelspec, tmp_path):
    other = tmp_path / "other" / "bin" / "python3"
    other.parent.mkdir(parents=True)
    other.symlink_to(Path(sys.executable).resolve())
    folder = kernelspec(other)
    text = said(kernels.kernel, "kernel")
    assert text.startswith(
        f"look: notebooks start {other}, not this Python, {sys.executable}"
    )
    assert (
        f"Run: {sys.executable} -m ipykernel install --sys-prefix" in text
        and str(folder) in text
    )


def test_a_kernel_whose_python_is_gone(kernelspec, tmp_path):
    kernelspec(tmp_path / "gone" / "python3")
    text = said(kernels.kernel, "kernel")
    assert text.startswith("missing: ") and "which is not there. Run: " in text
