"""The lessons' solutions: nobody's answers, and "Run All" does not run them."""

import os
from typing import Any

from ..progress import in_notebook, running_cell
from ..server import SOLUTIONS

# The first line of a solution, and all of it that a folded cell shows.
FIRST_LINE = "# Solution: click to open"
HELD_BACK = "This solution was not run. To run it, run this cell again."

_last_cell = ""  # the one that ran before


def is_running() -> bool:
    """Whether the cell that runs is a solution."""
    return running_cell().startswith(FIRST_LINE)


def hold_back() -> None:
    """From now on a solution is run only where it is run twice in a row.

    So it is in a learner's JupyterLab, where `tlcourse.server` asks for it. Lessons
    that are built or tested are run with their solutions.
    """
    if os.environ.get(SOLUTIONS) != "twice" or not in_notebook():
        return
    from IPython import get_ipython

    shell: Any = get_ipython()
    shell.input_transformers_cleanup.append(_held_back)
    shell.events.register("post_run_cell", _remember)


def _held_back(lines: list[str]) -> list[str]:
    cell = "".join(lines)
    if cell.startswith(FIRST_LINE) and cell.strip() != _last_cell:
        return [f"print({HELD_BACK!r})\n"]
    return lines


def _remember(result: Any) -> None:
    global _last_cell
    _last_cell = (result.info.raw_cell or "").strip()
