"""What a class on workshop/hub takes, in a throw-away machine (Linux, as root).

python benchmarks/hub.py             print the table
python benchmarks/hub.py --readme    and write it into workshop/hub/README.md

Memory is counted in two ways, since learners share files: USS is freed when a learner
goes, PSS is that and a share of what several hold together.
"""

import os
import platform
import re
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import mean

from records import ROOT, commit
from report import END, START

sys.path.insert(0, str(ROOT / "workshop" / "tests" / "hub"))

from class_hub import HUB, class_hub  # noqa: E402
from machine import what_is_missing  # noqa: E402

NAMES = ["ada", "bob", "cleo", "dan", "eve"]
LESSONS = {"00": "lessons/00_start.ipynb", "05": "lessons/05_tuning.ipynb"}
MACHINE, SYSTEM = 24, 2  # GiB, and of it for the system, the hub and files


def main() -> None:
    if sys.argv[1:] not in ([], ["--readme"]):
        sys.exit(__doc__)
    if missing := what_is_missing():
        sys.exit(missing)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the machine is removed
    rows = measure()
    if sys.argv[1:]:
        write_readme(rows)


def measure() -> dict[str, str]:
    """What → what was measured."""
    rows = {}

    def add(what: str, text: str) -> None:
        rows[what] = text
        print(f"{what}: {text}", flush=True)

    with class_hub(NAMES, ",".join(LESSONS)) as (machine, by_name):
        learners = list(by_name.values())
        users = [int(machine.run("id", "-u", name).stdout) for name in NAMES]
        together(lambda learner: learner.log_in(), learners)
        what = "Seconds from the click to an open JupyterLab, one learner"
        add(what, f"{learners[0].spawn():.1f}")
        learners[0].stop()
        seconds = together(lambda learner: learner.spawn(), learners)
        add("… five at once", f"{min(seconds):.1f} to {max(seconds):.1f}")
        what = "A learner who is logged in and has opened nothing"
        add(what, about_memory(users))
        seconds, used = run_lesson("00", learners, users)
        add("Seconds for all cells of lesson 00, five at once", seconds)
        add("A learner in lesson 00, all cells run", used)
        machine.run(str(HUB / "warm.sh"), "00")
        machine.run("sh", "-c", "rm -r /home/*/.cache/tlcourse")
        add("… after `warm.sh 00`", run_lesson("00", learners, users)[0])
        seconds, used = run_lesson("05", learners[:2], users[:2])
        add("Seconds for all cells of lesson 05, two at once", seconds)
        add("A learner in lesson 05, all cells run (TensorFlow)", used)
    return rows


def together(act, learners) -> list:
    with ThreadPoolExecutor(len(learners)) as pool:
        return list(pool.map(act, learners))


def run_lesson(lesson: str, learners: list, users: list[int]) -> tuple[str, str]:
    """Seconds of the slowest learner, and memory once all cells have run."""
    notebook = LESSONS[lesson]

    def run(learner):
        kernel, start = learner.open(notebook), time.monotonic()
        for source in learner.cells(notebook):
            cell = kernel.run(source)
            if cell.error:
                sys.exit(f"{notebook} of {learner.name} ended with {cell.error}")
        return time.monotonic() - start, kernel

    runs = together(run, learners)
    used = about_memory(users)
    for _, kernel in runs:
        kernel.close()
    return f"{max(seconds for seconds, _ in runs):.0f}", used


def about_memory(users: list[int]) -> str:
    uss, pss = (mean(each) for each in zip(*map(memory, users), strict=True))
    fit = how_many_fit(uss, pss, len(users))
    return (
        f"{uss:,.0f} MB of their own (PSS {pss:,.0f} MB); **{fit}** fit into "
        f"{MACHINE} GiB"
    )


def memory(user: int) -> tuple[float, float]:
    """MB of all processes of a user: (USS, PSS)."""
    own = shared = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid != user:
                continue
            rollup = (process / "smaps_rollup").read_text()
        except OSError:  # it has ended
            continue
        kilobytes = dict(re.findall(r"(\w+): +(\d+) kB", rollup))
        own += int(kilobytes["Private_Clean"]) + int(kilobytes["Private_Dirty"])
        shared += int(kilobytes["Pss"])
    return own * 1024 / 1e6, shared * 1024 / 1e6


def how_many_fit(uss: float, pss: float, learners: int) -> int:
    """Learners in a machine's memory; what they share is there once."""
    common = (pss - uss) * learners
    return int(((MACHINE - SYSTEM) * 2**30 / 1e6 - common) // uss)


def write_readme(rows: dict[str, str]) -> None:
    readme = HUB / "README.md"
    table = [f"| {what} | {text} |" for what, text in rows.items()]
    machine = f"{os.cpu_count()} cores ({platform.system()} {platform.machine()})"
    note = (
        f"Measured {time.strftime('%Y-%m-%d')} on {machine}, at commit {commit()}, by "
        f"`python benchmarks/hub.py --readme`. Of {MACHINE} GiB, {SYSTEM} are left to "
        "the system; what learners share counts once."
    )
    head = ["| What | Measured |", "|---|---|"]
    block = "\n".join([START, *head, *table, "", note, END])
    text = readme.read_text(encoding="utf-8")
    text = re.sub(f"{START}.*{END}", lambda _: block, text, flags=re.DOTALL)
    readme.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
