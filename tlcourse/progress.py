"""Progress bars: a widget in a notebook, a line on stderr elsewhere."""

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

_quiet = False


def progress_bar(iterable: Iterable | None = None, **options: Any) -> "tqdm":
    """A `tqdm` bar; `TQDM_DISABLE=1` turns all of them off, in notebooks too."""
    from tqdm.auto import tqdm

    options |= {"disable": is_off(), "leave": False}
    return tqdm(iterable, **options)


def is_off() -> bool:
    """Whether bars are off: inside `quiet`, or by `TQDM_DISABLE`."""
    return _quiet or os.environ.get("TQDM_DISABLE", "0").lower() not in (
        "",
        "0",
        "false",
    )


@contextmanager
def quiet() -> Iterator[None]:
    """No bars meanwhile: for one picture, a bar would take longer than the work."""
    global _quiet
    before, _quiet = _quiet, True
    try:
        yield
    finally:
        _quiet = before


def in_notebook() -> bool:
    """Whether a kernel shows what is displayed; a terminal's IPython does not."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return bool(shell) and getattr(shell, "kernel", None) is not None
