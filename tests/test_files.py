"""Where the course's files lie, and that altered ones are noticed."""

import hashlib
import os
import platform
import shutil
import subprocess
import sys

import pytest
from killed import write_and_be_killed

from tlcourse import files
from tlcourse.errors import DamagedFile, TLCourseError

FOLDERS = (
    "weights",
    "digits",
    "kanji",
    "minilm",
    "reviews",
    "solar",
    "dogs",
    "samples",
)
UMASK = os.umask(0)
os.umask(UMASK)
BUNDLED = [
    (folder, name) for folder in FOLDERS for name in files.read_card(folder).files
]


@pytest.fixture
def copied_samples(tmp_path, monkeypatch):
    """The path of a picture in a data folder of the test's own, which the package takes for the bundled one."""
    shutil.copytree(files.data_folder() / "samples", tmp_path / "samples")
    monkeypatch.setattr(files, "data_folder", lambda: tmp_path)
    return tmp_path / "samples" / "coffee.jpg"


# Cards


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_card_says_what_it_is_where_it_is_from_and_under_which_licence(folder):
    card = files.read_card(folder)
    assert all(
        len(text) > 5
        for text in (card.title, card.source, card.licence, card.built_by, card.text)
    )


def test_every_data_folder_with_a_card_is_tested_here():
    assert {path.parent.name for path in files.data_folder().glob("*/CARD.md")} == set(
        FOLDERS
    )


def test_a_card_prints_its_source_and_licence():
    card = files.read_card("digits")
    assert f"Source: {card.source}" in str(card) and f"Licence: {card.licence}" in str(
        card
    )


def test_a_card_shows_as_markdown_in_a_notebook():
    assert (
        files.read_card("digits")._repr_markdown_().startswith("**Handwritten digits")
    )


@pytest.mark.parametrize("line", ["title", "source", "licence", "built_by"])
def test_a_card_that_lacks_a_line_is_called_damaged(copied_samples, line):
    card = copied_samples.parent / "CARD.md"
    lines = card.read_text(encoding="utf-8").splitlines(keepends=True)
    card.write_text(
        "".join(text for text in lines if not text.startswith(f"{line}:")),
        encoding="utf-8",
    )
    with pytest.raises(
        DamagedFile,
        match="lacks its title, source, licence or built_by line.*git checkout",
    ):
        files.read_card("samples")


@pytest.mark.parametrize("content", [None, "", "no front matter"])
def test_a_card_that_is_missing_or_empty_is_called_damaged(copied_samples, content):
    card = copied_samples.parent / "CARD.md"
    card.unlink() if content is None else card.write_text(content)
    with pytest.raises(DamagedFile, match="CARD.md is missing, or lacks"):
        files.read_card("samples")


# Bundled files


