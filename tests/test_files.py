"""Files are whole or not there, altered ones are noticed, special ones not read."""

import hashlib
import os
import shutil
from pathlib import Path

import pytest
from killed import write_and_be_killed

from tlcourse import cards, files, folders
from tlcourse.errors import DamagedFile, TLCourseError, UserInputError

FOLDERS = [path.parent.name for path in cards.data_folder().glob("*/CARD.md")]
UMASK = os.umask(0)
os.umask(UMASK)


# Bundled data and its cards


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_bundled_file_is_the_one_of_its_card(folder):
    card = cards.read_card(folder)
    lines = (card.title, card.source, card.licence, card.built_by, card.text)
    assert all(len(text) > 5 for text in lines)
    front = (cards.data_folder() / folder / "CARD.md").read_text(encoding="utf-8")
    for name, digest in card.files.items():
        content = cards.bundled_file(folder, name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest
        entry = front.split(f"name: {name}\n")[1].split("- name")[0]
        assert f"    bytes: {len(content)}\n" in entry


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """A data folder of the test's own."""
    shutil.copytree(cards.data_folder() / "samples", tmp_path / "samples")
    monkeypatch.setattr(cards, "data_folder", lambda: tmp_path)
    return tmp_path / "samples"


@pytest.mark.parametrize("damage", ["missing", "cut short", "altered"])
def test_a_damaged_bundled_file_is_refused_with_its_cure(samples, damage):
    path = samples / "coffee.jpg"
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage == "cut short" else content[::-1])
    if damage == "missing":
        path.unlink()
    with pytest.raises(DamagedFile, match="git checkout -- data"):
        cards.bundled_file("samples", "coffee.jpg")


# The cache's folder


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    return tmp_path / "tlcourse-cache"


def test_the_cache_is_marked_as_the_courses_own(cache):
    assert folders.make_cache_folder("features") == cache / "features"
    tag = (cache / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    assert folders.is_cache(cache) and not folders.left_alone()


def of_another_program(cache):
    tag = b"Signature: 8a477f597d28d172789f06886806bc55\n# by cargo\n"
    (cache / "CACHEDIR.TAG").write_bytes(tag)


def marked_by_a_link(cache):
    folders.make_cache_folder()
    (cache / "CACHEDIR.TAG").rename(cache.parent / "tag")
    (cache / "CACHEDIR.TAG").symlink_to(cache.parent / "tag")


@pytest.mark.parametrize(
    "write",
    [
        lambda cache: (cache / "letter.txt").touch(),
        of_another_program,
        marked_by_a_link,
    ],
    ids=["files", "another program's tag", "a link for a tag"],
)
def test_a_folder_of_somebody_else_is_not_taken_for_the_cache(cache, write):
    cache.mkdir()
    write(cache)
    before = sorted(cache.iterdir())
    assert folders.left_alone()
    with pytest.raises(FileExistsError):
        folders.make_cache_folder("features")
    assert sorted(cache.iterdir()) == before


def test_a_link_in_the_cache_is_not_followed(cache, tmp_path):
    folders.make_cache_folder()
    (tmp_path / "mine").mkdir()
    (cache / "features").symlink_to(tmp_path / "mine")
    with pytest.raises(FileExistsError, match="link"):
        folders.make_cache_folder("features")


# Files and folders that are whole or not there


def test_a_folder_is_filled_beside_its_target_and_renamed(tmp_path):
    target = tmp_path / "deep" / "target"
    with files.unfinished_folder(target) as folder:
        assert folder.stat().st_mode & 0o777 == 0o777 & ~UMASK  # a class may read it
        (folder / "file").write_text("content")
        folder.rename(target)
    assert [path.name for path in target.parent.iterdir()] == ["target"]
    with pytest.raises(KeyboardInterrupt), files.unfinished_folder(target) as folder:
        (folder / "file").write_text("content")
        raise KeyboardInterrupt
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_what_a_killed_process_left_is_cleared_away_by_the_next(tmp_path):
    path = tmp_path / "file"
    files.write_atomically(path, lambda file: file.write(b"first"))
    write_and_be_killed(path)
    assert path.read_bytes() == b"first" and len(os.listdir(tmp_path)) == 2
    files.write_atomically(tmp_path / "another", lambda file: file.write(b"second"))
    assert sorted(os.listdir(tmp_path)) == ["another", "file"]


def test_what_somebody_may_be_writing_stays(tmp_path):
    own = tmp_path / f".unfinished-{files._machine()}-{os.getpid()}-abcdefgh"
    left = write_and_be_killed(tmp_path / "file")
    of_another = left.rename(str(left).replace(files._machine(), "0" * 12))
    (own / "unfinished").mkdir(parents=True)
    files.clear_left_over(tmp_path)
    assert own.is_dir() and of_another.exists()
    os.utime(of_another, (1, 1))  # nobody writes for so long
    files.clear_left_over(tmp_path)
    assert own.is_dir() and not of_another.exists()


# Reading


def test_a_file_larger_than_the_limit_is_not_read(tmp_path):
    (tmp_path / "large").write_bytes(bytes(1001))
    with pytest.raises(UserInputError, match="larger than"):
        files.read_file(tmp_path / "large", most=1000)
    assert len(files.read_file(tmp_path / "large", most=1001)) == 1001
    assert files.read_file(tmp_path / "large", first=2) == b"\0\0"
    if Path("/proc/self/maps").exists():  # it says that it has no bytes
        with pytest.raises(UserInputError, match="larger than"):
            files.read_file("/proc/self/maps", most=100)


# New folders for results


@pytest.mark.parametrize("there", ["file", "link", "full"])
def test_nothing_is_overwritten(tmp_path, there):
    path, empty = tmp_path / there, tmp_path / "empty"
    empty.mkdir()
    if there == "file":
        path.touch()
    elif there == "link":
        path.symlink_to(empty)
    else:
        (path / "thing").mkdir(parents=True)
    with pytest.raises(UserInputError, match="is there already"):
        folders.check_output_folder(path)
    folders.check_output_folder(empty)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(TLCourseError, match="cannot be written"):
        folders.check_output_folder(tmp_path / "file" / "out")
