"""What a widget answers, and a widget with its static answer beside it."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from matplotlib.axes import Axes

from ..errors import printable
from ..foreign_text import escape_attribute, escape_html, escape_mathtext
from ..plots.figure import Figure, sentence
from ..server import view_of

# Words that a picture shows, too: for screen readers, which read them when they change.
HEARD_ALONE = "position: absolute; width: 1px; height: 1px; overflow: hidden"
CELL = "padding: 0 6px; line-height: 1.4"  # of a table of bars
NAME = f"{CELL}; text-align: left"


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """What a widget answers to one position. A notebook shows its figure.

    Attributes
    ----------
    text : str
        All of it in words; also the figure's description.
    draw : callable, optional
        Draws the figure.
    html : str
        What a widget shows in the place of words and figure, where it is not empty.
    """

    text: str
    draw: Callable[[], Figure] | None = None
    html: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text, lines=True))

    @cached_property
    def figure(self) -> Figure:
        """The figure, drawn when it is first used."""
        figure = self.draw() if self.draw else Figure()
        figure.alt = sentence(self.text)
        return figure

    @property
    def words(self) -> str:
        """The text as HTML that a screen reader reads again when it changes."""
        lines = (f"<p>{escape_html(line)}</p>" for line in self.text.split("\n"))
        return f'<div role="status" aria-live="polite">{"".join(lines)}</div>'

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple:
        data, metadata = self.figure._repr_mimebundle_()
        return {**data, "text/plain": self.text}, metadata


class Widget(ABC):
    """A list of ipywidgets with the answer to what is chosen, and a static answer.

    `ipywidgets.interactive_output` would write into an Output widget, for which an
    executed notebook can wait for ever.
    """

    options: dict[str, Any]  # of the list; "value" is the first position

    @abstractmethod
    def _answer_to(self, value: Any) -> Answer:
        """The answer to a value of the list."""

    @property
    def default(self) -> Answer:
        """The answer to the first position."""
        return self._answer_to(self.options["value"])

    @cached_property
    def box(self) -> Any:
        """List and answer, an `ipywidgets.Widget`, made when it is first used."""
        import ipywidgets

        style = {"description_width": "initial"}
        self.control = ipywidgets.Dropdown(style=style, **self.options)
        self.words, self.picture = ipywidgets.HTML(), ipywidgets.HTML()
        self.control.observe(lambda change: self._update(change["new"]), "value")
        parts = self._arrange(ipywidgets)
        self._update(self.options["value"])
        return ipywidgets.VBox(parts)

    def _arrange(self, ipywidgets: Any) -> list:
        """The parts of the widget, from top to bottom."""
        return [self.control, self.words, self.picture]

    def _update(self, value: Any) -> None:
        self._show(self._answer_to(value))

    def _show(self, answer: Answer) -> None:
        """Show an answer: its HTML, or its picture, or its words."""
        has_picture = answer.draw is not None and not answer.html
        png = answer.figure._repr_png_() if has_picture else b""
        self._show_picture(png, sentence(answer.text))
        self.words.value = answer.html or answer.words
        if png and self.picture is not None:
            self.words.value = f'<div style="{HEARD_ALONE}">{answer.words}</div>'

    def _show_picture(self, png: bytes, alt: str) -> None:
        self.picture.value = image(png, alt) if png else ""

    def __repr__(self) -> str:
        return self.default.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple:
        data, metadata = self.default._repr_mimebundle_()
        if find_spec("ipywidgets"):
            data |= view_of(self.box)
        return data, metadata


def label_bars(axes: Axes, names: Sequence[str], shares: Sequence[float]) -> None:
    """Draw shares as bars from top to bottom, each with its name and its percentage."""
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6))
    axes.barh(range(len(names)), shares, color="#9ecae1")
    for row, (name, share) in enumerate(zip(names, shares, strict=True)):
        text = f"{escape_mathtext(name)} {share:.0%}"
        axes.text(0.02, row, text, va="center", fontsize=8)


def bars(title: str, names: Sequence[str], shares: Sequence[float]) -> str:
    """The same as HTML."""
    rows = "".join(
        f'<tr><td style="{NAME}">{escape_html(name)}</td><td style="{CELL}">'
        f'<progress value="{share:.3f}"></progress></td>'
        f'<td style="{CELL}">{share:.0%}</td></tr>'
        for name, share in zip(names, shares, strict=True)
    )
    return f"<table><caption><b>{escape_html(title)}</b></caption>{rows}</table>"


def image(png: bytes, alt: str) -> str:
    """A PNG as an HTML image."""
    data = base64.b64encode(png).decode()
    source = f'style="max-width: 100%" src="data:image/png;base64,{data}"'
    return f'<img alt="{escape_attribute(alt)}" {source}>'
