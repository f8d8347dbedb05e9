"""Native libraries: imported whole and in silence."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from types import ModuleType

from .errors import WeightsUnavailable, how_to_install

_UNWANTED = {  # logger → parts of the lines that it does not write
    "tensorflow": ("triggered tf.function retracing",),  # a function per network
    "absl": ("providing the trackable_obj argument",),  # of conversions to ONNX
    # About a read-only home, which the doctor says.
    "matplotlib": ("mkdir -p failed", "Matplotlib created a temporary"),
}


def import_tensorflow() -> ModuleType:
    """Import TensorFlow without its start-up log, or raise `WeightsUnavailable`."""
    if find_spec("tensorflow") is None:
        raise WeightsUnavailable(f"TensorFlow is not installed. {how_to_install()}.")
    silence_logger("tensorflow")
    silence_logger("absl")
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    with ctrl_c_waits(), stderr_silenced():
        import tensorflow as tf

        tf.config.list_logical_devices()  # starts the devices, which is logged, too
    return tf


@cache
def silence_logger(name: str) -> None:
    """Drop from this logger the lines that are about what is done here on purpose."""
    logging.getLogger(name).addFilter(
        lambda record: not any(part in record.getMessage() for part in _UNWANTED[name])
    )


@contextmanager
def stderr_silenced() -> Iterator[None]:
    """File descriptor 2, to which C++ libraries write, leads nowhere meanwhile."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


@contextmanager
def logging_silenced() -> Iterator[None]:
    """Python's own log has no warnings meanwhile, and gets no handlers."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    handlers = root.handlers[:]
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(disabled)
        root.handlers[:] = handlers


@contextmanager
def ctrl_c_waits() -> Iterator[None]:
    """Ctrl-C takes effect at the end: an import that it ends stays half loaded."""
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
