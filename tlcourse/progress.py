"""Progress bars: a widget in a notebook, a line on stderr elsewhere; gone when the work is done."""

import os
import sys


def progress_bar(*iterable, **options):
    """A `tqdm` bar with tqdm's own arguments. `TQDM_DISABLE=1` turns all of them off, in notebooks too."""
    from tqdm.auto import tqdm

    return tqdm(*iterable, disable=is_off(), leave=False, **options)


def is_off() -> bool:
    """Whether `TQDM_DISABLE` is set. tqdm reads it by itself, but its notebook bar overrules it."""
    return os.environ.get("TQDM_DISABLE", "0").lower() not in ("", "0", "false")


def in_notebook() -> bool:
    """Whether what is displayed is shown: a kernel does that, a terminal's IPython does not."""
    shell = "IPython" in sys.modules and sys.modules["IPython"].get_ipython()
    return bool(shell) and getattr(shell, "kernel", None) is not None
