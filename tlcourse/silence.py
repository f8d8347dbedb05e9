"""Log lines of native libraries, red in every notebook, are kept out of it."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stderr_silenced() -> "Iterator[None]":
    """File descriptor 2 leads nowhere meanwhile; Python's own errors do not use it."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def logging_silenced() -> "Iterator[None]":
    """Python's own log has no warnings meanwhile, and gets no handlers."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers = root.handlers[:]
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers


def quiet_matplotlib() -> None:
    """Drop Matplotlib's two red lines about a read-only home; the doctor says it."""
    logging.getLogger("matplotlib").addFilter(
        lambda record: not record.getMessage().startswith(_OF_ITS_FOLDER)
    )


_OF_ITS_FOLDER = ("mkdir -p failed", "Matplotlib created a temporary")
