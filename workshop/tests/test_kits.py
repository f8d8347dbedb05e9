"""An offline kit is complete for each system, resumable, and installed offline."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from faulty_host import faulty_host
from packaging.requirements import Requirement
from small_course import HERE, NATIVE, TAG, offline, write_course, write_wheel
from small_disk import SmallDisk, cannot_be_made

from tlcourse.errors import DatasetUnavailable, TLCourseError, UserInputError
from workshop import installer, kits
from workshop.__main__ import app
from workshop.lessons import ROOT
from workshop.wheels import SYSTEMS, KitError, Locked, Target, read_lock

PURE, OLD = "wheels/pure-1.0-py3-none-any.whl", "wheels/old-1.0-py3-none-any.whl"
NATIVES = {
    system: f"wheels/native-1.0-cp{TAG}-cp{TAG}-{tag}.whl"
    for system, tag in NATIVE.items()
}
LESSON = "lessons/00_start.ipynb"


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return write_course(tmp_path_factory.mktemp("checkout 1"))


@pytest.fixture(scope="module")
def kit(course, tmp_path_factory):
    """A kit of the small course for three systems; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("stick 1") / "kit"
    with pytest.MonkeyPatch.context() as patch:
        offline(patch, course)
        make(folder, course)
    return folder


@pytest.fixture
def copied(kit, course, tmp_path, monkeypatch):
    offline(monkeypatch, course)
    shutil.copytree(kit, tmp_path / "kit")
    return tmp_path / "kit"


def make(folder, course, systems=tuple(SYSTEMS)):
    return kits.make_kit(folder, systems, [HERE], source=course, say=lambda line: None)


