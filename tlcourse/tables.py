"""Tables as text, for a terminal, and as HTML, for a notebook or a page."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import NamedTuple

from .errors import printable
from .foreign_text import escape_html


class Table(NamedTuple):
    """Rows under column names. `pandas.DataFrame(table.rows, columns=table.columns)` takes it as it is.

    Attributes:
        columns: what each column holds; the first one names the row.
        rows: a tuple a row, numbers as they were measured.
    """

    columns: Sequence[str]
    rows: list[tuple]

    def texts(self) -> list[list[str]]:
        """All as text, column names first; decimals with four digits that mean something."""
        return [
            [str(name) for name in self.columns],
            *([_text(value) for value in row] for row in self.rows),
        ]

    def __repr__(self) -> str:
        return as_text(self.texts())

    def _repr_html_(self) -> str:
        return as_html(self.texts())


def as_text(cells: Sequence[Sequence[str]], left: int = 1) -> str:
    """Lines of cells under each other, the first `left` columns flush left, the others flush right."""
    cells = [[printable(cell) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = (
        "  ".join(
            f"{cell:{'<' if place < left else '>'}{widths[place]}}"
            for place, cell in enumerate(line)
        )
        for line in cells
    )
    return "\n".join(line.rstrip() for line in lines)


def as_html(
    cells: Sequence[Sequence[str]], caption: str = "", scrolls: bool = False
) -> str:
    """A table whose first row and first column are headings, which a screen reader says with each cell.

    One that scrolls in a frame of its own is reached by the keyboard.
    """
    head, *body = [[escape_html(cell) for cell in line] for line in cells]
    title = f"<caption>{escape_html(caption)}</caption>" if caption else ""
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    rows = "".join(
        f'<tr><th scope="row">{first}</th>{"".join(f"<td>{cell}</td>" for cell in rest)}</tr>'
        for first, *rest in body
    )
    focus = ' tabindex="0"' if scrolls else ""
    return f"<table{focus}>{title}<thead><tr>{names}</tr></thead><tbody>{rows}</tbody></table>"


def _text(value: object) -> str:
    if isinstance(value, Real) and not isinstance(value, Integral):
        return f"{value:,.4g}"
    return f"{value:,}" if isinstance(value, Integral) else str(value)
