"""SECURITY.md promises nothing that no test holds: each row of its table names tests, and each of them exists."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`((?:workshop/)?tests/[\w/]+\.py)::(\w+)`")


def promises(text: str) -> dict[str, list[tuple[str, str]]]:
    """Promise → the (file, test) pairs that its row of the table names."""
    table = text.partition("| Promise | Tests |")[2].partition("\n\n")[0]
    rows = [
        line.strip("|").split("|")
        for line in table.splitlines()
        if line.startswith("| ")
    ]
    return {promise.strip(): NAMED.findall(tests) for promise, tests in rows}


def names_in(path: Path) -> set[str]:
    """The names of the test functions and test classes that a file defines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {
        node.name
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
    }


PROMISES = promises((ROOT / "SECURITY.md").read_text(encoding="utf-8"))


def test_the_table_is_read():
    assert len(PROMISES) >= 10


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_names_tests_that_exist(promise):
    named = PROMISES[promise]
    assert named, f"no test is named for: {promise}"
    missing = [
        f"{file}::{test}" for file, test in named if not _exists(ROOT / file, test)
    ]
    assert missing == []


def _exists(file: Path, test: str) -> bool:
    return file.is_file() and test.startswith("test_") and test in names_in(file)


def test_a_promise_without_a_test_is_noticed():
    text = "| Promise | Tests |\n|---|---|\n| Nothing runs | the maintainers' care |\n"
    assert promises(text) == {"Nothing runs": []}
    assert not _exists(ROOT / "tests/test_safety.py", "test_that_nobody_wrote")
