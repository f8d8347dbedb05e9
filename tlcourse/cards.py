"""What comes with the course: data, weights, their cards, and measured results."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from .errors import DamagedFile, UserInputError, printable
from .files import read_json, sha256
from .foreign_text import preformatted
from .validation import shown, text

_RESTORE = "Restore it with `git checkout -- data`, or install the course again."


def data_folder() -> Path:
    """The folder of bundled data: in the installed package, or beside it."""
    package = Path(__file__).resolve().parent
    for folder in (package / "data", package.parent / "data"):
        if (folder / "weights" / "CARD.md").is_file():
            return folder
    raise DamagedFile(f"There is no bundled data in or beside {package}. {_RESTORE}")


@dataclass(frozen=True)
class Card:
    """The description of a data set or of weights, from `data/<name>/CARD.md`.

    Attributes
    ----------
    name, title, source, licence, built_by : str
        One line each; the name is the folder's.
    files : dict
        File name → SHA-256 of the bundled files.
    text : str
        The card's prose, in Markdown.
    """

    name: str
    title: str
    source: str
    licence: str
    built_by: str
    files: dict[str, str]
    text: str

    def __str__(self) -> str:
        head = f"{self.title}\nSource: {self.source}\nLicence: {self.licence}"
        return printable(f"{head}\n\n{self.text.strip()}", lines=True)

    def _repr_html_(self) -> str:
        return preformatted(self)


def read_card(name: str) -> Card:
    """Read a bundled folder's card; DamagedFile if it is missing or incomplete."""
    path = data_folder() / name / "CARD.md"
    try:
        _, front, prose = path.read_text(encoding="utf-8").split("---\n", 2)
        lines = dict(re.findall(r"^(\w+): *[\"']?(.+?)[\"']? *$", front, re.MULTILINE))
        keys = ("title", "source", "licence", "built_by")
        lines = {key: lines[key] for key in keys}
    except (OSError, ValueError, KeyError):
        raise DamagedFile(
            f"{path} is missing, or lacks its title, source, licence or built_by line. "
            f"{_RESTORE}"
        ) from None
    files = dict(re.findall(r"- name: *(\S+)\n\s+sha256: *([0-9a-f]{64})", front))
    return Card(name=name, files=files, text=prose, **lines)


def bundled_file(folder: str, name: str, expected: str | None = None) -> Path:
    """Path of a bundled file; DamagedFile if its SHA-256 is not the expected one.

    Without an `expected` one, that of the folder's card.
    """
    path = data_folder() / folder / name
    if expected is None:
        expected = read_card(folder).files[name]
    if not path.is_file() or sha256(path) != expected:
        raise DamagedFile(
            f"The bundled file {path} is missing or altered: its SHA-256 is not the "
            f"recorded one. {_RESTORE}"
        )
    return path


def results(name: str = "") -> Any:
    """What `make results` and `make bench` measured; without a name, all of it.

    Parameters
    ----------
    name : str
        Keys joined by dots, such as ``"bench.recipes"``.

    Raises
    ------
    UserInputError
        Nothing of this name was measured.
    DamagedFile
        The file of results is missing or cannot be read.

    Examples
    --------
    >>> import tlcourse as tl
    >>> "bench" in tl.results()
    True
    """
    value = _all_results()
    for key in filter(None, text("name", name).split(".")):
        if not isinstance(value, dict) or key not in value:
            known = ", ".join(value) if isinstance(value, dict) else "nothing"
            raise UserInputError(
                f"There is no measured result {shown(name)}: no {shown(key)} among {known}."
            )
        value = value[key]
    return value


@cache
def _all_results() -> Any:
    installed = data_folder() / "results.json"
    checkout = data_folder().parent / "benchmarks" / "results.json"
    path = installed if installed.is_file() else checkout
    return read_json(path, error=DamagedFile)
