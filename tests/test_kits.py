"""An offline kit: whole for each system, resumable, installed offline. Tiny packages stand for the real."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from faulty_host import faulty_host
from packaging.requirements import Requirement
from small_course import HERE, NATIVE, TAG, offline, write_course, write_wheel
from typer.testing import CliRunner

from tlcourse import kits
from tlcourse.cli import app
from tlcourse.errors import UserInputError
from tlcourse.kits import contents, installer, make_kit, wheels
from tlcourse.kits.targets import SYSTEMS, Target, make_targets
from tlcourse.kits.wheels import KitError

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A checkout of a small course with a lock of three packages, and a folder that stands for a package index."""
    return write_course(tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def kit(course, tmp_path_factory):
    """A kit of the small course for three systems; tests that change it copy it first."""
    goal = tmp_path_factory.mktemp("stick") / "kit"
    with pytest.MonkeyPatch.context() as patch:
        offline(patch, course)
        make_kit(goal, SYSTEMS, [HERE], source=course, say=lambda line: None)
    return goal


def names(folder):
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    )


# What is in it


def test_a_kit_has_the_wheels_of_every_system_and_what_installs_them(kit):
    natives = [
        f"wheels/native-1.0-cp{TAG}-cp{TAG}-{tag}.whl" for tag in NATIVE.values()
    ]
    others = [
        "wheels/pure-1.0-py3-none-any.whl",
        "wheels/old-1.0-py3-none-any.whl",
        "wheels/aside-1.0-py3-none-any.whl",
    ]
    programs = [
        "install.py",
        "install-linux.sh",
        "install-macos.command",
        "install-windows.bat",
        "START_HERE.txt",
    ]
    lessons = ["lessons/00_start_here.ipynb", "lessons/checkpoints/00_01.py"]
    ours = [
        "wheels/tlcourse-0.1.0-py3-none-any.whl",
        "requirements.txt",
        "kit.json",
        "SHA256SUMS",
    ]
    assert names(kit) == sorted([*natives, *others, *programs, *lessons, *ours])


def test_every_other_file_is_in_the_checksums(kit):
    lines = [
        line.split("  ", 1)
        for line in (kit / "SHA256SUMS").read_text("utf-8").splitlines()
    ]
    assert [name for _, name in lines] == [
        name for name in names(kit) if name != "SHA256SUMS"
    ]
    assert all(
        hashlib.sha256((kit / name).read_bytes()).hexdigest() == digest
        for digest, name in lines
    )


def test_each_system_is_told_its_own_wheels(kit):
    targets = json.loads((kit / "kit.json").read_text("utf-8"))["targets"]
    assert list(targets) == [f"{system}, Python {HERE}" for system in SYSTEMS]
    for system, target in zip(SYSTEMS, targets.values(), strict=True):
        assert [name for name in target["wheels"] if name.startswith("native")][
            0
        ].endswith(f"{NATIVE[system]}.whl")
        assert any(name.startswith("old") for name in target["wheels"]) == (
            system != "windows"
        )


def test_the_hash_of_what_was_built_here_stands_beside_the_published_one(kit, course):
    built = hashlib.sha256(
        (kit / "wheels" / "old-1.0-py3-none-any.whl").read_bytes()
    ).hexdigest()
    text = (kit / "requirements.txt").read_text("utf-8")
    assert built in text and built not in (course / "requirements.txt").read_text(
        "utf-8"
    )
    assert "tlcourse[cpu,learn]==0.1.0 --hash=sha256:" in text


def test_the_installers_look_for_the_kits_pythons(kit):
    for name in ("install-linux.sh", "install-macos.command", "install-windows.bat"):
        assert HERE in (kit / name).read_text("utf-8") and "@PYTHONS@" not in (
            kit / name
        ).read_text("utf-8")
    assert b"\r\n" in (kit / "install-windows.bat").read_bytes()
    assert b"\r" not in (kit / "install-linux.sh").read_bytes()


# Going on


@pytest.fixture
def copied(kit, tmp_path):
    shutil.copytree(kit, tmp_path / "kit")
    return tmp_path / "kit"


def test_the_same_command_goes_on_and_downloads_nothing_twice(
    copied, course, monkeypatch, tmp_path
):
    offline(monkeypatch, course)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    before = {name: (copied / name).read_bytes() for name in names(copied)}
    (copied / "SHA256SUMS").unlink()
    make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    changed = {name for name in before if (copied / name).read_bytes() != before[name]}
    assert changed <= {
        "SHA256SUMS",
        "requirements.txt",
        "kit.json",
        "wheels/tlcourse-0.1.0-py3-none-any.whl",
    }


