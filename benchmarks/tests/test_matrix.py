"""What `make matrix` tries covers what pyproject.toml promises."""

import sys
from pathlib import Path

import matrix
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def pythons_of(what):
    rows = (row for row in matrix.ROWS.values() if row.what == what and row.python)
    return sorted({row.python for row in rows}, key=Version)


def names(lines):
    return {canonicalize_name(Requirement(line).name) for line in lines}


def test_the_lock_is_tried_on_every_python_that_pyproject_admits_and_names():
    supported = SpecifierSet(PROJECT["requires-python"])
    admitted = [f"3.{n}" for n in range(8, 20) if f"3.{n}.0" in supported]
    classifiers = [line.split(" :: ") for line in PROJECT["classifiers"]]
    named = [parts[-1] for parts in classifiers if "Python" in parts]
    assert pythons_of("the lock") == admitted == named


def test_the_lowest_versions_meet_the_lowest_python_and_the_newest_the_highest():
    assert pythons_of("the lowest declared") == pythons_of("the lock")[:1]
    assert pythons_of("the newest")[-1] == pythons_of("the lock")[-1]


@pytest.mark.parametrize("name", ["lowest", "newest-3.13", "colab"])
def test_what_is_not_locked_is_installed_with_the_extras_that_tests_need(name):
    packages = set(matrix.ROWS[name].packages)
    assert {f"--extra={extra}" for extra in matrix.EXTRAS} <= packages


def test_colab_is_tried_with_all_that_it_has_preinstalled():
    pins = set(matrix.pins(matrix.COLAB))
    assert pins <= set(matrix.ROWS["imitation"].packages)
    # Where the tests run, TensorFlow is the smaller wheel.
    assert pins - {"tensorflow==2.19.0"} <= set(matrix.ROWS["colab"].bounds)
    tensorflow = PROJECT["optional-dependencies"]["tensorflow"]
    assert names(pins) <= names([*PROJECT["dependencies"], *tensorflow])
