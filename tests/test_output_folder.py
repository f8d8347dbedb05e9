"""Two jobs that write into the same folder: one works, the other one is refused at once, whatever became of a third."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from tlcourse.errors import UserInputError
from tlcourse.folders import claimed

JOB = """
import os, sys
from pathlib import Path
from tlcourse.folders import claimed
with claimed(Path(sys.argv[1])):
    print("at work", flush=True)
    sys.stdin.read()
"""


def start(folder, *prefix):
    """A job that works on this folder until its stdin is closed."""
    job = subprocess.Popen(
        [*prefix, sys.executable, "-c", JOB, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert job.stdout.readline() == "at work\n"
    return job


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "new"


@pytest.fixture
def killed(folder):
    """Leaves in the folder above what a killed job leaves there."""

    def kill():
        job = start(folder)
        job.kill()
        job.communicate()

    return kill


def test_a_job_keeps_another_process_out_until_it_ends(folder):
    job = start(folder)
    with pytest.raises(UserInputError, match="Another job is writing"), claimed(folder):
        pass
    job.communicate()
    assert job.returncode == 0
    with claimed(folder):
        pass
    assert list(folder.parent.iterdir()) == []


def test_a_job_in_another_container_of_the_same_host_name_keeps_its_folder(folder):
    container = [
        "unshare",
        "--user",
        "--map-root-user",
        "--pid",
        "--fork",
        "--mount-proc",
    ]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*container, "true"], capture_output=True).returncode
    ):
        pytest.skip("needs Linux, and the right to make a process number namespace")
    job = start(folder, *container)
    try:
        with (
            pytest.raises(UserInputError, match="Another job is writing"),
            claimed(folder),
        ):
            pass
    finally:
        job.communicate()


def test_of_many_jobs_at_once_only_one_works(folder, killed):
    killed()
    (left,) = folder.parent.iterdir()
    content, at_work, most = left.read_bytes(), [], []

    def work():
        barrier.wait()
        try:
            with claimed(folder):
                at_work.append(1)
                most.append(len(at_work))
                time.sleep(0.002)
                at_work.pop()
        except UserInputError:
            pass

    for _ in range(50):
        left.write_bytes(content)
        barrier = threading.Barrier(8)
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(most) >= 50 and max(most) == 1


def test_a_job_that_ends_leaves_the_claim_of_another_one(folder):
    """As the message says, the first one's file was deleted by hand."""
    with claimed(folder):
        (claim,) = folder.parent.iterdir()
        claim.unlink()
        job = start(folder)
    with pytest.raises(UserInputError, match="Another job is writing"), claimed(folder):
        pass
    job.communicate()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="takes two users"
)
def test_what_another_users_killed_job_has_left_keeps_nobody_out():
    with tempfile.TemporaryDirectory() as shared:
        os.chmod(shared, 0o777)
        job = start(f"{shared}/new")
        job.kill()
        job.communicate()
        other = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        if (
            shutil.which("setpriv") is None
            or subprocess.run([*other, sys.executable, "-c", ""]).returncode
        ):
            pytest.skip("another user cannot start this Python")
        job = start(f"{shared}/new", *other)
        with (
            pytest.raises(UserInputError, match="Another job is writing"),
            claimed(Path(shared, "new")),
        ):
            pass
        job.communicate()
        assert job.returncode == 0 and os.listdir(shared) == []


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="takes two users"
)
def test_a_claim_of_another_user_that_cannot_be_opened_is_another_jobs():
    with tempfile.TemporaryDirectory() as shared:
        os.chmod(shared, 0o755)
        with claimed(Path(shared, "new")):
            (claim,) = Path(shared).iterdir()
            claim.chmod(0o600)
            os.seteuid(65534)
            try:
                with (
                    pytest.raises(UserInputError, match="Another job is writing"),
                    claimed(Path(shared, "new")),
                ):
                    pass
            finally:
                os.seteuid(0)


def test_a_file_system_without_locks_keeps_nobody_out(folder, monkeypatch):
    fcntl = pytest.importorskip("fcntl")

    def refuse(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with claimed(folder):
        pass
    assert list(folder.parent.iterdir()) == []
