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


FILES = {"cat/1.jpg": b"one", "cat/2.jpg": b"two" * 99, "dog/ü 犬.jpg": b"three"}


@pytest.fixture(params=["/", "\\"])
def pets(tmp_path, request):
    files = {name.replace("/", request.param): FILES[name] for name in FILES}
    return zipped(tmp_path / "pets.zip", files)


def test_it_becomes_the_same_files(pets, tmp_path):
    folder = unpack(pets, tmp_path / "pets")
    assert {name: (folder / name).read_bytes() for name in FILES} == FILES
    assert len([path for path in folder.rglob("*") if path.is_file()]) == 3
    assert sorted(os.listdir(tmp_path)) == ["pets", "pets.zip"]


def test_a_folder_that_was_zipped_is_given_itself(tmp_path):
    names = ("my pets/cat/1.jpg", "my pets/dog/1.jpg", "__MACOSX/my pets/x")
    source = zipped(tmp_path / "a.zip", dict.fromkeys(names, b"1"))
    assert unpack(source, tmp_path / "here") == tmp_path / "here" / "my pets"


OUTSIDE = ["../x", "cat/../../x", "/etc/passwd", "..\\x", "C:\\x", "C:/x"]


@pytest.mark.parametrize("name", OUTSIDE)
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
    true, false = (size.to_bytes(4, "little") for size in (1_000_000, 10))
    source.write_bytes(source.read_bytes().replace(true, false))
    with pytest.raises(DamagedFile, match="is no zip file, or"):
        unpack(source, tmp_path / "pets")
    assert os.listdir(tmp_path) == ["bomb.zip"]


def test_nothing_is_overwritten(pets, tmp_path):
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "thesis.txt").write_text("mine")
    with pytest.raises(UserInputError, match="is there already"):
        unpack(pets, tmp_path / "pets")