def test_what_is_missing_is_fetched_and_what_is_no_longer_needed_goes(
    copied, course, monkeypatch
):
    offline(monkeypatch, course)
    (copied / "wheels" / "pure-1.0-py3-none-any.whl").unlink()
    write_wheel(copied / "wheels", "pure", "0.9")
    make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert [name for name in names(copied) if "pure" in name] == [
        "wheels/pure-1.0-py3-none-any.whl"
    ]


@pytest.mark.parametrize(
    ("chosen", "tries"),
    [("", 3), ("0", 1)],
    ids=["three times", "as often as is chosen"],
)
def test_an_index_that_fails_is_not_asked_for_long(
    chosen, tries, copied, course, monkeypatch, tmp_path
):
    offline(monkeypatch, course)
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    if chosen:
        monkeypatch.setenv("PIP_RETRIES", chosen)
    (copied / "wheels" / "pure-1.0-py3-none-any.whl").unlink()
    with faulty_host() as host:
        host.fault = "500"
        monkeypatch.setenv("PIP_INDEX_URL", f"{host.address}/simple")
        with pytest.raises(
            KitError, match="pure.* is in no package index.* Run the same command again"
        ):
            make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert host.connections == 2 * tries  # for a wheel, and for the source


def test_a_package_that_cannot_be_had_is_named_and_what_is_here_is_kept(
    copied, course, monkeypatch, tmp_path
):
    offline(monkeypatch, course)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "nothing"))
    (copied / "wheels" / "pure-1.0-py3-none-any.whl").unlink()
    with pytest.raises(
        KitError,
        match="pure.* is in no package index.* Run the same command again: what is here",
    ):
        make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert (
        not (copied / "SHA256SUMS").exists()
        and (copied / "wheels" / "aside-1.0-py3-none-any.whl").exists()
    )


@pytest.mark.parametrize(
    "name", ["lessons/00_start_here.ipynb", "lessons/my_notes.txt"]
)
@pytest.mark.parametrize("state", ["whole", "interrupted", "never finished"])
def test_answers_in_a_kits_lessons_are_not_replaced(
    copied, course, monkeypatch, name, state
):
    offline(monkeypatch, course)
    (copied / name).write_text("my answers")
    if state != "whole":
        (copied / "SHA256SUMS").rename(copied / "SHA256SUMS.earlier")
    if state == "never finished":
        (copied / "SHA256SUMS.earlier").unlink()
    before = names(copied)
    with pytest.raises(UserInputError, match=f"{name}.* Answers may be in it"):
        make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert (copied / name).read_text() == "my answers" and names(copied) == before


def test_lessons_that_nobody_changed_are_made_again(copied, course, monkeypatch):
    """An earlier version of the course made them."""
    offline(monkeypatch, course)
    lesson, sums = copied / "lessons" / "00_start_here.ipynb", copied / "SHA256SUMS"
    new = lesson.read_bytes()
    lesson.write_bytes(b"of an earlier version")
    digests = [
        hashlib.sha256(content).hexdigest() for content in (new, lesson.read_bytes())
    ]
    sums.write_text(sums.read_text("utf-8").replace(*digests), "utf-8")
    make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert lesson.read_bytes() == new and installer_finds_it_whole(copied)


def test_a_wheel_and_a_file_that_the_user_added_stay(copied, course, monkeypatch):
    offline(monkeypatch, course)
    write_wheel(copied / "wheels", "mine", "1.0", tag=f"cp{TAG}-cp{TAG}-win_amd64")
    (copied / "wheels" / "mine").mkdir()
    (copied / "wheels" / "letter.txt").write_text("mine")
    make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert len(list((copied / "wheels").glob("mine*"))) == 2
    assert (
        copied / "wheels" / "letter.txt"
    ).read_text() == "mine" and installer_finds_it_whole(copied)


