"""Parts of a lesson that say they are independent run on their own, after its set-up."""

import ast
import builtins
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "authoring"))
import build  # noqa: E402

LESSON = "09_misuse"
PART = re.compile(r"\d · |Appendix")  # begins the title of a part
HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


def sections(lesson):
    """Titles of a lesson's sections → the sources of their code cells."""
    title, found = "", {"": []}
    for cell in build.convert(build.SOURCES / f"{lesson}.py").cells:
        if cell.cell_type == "code":
            found[title].append(cell.source)
        else:
            for title in HEADING.findall(cell.source):
                found[title] = []
    return found


SECTIONS = sections(LESSON)
PARTS = [title for title in SECTIONS if PART.match(title)]
SET_UP = ["", "What you will learn", "The set-up"]


def code_of(titles):
    return [source for title in titles for source in SECTIONS[title]]


def names(tree, context):
    """The names that the code stores (also by imports and definitions), or loads."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, context):
            found.add(node.id)
        elif context is ast.Store and isinstance(node, ast.arg):
            found.add(node.arg)
        elif context is ast.Store and isinstance(node, ast.alias):
            found.add(node.asname or node.name.split(".")[0])
        elif context is ast.Store and isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif context is ast.Store and isinstance(node, ast.ExceptHandler):
            found.add(node.name)
    return found


def test_the_lesson_has_five_parts_and_an_appendix_after_its_set_up():
    titles = list(SECTIONS)
    assert titles[:3] == SET_UP and titles[3:8] == PARTS[:5]
    assert [title[0] for title in PARTS] == ["1", "2", "3", "4", "5", "A"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_uses_only_names_of_the_set_up_and_its_own(part):
    defined = names(ast.parse("\n".join(code_of(SET_UP))), ast.Store)
    for source in code_of([part]):
        tree = ast.parse(source)
        defined |= names(tree, ast.Store)
        unknown = names(tree, ast.Load) - defined - set(dir(builtins))
        assert not unknown, source


@pytest.fixture(scope="module")
def after_set_up():
    """The namespace after the set-up; a part runs in a copy of it."""
    namespace = {}
    for source in code_of(SET_UP):
        exec(source, namespace)
    return namespace


@pytest.mark.slow
@pytest.mark.parametrize("part", PARTS)
def test_a_part_runs_on_its_own(part, after_set_up, capsys):
    namespace = dict(after_set_up)
    for source in code_of([part]):
        exec(source, namespace)
    printed = capsys.readouterr().out
    assert printed and "nan" not in printed
