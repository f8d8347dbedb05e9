"""The long doctor finds packs, networks and hosts at fault."""

import os
import socket
from types import SimpleNamespace

import h5py
import pytest
from click.testing import CliRunner
from faulty_host import faulty_host

from tlcourse import fetching
from tlcourse.datasets import downloaded, load_dataset
from tlcourse.models import weights
from workshop import doctor
from workshop.__main__ import app
from workshop.packs import write_pack


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with nothing fetched."""
    for variable in ("TLCOURSE_CACHE", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.delenv("TLCOURSE_PACKS", raising=False)
    sets = tmp_path / "sets" / "oxford_iiit_pet" / "4.0.0"
    builder = SimpleNamespace(data_path=sets, is_prepared=lambda: False)
    monkeypatch.setattr(downloaded, "builder", lambda: builder)


def said(check, subject):
    findings = [one for one in check() if one.subject == subject]
    return "\n".join(f"{one.state}: {one.text}" for one in findings)


@pytest.fixture
def stick(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "stick"))
    return write_pack(load_dataset("samples"), tmp_path / "stick")


def test_a_pack_is_compared_with_what_was_written(stick, monkeypatch):
    assert said(doctor.packs, "packs") == "ok: samples"
    assert said(doctor.packs, "pack samples") == ""
    picture = next(path for path in (stick / "test").rglob("*.jpg"))
    picture.write_bytes(picture.read_bytes()[:-1] + b"?")
    assert said(doctor.packs, "pack samples").startswith("missing")
    monkeypatch.setenv("TLCOURSE_PACKS", str(stick))
    assert "the parent of dogs" in said(doctor.packs, "packs")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "no file of weights"),
        (b"<html>404</html>", "no file of weights"),
        (None, "altered"),
    ],
)
def test_weights_that_are_not_as_published(tmp_path, monkeypatch, content, expected):
    file = weights.weights_file("vgg16")
    file.parent.mkdir(parents=True)
    if content is None:
        with h5py.File(file, "w") as opened:
            opened["kernel"] = [1.0] * 1000
    else:
        file.write_bytes(content)
    text = said(doctor.networks, "vgg16")
    assert expected in text and "tlcourse fetch vgg16" in text
    assert "resnet50" in said(doctor.networks, "more networks")


def test_a_folder_of_another_package_that_cannot_be_written_to(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert "Set KERAS_HOME" in said(doctor.folders, "KERAS_HOME")


@pytest.fixture
def host(monkeypatch):
    """One host for all downloads."""
    with faulty_host() as host:
        monkeypatch.setattr(weights, "KERAS_FILES", host.address)
        infos = {f"{host.address}/3": SimpleNamespace(size=3)}
        builder = SimpleNamespace(url_infos=infos)
        monkeypatch.setattr(downloaded, "builder", lambda: builder)
        monkeypatch.setattr(fetching, "run_installer", lambda command: "")
        file = weights.weights_file("mobilenet_v2").name
        host.files = {f"/{name}": b"content" for name in ("3", f"mobilenet_v2/{file}")}
        yield host


def test_hosts_are_asked_once_each(host):
    states = [one.state for one in doctor.hosts()]
    assert states == ["ok"] * len(doctor.FROM_EACH_HOST)
    assert host.connections == len(states) - 1  # pip's index is not this one


def test_hosts_that_fail_are_named(host):
    host.fault = "500"
    assert "answered 500" in said(doctor.hosts, "fetch dogs")


def test_no_host_is_asked_by_default_and_the_command_asks_if_told_to(monkeypatch):
    asked = lambda *_, **__: pytest.fail("asked")  # noqa: E731
    monkeypatch.setattr(socket, "getaddrinfo", asked)
    monkeypatch.setattr(fetching, "run_installer", asked)
    result = CliRunner().invoke(app, ["doctor"])
    assert "tlcourse" in result.output and "more networks" in result.output
    hosts = lambda: iter([doctor.Finding("a host", "ok", "answers")])  # noqa: E731
    monkeypatch.setattr(doctor, "hosts", hosts)
    assert "a host" in CliRunner().invoke(app, ["doctor", "--network"]).output
