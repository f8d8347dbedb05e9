"""Files are whole or not there, altered ones are noticed, special ones not read."""

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from killed import write_and_be_killed
from small_disk import cannot_be_made

import tlcourse as tl
from tlcourse import cards, files, folders, output_folder
from tlcourse.errors import DamagedFile, PictureError, TLCourseError, UserInputError

ROOT = Path(tl.__file__).resolve().parent.parent
FOLDERS = [path.parent.name for path in cards.data_folder().glob("*/CARD.md")]
UMASK = os.umask(0)
os.umask(UMASK)
posix = pytest.mark.skipif(os.name == "nt", reason="special files of POSIX")


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


def test_a_card_is_shown_as_text_and_in_a_notebook():
    card = cards.read_card("digits")
    assert f"Source: {card.source}" in str(card)
    assert f"Licence: {card.licence}" in str(card)
    assert card._repr_markdown_().startswith("**Handwritten digits")


@pytest.fixture
def samples(tmp_path, monkeypatch):
    """A data folder of the test's own."""
    shutil.copytree(cards.data_folder() / "samples", tmp_path / "samples")
    monkeypatch.setattr(cards, "data_folder", lambda: tmp_path)
    return tmp_path / "samples"


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b"\0" + path.read_bytes()[1:]),
    ],
    ids=["missing", "cut short", "altered"],
)
def test_a_damaged_bundled_file_is_refused_with_its_cure(samples, damage):
    damage(samples / "coffee.jpg")
    with pytest.raises(DamagedFile, match=r"git checkout -- data/samples/coffee\.jpg"):
        cards.bundled_file("samples", "coffee.jpg")


@pytest.mark.parametrize("line", ["title:", "source:", "licence:", "built_by:", "---"])
def test_a_card_that_lacks_a_line_is_damaged(samples, line):
    card = samples / "CARD.md"
    lines = card.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [text for text in lines if not text.startswith(line)]
    card.write_text("".join(kept), encoding="utf-8")
    with pytest.raises(DamagedFile, match=r"git checkout -- data/samples/CARD\.md"):
        cards.read_card("samples")


@pytest.mark.parametrize("place", ["tlcourse/data", "data", None])
def test_data_is_found_inside_the_package_and_beside_it(tmp_path, monkeypatch, place):
    (tmp_path / "tlcourse").mkdir()
    (tmp_path / "data").mkdir()  # somebody else's, unless it holds the weights' card
    monkeypatch.setattr(cards, "__file__", str(tmp_path / "tlcourse" / "cards.py"))
    if place is None:
        with pytest.raises(TLCourseError, match="Install the course again"):
            cards.data_folder()
        return
    (tmp_path / place / "weights").mkdir(parents=True)
    (tmp_path / place / "weights" / "CARD.md").touch()
    assert cards.data_folder() == tmp_path / place


# The cache's folder


