"""Text that somebody else wrote (class names, file names, cards), written so that it is shown and never acted on."""

import html
import re
import string

from .errors import printable

LONGEST = 40  # characters of a name in a figure

_ACTIVE_IN_MARKDOWN = re.compile(
    r"[\\`*\[\]<>&|~$#@{}]|://|www\.|(?<![^\W_])_|_(?![^\W_])|^[+=-]|^\d+[.)](\s|$)|^\s|\s$|\s\s|^$",
    re.IGNORECASE,
)
_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")  # noqa: RUF001
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?")


def escape_html(text: object) -> str:
    """Escape text for HTML, as the content of an element; MathJax finds no formula in it.

    MathJax looks for its delimiters within one run of text, so each dollar sign and backslash gets an element.
    """
    return re.sub(r"[$\\]", r"<span>\g<0></span>", escape_attribute(text))


def escape_attribute(text: object) -> str:
    """Escape text for HTML, as the value of an attribute in quotation marks."""
    return html.escape(printable(text, lines=True))


def preformatted(text: object) -> str:
    """Text as an HTML element that shows it line by line."""
    return f'<pre style="white-space: pre-wrap">{escape_html(text)}</pre>'


def escape_markdown(text: object) -> str:
    """Escape text for one line or one table cell of Markdown.

    A name without special characters is returned as it is, any other as code, its punctuation written as character
    references: what these stand for is never syntax, whatever the dialect.
    """
    line = printable(text)
    if not _ACTIVE_IN_MARKDOWN.search(line):
        return line
    return f"<code>{''.join(f'&#{ord(sign)};' if sign in string.punctuation else sign for sign in line)}</code>"


def escape_mathtext(text: object, longest: int = LONGEST) -> str:
    """Escape text for a Matplotlib figure: dollar signs start no formula, and what is too long ends in an ellipsis.

    Parameters
    ----------
    text : object
        A name.
    longest : int
        Characters that are shown.
    """
    line = printable(text)
    return (line if len(line) <= longest else f"{line[: longest - 1]}…").replace(
        "$", r"\$"
    )


def csv_cell(text: str) -> str:
    """A name for a CSV table: one that a spreadsheet would take for a formula gets an apostrophe before it.

    Numbers are left as they are. To undo it, remove one apostrophe where apostrophes are followed by one of
    ``= + - @``, a tab or a line end.
    """
    return f"'{text}" if is_formula(text) else text


def from_csv_cell(cell: str) -> str:
    """The name that `csv_cell` has written into a CSV table."""
    return cell[1:] if cell.startswith("'") and is_formula(cell) else cell


def is_formula(text: str) -> bool:
    """Whether a spreadsheet could take a cell of CSV for a formula, apostrophes before it included."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)
