"""What is lost when jobs are killed, or two processes share a cache.

    python benchmarks/faults.py                           every fault
    python benchmarks/faults.py killed-train --times 5    this one, so often

A job is killed at random moments, sometimes several times, and then called again. A try
is lost if its last run fails, if its result is not that of an undisturbed run, or if
something half written stays behind. Moments are drawn from a seed; where a job is then
depends on the machine. The result goes into "faults" of results.json.
"""

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
import records

SIGNALS = {"killed": signal.SIGKILL, "Ctrl-C": signal.SIGINT, "SIGTERM": signal.SIGTERM}


class Trial:
    """A job in a folder of its own, with a copy of its input."""

    def __init__(self, job: str, given: Path, folder: Path):
        self.job, self.folder = job, folder
        shutil.copytree(given, folder, dirs_exist_ok=True)

    def start(self, **environment: str) -> subprocess.Popen:
        program = str(Path(fault_jobs.__file__))
        return subprocess.Popen(
            [sys.executable, program, self.job, str(self.folder)],
            env={**os.environ, "TQDM_DISABLE": "1", **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def interrupt(self, sent: signal.Signals, after: float) -> bool:
        """Send a signal after some seconds; whether it ended the job."""
        process = self.start()
        try:
            process.wait(after)
        except subprocess.TimeoutExpired:
            process.send_signal(sent)
        process.communicate()
        return process.returncode != 0

    def finish(self) -> str:
        return result_of(self.start())

    def leftovers(self) -> list[Path]:
        """Half-written files; they are hidden, with the process's id in their name."""
        return [path for path in self.folder.rglob(".*") if path.name.count("-") > 1]


def result_of(process: subprocess.Popen) -> str:
    """The result that a job prints, or else what it says."""
    output, error = process.communicate()
    last = output.strip().rpartition("\n")[2]
    return last if last.startswith("result ") else (error or output)[-2000:].strip()


def undisturbed(job: str, given: Path, work: Path) -> tuple[str, float]:
    """The result of a run, and its seconds."""
    start = time.perf_counter()
    result = Trial(job, given, work).finish()
    seconds = time.perf_counter() - start
    shutil.rmtree(work)
    if not result.startswith("result "):
        sys.exit(f"{job} fails without any fault: {result}")
    return result, seconds


def tried(job: str, attempt: Callable, times: int, seed: int) -> dict:
    """Disturb a job so many times; `attempt` returns what was lost, or "".

    It takes the input's folder, an empty one, the expected result, the seconds of an
    undisturbed run and a random generator.
    """
    rng, lost = np.random.default_rng([seed, *job.encode()]), 0
    with tempfile.TemporaryDirectory(prefix="tlcourse-faults-") as folder:
        given, work = Path(folder, "given"), Path(folder, "work")
        fault_jobs.prepare(job, given)
        expected, seconds = undisturbed(job, given, work)
        for number in range(times):
            problem = attempt(job, given, work, expected, seconds, rng)
            lost += bool(problem)
            print(f"  {job} {number + 1} of {times}: {problem or 'ok'}", flush=True)
            shutil.rmtree(work, ignore_errors=True)
    return {"times": times, "lost": lost}


def killed(sent, job, given, work, expected, seconds, rng) -> str:
    """Interrupt at random moments, one to three times, then call again."""
    trial = Trial(job, given, work)
    while not trial.interrupt(sent, rng.uniform(0, seconds)):  # it was done before
        shutil.rmtree(work)
        trial = Trial(job, given, work)
    for _ in range(rng.choice([0, 0, 0, 1, 2])):
        trial.interrupt(sent, rng.uniform(0, seconds))
    result = trial.finish()
    if result != expected:
        return result
    return f"left: {trial.leftovers()}" if trial.leftovers() else ""


def together(job, given, work, expected, seconds, rng) -> str:
    """Two processes on one cache, which a third one clears at random moments."""
    cache = str(work / "cache")
    trials = [Trial(job, given, work / name) for name in ("one", "other")]
    processes = [trial.start(FAULTS_CACHE=cache) for trial in trials]
    environment = {**os.environ, "TLCOURSE_CACHE": cache}
    while any(process.poll() is None for process in processes):
        time.sleep(rng.uniform(0, seconds / 2))
        command = [sys.executable, "-m", "tlcourse", "cache", "clear"]
        subprocess.run(command, env=environment, stdout=subprocess.DEVNULL)
    results = [result_of(process) for process in processes]
    wrong = [result for result in results if result != expected]
    return "; ".join(wrong) or ", ".join(map(str, Path(cache).rglob("*-journal")))


FAULTS = {
    **{
        f"{name}-{job}": partial(tried, job, partial(killed, sent))
        for name, sent in SIGNALS.items()
        for job in fault_jobs.JOBS
    },
    "together": partial(tried, "extract", together),
}


def main() -> None:
    parser = records.parser(__doc__, "faults", FAULTS)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    # In the background Ctrl-C is ignored, and jobs would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in arguments.faults or FAULTS:
        row = FAULTS[name](times=arguments.times, seed=arguments.seed)
        print(f"{name}: {row}", flush=True)
        records.keep_row("faults", name, row)


if __name__ == "__main__":
    main()
