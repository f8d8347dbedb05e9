"""A zip file becomes a folder, whole or not at all, and never anything outside it."""

import os
import zipfile

import pytest

from tlcourse.datasets import archive, unpack
from tlcourse.errors import DamagedFile, UserInputError


def zipped(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in files.items():
            made.writestr(name, content)
    return path


@pytest.fixture(params=["/", "\\"])
def pets(tmp_path, request):
    files = {"cat/1.jpg": b"one", "cat/2.jpg": b"two" * 99, "dog/ü 犬.jpg": b"three"}
    return zipped(
        tmp_path / "pets.zip",
        {name.replace("/", request.param): content for name, content in files.items()},
    )


def files_below(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_it_becomes_the_same_files(pets, tmp_path):
    goal = unpack(pets, tmp_path / "pets")
    assert files_below(goal) == {
        "cat/1.jpg": b"one",
        "cat/2.jpg": b"two" * 99,
        "dog/ü 犬.jpg": b"three",
    }
    assert sorted(os.listdir(tmp_path)) == ["pets", "pets.zip"]


def test_a_folder_that_was_zipped_is_given_itself(tmp_path):
    source = zipped(
        tmp_path / "a.zip",
        {
            "my pets/cat/1.jpg": b"1",
            "my pets/dog/1.jpg": b"2",
            "__MACOSX/my pets/x": b"3",
        },
    )
    assert unpack(source, tmp_path / "here") == tmp_path / "here" / "my pets"


@pytest.mark.parametrize(
    "name",
    [
        "../thesis.txt",
        "cat/../../thesis.txt",
        "/etc/passwd",
        "..\\thesis.txt",
        "C:\\thesis.txt",
        "C:/thesis.txt",
    ],
)
def test_what_leads_out_of_the_folder_is_refused(tmp_path, name):
    source = zipped(tmp_path / "bad.zip", {"cat/1.jpg": b"one", name: b"overwritten"})
    with pytest.raises(UserInputError, match="leads out of the folder"):
        unpack(source, tmp_path / "pets")
    assert os.listdir(tmp_path) == ["bad.zip"]


@pytest.mark.parametrize(("limit", "value"), [("MAX_BYTES", 100), ("MAX_FILES", 2)])
def test_what_would_fill_the_disk_is_refused(pets, tmp_path, monkeypatch, limit, value):
    monkeypatch.setattr(archive, limit, value)
    with pytest.raises(UserInputError, match="would unpack to 3 files"):
        unpack(pets, tmp_path / "pets")
    assert not (tmp_path / "pets").exists()


def test_a_bomb_that_lies_about_its_size_leaves_nothing(tmp_path):
    source = zipped(tmp_path / "bomb.zip", {"cat/1.jpg": bytes(1_000_000)})
    content = source.read_bytes().replace(
        (1_000_000).to_bytes(4, "little"), (10).to_bytes(4, "little")
    )
    source.write_bytes(content)
    with pytest.raises(DamagedFile, match="is no zip file, or"):
        unpack(source, tmp_path / "pets")
    assert os.listdir(tmp_path) == ["bomb.zip"]


def test_nothing_is_overwritten(pets, tmp_path):
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "thesis.txt").write_text("mine")
    with pytest.raises(
        UserInputError, match="is there already; nothing was overwritten"
    ):
        unpack(pets, tmp_path / "pets")