def test_a_wheel_that_was_cut_short_is_had_again(copied, course, monkeypatch):
    """A stick that was pulled out too early has files with the right name."""
    offline(monkeypatch, course)
    wheel = copied / "wheels" / "pure-1.0-py3-none-any.whl"
    whole = wheel.read_bytes()
    for name in (
        "pure-1.0-py3-none-any.whl",
        "old-1.0-py3-none-any.whl",
        f"native-1.0-cp{TAG}-cp{TAG}-win_amd64.whl",
    ):
        (copied / "wheels" / name).write_bytes(
            (copied / "wheels" / name).read_bytes()[:-30]
        )
    make_kit(copied, SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert wheel.read_bytes() == whole and installer_finds_it_whole(copied)


def installer_finds_it_whole(kit):
    lines = [
        line.split("  ", 1)
        for line in (kit / "SHA256SUMS").read_text("utf-8").splitlines()
    ]
    return all(
        hashlib.sha256((kit / name).read_bytes()).hexdigest() == digest
        for digest, name in lines
    )


def test_a_kit_that_was_hardly_begun_is_known_for_one(tmp_path, course, monkeypatch):
    """Killed before anything else was written, or while it was."""
    offline(monkeypatch, course)
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / ".unfinished-another-machine-17-abc").write_bytes(b"{")
    monkeypatch.setattr(
        kits.wheels, "download", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
    )
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            make_kit(
                tmp_path / "kit",
                ["linux"],
                [HERE],
                source=course,
                say=lambda line: None,
            )


def test_two_kits_of_the_same_lock_are_the_same(kit, course, tmp_path, monkeypatch):
    offline(monkeypatch, course)
    make_kit(tmp_path / "kit", SYSTEMS, [HERE], source=course, say=lambda line: None)
    assert (tmp_path / "kit" / "SHA256SUMS").read_bytes() == (
        kit / "SHA256SUMS"
    ).read_bytes()


# What is refused


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path, course):
    (tmp_path / "letter.txt").write_text("Dear Sir or Madam")
    with pytest.raises(
        UserInputError,
        match="is not empty, and no kit. Choose a new folder; nothing was written",
    ):
        make_kit(tmp_path, ["linux"], [HERE], source=course)
    assert names(tmp_path) == ["letter.txt"]


@pytest.mark.parametrize(
    "manifest",
    ["{}", "[]", "", '{"version": "2", "targets": {}}', '{"name": "robot kit"}'],
)
def test_another_programs_kit_json_makes_no_kit_of_a_folder(tmp_path, course, manifest):
    (tmp_path / "kit.json").write_text(manifest)
    (tmp_path / "lessons").mkdir()
    (tmp_path / "lessons" / "mine.ipynb").write_text("mine")
    with pytest.raises(UserInputError, match="no kit"):
        make_kit(tmp_path, ["linux"], [HERE], source=course)
    assert (
        names(tmp_path) == ["kit.json", "lessons/mine.ipynb"]
        and (tmp_path / "kit.json").read_text() == manifest
    )


def test_too_little_room_is_said_before_anything_is_downloaded(
    tmp_path, course, monkeypatch
):
    monkeypatch.setattr(
        kits.shutil,
        "disk_usage",
        lambda path: shutil._ntuple_diskusage(10**9, 9 * 10**8, 10**8),
    )
    with pytest.raises(
        UserInputError,
        match=r"needs some 0\.2 GB more .* 0\.1 GB are free .* or fewer systems",
    ):
        make_kit(tmp_path / "kit", ["linux"], [HERE], source=course)
    assert not (tmp_path / "kit").exists()


@pytest.mark.parametrize(
    ("systems", "pythons", "said"),
    [
        (
            ["amiga"],
            ["3.12"],
            "cannot be made for amiga. The systems: linux, macos, windows",
        ),
        (
            ["linux"],
            ["2.7"],
            r"cannot be made for 2.7. The Pythons: 3.10, 3.11, 3.12, 3.13",
        ),
        ([], ["3.12"], "cannot be made for nothing"),
    ],
)
def test_a_system_or_python_that_is_not_supported_is_answered_with_those_that_are(
    systems, pythons, said
):
    with pytest.raises(UserInputError, match=said):
        make_targets(systems, pythons)


def test_without_a_checkout_it_says_what_to_do(tmp_path):
    with pytest.raises(
        UserInputError, match="no requirements.txt .* Clone the course's repository"
    ):
        make_kit(tmp_path / "kit", ["linux"], [HERE], source=tmp_path)


def test_the_command_refuses_in_a_sentence(tmp_path):
    result = CliRunner().invoke(
        app, ["kit", str(tmp_path / "kit"), "--systems", "amiga"]
    )
    assert (
        result.exit_code == 1 and "The systems: linux, macos, windows" in result.output
    )


