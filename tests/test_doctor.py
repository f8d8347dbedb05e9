"""The doctor finds each fault that a test makes here, and says what helps."""

import shutil
import subprocess
import sys
from types import SimpleNamespace

import psutil
import pytest

from tlcourse import cards, doctor

GONE = SimpleNamespace(origin=None)


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine with nothing fetched, and enough memory and disk."""
    for variable in ("TLCOURSE_CACHE", "TFDS_DATA_DIR", "KERAS_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    for variable in ("TLCOURSE_PACKS", *doctor.MISTAKES):
        monkeypatch.delenv(variable, raising=False)
    memory, disk = SimpleNamespace(available=8e9), SimpleNamespace(free=50e9)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: disk)
    return SimpleNamespace(memory=memory, disk=disk)


def said(subject):
    """The findings on a subject, each as "state: text"."""
    findings = [one for one in doctor.examine() if one.subject == subject]
    return "\n".join(f"{one.state}: {one.text}" for one in findings)


def installed(monkeypatch, **versions):
    """Pretend that these versions are installed; None: the package is not."""
    real = doctor._version
    chosen = {name.replace("_", "-"): version for name, version in versions.items()}
    known = lambda name: chosen[name] if name in chosen else real(name)  # noqa: E731
    monkeypatch.setattr(doctor, "_version", known)


def test_nothing_is_broken_here_and_tensorflow_is_not_started():
    program = (
        "import sys; from tlcourse.doctor import examine; print(examine()); "
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True)
    assert done.returncode == 0 and b"state='broken'" not in done.stdout


@pytest.mark.parametrize(
    ("versions", "spec", "expected"),
    [
        ((None, None), GONE, "broken: not installed"),
        ((None, "2.21.0"), None, "broken: tensorflow-cpu 2.21.0. "),
        (
            ("2.20.0", "2.21.0"),
            SimpleNamespace(origin="here"),
            "look: tensorflow 2.20.0 and tensorflow-cpu 2.21.0. ",
        ),
    ],
)
def test_tensorflow_missing_emptied_or_twice(monkeypatch, versions, spec, expected):
    installed(monkeypatch, tensorflow=versions[0], tensorflow_cpu=versions[1])
    monkeypatch.setattr(doctor.util, "find_spec", lambda name: spec)
    text = said("TensorFlow")
    assert text.startswith(expected) and "pip install" in text


@pytest.mark.parametrize(
    ("name", "state"), [("scikit-learn", "broken"), ("jupyterlab", "missing")]
)
def test_a_package_that_is_missing(monkeypatch, name, state):
    installed(monkeypatch, **{name: None})
    assert said(name).startswith(f"{state}: not installed. Run: pip install '{name}")


def test_a_damaged_bundled_file(tmp_path, monkeypatch):
    copy = shutil.copytree(cards.data_folder(), tmp_path / "data")
    (copy / "digits" / "digits.npz").write_bytes(b"half a file")
    monkeypatch.setattr(cards, "data_folder", lambda: copy)
    text = said("digits")
    assert text.startswith("broken") and "git checkout -- data" in text


def test_dogs_that_are_not_here_and_both_ways_to_get_them(tmp_path, monkeypatch):
    text = said("dogs")
    assert text.startswith("missing") and "tlcourse fetch dogs" in text
    assert "python -m workshop pack dogs" in text
    (tmp_path / "stick" / "dogs" / "train" / "pug").mkdir(parents=True)
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "stick"))
    assert said("dogs").startswith("ok")


@pytest.mark.parametrize(
    ("variable", "value", "state"),
    [
        ("KERAS_BACKEND", "torch", "broken"),
        ("KERAS_BACKEND", "tensorflow", ""),
        ("TF_USE_LEGACY_KERAS", "1", "look"),
    ],
)
def test_variables_that_break_the_course(monkeypatch, variable, value, state):
    monkeypatch.setenv(variable, value)
    assert said(variable).partition(":")[0] == state
    assert not state or said(variable).endswith(f"Run: unset {variable}")
