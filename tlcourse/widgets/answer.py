"""What a widget says about one position: the same three ways, for a reader, for a browser and for print."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property

from ..errors import printable
from ..foreign_text import escape_html
from ..plots.figure import Figure, sentence


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """What a widget, or the function that gives the same, says about one position.

    Shown in a notebook it is the figure, with the text as its description.

    Attributes:
        text: all of it in words, line by line.
        data: the numbers behind it, ready for JSON.
        figure: drawn when first asked for.
        page: the same for a browser, as HTML.
    """

    text: str
    data: dict
    draw: Callable[[], Figure] = field(repr=False)
    write: Callable[[], str] | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text, lines=True))

    @cached_property
    def figure(self) -> Figure:
        figure = self.draw()
        figure.alt = sentence(self.text)
        return figure

    @cached_property
    def page(self) -> str:
        return self.write() if self.write else as_page(self.text)

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict, dict]:
        data, metadata = self.figure._repr_mimebundle_()
        return {**data, "text/plain": self.text}, metadata


def as_page(text: str) -> str:
    """Text as HTML, a paragraph a line."""
    return "".join(
        f"<p style='margin: 0.2em 0'>{escape_html(line)}</p>"
        for line in text.split("\n")
    )


def as_table(head: list[str], rows: list[list], caption: str) -> str:
    """An HTML table: numbers to the right, the first cell of a row is its head; a caption that says what it is."""
    heads = "".join(
        f"<th scope='col' style='text-align: left; padding: 0 0.8em'>{escape_html(h)}</th>"
        for h in head
    )
    body = "".join(
        f"<tr><th scope='row' style='text-align: left; padding: 0 0.8em'>{escape_html(first)}</th>"
        + "".join(
            f"<td style='text-align: right; padding: 0 0.8em'>{escape_html(cell)}</td>"
            for cell in rest
        )
        + "</tr>"
        for first, *rest in rows
    )
    return (
        f"<table style='line-height: 1.3'><caption style='text-align: left'>{escape_html(caption)}</caption>"
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"
    )