def test_uv_finds_what_a_wheel_asks_for_and_nobody_locked(copied, course, monkeypatch):
    """The lock says nothing of it, so only a resolver can tell."""
    lock = wheels.read_lock(
        course / "requirements.txt", course / "requirements-minilm.txt"
    )
    text = wheels.kit_requirements(lock, copied / "wheels")
    with pytest.raises(
        KitError,
        match="wheels for macos, Python .* are not complete. uv says: .*not-here",
    ):
        wheels.check_by_resolving(Target("macos", HERE), text, copied / "wheels")


def test_a_missing_wheel_is_named_with_its_system(copied, course):
    (copied / "wheels" / f"native-1.0-cp{TAG}-cp{TAG}-win_amd64.whl").unlink()
    lock = wheels.read_lock(course / "requirements.txt")
    assert wheels.wheels_of(Target("linux", HERE), lock, copied / "wheels")
    with pytest.raises(
        KitError, match=r"For windows, Python .* there are no wheels of native==1\.0"
    ):
        wheels.wheels_of(Target("windows", HERE), lock, copied / "wheels")


# The real lock


@pytest.mark.parametrize("system", SYSTEMS)
def test_of_the_courses_lock_every_system_needs_one_tensorflow(system):
    lock = wheels.read_lock(ROOT / "requirements.txt")
    needed = [line.name for line in lock.values() if Target(system, "3.12").needs(line)]
    assert [name for name in needed if name in ("tensorflow", "tensorflow-cpu")] == [
        "tensorflow" if system == "macos" else "tensorflow-cpu"
    ]
    assert len(needed) == len(set(needed)) > 150


def test_every_line_of_the_lock_is_read_with_its_hashes():
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    lock = wheels.read_lock(ROOT / "requirements.txt")
    assert len(lock) == len(re.findall(r"(?m)^\S+==", text))
    assert sum(line.count("--hash") for line in lock) == text.count("--hash")


def test_what_some_releases_of_a_python_need_is_carried_for_all_of_them():
    older = Requirement("a==1; python_full_version < '3.11.5'")
    newer = Requirement("a==2; python_full_version >= '3.11.5'")
    assert Target("linux", "3.11").needs(older) and Target("linux", "3.11").needs(newer)
    assert Target("linux", "3.12").needs(newer) and not Target("linux", "3.12").needs(
        older
    )


def test_the_wheel_that_fits_best_is_taken(tmp_path):
    for tag in (
        "py3-none-any",
        f"cp{TAG}-cp{TAG}-win_amd64",
        f"cp{TAG}-abi3-win_amd64",
    ):
        write_wheel(tmp_path, "native", tag=tag)
    found = Target("windows", HERE).wheel_for(
        Requirement("native==1.0"), tmp_path.iterdir()
    )
    assert found.name == f"native-1.0-cp{TAG}-cp{TAG}-win_amd64.whl"


# Installing: on this machine, which has to be one that kits are made for

on_linux = pytest.mark.skipif(
    not sys.platform.startswith("linux") or os.uname().machine != "x86_64",
    reason="needs Linux on x86-64",
)


