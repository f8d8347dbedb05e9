"""What `make results` and `make bench` measured, for lessons to read."""

from functools import cache
from pathlib import Path
from typing import Any

from .cards import data_folder
from .errors import DamagedFile, UserInputError
from .files import read_json
from .validation import shown, text


def results(name: str = "") -> Any:
    """Measured results by name; without a name, all of them.

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
    value, path = _all(), []
    for key in filter(None, text("name", name).split(".")):
        path.append(key)
        if not isinstance(value, dict) or key not in value:
            known = ", ".join(value) if isinstance(value, dict) else "nothing"
            raise UserInputError(
                f"There is no measured result {shown('.'.join(path))}; here there are: "
                f"{known}."
            )
        value = value[key]
    return value


@cache
def _all() -> dict:
    path, results = results_file(), None
    reason = "it holds no dictionary"
    try:
        results = read_json(path)
    except UserInputError as error:
        reason = str(error)[:200]
    if not isinstance(results, dict):
        raise DamagedFile(
            f"The measured results in {path} cannot be read ({reason}). Restore them "
            "with `git checkout -- benchmarks/results.json`, or install the course "
            "again."
        )
    return results


def results_file() -> Path:
    """With the data of an installed package, or in the checkout's benchmarks."""
    installed = data_folder() / "results.json"
    checkout = data_folder().parent / "benchmarks" / "results.json"
    return installed if installed.is_file() else checkout
