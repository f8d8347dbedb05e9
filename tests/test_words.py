"""The course speaks the field's language: STYLE.md's list of words that are not used."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXTS = [
    ROOT / "README.md",
    *sorted(ROOT.glob("docs/*.md")),
    *sorted(ROOT.glob("docs/api/*.md")),
    *sorted(ROOT.glob("authoring/source/*.py")),
    *sorted(ROOT.glob("authoring/teaching/*.md")),
    *sorted(ROOT.glob("tlcourse/**/*.py")),
    *sorted(ROOT.glob("tlcourse/**/*.ini")),
    *sorted(ROOT.glob("tlcourse/**/*.md")),
]
PROGRAMS = [
    *sorted(ROOT.glob("authoring/**/*.py")),
    *sorted(ROOT.glob("docs/*.py")),
    *sorted(ROOT.glob("tlcourse/**/*.py")),
]

# What is wrong in any sense, or in the words around it. Ordinary English is not in it:
# a network learns, a guess comes first, a hand is raised.
PHRASES = (
    r"(learned|judged) (rows?|cells?|pictures?|sentences?|digits?)|judging (cells|rows|set)",
    r"\b(\w+ random|each|every|per|several) draws?\b|\bdraws? of (the )?(cells|data|train)",
    r"\b(two|four|\w+ more|several|augmented) views\b|views of (a|each|the) picture",
    r"numbers (that )?are (trained|trainable)",
    r"\bcarr(y|ies|ied) over\b|\btrained further\b",
    r"\b(training|test|new|five) hands\b|\bhands of (the )?(kanji|characters)",
    r"what it (gives|hands on|lets out)|\bhands on the\b|\blets out\b",
    r"\b(better|worse|more) than guessing\b|who does not look",
    r"\bspreads?\b",
    r"\b(two|three|four|five|ten|twelve) looks\b|looks at each (cell|picture)",
    r"less true|flatter(y|ing|ed)?\b",
    r"strange ground|\bother texts\b",
    r"nearness",
    r"starting weights?\b",
    r"whereabouts",
    r"\b(one|a) (row|column|number|point) a (picture|photograph|cell|class|kind)\b",
    r"\bseconds (a|an) (epoch|picture|step)\b",
    r"\bwho answers\b|\bwhoever (changes|answers)\b",
    r"looked at and not believed",
)
NAMES = set(
    "found wanted given goal theirs ours said beside place whereabouts learn learned "
    "judging judged draws views luck forget surprise spread strength strengths looks "
    "signs hands hand room house nearness guessing flattery".split()
)


@pytest.mark.parametrize("phrase", PHRASES)
def test_home_made_words_are_not_used(phrase):
    faults = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in TEXTS
        for match in re.finditer(phrase, as_prose(path), re.IGNORECASE)
    ]
    assert faults == []


def as_prose(path):
    """A file's text in one line, without the marks of comments."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(" ".join(line.lstrip("# ") for line in lines).split())


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_names_say_what_they_name(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert NAMES.isdisjoint(name.strip("_").lower() for name in names_in(tree))


def names_in(tree):
    """What a program calls its variables, parameters, attributes, functions, classes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
