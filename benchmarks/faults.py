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
from functools import partial
from pathlib import Path

import fault_jobs
import numpy as np

sys.path.insert(
    0, str(Path(__file__).resolve().parent.parent / "tests")
)  # its small disk and small course

HERE = Path(__file__).resolve().parent
TIMES = 20
SIGNALS = {"killed": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


class Try:
    """One folder in which a job is disturbed, and then done."""

    def __init__(self, job: str, given: Path, folder: Path):
        self.job, self.folder = job, folder
        shutil.copytree(given, folder, dirs_exist_ok=True)

    def start(self) -> subprocess.Popen:
        environment = {
            name: value
            for name, value in os.environ.items()
            if name != "PYTHONDONTWRITEBYTECODE"
        }
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
        return last if last.startswith("digest ") else (error or said)[
            -2000:
        ], time.perf_counter() - began

    def left(self) -> list[str]:
        return [
            str(path.relative_to(self.folder))
            for path in self.folder.rglob(".*")
            if path.name.count("-") > 1
        ]


def disturbed(job: str, sent: str, times: int, seed: int) -> dict:
    """A job, so many times interrupted at random points and then done."""
    rng, lost, interruptions = (
        np.random.default_rng([seed, len(job), SIGNALS[sent]]),
        [],
        0,
    )
    with tempfile.TemporaryDirectory(prefix="tlcourse-faults-") as place:
        given, work = Path(place, "given"), Path(place, "work")
        fault_jobs.prepare(job, given)
        right, seconds = undisturbed(job, given, work)
        for number in range(times):
            tried, began = Try(job, given, work), time.perf_counter()
            while not tried.disturb(
                SIGNALS[sent], rng.uniform(0, seconds)
            ):  # it was done before
                seconds = min(seconds, time.perf_counter() - began)
                shutil.rmtree(work)
                tried, began = Try(job, given, work), time.perf_counter()
            again = rng.choice([0, 0, 0, 1, 2])
            interruptions += 1 + sum(
                tried.disturb(SIGNALS[sent], rng.uniform(0, seconds))
                for _ in range(again)
            )
            found, _ = tried.finish()
            if found != right or tried.left():
                lost.append(f"try {number}: {found} left: {tried.left()}")
                print(lost[-1], file=sys.stderr, flush=True)
            shutil.rmtree(work)
            print(
                f"  {sent} {job}: {number + 1} of {times}, {len(lost)} lost",
                file=sys.stderr,
                flush=True,
            )
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


def filled(job: str, times: int, seed: int) -> dict:
    """A job on a disk that is too small by a random measure, then with room, so many times.

    The first call must end in a sentence or, where only the cache did not fit, with the right result.
    """
    from small_disk import SmallDisk

    rng, lost, said = np.random.default_rng([seed, len(job)]), [], 0
    with tempfile.TemporaryDirectory(prefix="tlcourse-faults-") as place:
        given, work = Path(place, "given"), Path(place, "work")
        fault_jobs.prepare(job, given)
        before = _kilobytes(given)
        right, _ = undisturbed(job, given, work)
        Try(job, given, work).finish()
        after = _kilobytes(work)
        shutil.rmtree(work)
        for number in range(times):
            disk = SmallDisk(work, int(rng.uniform(1.05 * before + 100, after)))
            try:
                tried = Try(job, given, work)
                first, _ = tried.finish()
                sentence = first.strip().split("\n")[-1].startswith("tlcourse.")
                said += sentence
                disk.grow(2000)
                found, _ = tried.finish()
                if found != right or not (sentence or first == right) or tried.left():
                    lost.append(
                        f"try {number}: {first} then {found} left: {tried.left()}"
                    )
                    print(lost[-1], file=sys.stderr, flush=True)
            finally:
                disk.unmount()
            print(
                f"  full {job}: {number + 1} of {times}, {len(lost)} lost",
                file=sys.stderr,
                flush=True,
            )
    return {"times": times, "lost": len(lost), "refused_in_a_sentence": said}


def _kilobytes(folder: Path) -> float:
    return (
        sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1000
    )


def together(times: int, seed: int) -> dict:
    """Two processes on one cache, which a third one empties at random moments, so many times."""
    rng, lost, cleared = np.random.default_rng(seed), 0, 0
    with tempfile.TemporaryDirectory(prefix="tlcourse-faults-") as place:
        given, work, cache = (Path(place, name) for name in ("given", "work", "cache"))
        fault_jobs.prepare("extract", given)
        right, seconds = undisturbed("extract", given, work)
        os.environ["FAULTS_CACHE"] = str(cache)
        for number in range(times):
            tries = [
                Try("extract", given, Path(place, f"{name}-{number}"))
                for name in ("one", "other")
            ]
            running = [tried.start() for tried in tries]
            while any(process.poll() is None for process in running):
                time.sleep(rng.uniform(0, seconds / 2))
                clear = [sys.executable, "-m", "tlcourse", "cache", "clear"]
                subprocess.run(
                    clear,
                    env={**os.environ, "TLCOURSE_CACHE": str(cache)},
                    stdout=subprocess.DEVNULL,
                )
                cleared += 1
            found = [
                process.communicate()[0].strip().split("\n")[-1] for process in running
            ]
            lost += found != [right, right] or bool(list(cache.rglob("*-journal")))
            shutil.rmtree(cache)
            print(
                f"  two processes: {number + 1} of {times}, {lost} lost",
                file=sys.stderr,
                flush=True,
            )
        del os.environ["FAULTS_CACHE"]
    return {"times": times, "lost": lost, "cleared": cleared}


def faults() -> dict[str, Callable[[int, int], dict]]:
    """Name → what provokes this fault so many times, from a seed."""
    found = {
        f"{sent}-{job}": partial(disturbed, job, sent)
        for sent in SIGNALS
        for job in fault_jobs.JOBS
    }
    return (
        found
        | {f"full-{job}": partial(filled, job) for job in fault_jobs.JOBS}
        | {"together": together}
    )


def table(found: dict) -> str:
    """Fault × times tried × lost, in Markdown."""
    rows = [
        f"| {name} | {row['times']} | {row['lost']} |" for name, row in found.items()
    ]
    return "\n".join(["| Fault | Times tried | Lost |", "|---|---:|---:|", *rows])


def main() -> None:
    known = faults()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "faults", nargs="*", help=f"out of {', '.join(known)}; none: all"
    )
    parser.add_argument("--times", type=int, default=TIMES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--into",
        type=Path,
        help="write what was found to this file instead of results.json",
    )
    arguments = parser.parse_args()
    if set(arguments.faults) - set(known):
        parser.error(f"there are no {', '.join(set(arguments.faults) - set(known))}")
    signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # in the background it is ignored, and jobs inherit that
    for name in arguments.faults or known:
        keep(name, known[name](arguments.times, arguments.seed), arguments.into)


def keep(name: str, row: dict, into: Path | None = None) -> None:
    """Write one row into part "faults" of results.json, or into a file of its own, and print all rows."""
    import measure

    file = into or measure.RESULTS
    results = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    results.setdefault("faults", {})[name] = row
    measure.write_results(measure.noted(results, "faults"), file)
    print(table(results["faults"]), flush=True)


if __name__ == "__main__":
    main()
