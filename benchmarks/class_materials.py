"""Measure what a workshop's preparation takes, and print it.

python benchmarks/class_materials.py handouts     seconds and megabytes of all handouts
python benchmarks/class_materials.py kit FOLDER   make a kit (some 2 GB; it downloads),
                                                  go on with it, install it offline
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from workshop.handouts import make_handouts


@contextmanager
def timed(what: str):
    start = time.perf_counter()
    yield
    print(f"{what}: {time.perf_counter() - start:.1f} s", flush=True)


def megabytes(folder: Path) -> str:
    sizes = [path.lstat().st_size for path in folder.rglob("*") if path.is_file()]
    return f"{folder.name}: {len(sizes)} files, {sum(sizes) / 1e6:,.1f} MB"


def measure_handouts() -> None:
    with tempfile.TemporaryDirectory() as name:
        with timed("all handouts"):
            make_handouts(Path(name))
        for folder in sorted(Path(name).iterdir()):
            print(f"    {megabytes(folder)}")


def measure_kit(folder: Path) -> None:
    for what in ("the kit", "the same command again"):
        with timed(what):
            command = [sys.executable, "-m", "workshop", "kit", str(folder)]
            subprocess.run(command, check=True)
    for part in (folder, *filter(Path.is_dir, sorted(folder.iterdir()))):
        print(f"    {megabytes(part)}", flush=True)
    no_network = ["unshare", "--net"]
    if shutil.which("unshare") is None or os.geteuid() != 0:
        no_network = []
    with tempfile.TemporaryDirectory() as name:
        install = ["sh", str(folder / "install-linux.sh"), f"{name}/course"]
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        with timed(f"installing it{' without network' if no_network else ''}"):
            environment = {"PATH": path, "HOME": name}
            subprocess.run([*no_network, *install], env=environment, check=True)
        print(f"    {megabytes(Path(name, 'course'))}")


def main() -> None:
    part, *arguments = sys.argv[1:] or [""]
    if part == "handouts":
        measure_handouts()
    elif part == "kit" and len(arguments) == 1:
        measure_kit(Path(arguments[0]))
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