def names(folder):
    paths = (path for path in folder.rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_whole(kit):
    """Whether SHA256SUMS names every other file, and its digest."""
    lines = (kit / "SHA256SUMS").read_text("utf-8").splitlines()
    digests = {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    files = [name for name in names(kit) if name != "SHA256SUMS"]
    return digests == {name: sha256(kit / name) for name in files}


def test_a_kit_has_the_wheels_of_every_system_and_what_installs_them(kit):
    others = [
        "wheels/aside-1.0-py3-none-any.whl",
        "wheels/tlcourse-0.1.0-py3-none-any.whl",
        *("lessons/cards/00_start.html", LESSON, "START_HERE.txt", "install.py"),
        *("install-linux.sh", "install-macos.command", "install-windows.bat"),
        *("requirements.txt", "kit.json", "SHA256SUMS"),
    ]
    assert names(kit) == sorted([PURE, OLD, *NATIVES.values(), *others])
    assert is_whole(kit)


def test_each_system_is_told_its_own_wheels(kit):
    targets = json.loads((kit / "kit.json").read_text("utf-8"))["targets"]
    assert list(targets) == [f"{system}, Python {HERE}" for system in SYSTEMS]
    for system, target in zip(SYSTEMS, targets.values(), strict=True):
        wheels = {f"wheels/{name}" for name in target["wheels"]}
        assert wheels & set(NATIVES.values()) == {NATIVES[system]}
        assert (OLD in wheels) == (system != "windows")


def test_the_hash_of_what_was_built_stands_beside_the_published_one(kit, course):
    text = (kit / "requirements.txt").read_text("utf-8")
    assert sha256(kit / OLD) in text and "tlcourse[cpu,learn]==0.1.0 --hash" in text
    assert sha256(kit / OLD) not in (course / "requirements.txt").read_text("utf-8")


def test_the_launchers_look_for_the_kits_pythons(kit):
    for name in ("install-linux.sh", "install-macos.command", "install-windows.bat"):
        content = (kit / name).read_bytes()
        assert HERE.encode() in content and b"@PYTHONS@" not in content
        assert (b"\r\n" in content) == name.endswith(".bat")


def test_two_kits_of_the_same_lock_are_the_same(kit, course, tmp_path, monkeypatch):
    offline(monkeypatch, course)
    make(tmp_path / "kit", course)
    assert sha256(tmp_path / "kit" / "SHA256SUMS") == sha256(kit / "SHA256SUMS")


# Going on


def test_the_same_command_downloads_nothing_twice(
    copied, course, monkeypatch, tmp_path
):
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    (copied / "SHA256SUMS").unlink()
    before = {name: sha256(copied / name) for name in names(copied)}
    make(copied, course)
    assert (
        before.items()
        <= {name: sha256(copied / name) for name in names(copied)}.items()
    )


def test_missing_and_damaged_wheels_are_fetched_and_old_ones_removed(copied, course):
    (copied / NATIVES["linux"]).unlink()
    for name in (PURE, OLD, NATIVES["windows"]):  # as of a stick pulled out too early
        (copied / name).write_bytes((copied / name).read_bytes()[:-30])
    write_wheel(copied / "wheels", "pure", "0.9")
    before = names(copied)
    make(copied, course)
    assert set(before) - set(names(copied)) == {"wheels/pure-0.9-py3-none-any.whl"}
    assert is_whole(copied) and NATIVES["linux"] in names(copied)
    assert sha256(copied / PURE) == sha256(course / "index" / Path(PURE).name)


def test_files_that_the_user_added_stay(copied, course):
    write_wheel(copied / "wheels", "mine")
    (copied / "wheels" / "letter.txt").write_text("mine")
    make(copied, course)
    assert {"wheels/mine-1.0-py3-none-any.whl", "wheels/letter.txt"} <= set(
        names(copied)
    )


@pytest.mark.parametrize("name", [LESSON, "lessons/my_notes.txt"])
@pytest.mark.parametrize("state", ["complete", "interrupted", "never finished"])
def test_answers_in_a_kits_lessons_are_not_replaced(copied, course, name, state):
    (copied / name).write_text("my answers")
    if state != "complete":
        (copied / "SHA256SUMS").rename(copied / "SHA256SUMS.earlier")
    if state == "never finished":
        (copied / "SHA256SUMS.earlier").unlink()
    before = names(copied)
    with pytest.raises(UserInputError, match=f"{name}.* Answers may be in it"):
        make(copied, course)
    assert (copied / name).read_text() == "my answers" and names(copied) == before


def test_lessons_of_an_earlier_version_that_nobody_changed_are_made_again(
    copied, course
):
    lesson, sums = copied / LESSON, copied / "SHA256SUMS"
    new = sha256(lesson)
    lesson.write_text("of an earlier version")
    sums.write_text(sums.read_text("utf-8").replace(new, sha256(lesson)), "utf-8")
    make(copied, course)
    assert sha256(lesson) == new and is_whole(copied)


@pytest.mark.parametrize(("retries", "requests"), [("", 3), ("0", 1)])
def test_an_index_that_fails_is_named_and_not_asked_for_long(
    retries, requests, copied, course, monkeypatch, tmp_path
):
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    if retries:
        monkeypatch.setenv("PIP_RETRIES", retries)
    (copied / PURE).unlink()
    with faulty_host() as host:
        host.fault = "500"
        monkeypatch.setenv("PIP_INDEX_URL", f"{host.address}/simple")
        with pytest.raises(KitError, match="pure.* Run the same command again"):
            make(copied, course)
    assert host.connections == requests
    assert OLD in names(copied) and "SHA256SUMS" not in names(copied)


def test_a_kit_that_was_hardly_begun_is_gone_on_with(tmp_path, course, monkeypatch):
    offline(monkeypatch, course)
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / ".unfinished-another-machine-17-abc").write_bytes(b"{")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(kits, "download", interrupt)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make(tmp_path / "kit", course)


@pytest.mark.slow
def test_a_kit_that_does_not_fit_goes_on_with_more_room(tmp_path, monkeypatch):
    """The room that is asked for beforehand is an estimate; here it is wrong."""
    (tmp_path / "course").mkdir()
    course = write_course(tmp_path / "course", ballast=3_000_000)
    offline(monkeypatch, course)
    monkeypatch.setattr(kits, "BYTES_BESIDES", 0)
    monkeypatch.setattr(kits, "BYTES_PER_WHEEL", 0)
    try:
        disk = SmallDisk(tmp_path / "disk", 2000)
    except OSError as error:
        cannot_be_made(str(error))
    try:
        with pytest.raises(TLCourseError, match="No space left.* same command again"):
            make(disk.path / "kit", course, ["linux"])
        assert not {PURE, "SHA256SUMS"} & set(names(disk.path / "kit"))
        disk.grow()
        make(disk.path / "kit", course, ["linux"])
        assert is_whole(disk.path / "kit")
    finally:
        disk.unmount()


# What is refused


@pytest.mark.parametrize("manifest", [None, "{}", "[]", "", '{"name": "robot kit"}'])
def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, course, manifest):
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "mine.ipynb").write_text("mine")
    if manifest is not None:  # of another program
        (tmp_path / "kit.json").write_text(manifest)
    before = names(tmp_path)
    with pytest.raises(UserInputError, match="no kit"):
        make(tmp_path, course)
    assert names(tmp_path) == before


