"""The side of `make bench` that starts contestants, tells them when to work, and sums up how long it took."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAMS = Path(__file__).resolve().parent
ROOT = PROGRAMS.parent.parent
REST = 0.3  # seconds between two turns, in which the threads of the last contestant go to sleep


class BenchError(Exception):
    """What hindered a measurement, in a sentence."""


class Contestant:
    """A program of this folder in a process of its own, used in a `with` block; see `protocol` for what is spoken.

    Args:
        name: what messages call it.
        program: file name in this folder.
        arguments: for the program.
        python: the interpreter; the peers have one of their own.
        environment: variables added to this process's.
    """

    def __init__(
        self,
        name: str,
        program: str,
        *arguments,
        python=sys.executable,
        environment: dict | None = None,
    ):
        self.name = name
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self.process = subprocess.Popen(
            [str(python), str(PROGRAMS / program), *map(str, arguments)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            cwd=ROOT,
            env=_environment() | (environment or {}),
        )

    def __enter__(self) -> "Contestant":
        return self

    def __exit__(self, kind, *reason) -> None:
        if kind is not None:
            self.process.kill()
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self._log.close()

    def ready(self) -> dict:
        """Wait until it has warmed up; what the results should say of it."""
        return self._answer()["ready"]

    def go(self, file: Path | None = None) -> dict:
        """One turn: {"seconds": …} and what else it answers. With a file, what came out is saved there, an .npy."""
        self._say(f"go {file}" if file else "go")
        return self._answer()

    def end(self) -> None:
        """Wait until it ends by itself.

        Raises:
            BenchError: it ended with an error.
        """
        if self.process.wait():
            self._failed()

    def answers(self) -> list[dict]:
        """All it prints until it ends by itself, for programs that need not be told when to go.

        Raises:
            BenchError: it ended with an error.
        """
        lines = [json.loads(line) for line in self.process.stdout]
        self.end()
        return lines

    def _say(self, line: str) -> None:
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            self._failed()

    def _answer(self) -> dict:
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            self._failed()
        return json.loads(line)

    def _failed(self):
        self._log.seek(0)
        last = "\n".join(self._log.read().strip().splitlines()[-8:])
        raise BenchError(
            f"{self.name} ended with exit status {self.process.returncode}. The last it said:\n{last}"
        )


def _environment() -> dict[str, str]:
    """This process's variables, without those that would choose a contestant's number of threads, and this checkout."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if "_NUM_" not in name or "THREADS" not in name
    }
    return kept | {
        "TQDM_DISABLE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "PYTHONPATH": str(ROOT),
    }


def order(names: list[str], turn: int) -> list[str]:
    """The contestants' order in this round: each is first once, then second, and so on."""
    shift = turn % len(names)
    return names[shift:] + names[:shift]


def interleaved(
    contestants: dict[str, Contestant], rounds: int
) -> dict[str, list[dict]]:
    """Every contestant once a round, one at a time, in an order that rotates: name → its answers."""
    answers = {name: [] for name in contestants}
    for turn in range(rounds):
        for name in order(list(contestants), turn):
            time.sleep(REST)
            answers[name].append(contestants[name].go())
        said = ", ".join(
            f"{name} {answers[name][-1]['seconds']:.1f} s" for name in contestants
        )
        print(f"  round {turn + 1} of {rounds}: {said}", flush=True)
    return answers


def summary(values) -> dict:
    """Median, smallest, largest and number, with four digits."""
    values = [float(value) for value in values]
    parts = {
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }
    return {name: round_to_digits(value) for name, value in parts.items()} | {
        "n": len(values)
    }


def mean_sd(values) -> dict:
    """Mean, standard deviation and number; the seeds are 0, 1, …"""
    values = [float(value) for value in values]
    sd = statistics.stdev(values) if len(values) > 1 else 0.0
    seeds = list(range(len(values)))
    return {
        "mean": round(statistics.mean(values), 4),
        "sd": round(sd, 4),
        "n": len(values),
        "seeds": seeds,
    }


def ratios(ours, theirs) -> dict:
    """Summary of ours ÷ theirs, round by round: what slows a whole round down cancels out."""
    return summary(own / other for own, other in zip(ours, theirs, strict=True))


def round_to_digits(value: float, digits: int = 4) -> float:
    return float(f"{value:.{digits}g}")
