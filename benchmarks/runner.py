"""Each arm of a benchmark in a process of its own, in interleaved rounds."""

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
from records import ROOT

PROGRAMS = ROOT / "benchmarks" / "peers"
SCRIPTS = "Scripts/python.exe" if os.name == "nt" else "bin/python"
PEERS_PYTHON = ROOT / ".venv-peers" / SCRIPTS
REST = 0.3  # seconds between two turns, in which the last arm's threads go to sleep


@dataclass
class Options:
    """How much work is done."""

    rounds: int = 7
    pictures: int = 1000
    many_pictures: int = 100_000
    sentences: int = 256
    seeds: int = 5
    epochs: int = 12
    cells: int | None = None
    work: Path = Path()

    def new_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.work))


QUICK = Options(2, 64, 256, 32, 2, 1, 64)


class BenchError(Exception):
    """What prevented a measurement, in a sentence."""


@dataclass(frozen=True)
class Arm:
    """What one process does, see `peers/protocol.py`.

    Attributes
    ----------
    program : str
        File name in `benchmarks/peers`.
    work : str
        Name of the function in it that prepares the work.
    options : dict
        Keyword arguments of that function; paths become text.
    peers : bool
        Whether it runs in .venv-peers.
    """

    program: str
    work: str
    options: dict = field(default_factory=dict)
    peers: bool = False

    @property
    def command(self) -> list[str]:
        python = PEERS_PYTHON if self.peers else Path(sys.executable)
        if not python.is_file():
            raise BenchError(f"{python} is missing; `make bench` sets it up.")
        options = json.dumps(self.options, default=str)
        return [str(python), str(PROGRAMS / self.program), self.work, options]


class Process:
    """A running arm; a context manager. `ready` is what it said after warming up."""

    def __init__(self, arm: Arm, **environment: str):
        self._arm = arm
        self._log = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            arm.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            encoding="utf-8",
            cwd=ROOT,
            env=_environment() | environment,
        )
        self.ready = self._answer()

    def __enter__(self) -> "Process":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is not None:
            self._process.kill()
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def go(self, file: Path | None = None) -> dict:
        """Work once: {"seconds": …} and more. Save the output to `file`, an .npy."""
        try:
            self._process.stdin.write(f"go {file}\n" if file else "go\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # its exit status says more
        return self._answer()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if line:
            return json.loads(line)
        self._process.wait()
        self._log.seek(0)
        last = "\n".join(self._log.read().strip().splitlines()[-8:])
        name = f"{self._arm.program} {self._arm.work}"
        raise BenchError(
            f"{name} ended with exit status {self._process.returncode}:\n{last}"
        )


def _environment() -> dict[str, str]:
    """This process's variables, without those that set a number of threads."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if "_NUM_" not in name or "THREADS" not in name
    }
    silent = {"TQDM_DISABLE": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(ROOT)]))
    return kept | silent | {"PYTHONPATH": path}


@dataclass
class Comparison:
    """What came out of interleaved rounds.

    Attributes
    ----------
    seconds : dict
        Name of the arm → seconds of each round.
    answers : dict
        Name → all that it answered in each round.
    ready : dict
        Name → its settings and versions.
    outputs : dict
        Name → the array that it computes.
    busy : list of float
        Percent of the processors' time that anything else took in the pauses.
    """

    seconds: dict[str, list[float]] = field(default_factory=dict)
    answers: dict[str, list[dict]] = field(default_factory=dict)
    ready: dict[str, dict] = field(default_factory=dict)
    outputs: dict[str, np.ndarray] = field(default_factory=dict)
    busy: list[float] = field(default_factory=list)


def compare(arms: dict[str, Arm], rounds: int, work: Path | None = None) -> Comparison:
    """Start all arms, then let each work once per round, in an order that rotates.

    Parameters
    ----------
    arms : dict
        Name → arm.
    rounds : int
    work : Path, optional
        Folder for the arms' outputs; without it they are not kept.
    """
    found = Comparison(answers={name: [] for name in arms})
    with ExitStack() as stack:
        processes = {}
        for name, arm in arms.items():
            processes[name] = stack.enter_context(Process(arm))
            found.ready[name] = processes[name].ready
            print(f"  {name}: {found.ready[name]['settings']}", flush=True)
            if work:
                file = work / "output.npy"
                processes[name].go(file)
                found.outputs[name] = np.load(file)
        for number in range(rounds):
            for name in rotated(list(arms), number):
                found.busy.append(psutil.cpu_percent(interval=REST))
                found.answers[name].append(processes[name].go())
            last = (
                f"{name} {a[-1]['seconds']:.1f} s" for name, a in found.answers.items()
            )
            print(f"  round {number + 1} of {rounds}: {', '.join(last)}", flush=True)
    found.seconds = {
        name: [answer["seconds"] for answer in answers]
        for name, answers in found.answers.items()
    }
    return found


def rotated(names: list[str], turn: int) -> list[str]:
    """The order in this round: each name is first once, then second, and so on."""
    shift = turn % len(names)
    return names[shift:] + names[:shift]


def run_once(arm: Arm, cache: Path) -> dict:
    """Work once in a fresh process with this cache."""
    with Process(arm, TLCOURSE_CACHE=str(cache)) as process:
        return process.go()