def test_too_little_room_is_said_before_anything_is_downloaded(
    tmp_path, course, monkeypatch
):
    usage = shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8)
    monkeypatch.setattr(kits.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(UserInputError, match=r"0\.2 GB more .* 0\.1 GB are free"):
        make(tmp_path / "kit", course)
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--systems", "amiga"], "linux, macos, windows"),
        (["--systems", ","], "cannot be made for nothing"),
        (["--pythons", "2.7"], "3.10, 3.11, 3.12, 3.13"),
        *((["--networks", name], name) for name in ("vgg61", "dogs", "minilm")),
    ],
)
def test_unknown_systems_pythons_and_networks_are_refused(tmp_path, options, message):
    result = CliRunner().invoke(app, ["kit", str(tmp_path / "kit"), *options])
    assert result.exit_code == 1 and message in " ".join(result.output.split())
    assert not (tmp_path / "kit").exists()


# The real lock


def test_every_line_of_the_lock_is_read_with_its_hashes():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lock = read_lock(ROOT / "requirements.txt")
    assert len(lock) == len(re.findall(r"(?m)^\S+==", text))
    assert sum(len(locked.hashes) for locked in lock) == text.count("--hash")


@pytest.mark.parametrize("system", SYSTEMS)
def test_every_system_needs_one_tensorflow(system):
    locks = [ROOT / "requirements.txt", ROOT / "requirements-dev.txt"]
    lock, target = read_lock(*locks), Target(system, "3.12")
    needed = [one.requirement.name for one in lock if target.needs(one)]
    expected = "tensorflow" if system == "macos" else "tensorflow-cpu"
    assert {"tensorflow", "tensorflow-cpu"} & set(needed) == {expected}
    assert len(needed) == len(set(needed)) > 150


def test_what_some_releases_of_a_python_need_is_in_the_kit():
    older = Locked(Requirement("a==1; python_full_version < '3.11.5'"), ())
    newer = Locked(Requirement("a==2; python_full_version >= '3.11.5'"), ())
    assert Target("linux", "3.11").needs(older) and Target("linux", "3.11").needs(newer)
    assert not Target("linux", "3.12").needs(older)


def test_the_wheel_that_fits_best_is_taken(tmp_path):
    tags = ["py3-none-any", f"cp{TAG}-cp{TAG}-win_amd64", f"cp{TAG}-abi3-win_amd64"]
    for tag in tags:
        write_wheel(tmp_path, "native", tag=tag)
    locked = Locked(Requirement("native==1.0"), ())
    wheel = Target("windows", HERE).wheel_for(locked, tmp_path.iterdir())
    assert wheel.name == Path(NATIVES["windows"]).name


# Installing, on a machine that kits are made for

on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.uname().machine != "x86_64",
    reason="needs Linux on x86-64",
)


