"""A Dask cluster runs code; here those of the course are attacked by another account."""

import ast
import os
import re
import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import dask_intruder
import needs_root
import pytest
from distributed import LocalCluster

ROOT = Path(__file__).resolve().parent.parent
LESSON = ROOT / "authoring" / "source" / "12_cluster.py"
ONE = {"n_workers": 1, "threads_per_worker": 1}


def code_cells(lesson: Path) -> list[str]:
    """The code cells of a lesson's source."""
    cells = re.split(r"^# %%", lesson.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return [cell.partition("\n")[2] for cell in cells if cell[:11] != " [markdown]"]


class Started(NamedTuple):
    """A cluster, and every host:port at which its processes accept connections."""

    cluster: LocalCluster
    addresses: set[str]


@contextmanager
def without_tls(folder):
    """As Dask starts it by default."""
    options = {**ONE, "dashboard_address": "127.0.0.1:0", "local_directory": folder}
    with LocalCluster(**options) as cluster:
        yield cluster


@contextmanager
def of_the_lesson():
    """The cluster of lesson 12, started by the lesson's own cells."""
    (cell,) = (cell for cell in code_cells(LESSON) if "LocalCluster(" in cell)
    names: dict = {}
    exec(cell, names)  # the lesson's own code
    with names["cluster"] as cluster, names["client"]:
        yield cluster
    shutil.rmtree(names["work"])


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    """A cluster as Dask starts it by default, and that of lesson 12."""
    ways = {
        "default": without_tls(tmp_path_factory.mktemp("dask")),
        "lesson": of_the_lesson(),
    }
    with ExitStack() as stack:
        clusters = {}
        for name, way in ways.items():
            before = dask_intruder.listening()
            cluster = stack.enter_context(way)
            clusters[name] = Started(cluster, dask_intruder.listening() - before)
        yield clusters


@pytest.fixture(scope="module")
def attacked(started):
    """Address → attack → what it came to, for every address of every cluster."""
    if reason := dask_intruder.what_is_missing():
        needs_root.skip(reason)
    addresses = set().union(*(each.addresses for each in started.values()))
    return dask_intruder.run(sorted(addresses))


def ran_as(attacked, started) -> set[str]:
    """The uids as which foreign code ran in this cluster."""
    return dask_intruder.ran_as(
        {address: attacked[address] for address in started.addresses}
    )


def test_another_account_runs_code_on_a_cluster_without_tls(attacked, started):
    """The attack works: without this the next test would mean nothing."""
    assert ran_as(attacked, started["default"]) == {str(os.getuid())}


def test_another_account_runs_no_code_on_a_cluster_of_the_course(attacked, started):
    assert ran_as(attacked, started["lesson"]) == set()


def test_a_cluster_of_the_course_listens_on_loopback_only(started):
    hosts = {address.rpartition(":")[0] for address in started["lesson"].addresses}
    assert hosts == {"127.0.0.1"}


def test_every_cluster_in_the_repository_is_started_with_tls():
    """But for the one above that is attacked."""
    for folder in ("tlcourse", "authoring", "notebooks", "benchmarks", "tests", "docs"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text(encoding="utf-8")
            if "LocalCluster" not in text or path == Path(__file__):
                continue
            for node in ast.walk(ast.parse(text)):
                if getattr(node, "func", None) is None:
                    continue
                if ast.unparse(node.func).split(".")[-1] == "LocalCluster":
                    options = {each.arg: each.value for each in node.keywords}
                    assert ast.unparse(options["security"]) == "True", path
