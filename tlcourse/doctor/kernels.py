"""Which Python the notebooks' kernel is: a kernel that another environment has installed finds no course."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

from .finding import Finding

KERNEL = "python3"  # what the lessons ask for


def kernel() -> Iterator[Finding]:
    """Only where the lessons would start another Python; where Jupyter is missing, `packages` says so."""
    try:
        from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel
    except ImportError:
        return
    again = f"{sys.executable} -m ipykernel install --sys-prefix"
    try:
        spec = KernelSpecManager().get_kernel_spec(KERNEL)
    except NoSuchKernel:
        yield Finding(
            "kernel",
            "missing",
            f"Jupyter knows no kernel {KERNEL}, which the lessons ask for. Run: {again}",
        )
        return
    program = Path(spec.argv[0])
    if not program.is_absolute():  # Jupyter puts its own Python there
        return
    if not program.exists():
        yield Finding(
            "kernel",
            "missing",
            f"{spec.resource_dir} starts {program}, which is not there. Run: {again}",
        )
    elif not _same_folder(program, Path(sys.executable)):
        cure = f"Run: {again}; if that folder is still preferred, delete it: {spec.resource_dir}"
        text = f"notebooks start {program}, not this Python, {sys.executable}: they may find no course. {cure}"
        yield Finding("kernel", "look", text)


def _same_folder(program: Path, other: Path) -> bool:
    """Not the same file: all environments' Pythons may be links to one."""
    return os.path.samefile(program.parent, other.parent)