def install(kit, folder):
    """Run a kit's installer as a learner does; without a network where root can."""
    no_network = ["unshare", "--net"]
    if shutil.which("unshare") is None or subprocess.call([*no_network, "true"]):
        no_network = []
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    return subprocess.run(
        [*no_network, "sh", str(kit / "install-linux.sh"), str(folder)],
        env={"PATH": path, "HOME": str(folder.parent)},
        capture_output=True,
        text=True,
        timeout=300,
    )


@on_linux
def test_a_kit_is_installed_offline_and_again_over_answers(kit, tmp_path):
    folder = tmp_path / "my course"
    done = install(kit, folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert (
        "the doctor says ok" in done.stdout and str(folder / "start.sh") in done.stdout
    )
    program = "import pure, native, old, aside, tlcourse"
    subprocess.run([folder / ".venv/bin/python", "-c", program], check=True)
    assert f'cd "{folder}/lessons"' in (folder / "start.sh").read_text()
    (folder / LESSON).write_text("my answers")
    assert install(kit, folder).returncode == 0
    assert (folder / LESSON).read_text() == "my answers"


@on_linux
@pytest.mark.parametrize("name", [".venv/lib/mine.py", "start.sh"])
def test_a_file_that_no_kit_made_is_left_alone(kit, tmp_path, name):
    mine = tmp_path / "project" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    done = install(kit, tmp_path / "project")
    assert done.returncode == 1 and "did not make" in done.stdout
    assert names(tmp_path) == [f"project/{name}"] and mine.read_text() == "mine"


def damaged(kit):
    (kit / PURE).write_bytes((kit / PURE).read_bytes()[:-1])


def unfinished(kit):
    (kit / "SHA256SUMS").unlink()


def for_another_python(kit):
    script = kit / "install-linux.sh"
    script.write_text(script.read_text().replace(HERE, "3.99"))


@on_linux
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (damaged, "Damaged or missing in this kit: wheels/pure-1.0"),
        (unfinished, "This kit is not finished"),
        (for_another_python, "This kit is for Python 3.99, and none was found"),
    ],
)
def test_a_kit_that_cannot_be_installed_is_refused_first(
    copied, tmp_path, fault, message
):
    fault(copied)
    done = install(copied, tmp_path / "course")
    assert done.returncode == 1 and message in done.stdout
    assert not (tmp_path / "course").exists()


@on_linux
def test_a_damaged_wheel_of_another_system_does_not_matter(copied, monkeypatch):
    (copied / NATIVES["windows"]).write_bytes(b"")
    monkeypatch.setattr(installer, "KIT", copied)
    installer.check_files(installer.suitable_target())


def test_a_machine_that_the_kit_is_not_for_is_refused(kit, monkeypatch):
    monkeypatch.setattr(installer, "KIT", kit)
    monkeypatch.setattr(installer.platform, "machine", lambda: "riscv64")
    with pytest.raises(installer.Refused, match="riscv64, .* It is for: linux, "):
        installer.suitable_target()


def test_too_little_room_for_installing_is_said_beforehand(tmp_path, monkeypatch):
    usage = shutil._ntuple_diskusage(10**9, 0, 10**9)
    monkeypatch.setattr(installer.shutil, "disk_usage", lambda path: usage)
    with pytest.raises(installer.Refused, match="3,200 MB in .* 1,000 MB are free"):
        installer.check_space(tmp_path / "course", {"megabytes_installed": 3000})


# Packs and weights


def test_what_is_not_on_this_machine_is_reported(tmp_path, monkeypatch):
    def unavailable(name):
        raise DatasetUnavailable("no dogs")

    monkeypatch.setattr(kits, "load_dataset", unavailable)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    sentences = kits._add_dogs(tmp_path) + kits._add_networks(tmp_path, ["vgg16"])
    assert ["tlcourse fetch" in sentence for sentence in sentences] == [True, True]


def test_weights_of_keras_are_copied(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(kits.weights, "fault_of_weights", lambda file: None)
    file = kits.weights.weights_file("vgg16")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert kits._add_networks(tmp_path / "kit", ["vgg16"]) == []
    assert (tmp_path / "kit" / file.name).read_bytes() == b"weights"
