"""What one batch frees is kept for the next, and handed back to the system when a large piece of work is done."""

import ctypes
import gc
from functools import cache


@cache
def keep_freed_memory() -> None:
    """Ask glibc to keep what a batch frees for the next batch, in one arena for all threads.

    By default it hands large blocks back to the system, and each batch pays for them in page faults again.
    Where there is no glibc nothing is done.
    """
    trim_threshold, mmap_threshold, arena_max = (
        -1,
        -3,
        -8,
    )  # the parameters' numbers in malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # macOS, musl, Windows
        return
    mallopt(arena_max, 1)
    mallopt(mmap_threshold, 2**30)
    mallopt(trim_threshold, 2**30)


def hand_back_freed_memory() -> None:
    """Give the system what has piled up: a training or a conversion that is over leaves hundreds of megabytes.

    Where there is no glibc nothing is done.
    """
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (AttributeError, OSError, TypeError):
        return


def clear_away() -> None:
    """Free what nothing uses any more and hand it back: networks refer to themselves in circles, and stay till then."""
    gc.collect()
    hand_back_freed_memory()
