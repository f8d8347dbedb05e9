"""Memory that one batch frees is kept for the next, and returned after the work."""

import ctypes
import gc
from functools import cache


@cache
def keep_freed_memory() -> None:
    """Ask glibc, if there is one, to keep what a batch frees, in one arena.

    By default it returns large blocks to the system, and each batch pays for them in
    page faults again. `benchmarks/freed_memory.py` measures both ways.
    """
    # The parameters' numbers in malloc.h.
    trim_threshold, mmap_threshold, arena_max = -1, -3, -8
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return
    mallopt(arena_max, 1)
    mallopt(mmap_threshold, 2**30)
    mallopt(trim_threshold, 2**30)


def hand_back_freed_memory() -> None:
    """Return freed memory to the system: a training leaves hundreds of megabytes."""
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def clear_away() -> None:
    """Free networks, which refer to themselves in circles, and return the memory."""
    gc.collect()
    hand_back_freed_memory()
