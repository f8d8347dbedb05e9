"""Progress bars: a widget in a notebook, a line on stderr elsewhere; gone when the work is done."""

import os


def progress_bar(*iterable, **options):
    """A `tqdm` bar with tqdm's own arguments. `TQDM_DISABLE=1` turns all of them off, in notebooks too."""
    from tqdm.auto import tqdm

    # tqdm reads this variable by itself, but its notebook bar overrules it.
    off = os.environ.get("TQDM_DISABLE", "0").lower() not in ("", "0", "false")
    return tqdm(*iterable, disable=off, leave=False, **options)
