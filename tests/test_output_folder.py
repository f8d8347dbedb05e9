"""A folder that a result is written into is claimed for the time of the job."""

import os
import subprocess
import sys

import pytest

from tlcourse import folders
from tlcourse.errors import TLCourseError, UserInputError

JOB = """
import os, sys
from pathlib import Path
from tlcourse.folders import claimed
with claimed(Path(sys.argv[1])):
    print("claimed", flush=True)
    sys.stdin.read()
    os._exit(9)  # killed
"""


@pytest.fixture
def other_job(tmp_path):
    """Another process that writes into the folder "out"."""
    program = [sys.executable, "-c", JOB, tmp_path / "out"]
    pipe = subprocess.PIPE
    with subprocess.Popen(program, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout.readline() == "claimed\n"
        yield process
        process.stdin.close()


def test_a_job_keeps_others_out_until_it_ends_however_that_ends(other_job, tmp_path):
    with pytest.raises(UserInputError, match="Another job"):
        with folders.claimed(tmp_path / "out"):
            pass
    with folders.claimed(tmp_path / "elsewhere"):
        pass
    other_job.stdin.close()
    other_job.wait()
    with folders.claimed(tmp_path / "out"):
        pass
    assert os.listdir(tmp_path) == []


def test_a_cache_that_cannot_be_written_keeps_nobody_out(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "file"))
    with folders.claimed(tmp_path / "out"), folders.claimed(tmp_path / "out"):
        pass


@pytest.mark.parametrize("there", ["file", "link", "full"])
def test_nothing_is_overwritten(tmp_path, there):
    path = tmp_path / there
    (tmp_path / "empty").mkdir()
    if there == "file":
        path.touch()
    elif there == "link":
        path.symlink_to(tmp_path / "empty")
    else:
        (path / "thing").mkdir(parents=True)
    with pytest.raises(UserInputError, match="is there already"):
        folders.check_output_folder(path)
    folders.check_output_folder(tmp_path / "empty")


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TLCourseError, match="cannot be written"):
        folders.check_output_folder(tmp_path / "file" / "out")
