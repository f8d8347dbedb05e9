"""A lesson whose kernel died is said to be so at once.

nbval waits for a kernel's answer until the cell's time is over, whether or not there still is a kernel; and of a kernel
that the system ended for want of memory it says no more than that nothing came.
"""

import signal
import time
from pathlib import Path
from queue import Empty

LOOK = 1.0  # seconds between two looks at whether the kernel is still there


class KernelDied(Exception):
    """While a cell ran."""


def watch() -> None:
    """From now on nbval's kernels notice their death."""
    from nbval.kernel import RunningKernel

    if not hasattr(RunningKernel, "patient_get_message"):
        RunningKernel.patient_get_message = RunningKernel.get_message
        RunningKernel.get_message = _get_message


def _get_message(kernel, stream, timeout=None):
    """As nbval's own, which raises `queue.Empty` when the time is over; `KernelDied` when nothing can come any more."""
    end = time.monotonic() + (float("inf") if timeout is None else timeout)
    while True:
        left = end - time.monotonic()
        try:
            return kernel.patient_get_message(stream, timeout=max(0, min(LOOK, left)))
        except Empty:
            if not kernel.is_alive():
                raise KernelDied(_reason(kernel)) from None
            if left <= LOOK:
                raise


def _reason(kernel) -> str:
    code = getattr(getattr(kernel.km.provisioner, "process", None), "returncode", None)
    if code == -signal.SIGKILL:
        return (
            "something ended it by SIGKILL, as the system does where memory has run out"
        )
    if code is not None and code < 0:
        return (
            f"it ended by {signal.Signals(-code).name}, as native code does that fails"
        )
    return f"it ended by itself, with {code}"


def fail_at_once(item) -> None:
    """Make a cell of nbval fail where its kernel dies; those behind it are expected to fail, as after a timeout."""
    runtest = item.runtest

    def run():
        try:
            runtest()
        except KernelDied as died:
            item.parent.timed_out = True
            item.raise_cell_error(
                _message(Path(item.path).name, item.cell_num, str(died))
            )

    item.runtest = run


def _message(lesson: str, cell: int, reason: str) -> str:
    import psutil

    memory = psutil.virtual_memory()
    return (
        f"The kernel of {lesson} died in cell {cell}: {reason}. Now {memory.available / 1e9:.1f} of "
        f"{memory.total / 1e9:.1f} GB of memory are free, and a lesson takes up to 1.5: close other programs and "
        f"kernels, then run this lesson alone: python -m pytest -p authoring.nbval_in_bands --nbval --nbval-current-env notebooks/{lesson}"
    )
