"""Ctrl-C while a native library is being imported.

The library would take it for an import that failed: the interrupt is lost, and the
library stays half loaded.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def ctrl_c_waits() -> "Iterator[None]":
    """Ctrl-C meanwhile takes effect at the end; for work of a few seconds."""
    usual = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or usual is None:
        yield  # only the main thread is interrupted, and only it may say how
        return
    came = []
    signal.signal(signal.SIGINT, lambda *_: came.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, usual)
        if came:
            signal.raise_signal(signal.SIGINT)
