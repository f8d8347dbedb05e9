"""What `make matrix` tries covers what pyproject.toml promises."""

import sys
from pathlib import Path

import environments
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
TEXT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
PROJECT = tomllib.loads(TEXT)["project"]


def pythons_of(what):
    rows = environments.ROWS.values()
    return sorted({row.python for row in rows if row.what == what}, key=Version)


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
def test_what_is_not_locked_is_installed_with_every_extra_but_the_sites(name):
    extras = set(PROJECT["optional-dependencies"]) - {"site", "tensorflow"}
    options = {f"--extra={extra}" for extra in extras}
    assert options <= set(environments.ROWS[name].packages)


def test_colab_is_tried_with_all_that_it_has_preinstalled():
    pins = set(environments.pins(environments.COLAB))
    assert pins <= set(environments.ROWS["imitation"].packages)
    # Where the tests run, TensorFlow is the smaller wheel.
    assert pins - {"tensorflow==2.19.0"} <= set(environments.ROWS["colab"].bounds)
    tensorflow = PROJECT["optional-dependencies"]["tensorflow"]
    assert names(pins) <= names([*PROJECT["dependencies"], *tensorflow])


def test_the_quick_tests_are_there():
    files = [ROOT / "tests" / f"test_{name}.py" for name in matrix.QUICK]
    assert [file.name for file in files if not file.is_file()] == []


def test_the_table_has_a_line_for_each_row_that_was_tried():
    counts = {"passed": 3, "failed": 0, "skipped": 1}
    row = {
        "python": "3.12.1",
        "packages": "the lock",
        "ran": "tests",
        "lessons": ["00"],
        "seconds": 4,
        "versions": {"keras": "3.15.1"},
        "tests": counts,
        "cells": counts,
        "failed": [],
    }
    table = matrix.table({"lock-3.12": row})
    assert "| 3.12.1 |" in table and "| 6 | 0 | 2 | 4 |" in table