def test_the_cache_is_where_the_variable_says(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    assert folders.cache_folder() == tmp_path / "tlcourse-cache"
    monkeypatch.setenv("TLCOURSE_CACHE", "~/somewhere")
    assert "~" not in str(folders.cache_folder())
    monkeypatch.delenv("TLCOURSE_CACHE")
    assert "tlcourse" in folders.cache_folder().parts
    monkeypatch.setenv("TLCOURSE_SHARED_CACHE", "")
    assert folders.shared_cache_folder() is None


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    return tmp_path / "tlcourse-cache"


def test_the_cache_is_marked_as_the_courses_own(cache):
    assert folders.make_cache_folder("features") == cache / "features"
    tag = (cache / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55\n")
    assert folders.is_cache(cache) and not folders.is_foreign_cache()


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
    assert folders.is_foreign_cache()
    with pytest.raises(FileExistsError):
        folders.make_cache_folder("features")
    assert sorted(cache.iterdir()) == before


def test_a_link_in_the_cache_is_not_followed(cache, tmp_path):
    folders.make_cache_folder()
    (tmp_path / "mine").mkdir()
    (cache / "features").symlink_to(tmp_path / "mine")
    with pytest.raises(FileExistsError, match="link"):
        folders.make_cache_folder("features")


def test_threads_that_begin_a_cache_at_once_all_use_it(tmp_path, monkeypatch):
    for turn in range(5):
        monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / f"{turn}"))
        start, failed = threading.Barrier(8), []

        def begin(start=start, failed=failed):
            start.wait()
            try:
                folder = folders.make_cache_folder("features")
                (folder / f"{threading.get_ident()}").touch()
            except OSError as error:
                failed.append(error)

        threads = [threading.Thread(target=begin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []


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


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("disk"), ValueError()])
def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path, error):
    path = tmp_path / "file"
    files.write_atomically(path, lambda file: file.write(b"first"))

    def write(file):
        file.write(b"second")
        raise error

    with pytest.raises(type(error)):
        files.write_atomically(path, write)
    assert path.read_bytes() == b"first" and os.listdir(tmp_path) == ["file"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_numpys_words_for_a_full_disk_become_everybody_elses(tmp_path):
    def write(file):
        raise OSError("800000 requested and 248800 written")

    with pytest.raises(OSError, match="No space left on device"):
        files.write_atomically(tmp_path / "file", write)


def test_what_a_killed_process_left_is_cleared_away_by_the_next(tmp_path):
    path = tmp_path / "file"
    files.write_atomically(path, lambda file: file.write(b"first"))
    write_and_be_killed(path)
    assert path.read_bytes() == b"first" and len(files.left_over(tmp_path)) == 1
    files.write_atomically(tmp_path / "another", lambda file: file.write(b"second"))
    assert sorted(os.listdir(tmp_path)) == ["another", "file"]
    write_and_be_killed(path)
    with files.unfinished_folder(tmp_path / "folder"):
        assert files.left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("host", "process"), [(platform.node(), os.getpid()), ("another-machine", 1)]
)
def test_what_somebody_may_be_filling_stays(tmp_path, host, process):
    name = f".unfinished-{host}-{files._machine()}-{process}-abcdefgh"
    (tmp_path / name / "unfinished").mkdir(parents=True)
    files.clear_left_over(tmp_path)
    assert (tmp_path / name).is_dir()


def test_what_a_namesake_may_be_writing_stays_for_a_day(tmp_path):
    left = write_and_be_killed(tmp_path / "file")
    other = left.rename(tmp_path / left.name.replace(files._machine(), "0" * 8))
    files.clear_left_over(tmp_path)
    assert other.exists()
    os.utime(other, (1, 1))
    files.clear_left_over(tmp_path)
    assert not other.exists()


NAMESAKE = """
import sys
from pathlib import Path
from tlcourse.files import write_atomically
write_atomically(Path(sys.argv[1]), lambda file: file.write(b'other'))
"""


def test_what_is_being_written_is_not_cleared_by_another_container(tmp_path):
    """There, this process's number means another process, or none."""
    command = ["unshare", "--pid", "--fork", "--mount-proc"]
    try:
        if subprocess.run([*command, "true"], capture_output=True).returncode:
            cannot_be_made("this user cannot make a pid namespace")
    except FileNotFoundError:
        cannot_be_made("unshare is not installed")

    def write(file):
        file.write(b"one")
        program = [sys.executable, "-c", NAMESAKE, str(tmp_path / "b")]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run([*command, *program], check=True, env=environment)

    files.write_atomically(tmp_path / "a", write)
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"one", b"other"]


@pytest.mark.parametrize("name", ["", "notes", "{node}-1", "{node}-99999999-x"])
def test_a_users_file_of_a_similar_name_stays(tmp_path, name):
    node = re.sub(r"\W", "", platform.node())
    path = tmp_path / f".unfinished-{name.format(node=node)}"
    path.write_bytes(b"mine")
    os.utime(path, (1, 1))
    files.clear_left_over(tmp_path)
    assert path.read_bytes() == b"mine"


