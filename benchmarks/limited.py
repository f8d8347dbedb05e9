"""Every lesson with no more memory than a container has: the system ends a kernel that wants more.

    sudo .venv/bin/python benchmarks/limited.py                 2,000 MB, as Binder gives, and every lesson
    sudo .venv/bin/python benchmarks/limited.py 1500 05 07      another limit, and these lessons

The limit is a control group's of Linux (version 1 or 2), as Docker's and Kubernetes' are, without swap. What a kernel
holds of its own counts, and of files only what the system cannot take back.
"""

import json
import os
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
    build = measure._build()
    os.environ.update(build.ENVIRONMENT)
    import nbformat

    died = []
    for source in build.sources(lessons):
        with group(source.stem) as (folder, limit):
            join = JOIN.format(
                limit=str(folder / limit), members=str(folder / "cgroup.procs"), octets=megabytes * 10**6
            )
            start = time.perf_counter()
            try:
                measure._run_lesson(build, nbformat, source, measure.NO_INTERNET + join)
                said = f"{time.perf_counter() - start:.0f} s"
            except Exception as error:  # nbclient's own, of several kinds, when its kernel has died
                died.append(source.stem)
                said = f"DIED: {str(error).splitlines()[-1][:100]}"
        print(f"{source.stem:30} {megabytes:,} MB: {said}", flush=True)
    print(json.dumps({"megabytes": megabytes, "died": died}))
    sys.exit(bool(died))


@contextmanager
def group(name: str) -> Iterator[tuple[Path, str]]:
    """A control group of its own, removed at the end: its folder, and the name of the file with its limit."""
    old = (ROOT / "memory" / "cgroup.procs").exists()
    folder = (ROOT / "memory" if old else ROOT) / f"tlcourse-{name}"
    try:
        folder.mkdir()
    except OSError as error:
        sys.exit(f"{folder} could not be made ({error.strerror}): control groups are for root, on Linux.")
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
