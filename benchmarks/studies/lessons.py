"""Seconds and memory of every lesson, in a fresh kernel and without internet."""

import os
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError
from records import ROOT

NO_INTERNET = """
import socket

_look_up = socket.getaddrinfo

def _look_up_here(host, *arguments, **options):
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, "localhost", "::1") and not name.startswith("127."):
        raise OSError("there is no internet in this measurement")
    return _look_up(host, *arguments, **options)

socket.getaddrinfo = _look_up_here  # create_connection asks it, too
"""
OWN_MEMORY = """
import re, threading, time

def _watch():
    while True:
        with open("/proc/self/status") as status:
            _kibibytes.append(int(re.search(r"RssAnon:\\s*(\\d+)", status.read())[1]))
        time.sleep(0.05)

_kibibytes = []
threading.Thread(target=_watch, daemon=True).start()
"""


def lessons() -> dict:
    """Lesson → its cost.

    Memory is the kernel's own. Pages of mapped files, such as TensorFlow's library, are
    not counted: the system takes them back where it needs memory, and how many are
    resident differs between machines by hundreds of megabytes.
    """
    build = lesson_builder()
    os.environ.update(build.ENVIRONMENT)
    costs = {}
    for source in build.sources([]):
        try:
            cost = _run(build, source, NO_INTERNET) | {"offline": True}
        except CellExecutionError:
            cost = _run(build, source) | {"offline": False}
        costs[source.stem] = cost
        print(f"  {source.stem}: {cost}", flush=True)
    return costs


def lesson_builder():
    """The lessons' builder, `build.py` beside their sources."""
    sys.path.insert(0, str(ROOT / "authoring"))
    import build

    return build


def _run(build, source: Path, first: str = "") -> dict:
    """One lesson with an empty cache and no progress, as a newcomer's."""
    notebook = build.convert(source)
    peak = "print(round(max(_kibibytes) * 1024 / 1e6))"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(first + OWN_MEMORY))
    notebook.cells.append(nbformat.v4.new_code_cell(peak))
    with tempfile.TemporaryDirectory() as empty:
        os.environ["TLCOURSE_CACHE"] = empty
        os.environ["TLCOURSE_PROGRESS"] = str(Path(empty, "progress.json"))
        start = time.perf_counter()
        build.execute(notebook)
        seconds = round(time.perf_counter() - start)
    megabytes = int(notebook.cells[-1].outputs[0]["text"])
    return {"seconds": seconds, "peak_megabytes": megabytes}
