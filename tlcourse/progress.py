"""Progress bars, and where they are shown."""

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm


def progress_bar(iterable: Iterable | None = None, **options: Any) -> "tqdm":
    """A `tqdm` bar, shown after one second; `TQDM_DISABLE=1`: never.

    It is text in notebooks, too: of tqdm's widget a saved notebook would keep an error.
    """
    from tqdm import tqdm

    file = sys.stdout if in_notebook() else sys.stderr
    return tqdm(iterable, disable=is_off(), leave=False, delay=1, file=file, **options)


def is_off() -> bool:
    """Whether `TQDM_DISABLE` turns all bars off, in notebooks too."""
    return os.environ.get("TQDM_DISABLE", "0").lower() not in ("", "0", "false")


def in_notebook() -> bool:
    """Whether a kernel shows what is displayed; a terminal's IPython does not."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return getattr(shell, "kernel", None) is not None


def running_cell() -> str:
    """The code of the notebook's cell that runs; "" elsewhere."""
    if not in_notebook():
        return ""
    try:
        return sys.modules["IPython"].get_ipython().get_parent()["content"]["code"]
    except (AttributeError, KeyError, TypeError):  # a kernel of another kind
        return ""


def duration(seconds: float) -> str:
    """ "41 s", "6 min", "2 h 10 min"."""
    if seconds < 99.5:
        return f"{max(1, round(seconds))} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