def test_an_untouched_folder_holds_nothing_but_unfinished_files(tmp_path):
    write_and_be_killed(tmp_path / "file")
    assert files.is_untouched(tmp_path)
    (tmp_path / "letter").touch()
    assert not files.is_untouched(tmp_path)


# Reading


@contextlib.contextmanager
def within(seconds=20):
    """Fail, in place of waiting for a pipe for ever."""
    before = signal.signal(signal.SIGALRM, lambda *_: pytest.fail("it waits"))
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(params=["pipe", "device", "endless device", "socket", "folder", "link"])
def special(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    path, kind = Path("special.png"), request.param
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        os.mkfifo("pipe")
        path.symlink_to("pipe")
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as opened:
            opened.bind(str(path))
            yield path
        return
    else:
        path = Path("/dev/zero" if kind == "endless device" else "/dev/null")
    yield path


@posix
@pytest.mark.parametrize("read", [files.read_file, files.read_text, files.read_json])
def test_a_special_file_is_neither_waited_for_nor_read(special, read):
    with within(), pytest.raises(DamagedFile, match="expected a regular file"):
        read(special, error=DamagedFile)


@posix
def test_a_pipe_that_takes_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "file.png"
    path.write_bytes(b"x")
    before = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(files.os, "stat", lambda *_, **__: before)
    with within(), pytest.raises(PictureError, match="a pipe"):
        files.read_file(path, error=PictureError)


@posix
def test_a_special_file_is_not_written_over(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/null")):
        with within(), pytest.raises(OSError):
            files.write_atomically(path, lambda file: file.write(b"x"))
        assert not path.is_file()


def test_a_file_larger_than_the_limit_is_not_read(tmp_path):
    (tmp_path / "large").write_bytes(bytes(1001))
    with pytest.raises(UserInputError, match="larger than"):
        files.read_file(tmp_path / "large", most=1000)
    assert len(files.read_file(tmp_path / "large", most=1001)) == 1001
    assert files.read_file(tmp_path / "large", first=2) == b"\0\0"
    if Path("/proc/self/maps").exists():  # it says that it has no bytes
        with pytest.raises(UserInputError, match="larger than"):
            files.read_file("/proc/self/maps", most=100)


@pytest.mark.parametrize(
    "content", [b'{"a": "\xff"}', b"[" * 100_000, b'{"a": ', b""], ids=repr
)
def test_what_is_not_json_gets_a_sentence(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserInputError, match="JSON|UTF-8"):
        files.read_json(tmp_path / "a.json")


def test_json_and_text_are_read(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps({"ü": [1, 2]}), encoding="utf-8")
    assert files.read_json(tmp_path / "a.json") == {"ü": [1, 2]}
    (tmp_path / "a.txt").write_bytes(b"one\r\ntwo\rthree\n")
    assert files.read_text(tmp_path / "a.txt") == "one\ntwo\nthree\n"


# Paths


NO_PATHS = ["", "  ", "a\0b", "x" * 300, "a/" * 3000, "~no_one/x", "\ud800é", None, 7]


@pytest.mark.parametrize("path", [*NO_PATHS, b"bytes", object()], ids=repr)
def test_what_is_no_path_gets_a_short_sentence(path):
    with pytest.raises(UserInputError, match="the picture is") as caught:
        files.as_path(path, "the picture")
    assert len(str(caught.value)) < 300


def test_a_tilde_is_the_users_home_unless_a_file_begins_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    Path("~no_one").touch()
    assert files.as_path("~/a") == tmp_path / "a"
    assert files.as_path("~no_one") == Path("~no_one")


def test_a_clock_before_1980_is_said(monkeypatch):
    monkeypatch.setattr(output_folder.time, "time", lambda: 1000.0)
    with pytest.raises(TLCourseError, match="1970-01-01.*Set the clock"):
        output_folder.check_clock()
