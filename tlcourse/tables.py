"""Tables as aligned text, for a terminal, and as HTML, for a notebook or a page."""

from collections.abc import Sequence
from numbers import Integral, Real
from typing import NamedTuple

from .errors import printable
from .foreign_text import escape_html


class Table(NamedTuple):
    """Rows under column names: `pandas.DataFrame(table.rows, columns=table.columns)`."""

    columns: Sequence[str]  # the first one names the row
    rows: list[tuple]

    def texts(self) -> list[list[str]]:
        """Column names and rows as text; decimals with four significant digits."""
        rows = [[_text(value) for value in row] for row in self.rows]
        return [[str(name) for name in self.columns], *rows]

    def __repr__(self) -> str:
        return as_text(self.texts())

    def _repr_html_(self) -> str:
        return as_html(self.texts())


def as_text(cells: Sequence[Sequence[str]], left: int = 1) -> str:
    """Aligned lines; the first `left` columns flush left, the others flush right."""
    cells = [[printable(cell) for cell in line] for line in cells]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = []
    for line in cells:
        padded = [
            cell.ljust(width) if column < left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        lines.append("  ".join(padded).rstrip())
    return "\n".join(lines)


def as_html(
    cells: Sequence[Sequence[str]], caption: str = "", scrolls: bool = False
) -> str:
    """An HTML table whose first row and column are headers, for screen readers.

    With `scrolls` it can be reached, and so scrolled, by the keyboard.
    """
    head, *body = [[escape_html(cell) for cell in line] for line in cells]
    names = "".join(f'<th scope="col">{name}</th>' for name in head)
    rows = ""
    for first, *rest in body:
        columns = "".join(f"<td>{cell}</td>" for cell in rest)
        rows += f'<tr><th scope="row">{first}</th>{columns}</tr>'
    title = f"<caption>{escape_html(caption)}</caption>" if caption else ""
    focus = ' tabindex="0"' if scrolls else ""
    return (
        f"<table{focus}>{title}<thead><tr>{names}</tr></thead>"
        f"<tbody>{rows}</tbody></table>"
    )


def _text(value: object) -> str:
    if isinstance(value, Integral):
        return f"{value:,}"
    return f"{value:,.4g}" if isinstance(value, Real) else str(value)