@pytest.mark.parametrize(("folder", "name"), BUNDLED)
def test_every_bundled_file_is_the_published_one(folder, name):
    path = files.bundled_file(folder, name)
    assert (
        hashlib.sha256(path.read_bytes()).hexdigest()
        == files.read_card(folder).files[name]
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_card_states_the_size_of_each_file(folder):
    card = (files.data_folder() / folder / "CARD.md").read_text(encoding="utf-8")
    for name in files.read_card(folder).files:
        size = (files.data_folder() / folder / name).stat().st_size
        assert (
            f"    bytes: {size}\n"
            in card.split(f"name: {name}\n")[1].split("- name")[0]
        )


def test_an_altered_file_is_refused_with_its_cure(copied_samples):
    content = bytearray(copied_samples.read_bytes())
    content[1000] ^= 1
    copied_samples.write_bytes(content)
    with pytest.raises(
        DamagedFile,
        match=r"coffee\.jpg was altered or cut short.*git checkout -- data/samples/coffee",
    ):
        files.bundled_file("samples", "coffee.jpg")


def test_a_file_cut_short_is_refused_with_its_cure(copied_samples):
    copied_samples.write_bytes(copied_samples.read_bytes()[:-1])
    with pytest.raises(
        DamagedFile, match=r"was altered or cut short.*or install the course again"
    ):
        files.bundled_file("samples", "coffee.jpg")


def test_a_missing_file_is_refused_with_its_cure(copied_samples):
    copied_samples.unlink()
    with pytest.raises(DamagedFile, match=r"coffee\.jpg is missing.*git checkout"):
        files.bundled_file("samples", "coffee.jpg")


def test_the_checksum_is_the_same_where_python_has_no_function_for_it(copied_samples):
    with open(copied_samples, "rb") as file:  # Python 3.10
        assert files._sha256(file) == files.sha256(copied_samples)


# Folders


@pytest.mark.parametrize(
    "place",
    ["site-packages/tlcourse/data", "site-packages/data"],
    ids=["wheel", "checkout"],
)
def test_the_data_is_found_inside_the_package_and_beside_it(
    tmp_path, monkeypatch, place
):
    card = tmp_path / place / "weights" / "CARD.md"
    card.parent.mkdir(parents=True)
    card.touch()
    (tmp_path / "site-packages" / "tlcourse").mkdir(exist_ok=True)
    monkeypatch.setattr(
        files, "__file__", str(tmp_path / "site-packages" / "tlcourse" / "files.py")
    )
    assert files.data_folder() == tmp_path / place


def test_a_data_folder_of_somebody_else_beside_the_package_is_not_taken(
    tmp_path, monkeypatch
):
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(files, "__file__", str(tmp_path / "tlcourse" / "files.py"))
    with pytest.raises(TLCourseError, match="is in neither. Install the course again"):
        files.data_folder()


def test_the_cache_is_where_the_user_wants_it(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    assert files.cache_folder() == tmp_path / "tlcourse-cache"


def test_a_tilde_in_the_caches_name_is_the_users_home(monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", "~/somewhere")
    assert "~" not in str(files.cache_folder())


def test_without_a_wish_the_cache_is_a_folder_named_after_the_course(monkeypatch):
    monkeypatch.delenv("TLCOURSE_CACHE", raising=False)
    assert "tlcourse" in files.cache_folder().parts


# Folders that are whole or are not there


def test_a_folder_is_filled_beside_its_goal_and_gone_when_it_was_renamed(tmp_path):
    goal = tmp_path / "deep" / "goal"
    with files.unfinished_folder(goal) as folder:
        (folder / "file").write_text("content")
        folder.rename(goal)
    assert [path.name for path in goal.parent.iterdir()] == ["goal"] and (
        goal / "file"
    ).read_text() == "content"


def test_what_is_not_finished_goes(tmp_path):
    with (
        pytest.raises(KeyboardInterrupt),
        files.unfinished_folder(tmp_path / "goal") as folder,
    ):
        (folder / "file").write_text("content")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_others_may_read_the_folder(tmp_path):
    with files.unfinished_folder(tmp_path / "goal") as folder:
        assert folder.stat().st_mode & 0o777 == 0o777 & ~UMASK


def left_by(process: int, folder, host: str | None = None):
    """What a process leaves behind that is killed while it fills a folder."""
    left = (
        folder
        / f".unfinished-{host or platform.node()}-{files._machine()}-{process}-abcdefgh"
    )
    (left / "unfinished").mkdir(parents=True)
    return left


def test_what_a_killed_process_has_left_is_cleared_away_by_the_next(tmp_path, killed):
    left = left_by(killed, tmp_path)
    with files.unfinished_folder(tmp_path / "goal"):
        assert not left.exists()


@pytest.mark.parametrize(
    "host, process",
    [(None, os.getpid()), ("another-machine", 1)],
    ids=["here", "there"],
)
def test_what_somebody_may_be_filling_stays(tmp_path, host, process):
    left = left_by(process, tmp_path, host)
    with files.unfinished_folder(tmp_path / "goal"):
        assert left.is_dir()


# Files that are whole or are not there


@pytest.fixture
def killed():
    """The number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_killed_half_way_the_file_before_it_stays_and_the_next_write_clears_up(
    tmp_path,
):
    path = tmp_path / "file"
    files.write_atomically(path, lambda file: file.write(b"first"))
    write_and_be_killed(path)
    assert path.read_bytes() == b"first" and len(files.left_over(tmp_path)) == 1
    files.write_atomically(tmp_path / "another", lambda file: file.write(b"second"))
    assert sorted(left.name for left in tmp_path.iterdir()) == ["another", "file"]


def test_a_folder_in_which_a_killed_process_was_writing_counts_as_untouched(tmp_path):
    write_and_be_killed(tmp_path / "file")
    assert files.is_untouched(tmp_path)
    (tmp_path / "letter").touch()
    assert not files.is_untouched(tmp_path)


def test_numpys_words_for_a_full_disk_are_said_as_everybody_elses(tmp_path):
    def write(file):
        raise OSError("800000 requested and 248800 written")

    with pytest.raises(OSError, match="No space left on device"):
        files.write_atomically(tmp_path / "file", write)
