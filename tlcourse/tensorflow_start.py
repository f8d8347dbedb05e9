"""TensorFlow's start: in silence, and with memory set up for one batch after the other."""

import ctypes
import sys
from importlib.util import find_spec

from .errors import WeightsUnavailable
from .silence import stderr_silenced


def import_tensorflow():
    """Import TensorFlow without its start-up log, which would stand in red in every notebook.

    The log is written before any log level is in force.

    Raises:
        WeightsUnavailable: TensorFlow is not installed.
    """
    if find_spec("tensorflow") is None:
        raise WeightsUnavailable("TensorFlow is not installed. Run: pip install 'tlcourse[cpu]' (or [tensorflow]).")
    if "tensorflow" in sys.modules:
        return sys.modules["tensorflow"]
    _keep_freed_memory()
    with stderr_silenced():
        import tensorflow as tf

        tf.config.list_logical_devices()  # starts the devices, the second and last thing that is logged
    return tf


def _keep_freed_memory() -> None:
    """Ask glibc to keep what a batch frees for the next batch, in one arena for all threads.

    By default it hands large blocks back to the system, and each batch pays for them in page faults again.
    `benchmarks/freed_memory.py` measures both ways. Where there is no glibc nothing is done.
    """
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8  # the parameters' numbers in malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return
    mallopt(arena_max, 1)
    mallopt(mmap_threshold, 2**30)
    mallopt(trim_threshold, 2**30)
