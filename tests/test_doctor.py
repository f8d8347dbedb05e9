"""The doctor finds each fault that a test makes here, and says what mends it."""

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import h5py
import psutil
import pytest
from typer.testing import CliRunner

from tlcourse import cli, doctor, files
from tlcourse.doctor import installation
from tlcourse.models import bert_folder
from tlcourse.models import weights as keras_weights

VGG16 = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with nothing fetched, enough memory and disk; returns its folder of Keras weights."""
    for variable in ("TLCOURSE_CACHE", "TFDS_DATA_DIR", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.delenv("TLCOURSE_PACKS", raising=False)
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(available=8e9)
    )
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=50e9))
    monkeypatch.setattr(
        bert_folder, "find_spec", lambda name: None
    )  # whether minilm's package is installed
    monkeypatch.setattr(
        keras_weights, "_md5", lambda name: ""
    )  # the tests' files of weights are small
    models = tmp_path / "KERAS_HOME" / "models"
    models.mkdir(parents=True)
    return models


@pytest.fixture
def minilm(tmp_path, monkeypatch):
    """The folder of a minilm that was fetched; its files are short, and pinned as they are."""
    folder = files.make_cache_folder("models") / "minilm"
    write_network(folder)
    pins = {
        name: hashlib.sha256(name.encode()).hexdigest() for name in bert_folder.FILES
    }
    monkeypatch.setattr(bert_folder, "MINILM_SHA256", pins)
    return folder


def write_network(folder):
    folder.mkdir(parents=True)
    for name in bert_folder.FILES:
        (folder / name).write_bytes(name.encode())


def finding(subject):
    (found,) = (finding for finding in doctor.examine() if finding.subject == subject)
    return found


def installed(monkeypatch, **versions):
    """Pretend that these versions are installed beside what is; None is not installed."""
    real = installation._version
    wanted = {name.replace("_", "-"): version for name, version in versions.items()}
    monkeypatch.setattr(
        installation,
        "_version",
        lambda name: wanted[name] if name in wanted else real(name),
    )


def weights(file, keep=None):
    """A real HDF5 file; of its bytes only the first `keep`."""
    with h5py.File(file, "w") as contents:
        contents["kernel"] = [1.0] * 1000
    file.write_bytes(file.read_bytes()[:keep])


def test_nothing_is_broken_here():
    assert [found for found in doctor.examine() if found.state == "broken"] == []


def test_tensorflow_is_not_started():
    code = "from tlcourse.doctor import examine; examine(); import sys; print('tensorflow' in sys.modules)"
    assert (
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True
        ).stdout
        == "False\n"
    )


def test_a_wrong_python(monkeypatch):
    monkeypatch.setattr(installation, "PYTHON_RANGE", ((3, 0), (3, 1)))
    found = finding("Python")
    assert (found.state, "Install one" in found.text) == ("broken", True)


def test_tensorflow_missing(monkeypatch):
    installed(monkeypatch, tensorflow=None, tensorflow_cpu=None)
    found = finding("TensorFlow")
    assert (found.state, "pip install '.[cpu]'" in found.text) == ("broken", True)


def test_two_tensorflows(monkeypatch):
    installed(monkeypatch, tensorflow="2.20.0", tensorflow_cpu="2.21.0")
    found = finding("TensorFlow")
    assert (
        found.state,
        "pip uninstall tensorflow tensorflow-cpu; then" in found.text,
    ) == ("look", True)


def test_tensorflow_whose_files_another_one_took_along(monkeypatch):
    installed(monkeypatch, tensorflow=None, tensorflow_cpu="2.21.0")
    monkeypatch.setitem(
        sys.modules, "tensorflow", None
    )  # how Python marks a module that is not to be found
    found = finding("TensorFlow")
    assert (found.state, "pip install tensorflow-cpu" in found.text) == ("broken", True)


def test_a_package_missing_without_which_nothing_runs(monkeypatch):
    installed(monkeypatch, scikit_learn=None)
    assert finding("scikit-learn") == doctor.Finding(
        "scikit-learn", "broken", "not installed. Run: pip install scikit-learn"
    )


def test_jupyterlab_missing_stops_lessons_but_not_the_course(monkeypatch):
    installed(monkeypatch, jupyterlab=None)
    assert finding("jupyterlab").state == "missing"


def test_a_package_older_than_the_course_asks_for(monkeypatch):
    monkeypatch.setattr(
        installation.metadata, "requires", lambda name: ["keras>=3.10", "numpy>=1.26"]
    )
    installed(monkeypatch, keras="2.15.0")
    found = finding("keras")
    assert (found.state, found.text) == (
        "broken", "2.15.0; the course needs 3.10 or later. Run: pip install --upgrade keras"
    )  # fmt: skip


def test_a_module_that_cannot_be_imported_does_not_stop_the_doctor(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    assert "psutil cannot be imported" in finding("memory").text


def test_little_memory(monkeypatch):
    monkeypatch.setattr(
        psutil, "virtual_memory", lambda: SimpleNamespace(available=0.9e9)
    )
    found = finding("memory")
    assert (
        found.state,
        "only 0.9 GB" in found.text,
        "Close other programs" in found.text,
    ) == ("look", True, True)


@pytest.mark.parametrize("variable", ["TLCOURSE_CACHE", "TFDS_DATA_DIR"])
def test_little_disk_names_the_setting_that_helps(monkeypatch, variable):
    for name in ("TLCOURSE_CACHE", "TFDS_DATA_DIR"):
        Path(os.environ[name]).mkdir()
    monkeypatch.setattr(
        shutil,
        "disk_usage",
        lambda path: SimpleNamespace(free=1e9 if path.name == variable else 9e9),
    )
    found = finding("disk")
    assert (found.state, f"set {variable}" in found.text) == ("look", True)


def test_the_size_of_the_cache():
    (
        files.make_cache_folder("networks") / f"{'0' * 24}-float32-keras-3.15.0.onnx"
    ).write_bytes(bytes(7_000_000))
    text = finding("cache").text
    assert (
        text.startswith("7 MB of at most 5,000 in ") and "tlcourse cache clear" in text
    )


def test_a_cache_that_is_switched_off(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE_GB", "0")
    found = finding("cache")
    assert (found.state, "computed every time" in found.text) == ("look", True)


def test_without_onnx_runtime_it_is_said_what_that_costs(monkeypatch):
    monkeypatch.setattr(installation, "has_onnxruntime", lambda: False)
    found = finding("ONNX Runtime")
    assert (found.state, "half the speed" in found.text) == ("look", True)


def test_a_cache_that_cannot_be_written_to(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "file" / "cache"))
    found = finding("cache")
    assert (found.state, "Set TLCOURSE_CACHE" in found.text) == ("look", True)


def test_a_damaged_bundled_file(tmp_path, monkeypatch):
    copy = shutil.copytree(files.data_folder(), tmp_path / "data")
    (copy / "digits" / "digits.npz").write_bytes(b"half a file")
    monkeypatch.setattr(files, "data_folder", lambda: copy)
    found = finding("digits")
    assert (found.state, "git checkout -- data/digits/digits.npz" in found.text) == (
        "broken",
        True,
    )


def test_solar_cells_without_their_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "elpv_dataset", None)
    found = finding("solar")
    assert (found.state, "pip install elpv-dataset" in found.text) == ("missing", True)


def test_solar_cells_half_installed(tmp_path, monkeypatch):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "labels.csv").write_text(
        "images/cell0001.png  1.0  mono\nimages/cell0002.png  0.0  poly\n" * 8
    )
    package = SimpleNamespace(
        __spec__=SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    )
    monkeypatch.setitem(sys.modules, "elpv_dataset", package)
    found = finding("solar")
    assert (
        found.state,
        "pip install --force-reinstall --no-deps elpv-dataset" in found.text,
    ) == ("missing", True)


def test_dogs_that_are_not_here_and_both_ways_to_get_them():
    found = finding("dogs")
    assert (found.state, "tlcourse fetch dogs" in found.text, "tlcourse pack dogs" in found.text) == (
        "missing", True, True
    )  # fmt: skip


def test_dogs_in_a_pack(tmp_path, monkeypatch):
    for breed in ("beagle", "pug"):
        (tmp_path / "stick" / "dogs" / "train" / breed).mkdir(parents=True)
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "stick"))
    assert (finding("dogs").state, finding("dogs").text.endswith("2 breeds")) == (
        "ok",
        True,
    )


def test_packs_in_a_folder_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "stick"))
    found = finding("TLCOURSE_PACKS")
    assert (found.state, f"there is no folder {tmp_path / 'stick'}" in found.text) == (
        "look",
        True,
    )


def test_packs_in_a_folder_that_is_itself_the_pack(tmp_path, monkeypatch):
    (tmp_path / "dogs" / "train" / "beagle").mkdir(parents=True)
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "dogs"))
    found = finding("TLCOURSE_PACKS")
    assert (found.state, "the parent of the folder dogs" in found.text) == (
        "look",
        True,
    )


def test_a_network_for_text_in_a_pack_is_a_pack(tmp_path, monkeypatch):
    write_network(tmp_path / "stick" / "minilm")
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "stick"))
    found = finding("TLCOURSE_PACKS")
    assert (found.state, found.text) == ("ok", "packs: minilm")


def test_minilm_is_here_and_as_it_was_published(minilm):
    found = finding("minilm")
    assert (found.state, found.text) == (
        "ok",
        f"in {minilm}; every file's SHA-256 is right",
    )


def test_minilm_is_not_here_and_both_ways_to_get_it():
    found = finding("minilm")
    assert (found.state, "tlcourse fetch minilm" in found.text, "tlcourse pack minilm" in found.text) == (
        "missing", True, True
    )  # fmt: skip


def test_minilm_was_altered(minilm):
    (minilm / "vocab.txt").write_text("something else")
    found = finding("minilm")
    assert (found.state, f"{minilm / 'vocab.txt'} is not the file" in found.text) == (
        "missing",
        True,
    )


def test_minilm_is_not_all_there(minilm):
    (minilm / "model.safetensors").unlink()
    found = finding("minilm")
    assert (found.state, "has no model.safetensors" in found.text) == ("missing", True)


def test_another_network_for_text(tmp_path):
    assert "bert-base-uncased" in finding("more networks").text
    write_network(files.make_cache_folder("models") / "bert-base-uncased")
    assert finding("bert-base-uncased").state == "ok"
    assert "bert-base-uncased" not in finding("more networks").text


def test_whole_weights_in_the_cache_of_keras(machine):
    weights(machine / VGG16)
    assert finding("networks").text == "in Keras' cache: vgg16"


def test_weights_with_nothing_in_them(machine):
    (machine / VGG16).touch()
    found = finding("vgg16")
    assert (found.state, "is empty. Delete it" in found.text) == ("missing", True)


def test_weights_cut_short(machine):
    weights(machine / VGG16, keep=3000)
    assert (
        f"{VGG16} is cut short. Delete it; with internet run: tlcourse fetch vgg16"
        in finding("vgg16").text
    )


def test_weights_altered(machine, monkeypatch):
    weights(machine / VGG16)
    monkeypatch.setattr(keras_weights, "_md5", lambda name: "0" * 32)
    assert (
        f"{VGG16} is altered. Delete it; with internet run: tlcourse fetch vgg16"
        in finding("vgg16").text
    )


def test_weights_that_are_an_error_page(machine):
    (machine / VGG16).write_text("<html>404</html>")
    assert f"{VGG16} is no file of weights" in finding("vgg16").text


def test_the_command_ends_well_where_only_the_dogs_are_missing(minilm):
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (
        0,
        "The course can run; some lessons wait for dogs.",
    )


def test_the_command_fails_where_the_course_cannot_run(monkeypatch):
    installed(monkeypatch, tensorflow=None, tensorflow_cpu=None)
    result = CliRunner().invoke(cli.app, ["doctor"])
    assert (result.exit_code, "mend TensorFlow" in result.stdout) == (1, True)


def test_square_brackets_of_a_cure_are_printed(monkeypatch):
    installed(monkeypatch, tensorflow=None, tensorflow_cpu=None)
    assert "'.[cpu]'" in CliRunner().invoke(cli.app, ["doctor"]).stdout


def test_a_long_path_is_printed_in_full(minilm):
    output = CliRunner().invoke(cli.app, ["doctor"], env={"COLUMNS": "50"}).stdout
    assert str(minilm) in re.sub(r"\s", "", output)


@pytest.mark.parametrize("columns", [60, 80])
def test_no_line_is_wider_than_the_terminal(columns):
    output = (
        CliRunner().invoke(cli.app, ["doctor"], env={"COLUMNS": str(columns)}).stdout
    )
    assert max(map(len, output.splitlines())) <= columns
