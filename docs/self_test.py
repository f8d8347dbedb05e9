"""The self-test: all questions and exercises of the lessons, each with its answer folded, as the lessons have them."""

import base64
import html
import re
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from tlcourse.exercises.table import exercises
from tlcourse.plots.figure import IN_WORDS

ROOT = Path(__file__).resolve().parent.parent
FOLDER = "_static/self_test"  # of the site
QUESTION = "**Predict first.** "
# What a Markdown cell says up to its next heading or question
UP_TO_THE_NEXT = re.compile(r"(?s).*?(?=^#|^\*\*Predict first|\Z)", re.M)
EXERCISE = re.compile(r"(?s)^### Exercise (\d+\.\d): (.+?)\n(.*?)(?=^Stuck\?|\Z)", re.M)
LESSON_LINK = re.compile(r"\]\((\d\d_\w+\.ipynb)")


def page(_) -> str:
    """A section per lesson: its questions, then its exercises."""
    return "\n\n".join(_section(path.stem) for path in _lessons())


def add_to(site: Path) -> None:
    """Write the figures of the answers into a built site."""
    folder = site / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for path in _lessons():
        for cell in nbformat.read(path, as_version=4).cells:
            if _has_tag(cell, "answer"):
                for number, output in enumerate(cell.outputs):
                    if picture := output.get("data", {}).get("image/png"):
                        file = folder / f"{cell.id}-{number}.png"
                        file.write_bytes(base64.b64decode(picture))


def _lessons() -> list[Path]:
    return sorted((ROOT / "notebooks").glob("*.ipynb"))


def _section(name: str) -> str:
    lesson = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)
    title = re.findall(r"^# (.+)$", lesson.cells[0].source, re.M)[0]
    parts = [f"## {title}", f"[Open the lesson](notebooks/{name}.ipynb)"]
    for number, (question, answer) in enumerate(_questions(lesson.cells), 1):
        parts += [f"### Question {int(name[:2])}.{number}", question]
        parts.append(_folded("The answer", answer))
    for number, title, text, solution in _exercises(lesson.cells):
        hints = "".join(
            f"<li>{html.escape(hint)}</li>" for hint in exercises()[number].hints
        )
        parts += [f"### Exercise {number}: {title}", text]
        parts.append(_folded("Hints", f"<ol>{hints}</ol>"))
        parts.append(_folded("A solution", solution))
    return LESSON_LINK.sub(r"](notebooks/\1", "\n\n".join(parts))


def _questions(cells: list[NotebookNode]) -> Iterator[tuple[str, str]]:
    """Each question, and what the lesson shows and says behind it."""
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown" and QUESTION in cell.source:
            text = cell.source.partition(QUESTION)[2]
            question, _, after = text.partition("<details>")
            answers = [after.partition("</summary>")[2].partition("</details>")[0]]
            yield (
                question.strip(),
                "\n\n".join([*answers, *_answer(cells[index + 1 :])]),
            )


def _answer(cells: list[NotebookNode]) -> Iterator[str]:
    """The outputs of the cells that answer a question, and what is said of the last one."""
    shown = False
    for cell in cells:
        if cell.cell_type == "code" and _has_tag(cell, "answer"):
            shown = True
            for number, output in enumerate(cell.outputs):
                yield _output(output, f"{cell.id}-{number}")
        elif cell.cell_type == "markdown" and shown:
            yield UP_TO_THE_NEXT.match(cell.source)[0].strip()
            shown = False
        if cell.cell_type == "markdown" and re.search(
            rf"^## Exercises|{re.escape(QUESTION)}", cell.source, re.M
        ):
            return


def _exercises(cells: list[NotebookNode]) -> Iterator[tuple[str, str, str, str]]:
    """Number, title, text and solution of each exercise."""
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown" and (heading := EXERCISE.search(cell.source)):
            solution = next(c for c in cells[index:] if _has_tag(c, "solution"))
            code = solution.source.partition("\n")[2]
            parts = [_fence(code, "python")]
            parts += [_output(output, "") for output in solution.outputs]
            yield heading[1], heading[2], heading[3].strip(), "\n\n".join(parts)


def _output(output: NotebookNode, name: str) -> str:
    """A stored output as Markdown; a figure's words are the picture's alternative text."""
    data = output.get("data", {})
    if name and "image/png" in data:
        about = output.metadata["image/png"]
        size = f'width="{about["width"]}"' if "width" in about else ""
        alt = html.escape(" ".join(about["alt"].split()))
        return f'<img src="{FOLDER}/{name}.png" {size} loading="lazy" alt="{alt}">'
    if "image/png" in data or data.get("text/html", "").startswith(IN_WORDS):
        return ""
    return _fence(output.get("text") or data.get("text/plain", ""), "text")


def _fence(text: str, language: str) -> str:
    return f"````{language}\n{text.rstrip()}\n````" if text.strip() else ""


def _folded(summary: str, text: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{text.strip()}\n\n</details>"


def _has_tag(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])