def install(kit, folder, *command):
    """Run a kit's installer as a learner does, in an empty environment; without any network where that can be had."""
    no_network = (
        ["unshare", "--net"] if shutil.which("unshare") and os.geteuid() == 0 else []
    )
    if (
        no_network
        and subprocess.run([*no_network, "true"], capture_output=True).returncode
    ):
        no_network = []
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder.parent),
    }
    return subprocess.run(
        [*no_network, *(command or ["sh", str(kit / "install-linux.sh")]), str(folder)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def installed(kit, tmp_path_factory):
    """The small kit, installed into an empty folder; the folder, and what was said."""
    folder = tmp_path_factory.mktemp("learner") / "my course"
    run = install(kit, folder)
    assert run.returncode == 0, run.stdout + run.stderr
    return folder, run.stdout


@on_linux
def test_installing_needs_no_network_and_ends_with_the_doctor(installed):
    folder, said = installed
    assert (
        "the doctor says ok" in said
        and f"To open the lessons: {folder / 'start.sh'}" in said
    )
    found = subprocess.run(
        [folder / ".venv/bin/python", "-c", "import pure, native, old, aside, tlcourse"]
    )
    assert found.returncode == 0


@on_linux
def test_the_lessons_lie_there_and_the_start_opens_them(installed):
    folder, _ = installed
    assert (folder / "lessons" / "checkpoints" / "00_01.py").is_file()
    assert f'cd "{folder}/lessons"' in (folder / "start.sh").read_text() and os.access(
        folder / "start.sh", os.X_OK
    )


@on_linux
def test_installing_again_goes_on_and_leaves_answers_alone(installed, kit):
    folder, _ = installed
    (folder / "lessons" / "00_start_here.ipynb").write_text("my answers")
    assert install(kit, folder).returncode == 0
    assert (folder / "lessons" / "00_start_here.ipynb").read_text() == "my answers"


@on_linux
@pytest.mark.parametrize("name", [".venv/lib/mine.py", "start.sh"])
def test_an_environment_and_a_file_that_the_kit_did_not_make_are_left_alone(
    kit, tmp_path, name
):
    mine = tmp_path / "project" / name
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    run = install(kit, tmp_path / "project")
    assert run.returncode == 1 and "did not make" in run.stdout
    assert names(tmp_path) == [f"project/{name}"] and mine.read_text() == "mine"


@on_linux
def test_a_copy_that_is_damaged_is_named_before_anything_is_installed(copied, tmp_path):
    wheel = copied / "wheels" / "pure-1.0-py3-none-any.whl"
    wheel.write_bytes(wheel.read_bytes()[:-1])
    run = install(copied, tmp_path / "course")
    assert (
        run.returncode == 1
        and "Damaged or missing in this kit: wheels/pure-1.0" in run.stdout
    )
    assert not (tmp_path / "course").exists()


@on_linux
def test_a_damaged_wheel_of_another_system_does_not_matter(copied, monkeypatch):
    (copied / "wheels" / f"native-1.0-cp{TAG}-cp{TAG}-win_amd64.whl").write_bytes(b"")
    monkeypatch.setattr(installer, "KIT", copied)
    installer.check_files(installer.suitable_target())


@on_linux
def test_a_kit_that_was_not_finished_is_not_installed(copied, tmp_path):
    (copied / "SHA256SUMS").unlink()
    run = install(copied, tmp_path / "course")
    assert run.returncode == 1 and "This kit is not finished" in run.stdout


def test_a_machine_that_the_kit_is_not_for_is_told_for_which_it_is(kit, monkeypatch):
    monkeypatch.setattr(installer, "KIT", kit)
    monkeypatch.setattr(installer.platform, "machine", lambda: "riscv64")
    with pytest.raises(
        installer.Refused,
        match=r"not for this machine \(.* riscv64, Python .*\)\. It is for: linux, ",
    ):
        installer.suitable_target()


def test_too_little_room_for_installing_is_said_beforehand(tmp_path, monkeypatch):
    monkeypatch.setattr(
        installer.shutil,
        "disk_usage",
        lambda path: shutil._ntuple_diskusage(10**9, 0, 10**9),
    )
    with pytest.raises(
        installer.Refused,
        match="needs 3,200 MB in .*, and 1,000 MB are free there. Make room",
    ):
        installer.check_space(tmp_path / "course", {"megabytes_installed": 3000})


@on_linux
def test_where_no_python_fits_the_script_says_which_would(copied, tmp_path):
    script = copied / "install-linux.sh"
    script.write_text(script.read_text().replace(HERE, "3.99"))
    run = install(copied, tmp_path / "course")
    assert (
        run.returncode == 1
        and "This kit is for Python 3.99, and none was found" in run.stdout
    )


# Packs and weights


def test_dogs_that_are_not_here_are_reported_and_the_kit_goes_on(
    tmp_path, no_packs, monkeypatch
):
    monkeypatch.setattr(contents.datasets, "load_dataset", unavailable)
    assert contents._add_dogs(tmp_path) == [
        "The dogs of lesson 03 are not on this machine. With internet: tlcourse fetch dogs, then this again."
    ]


def unavailable(name):
    from tlcourse.errors import DatasetUnavailable

    raise DatasetUnavailable("no dogs")


def test_weights_of_keras_are_carried_along_if_they_are_here(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    missing = contents._add_networks(tmp_path / "kit", ["vgg16"])
    assert missing == [
        "vgg16 is not on this machine. With internet: tlcourse fetch vgg16, then this again."
    ]
    monkeypatch.setattr(contents.fetching, "fault_of_weights", lambda file: None)
    file = contents.weights.weights_file("vgg16")
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert contents._add_networks(tmp_path / "kit", ["vgg16"]) == []
    assert (tmp_path / "kit" / file.name).read_bytes() == b"weights"
