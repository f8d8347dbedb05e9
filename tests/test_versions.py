"""What `make matrix` tries covers what pyproject.toml promises; and what it has found stays mended."""

import sys
import warnings
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from sklearn.linear_model import LogisticRegression

from tlcourse import datasets, doctor
from tlcourse.errors import DatasetUnavailable
from tlcourse.models import weights
from tlcourse.training.probe import train_classifier

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "benchmarks"))
import environments  # noqa: E402
import matrix  # noqa: E402

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))[
    "project"
]
ROWS = environments.ROWS.values()


def pythons_of(what):
    return sorted({row.python for row in ROWS if row.what == what}, key=Version)


# --- the rows ---


def test_the_lock_is_tried_on_every_python_that_pyproject_admits():
    supported = SpecifierSet(PROJECT["requires-python"])
    assert pythons_of("the lock") == [
        f"3.{minor}" for minor in range(8, 20) if f"3.{minor}.0" in supported
    ]


def test_the_lock_is_tried_on_every_python_that_pyproject_names():
    named = [
        line.split(" :: ")[-1]
        for line in PROJECT["classifiers"]
        if "Python :: 3." in line
    ]
    assert pythons_of("the lock") == named


def test_the_lowest_versions_are_tried_on_the_lowest_python_and_the_newest_on_the_highest():
    assert pythons_of("the lowest declared") == pythons_of("the lock")[:1]
    assert pythons_of("the newest")[-1] == pythons_of("the lock")[-1]


@pytest.mark.parametrize("name", ["lowest", "newest-3.13", "colab"])
def test_what_is_not_locked_is_installed_from_pyproject_with_every_extra_but_the_sites(
    name,
):
    extras = set(PROJECT["optional-dependencies"]) - {"site", "tensorflow"}
    assert {f"--extra={extra}" for extra in extras} <= set(
        environments.ROWS[name].packages
    )


def test_colab_is_tried_with_all_that_it_has_preinstalled():
    """The imitation has its packages to the letter; where the tests run, TensorFlow is the smaller wheel."""
    pins = set(environments.pins(environments.COLAB))
    assert pins <= set(environments.ROWS["imitation"].packages)
    assert pins - {"tensorflow==2.19.0"} <= set(environments.ROWS["colab"].bounds)


def test_colabs_list_is_of_packages_that_the_course_asks_for():
    asked = [*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["tensorflow"]]
    names = {canonicalize_name(Requirement(line).name) for line in asked}
    assert {
        canonicalize_name(Requirement(line).name)
        for line in environments.pins(environments.COLAB)
    } <= names


def test_the_quick_tests_are_there():
    assert [
        name
        for name in matrix.QUICK
        if not (ROOT / "tests" / f"test_{name}.py").is_file()
    ] == []


def test_the_table_has_a_line_for_each_row_that_was_tried():
    counts = {"passed": 3, "failed": 0, "skipped": 1}
    tried = {
        "python": "3.12.1",
        "packages": "the lock",
        "ran": "tests",
        "lessons": ["00"],
        "seconds": 4,
    }
    rows = {
        "lock-3.12": {
            **tried,
            "versions": {"keras": "3.15.1"},
            "tests": counts,
            "cells": counts,
            "failed": [],
        }
    }
    assert "| 3.12.1 |" in matrix.table(rows) and "| 6 | 0 | 2 | 4 |" in matrix.table(
        rows
    )


# --- what it has found ---


@pytest.mark.parametrize("kind", ["lite", "scaled", "caffe", "as they are"])
def test_every_kind_of_preprocessing_takes_an_array(kind):
    """Keras 3.10 has no model whose output is its input, which was made for networks that take pixels as they are."""
    pixels = np.full((1, 4, 4, 3), 127, np.uint8)
    expected = {
        "lite": 0,
        "scaled": 127 / 127.5 - 1,
        "caffe": 127 - np.array([103.939, 116.779, 123.68]),
    }
    result = weights.preprocess(pixels, kind)
    assert result.dtype == np.float32
    np.testing.assert_allclose(
        result, np.broadcast_to(expected.get(kind, 127), pixels.shape), atol=1e-5
    )


def test_what_scikit_learn_asks_of_a_newer_scipy_is_not_the_learners_affair(
    monkeypatch,
):
    """Colab has scikit-learn 1.6 and SciPy 1.16, which warns of two options that the former still gives."""
    fit = LogisticRegression.fit

    def warning(*arguments, **options):
        message = "scipy.optimize: The `disp` and `iprint` options of the L-BFGS-B solver are deprecated"
        warnings.warn(message, DeprecationWarning, stacklevel=2)
        return fit(*arguments, **options)

    monkeypatch.setattr(LogisticRegression, "fit", warning)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert (
            train_classifier(np.eye(6, dtype=np.float32), [0, 1, 0, 1, 0, 1])
            is not None
        )


class MadeForNewerProtobuf(ModuleType):
    """A module of tensorflow-metadata 1.21 where protobuf is 5, as TensorFlow 2.19 wants it."""

    def __getattr__(self, name):
        raise RuntimeError("Detected incompatible Protobuf Gencode/Runtime versions")


@pytest.fixture
def protobuf_too_old(monkeypatch, no_packs):
    monkeypatch.setitem(
        sys.modules, "tensorflow_metadata.proto.v0", MadeForNewerProtobuf("v0")
    )


@pytest.mark.parametrize(
    ("name", "options"), [("dogs", {}), ("kmnist", {}), ("digits", {"full": True})]
)
def test_where_tensorflow_datasets_does_not_start_its_sets_are_answered_with_the_cure(
    protobuf_too_old, name, options
):
    with pytest.raises(
        DatasetUnavailable, match='Run: pip install "tensorflow-metadata<1.18"'
    ):
        datasets.load_dataset(name, **options)


def test_the_doctor_says_why_tensorflow_datasets_does_not_start(protobuf_too_old):
    (found,) = (
        finding
        for finding in doctor.examine()
        if finding.subject == "tensorflow-datasets"
    )
    assert found.state == "missing" and "tensorflow-metadata<1.18" in found.text


def test_tensorflow_datasets_starts_here():
    assert datasets.fitting.fault() is None
