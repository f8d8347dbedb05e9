"""What is lost when things go wrong: faults are provoked again and again, the results compared with a quiet run's.

    python benchmarks/faults.py                        every fault; prints a table, writes part "faults" of results.json
    python benchmarks/faults.py killed-kit --times 5   this one, so often

A job is killed at points drawn uniformly from the seconds that it takes undisturbed, sometimes several times in a row,
then called again and left alone. Lost is a try whose last run fails, whose result is another, bit for bit, or which
leaves something half written behind. Points are drawn from a seed, but where a job is then depends on the machine.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import fault_jobs
import numpy as np

HERE = Path(__file__).resolve().parent
TIMES = 20
SIGNALS = {"killed": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


class Try:
    """One folder in which a job is disturbed, and then done."""

    def __init__(self, job: str, given: Path, folder: Path):
        self.job, self.folder = job, folder
        shutil.copytree(given, folder)

    def start(self) -> subprocess.Popen:
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        return subprocess.Popen(
            [sys.executable, str(HERE / "fault_jobs.py"), self.job, str(self.folder)],
            env={**environment, "TQDM_DISABLE": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def disturb(self, sent: signal.Signals, after: float) -> bool:
        """Send a signal after so many seconds; whether the job was still at it, and ended by it."""
        process = self.start()
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
        process.communicate()
        return process.returncode != 0

    def finish(self) -> tuple[str, float]:
        """The result's digest, or what was said instead; seconds."""
        began = time.perf_counter()
        said, error = self.start().communicate()
        last = said.strip().split("\n")[-1]
        return last if last.startswith("digest ") else (error or said)[-2000:], time.perf_counter() - began

    def left(self) -> list[str]:
        return [str(path.relative_to(self.folder)) for path in self.folder.rglob(".*") if path.name.count("-") > 1]


def disturbed(job: str, sent: str, times: int, seed: int = 0) -> dict:
    """A job, so many times interrupted at random points and then done."""
    rng, lost, interruptions = np.random.default_rng([seed, len(job), SIGNALS[sent]]), [], 0
    with tempfile.TemporaryDirectory(prefix="tlcourse-faults-") as place:
        given, work = Path(place, "given"), Path(place, "work")
        fault_jobs.prepare(job, given)
        right, seconds = undisturbed(job, given, work)
        for number in range(times):
            tried, began = Try(job, given, work), time.perf_counter()
            while not tried.disturb(SIGNALS[sent], rng.uniform(0, seconds)):  # it was done before
                seconds = min(seconds, time.perf_counter() - began)
                shutil.rmtree(work)
                tried, began = Try(job, given, work), time.perf_counter()
            again = rng.choice([0, 0, 0, 1, 2])
            interruptions += 1 + sum(tried.disturb(SIGNALS[sent], rng.uniform(0, seconds)) for _ in range(again))
            found, _ = tried.finish()
            if found != right or tried.left():
                lost.append(f"try {number}: {found} left: {tried.left()}")
                print(lost[-1], file=sys.stderr, flush=True)
            shutil.rmtree(work)
            print(f"  {sent} {job}: {number + 1} of {times}, {len(lost)} lost", file=sys.stderr, flush=True)
    return {"times": times, "lost": len(lost), "interruptions": interruptions}


def undisturbed(job: str, given: Path, work: Path) -> tuple[str, float]:
    """What a quiet run comes to, twice the same, and its seconds."""
    found = []
    for _ in range(2):
        found.append(Try(job, given, work).finish())
        shutil.rmtree(work)
    if not found[0][0].startswith("digest ") or found[0][0] != found[1][0]:
        sys.exit(f"{job} does not come to the same without any fault: {found}")
    return found[0][0], round(min(seconds for _, seconds in found), 1)


def faults() -> dict[str, Callable[[int, int], dict]]:
    """Name → what provokes this fault so many times."""
    return {
        f"{sent}-{job}": lambda times, job=job, sent=sent: disturbed(
            job, sent, times if sent == "killed" else times // 4
        )
        for sent in SIGNALS
        for job in fault_jobs.JOBS
    }


def main() -> None:
    known = faults()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", help=f"out of {', '.join(known)}; none: all")
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="add what was found to this file instead of results.json")
    arguments = parser.parse_args()
    if set(arguments.faults) - set(known):
        parser.error(f"there are no {', '.join(set(arguments.faults) - set(known))}")
    for name in arguments.faults or known:
        found = {name: known[name](arguments.times, arguments.seed)}
        before = json.loads(arguments.json.read_text()) if arguments.json.exists() else {}
        arguments.json.write_text(json.dumps(before | found, indent=1))
        print(found, flush=True)


if __name__ == "__main__":
    main()
