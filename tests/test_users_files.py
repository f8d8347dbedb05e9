"""The cache's folder, wherever its variable leads, and what killed processes have left."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from killed import write_and_be_killed
from small_disk import cannot_be_made

import tlcourse as tl
from tlcourse import files
from tlcourse.errors import UserInputError
from tlcourse.features.cache import RowCache, contents

ROOT = Path(tl.__file__).resolve().parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "data"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


def put(name="network-0123456789abcdef0000"):
    with RowCache(name, (3,), np.float32) as rows:
        rows.put({b"k" * 20: np.ones(3, np.float32)})
        return rows.get([b"k" * 20])


def test_a_folder_reached_by_a_link_is_used(folder, monkeypatch):
    (folder.parent / "link").symlink_to(folder)
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder.parent / "link"))
    assert len(put()) == 1 and len(contents()) == 1
    assert (folder / "tlcourse-cache" / "features").is_dir()


@pytest.mark.parametrize("variable", ["TLCOURSE_CACHE", "TLCOURSE_SHARED_CACHE"])
def test_the_home_folder_of_a_user_who_does_not_exist_is_refused(
    folder, monkeypatch, variable
):
    monkeypatch.setenv(variable, "~no-such-user/cache")
    with pytest.raises(UserInputError, match=f"{variable}.*no-such-user"):
        put()


# What killed processes have left


def as_of_another_machine(left):
    """The same file, as another machine or container of this host name would have called it."""
    digest = files._machine()
    other = left.with_name(
        left.name.replace(digest, hashlib.sha256(digest.encode()).hexdigest()[:12])
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
