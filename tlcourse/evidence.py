"""What `make results` and `make bench` measured, for lessons to read: the one file of measured results."""

from functools import cache
from pathlib import Path
from typing import Any

from .errors import DamagedFile, UserInputError
from .files import data_folder, read_json
from .validation import shown, text


def results(name: str = "") -> "Any":
    """Measured results by name: `results("bench.recipes")`; without a name, all of them.

    Raises:
        UserInputError: nothing of this name was measured.
        DamagedFile: the file of results is missing or cannot be read.
    """
    found, path = _all(), []
    for part in filter(None, text("name", name).split(".")):
        path.append(part)
        if not isinstance(found, dict) or part not in found:
            known = ", ".join(found) if isinstance(found, dict) else "nothing"
            raise UserInputError(
                f"There is no measured result {shown('.'.join(path))}; here there are: {known}."
            )
        found = found[part]
    return found


@cache
def _all() -> dict:
    path = results_file()
    try:
        kept = read_json(path)
        if not isinstance(kept, dict):
            raise ValueError("it is no dictionary")
        return kept
    except ValueError as error:
        raise DamagedFile(
            f"The file of measured results, {path}, cannot be read ({str(error)[:200]}). Restore it with "
            "`git checkout -- benchmarks/results.json`, or install the course again."
        ) from error


def results_file() -> Path:
    """With the data of an installed package, or in the checkout's benchmarks."""
    installed = data_folder() / "results.json"
    return (
        installed
        if installed.is_file()
        else data_folder().parent / "benchmarks" / "results.json"
    )
