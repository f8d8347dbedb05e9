"""Measure what a class on workshop/hub takes, in a machine to throw away, and print it (Linux, as root).

python benchmarks/hub.py             seconds to start, memory of learners, how many of them fit into 24 GiB
python benchmarks/hub.py --readme    the same, and write the table into workshop/hub/README.md

Memory is counted in two ways, since learners share files: USS is what goes when a learner goes, PSS that and a share of
what several hold together. Nothing is written to results.json.
"""

import os
import platform
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workshop" / "tests" / "hub"))

from class_hub import HUB, class_hub  # noqa: E402
from machine import what_is_missing  # noqa: E402

README = HUB / "README.md"
NAMES = ["ada", "bob", "cleo", "dan", "eve"]
LITERT, TENSORFLOW = "lessons/00_start_here.ipynb", "lessons/05_fine_tuning.ipynb"
MACHINE, SYSTEM = (
    24,
    2,
)  # GiB of a machine, and of it for the system, the hub and files that are read


def together(act, learners):
    with ThreadPoolExecutor(len(learners)) as pool:
        return list(pool.map(act, learners))


def memory(user: int) -> tuple[float, float]:
    """MB of all processes of a user: (USS, PSS)."""
    alone = shared = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid != user:
                continue
            rollup = (process / "smaps_rollup").read_text()
        except OSError:  # it has just ended
            continue
        kilobytes = {
            name: int(number)
            for name, number in re.findall(r"(\w+): +(\d+) kB", rollup)
        }
        alone += kilobytes["Private_Clean"] + kilobytes["Private_Dirty"]
        shared += kilobytes["Pss"]
    return alone * 1024 / 1e6, shared * 1024 / 1e6


def how_many_fit(uss: float, pss: float, learners: int) -> int:
    """Learners in a machine's memory: what they share is there once, and each brings what is theirs alone."""
    common = (pss - uss) * learners
    return int(((MACHINE - SYSTEM) * 2**30 / 1e6 - common) // uss)


def lesson(notebook: str):
    """A function that runs a lesson for a learner: (seconds, the kernel, still there)."""

    def run(learner):
        kernel, start = learner.open(notebook), time.monotonic()
        for source in learner.cells(notebook):
            cell = kernel.run(source)
            if cell.error:
                sys.exit(f"{notebook} of {learner.name} ended with {cell.error}")
        return time.monotonic() - start, kernel

    return run


def measure() -> list[tuple[str, str]]:
    """Rows of the table: what, and what was measured."""
    rows = []

    def add(what, text):
        rows.append((what, text))
        print(f"{what}: {text}", flush=True)

    with class_hub(NAMES, "00,05") as (machine, by_name):
        learners = list(by_name.values())
        users = [int(machine.run("id", "-u", name).stdout) for name in NAMES]

        def add_memory(what, count):
            uss, pss = (
                mean(numbers)
                for numbers in zip(*map(memory, users[:count]), strict=True)
            )
            fit = how_many_fit(uss, pss, count)
            add(
                what,
                f"{uss:,.0f} MB of their own (PSS {pss:,.0f} MB); **{fit}** fit into {MACHINE} GiB",
            )

        together(lambda learner: learner.log_in(), learners)
        add(
            "Seconds from the click to an open JupyterLab, one learner",
            f"{learners[0].spawn():.1f}",
        )
        learners[0].stop()
        seconds = together(lambda learner: learner.spawn(), learners)
        add("… five at once", f"{min(seconds):.1f} to {max(seconds):.1f}")
        add_memory("A learner who is logged in and has opened nothing", 5)
        runs = together(lesson(LITERT), learners)
        add(
            "Seconds for all cells of lesson 00, five at once",
            f"{max(run[0] for run in runs):.0f}",
        )
        add_memory("A learner in lesson 00, all cells run (LiteRT)", 5)
        for _, kernel in runs:
            kernel.close()
        machine.run(str(HUB / "warm.sh"), "00")
        machine.run("sh", "-c", "rm -r /home/*/.cache/tlcourse")
        runs = together(lesson(LITERT), learners)
        add("… after `warm.sh 00`", f"{max(run[0] for run in runs):.0f}")
        for _, kernel in runs:
            kernel.close()
        runs = together(lesson(TENSORFLOW), learners[:2])
        add(
            "Seconds for all cells of lesson 05, two at once",
            f"{max(run[0] for run in runs):.0f}",
        )
        add_memory("A learner in lesson 05, all cells run (TensorFlow)", 2)
    return rows


def write_readme(rows: list[tuple[str, str]]) -> None:
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    table = [
        "| What | Measured |",
        "|---|---|",
        *(f"| {what} | {text} |" for what, text in rows),
    ]
    machine = f"{os.cpu_count()} cores ({platform.system()} {platform.machine()})"
    where = f"{time.strftime('%Y-%m-%d')} on {machine}, at commit {commit.strip()}"
    note = (
        f"Measured {where}, by `python benchmarks/hub.py --readme`. Of {MACHINE} GiB, {SYSTEM} are left to the system; "
        "what learners share counts once."
    )
    block = "\n".join(
        ["<!-- measured: begin -->", *table, "", note, "<!-- measured: end -->"]
    )
    text = README.read_text(encoding="utf-8")
    text = re.sub(
        r"<!-- measured: begin -->.*<!-- measured: end -->",
        lambda _: block,
        text,
        flags=re.DOTALL,
    )
    README.write_text(text, encoding="utf-8")


def main() -> None:
    if sys.argv[1:] not in ([], ["--readme"]):
        sys.exit(__doc__)
    if missing := what_is_missing():
        sys.exit(missing)
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(1)
    )  # and the machine is taken away as it should be
    rows = measure()
    if sys.argv[1:]:
        write_readme(rows)


if __name__ == "__main__":
    main()
