"""A zip file becomes a folder, whole or not at all, and never anything outside it."""

import os
import shutil
import zipfile

import pytest

from tlcourse.datasets import archive, unpack
from tlcourse.errors import DamagedFile, TLCourseError, UserInputError


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


@pytest.mark.parametrize("part", [0.2, 0.5, 0.9, 0.999])
def test_one_that_was_cut_short_is_refused(pets, tmp_path, part):
    pets.write_bytes(pets.read_bytes()[: int(part * pets.stat().st_size)])
    with pytest.raises(DamagedFile, match="is no zip file, or was altered"):
        unpack(pets, tmp_path / "pets")
    assert os.listdir(tmp_path) == ["pets.zip"]


def test_whatever_byte_is_altered_no_picture_comes_out_other_than_it_went_in(
    pets, tmp_path
):
    """Checksums guard the content; of the rest a date or a version may change, and nothing may crash or be left."""
    content, pictures = pets.read_bytes(), {b"one", b"two" * 99, b"three"}
    for place in range(len(content)):
        pets.write_bytes(
            content[:place]
            + bytes([content[place] ^ 1 << place % 8])
            + content[place + 1 :]
        )
        goal = tmp_path / str(place)
        try:
            unpack(pets, goal)
        except TLCourseError:
            assert not goal.exists(), place
        else:
            assert set(files_below(goal).values()) <= pictures, place
            shutil.rmtree(goal)
    assert os.listdir(tmp_path) == ["pets.zip"]


def test_nothing_is_overwritten(pets, tmp_path):
    (tmp_path / "pets").mkdir()
    (tmp_path / "pets" / "thesis.txt").write_text("mine")
    with pytest.raises(
        UserInputError, match="is there already; nothing was overwritten"
    ):
        unpack(pets, tmp_path / "pets")


def test_a_full_disk_leaves_nothing(pets, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", full)
    with pytest.raises(TLCourseError, match="No space left on device"):
        unpack(pets, tmp_path / "pets")
    assert os.listdir(tmp_path) == ["pets.zip"]


def test_what_is_no_file_is_refused(tmp_path):
    with pytest.raises(UserInputError, match="is not a file"):
        unpack(tmp_path, tmp_path / "pets")
