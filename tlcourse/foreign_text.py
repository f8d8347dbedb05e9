"""Text written by others (names, cards), escaped so that it is only shown."""

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
    """Escape text as the content of an HTML element, also from MathJax.

    MathJax looks for delimiters within one run of text, so dollar signs and backslashes
    get elements of their own.
    """
    return re.sub(r"[$\\]", r"<span>\g<0></span>", escape_attribute(text))


def escape_attribute(text: object) -> str:
    """Escape text as the value of an HTML attribute in quotation marks."""
    return html.escape(printable(text, lines=True))


def preformatted(text: object) -> str:
    """An HTML element that shows text line by line."""
    return f'<pre style="white-space: pre-wrap">{escape_html(text)}</pre>'


def escape_markdown(text: object) -> str:
    """Escape text for one line, or one table cell, of Markdown.

    A name with special characters becomes code whose punctuation is written as
    character references, which no dialect takes for syntax.
    """
    line = printable(text)
    if not _ACTIVE_IN_MARKDOWN.search(line):
        return line
    escaped = (f"&#{ord(c)};" if c in string.punctuation else c for c in line)
    return f"<code>{''.join(escaped)}</code>"


def escape_mathtext(text: object, longest: int = LONGEST) -> str:
    """Escape text for a Matplotlib figure: no formulas, at most `longest` characters."""
    line = printable(text)
    if len(line) > longest:
        line = f"{line[: longest - 1]}…"
    return line.replace("$", r"\$")


def csv_cell(text: str) -> str:
    """A cell of a CSV table; what looks like a formula gets an apostrophe before it.

    To undo it, remove one apostrophe where apostrophes are followed by one of
    ``= + - @``, a tab or a line end.
    """
    return f"'{text}" if is_formula(text) else text


def is_formula(text: str) -> bool:
    """Whether a spreadsheet could take a cell for a formula, apostrophes included."""
    return bool(_FORMULA.match(text)) and not _NUMBER.fullmatch(text)
