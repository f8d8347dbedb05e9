"""Native libraries write log lines to file descriptor 2, which would stand in red in every notebook."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def stderr_silenced() -> "Iterator[None]":
    """File descriptor 2 leads nowhere meanwhile; Python's own exceptions and warnings are not touched."""
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
    """In a read-only home Matplotlib takes another folder and says so in two red lines; the doctor says it better."""
    logging.getLogger("matplotlib").addFilter(
        lambda record: not record.getMessage().startswith(_OF_ITS_FOLDER)
    )


_OF_ITS_FOLDER = ("mkdir -p failed", "Matplotlib created a temporary")
