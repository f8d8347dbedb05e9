"""What an instructor needs to know beside the lesson: notes from notebooks/teaching/, mistakes from the exercises.

Notes are Markdown, one file a lesson. They have the lesson's own headings, in its order; under each stand the minutes
and what to say or to watch for:

    ## Fine-tune

    *6 minutes.* Start the cell before you explain it …
"""

import ast
import inspect
import re
import sys
import textwrap
from dataclasses import dataclass
from itertools import zip_longest

from ..errors import UserInputError
from ..exercises.checking import find_exercise
from .lessons import HEADING, Lesson

EXERCISE = re.compile(r"Exercise (\d+\.\d)")
MINUTES = re.compile(r"\*(\d+) minutes?\.\*\s*")


@dataclass(frozen=True)
class Note:
    """About one section.

    Attributes:
        title: of the section.
        start, minutes: when it begins, counted from the lesson's beginning, and how long it takes.
        text: what to say, what to watch for; Markdown.
    """

    title: str
    start: int
    minutes: int
    text: str


def read_notes(lesson: Lesson) -> list[Note]:
    """One note for each section of a lesson. Where there is no file of notes yet, they are empty.

    Raises:
        UserInputError: the headings are not the lesson's, or there are no minutes under one.
    """
    path = lesson.path.parent / "teaching" / f"{lesson.name}.md"
    titles = [section.title for section in lesson.sections]
    if not path.is_file():
        return [Note(title, 0, 0, "") for title in titles]
    text = path.read_text(encoding="utf-8")
    first = re.match(r"# (.+)", text)
    found = [
        first[1] if first else "",
        *(match[0].lstrip("# ") for match in HEADING.finditer(text)),
    ]
    if found != titles:
        odd = next((a or b for a, b in zip_longest(found, titles) if a != b), "")
        raise UserInputError(
            f"The headings of {path} are not those of the lesson; they part at {odd!r}. Give the notes the lesson's "
            "headings, in its order."
        )
    notes: list[Note] = []
    for title, body in zip(
        titles, re.split(r"(?m)^(?:#|##|### (?=Exercise)) ?.+$", text)[1:], strict=True
    ):
        start = notes[-1].start + notes[-1].minutes if notes else 0
        minutes = MINUTES.match(body.strip())
        if minutes is None:
            raise UserInputError(
                f"Under {title!r} in {path} there are no minutes. Begin with: *5 minutes.*"
            )
        notes.append(
            Note(title, start, int(minutes[1]), MINUTES.sub("", body.strip(), count=1))
        )
    return notes


def wrong_answers(number: str) -> list[str]:
    """What the check of an exercise says to wrong answers, one sentence each: a way to see which ones to expect.

    They are read from the judge's own program, so there is no second list. "…" stands for what the learner gave.
    """
    judge = find_exercise(number).judge
    module = sys.modules[judge.__module__]
    programs, found = [judge], []
    for function in programs:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
        found += [_sentence(call.args[0]) for call in _raised(tree)]
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        called = {name.id for name in calls if isinstance(name, ast.Name)}
        helpers = [
            value
            for name, value in vars(module).items()
            if name in called and inspect.isfunction(value)
        ]
        programs += [
            value
            for value in helpers
            if value.__module__ == module.__name__ and value not in programs
        ]
    spoken = (
        text if re.search(r"[a-z]", text) else "What the guard itself says."
        for text in found
    )
    return list(dict.fromkeys(spoken))


def _raised(tree: ast.AST) -> list[ast.Call]:
    """What the statements `raise NotYet(…)` raise, in the order of the program."""
    raised = [
        node.exc
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call)
    ]
    ours = [
        call
        for call in raised
        if isinstance(call.func, ast.Name) and call.func.id == "NotYet"
    ]
    return sorted(ours, key=lambda call: call.lineno)


def _sentence(node: ast.expr) -> str:
    """A message as it stands in the program: a string, a formatted one, or strings that are put together."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_sentence(part) for part in node.values)
    if isinstance(node, ast.BinOp):
        return _sentence(node.left) + _sentence(node.right)
    return "…"
