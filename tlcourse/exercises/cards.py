"""Verdicts and progress as a learner's JupyterLab shows them: cards, buttons, bars.

Everywhere else (tests, handouts, the site, a screen without HTML) there are the words.
"""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ..foreign_text import escape_attribute, escape_html, preformatted
from ..progress import in_notebook
from ..server import UPLOAD
from .table import HINTS

# State of a verdict → its sign, and the colour behind it: white is read on each.
MARKS = {
    "right": ("✓", "#00704f"),
    "not yet": ("✗", "#a64b00"),
    "not attempted yet": ("○", "#5a5a5a"),
}
OTHER = ("!", "#5a5a5a")
BADGE = "color: white; border-radius: 4px; padding: 2px 8px; font-weight: bold"
FRAME = "border-left: 4px solid; padding: 2px 12px; max-width: 60em; line-height: 1.5"


def are_shown() -> bool:
    """Whether this is JupyterLab with `tlcourse.server`, which saves no dead widgets."""
    return in_notebook() and UPLOAD in os.environ and bool(find_spec("ipywidgets"))


def card(name: str, state: str, reason: str) -> str:
    """A verdict as HTML."""
    sign, colour = MARKS.get(state, OTHER)
    return (
        f'<div style="{FRAME}; border-left-color: {colour}">'
        f'<span style="background-color: {colour}; {BADGE}">{sign} '
        f"{state.capitalize()}</span> {escape_html(name)}"
        f'<div role="status">{escape_html(reason)}</div></div>'
    )


def with_hints(card: str, number: str, hint: Callable[[], str]) -> Any:
    """A card with a button that adds one hint after the other below it: a widget."""
    import ipywidgets

    wide = {"width": "auto"}
    button = ipywidgets.Button(description="Show a hint", layout=wide)
    call = ipywidgets.HTML(f"or <code>tl.check.hint(&quot;{number}&quot;)</code>")
    hints = ipywidgets.HTML()

    def show(_: Any) -> None:
        text = hint()
        hints.value += f'<div role="status" style="{FRAME}">{escape_html(text)}</div>'
        button.description = "Show another hint"
        button.disabled = text.startswith(f"Hint {len(HINTS)} ")

    button.on_click(show)
    row = ipywidgets.HBox([button, call])
    return ipywidgets.VBox([ipywidgets.HTML(card), row, hints])


def bars(numbers: Iterable[str], solved: set[str], words: str) -> str:
    """Progress as HTML: for each lesson a bar, how many of its exercises are solved.

    A lesson that lies in the kernel's folder, which is that of its notebook, is linked.
    """
    lessons = [number.split(".")[0] for number in numbers]
    right = Counter(number.split(".")[0] for number in solved)
    lines = "".join(
        f'<tr><td style="text-align: left">{_link(lesson)}</td>'
        f'<td><progress value="{right[lesson]}" max="{count}"></progress></td>'
        f"<td>{right[lesson]} of {count}</td></tr>"
        for lesson, count in Counter(lessons).items()
    )
    title = words.partition("\n")[0]
    return (
        f"<p><b>{title}</b></p><table>{lines}</table><details>"
        f"<summary>Each exercise</summary>{preformatted(words)}</details>"
    )


def _link(lesson: str) -> str:
    """A lesson by the name of its file, such as "04 head"."""
    for path in sorted(Path().glob(f"{lesson:0>2}_*.ipynb")):
        name = escape_html(path.stem.replace("_", " "))
        return f'<a href="{escape_attribute(path.name)}">{name}</a>'
    return f"Lesson {lesson:0>2}"
