"""Paths that name no ordinary file: devices, pipes, sockets, folders, nothing at all. Each gets a sentence."""

import os
import signal
import socket
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from brightness_export import write_brightness_export
from PIL import Image

from tlcourse import files
from tlcourse.checks import assert_disjoint
from tlcourse.datasets import from_folder, unpack
from tlcourse.distributed import read_shards
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.exercises.progress import Progress
from tlcourse.features.compute import compute
from tlcourse.features.engine import Pixels
from tlcourse.features.pictures import read_picture
from tlcourse.predict import RECORD, load_exported

posix = pytest.mark.skipif(os.name != "posix", reason="made of what POSIX systems have")


@contextmanager
def within(seconds=120):
    """Ends what hangs."""

    def end(*_):
        raise AssertionError(f"it still runs after {seconds} s")

    if not hasattr(signal, "SIGALRM"):
        yield
        return
    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def pixels(images):
    return compute(Pixels((8, 8)), images, (8, 8))


# What is no regular file


@pytest.fixture(
    params=["pipe", "device", "endless device", "socket", "folder", "link to a pipe"]
)
def special(request, tmp_path):
    path = tmp_path / "special.png"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "device":
        path = Path("/dev/null")
    elif request.param == "endless device":
        path = Path("/dev/zero")
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            here = Path.cwd()
            os.chdir(tmp_path)  # a socket's path is short
            try:
                opened.bind(path.name)
            finally:
                os.chdir(here)
            yield path
        return
    elif request.param == "folder":
        path.mkdir()
    else:
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    yield path


@posix
def test_a_special_file_is_no_picture(special):
    with within():
        for read in (
            lambda: read_picture(special),
            lambda: pixels([special]),
            lambda: assert_disjoint([special], [special]),
            lambda: files.read_file(special),
            lambda: files.read_json(special),
        ):
            with pytest.raises(UserInputError, match="expected a regular file"):
                read()
        with pytest.raises(UserInputError):  # of a folder: without pictures
            pixels(special)


@posix
def test_records_that_are_special_files_are_refused(tmp_path):
    folder = write_brightness_export(tmp_path / "export")
    (folder / RECORD).unlink()
    os.mkfifo(folder / RECORD)
    with within(), pytest.raises(TLCourseError):
        load_exported(folder)
    os.mkfifo(tmp_path / "job.json")
    with within(), pytest.raises(TLCourseError):
        read_shards(tmp_path)
    with within(), pytest.raises(UserInputError):
        Progress.load(tmp_path / "job.json")


@posix
def test_special_files_among_pictures_are_left_out(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8)).save(
                tmp_path / name / f"{number}.png"
            )
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    os.mkfifo(tmp_path / "CARD.md")
    (tmp_path / "dog" / "folder.jpg").mkdir()
    (tmp_path / "dog" / "empty.jpg").touch()
    with within(), pytest.warns(UserWarning, match="2 files"):
        dataset = from_folder(tmp_path)
    reasons = {Path(file).name: reason for file, reason in dataset.skipped}
    assert "empty" in reasons["empty.jpg"] and "no regular file" in reasons["pipe.png"]


# Paths


PATHS = ["", "a\0b", "x" * 300, "~no_one/x", 7.5]
CALLS = {
    "from_folder": from_folder,
    "extract_features": pixels,
    "read_picture": read_picture,
    "load_exported": load_exported,
    "read_shards": read_shards,
    "unpack": lambda path: unpack(path, "nowhere"),
    "unpack into": lambda path: unpack(__file__, path),
    "restore": lambda path: Progress.load(path),
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("path", PATHS, ids=lambda path: repr(path)[:12])
def test_what_is_no_path_gets_a_sentence(call, path):
    with pytest.raises(TLCourseError) as error:
        CALLS[call](path)
    assert len(str(error.value)) < 400
