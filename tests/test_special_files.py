"""Paths that name no ordinary file: devices, pipes, sockets, folders, or nothing."""

import os
import socket
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
from tlcourse.export_record import RECORD
from tlcourse.features.compute import compute
from tlcourse.features.engine import Pixels
from tlcourse.features.pictures import read_picture
from tlcourse.predict import load_exported

posix = pytest.mark.skipif(os.name != "posix", reason="made of what POSIX systems have")
pytestmark = pytest.mark.timeout(120)  # a pipe that is read waits for ever


def pixels(images):
    return compute(Pixels((8, 8)), images, (8, 8))


# What is no regular file

SPECIAL = ["pipe", "/dev/null", "/dev/zero", "socket", "folder", "link to a pipe"]


@pytest.fixture(params=SPECIAL)
def special(request, tmp_path, monkeypatch):
    path = tmp_path / "special.png"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "socket":
        monkeypatch.chdir(tmp_path)  # a socket's path is short
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(path.name)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "link to a pipe":
        os.mkfifo(tmp_path / "pipe")
        path.symlink_to(tmp_path / "pipe")
    else:
        path = Path(request.param)
    return path


@posix
def test_a_special_file_is_no_picture(special):
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
    with pytest.raises(TLCourseError):
        load_exported(folder)
    os.mkfifo(tmp_path / "shard-000000.parquet")
    with pytest.raises(TLCourseError):
        read_shards(tmp_path)
    os.mkfifo(tmp_path / "job.json")
    with pytest.raises(UserInputError):
        Progress.load(tmp_path / "job.json")


@posix
def test_special_files_among_pictures_are_left_out(tmp_path):
    rng = np.random.default_rng(0)
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for number in range(3):
            image = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
            image.save(tmp_path / name / f"{number}.png")
    os.mkfifo(tmp_path / "cat" / "pipe.png")
    os.mkfifo(tmp_path / "CARD.md")
    (tmp_path / "dog" / "folder.jpg").mkdir()
    (tmp_path / "dog" / "empty.jpg").touch()
    with pytest.warns(UserWarning, match="2 files"):
        dataset = from_folder(tmp_path)
    reasons = {Path(file).name: reason for file, reason in dataset.skipped}
    assert "empty" in reasons["empty.jpg"] and "no regular file" in reasons["pipe.png"]


# Paths

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
@pytest.mark.parametrize("path", ["", "a\0b", "x" * 300, "~no_one/x", 7.5])
def test_what_is_no_path_gets_a_sentence(call, path):
    with pytest.raises(TLCourseError) as error:
        CALLS[call](path)
    assert len(str(error.value)) < 400


def test_a_file_whose_name_begins_with_a_tilde_is_opened_as_it_is(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    Path("~no_one").touch()
    assert files.as_path("~no_one") == Path("~no_one")
    assert files.as_path("~/x") == Path.home() / "x"
