"""SECURITY.md promises nothing that no test holds."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NAMED = re.compile(r"`((?:workshop/)?tests/[\w/]+\.py)::(\w+)`")


def promises(text):
    """Promise → the (file, test) pairs that its row of the table names."""
    table = text.partition("| Promise | Tests |")[2].partition("\n\n")[0]
    rows = [
        line.strip("|").split("|") for line in table.splitlines() if line[:2] == "| "
    ]
    return {promise.strip(): NAMED.findall(tests) for promise, tests in rows}


def names_in(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {name for name in names if name.startswith("test_")}


PROMISES = promises((ROOT / "SECURITY.md").read_text(encoding="utf-8"))


def test_the_table_is_read():
    assert len(PROMISES) >= 10
    assert promises("| Promise | Tests |\n|---|---|\n| A | care |\n") == {"A": []}


@pytest.mark.parametrize("promise", PROMISES)
def test_each_promise_names_tests_that_exist(promise):
    assert PROMISES[promise], f"no test is named for: {promise}"
    for file, test in PROMISES[promise]:
        assert test in names_in(ROOT / file), file
