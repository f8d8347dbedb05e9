"""Progress bars: a widget in a notebook, a line on stderr elsewhere; gone when the work is done."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_quiet = False


def progress_bar(iterable: Iterable | None = None, **options: Any) -> "tqdm":
    """A `tqdm` bar with tqdm's own arguments. `TQDM_DISABLE=1` turns all of them off, in notebooks too."""
    from tqdm.auto import tqdm

    options |= {"disable": is_off(), "leave": False}
    return tqdm(iterable, **options)


def is_off() -> bool:
    """Whether bars are off: inside `quiet`, or by `TQDM_DISABLE`, which tqdm reads too, but not its notebook bar."""
    return _quiet or os.environ.get("TQDM_DISABLE", "0").lower() not in (
        "",
        "0",
        "false",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """No bars while this is open: for one picture, whose bar would take longer than its work."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def in_notebook() -> bool:
    """Whether what is displayed is shown: a kernel does that, a terminal's IPython does not."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return bool(shell) and getattr(shell, "kernel", None) is not None
