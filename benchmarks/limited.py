"""Every lesson with no more memory than a container has: the system ends a kernel that wants more.

    sudo .venv/bin/python benchmarks/limited.py                 2,000 MB, as Binder gives, and every lesson
    sudo .venv/bin/python benchmarks/limited.py 1500 05 07      another limit, and these lessons

The limit is a control group's of Linux (version 1 or 2), as Docker's and Kubernetes' are, without swap. What a kernel
and its children hold of their own counts, and of files only what the system cannot take back. A lesson fails if
anything in it was ended for want of memory, also what was started again and went on.
"""

import os
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import measure

ROOT = Path("/sys/fs/cgroup")
JOIN = """
import os, re
with open("/proc/self/status") as status:
    before = int(re.search(r"RssAnon:\\s*(\\d+)", status.read())[1]) * 1024  # stays with the group that it was in
with open({limit!r}, "w") as limit:
    limit.write(str({octets} - before))
with open({members!r}, "w") as members:
    members.write(str(os.getpid()))
"""


def main() -> None:
    numbers, lessons = sys.argv[1:2], sys.argv[2:]
    megabytes = int(numbers[0]) if numbers else 2000
    build = measure.lesson_builder()
    os.environ.update(build.packs_beside() | build.ENVIRONMENT)
    import nbformat
    from nbclient.exceptions import CellExecutionError, DeadKernelError

    failed = []
    for source in build.sources(lessons):
        with group(source.stem) as (folder, limit):
            join = JOIN.format(
                limit=str(folder / limit),
                members=str(folder / "cgroup.procs"),
                octets=megabytes * 10**6,
            )
            start = time.perf_counter()
            try:
                measure.run_lesson(build, nbformat, source, measure.NO_INTERNET + join)
                said = ""
            except (CellExecutionError, DeadKernelError) as error:
                said = f" {str(error).strip().splitlines()[-1][:100]}"
            seconds, ended = time.perf_counter() - start, ended_for_memory(folder)
        if said or ended:
            failed.append(source.stem)
            said = f" FAILED: {ended} ended for want of memory.{said}"
        print(f"{source.stem:30} {megabytes:,} MB: {seconds:.0f} s{said}", flush=True)
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def ended_for_memory(folder: Path) -> int:
    """How many processes of a control group the system has ended."""
    counts = next(
        path
        for name in ("memory.oom_control", "memory.events")
        if (path := folder / name).exists()
    )
    return int(re.search(r"^oom_kill (\d+)$", counts.read_text(), re.MULTILINE)[1])


@contextmanager
def group(name: str) -> Iterator[tuple[Path, str]]:
    """A control group of its own, removed at the end: its folder, and the name of the file with its limit."""
    old = (ROOT / "memory" / "cgroup.procs").exists()
    folder = (ROOT / "memory" if old else ROOT) / f"tlcourse-{name}"
    try:
        folder.mkdir()
    except OSError as error:
        sys.exit(
            f"{folder} could not be made ({error.strerror}): control groups are for root, on Linux."
        )
    swap = folder / ("memory.swappiness" if old else "memory.swap.max")
    if swap.exists():
        swap.write_text("0")
    try:
        yield folder, "memory.limit_in_bytes" if old else "memory.max"
    finally:
        while (folder / "cgroup.procs").read_text().strip():
            time.sleep(0.1)  # the kernel is being ended
        folder.rmdir()


if __name__ == "__main__":
    main()
