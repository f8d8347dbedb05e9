"""A process that is killed half-way through writing a file, and what it leaves behind."""

import subprocess
import sys

PROGRAM = """
import os, sys
from pathlib import Path
from tlcourse.files import write_atomically
write_atomically(Path(sys.argv[1]), lambda file: (file.write(b"half"), file.flush(), os.kill(os.getpid(), 9)))
"""


def write_and_be_killed(path):
    """Returns the file that is left, unfinished."""
    before = set(path.parent.glob(".unfinished-*"))
    assert subprocess.run([sys.executable, "-c", PROGRAM, str(path)]).returncode == -9
    (left,) = set(path.parent.glob(".unfinished-*")) - before
    return left
