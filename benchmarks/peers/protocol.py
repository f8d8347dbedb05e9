"""An arm's side of `make bench`: a process that works when it is told to.

    python PROGRAM.py WORK OPTIONS

WORK names a function of the program, OPTIONS are its keyword arguments as JSON. It
loads what is needed, works once to warm up, and returns the work and what the results
should say of it. Then {"settings": …} is printed. To each line "go" the work is done
once and {"seconds": …} printed; "go FILE" also saves its output, an .npy. The end of
the input ends the process.
"""

import json
import os
import sys
import time
from collections.abc import Callable

# Only answers are written to stdout: what libraries print goes to stderr.
_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)


def run(*functions: Callable) -> None:
    """Serve the function that the command line names.

    Each returns a function that does the work and a dict with its "settings" and
    "versions". The work returns an array, or a dict whose entries are answered, too; a
    "seconds" among them replaces the time taken here.
    """
    prepare = {function.__name__: function for function in functions}[sys.argv[1]]
    work, about = prepare(**json.loads(sys.argv[2]))
    _answer(about)
    for line in sys.stdin:
        start = time.perf_counter()
        output = work()
        answer = {"seconds": time.perf_counter() - start}
        if isinstance(output, dict):
            answer.update(output)
        else:
            answer |= {"shape": output.shape, "peak_megabytes": _peak_megabytes()}
        _, _, file = line.strip().partition(" ")
        if file:
            import numpy as np

            np.save(file, np.asarray(output))
        _answer(answer)


def _peak_megabytes() -> float | None:
    """The most memory that this process has held, on Linux."""
    try:
        with open("/proc/self/status") as status:
            lines = dict(line.split(":", 1) for line in status)
    except OSError:
        return None
    return int(lines["VmHWM"].split()[0]) * 1024 / 1e6


def _answer(answer: dict) -> None:
    _answers.write(json.dumps(answer) + "\n")
    _answers.flush()


class Curve:
    """Accuracy on the test rows after each epoch, and seconds of training so far.

    `data` has "train", "train_labels", "test" and "test_labels"; predicting the test
    rows does not count.
    """

    def __init__(self, data, predict: Callable) -> None:
        self._test, self._labels = data["test"], data["test_labels"]
        self._predict, self._points = predict, []

    def start(self) -> None:
        self._seconds, self._since = 0.0, time.perf_counter()

    def add(self) -> None:
        self._seconds += time.perf_counter() - self._since
        accuracy = float((self._predict(self._test) == self._labels).mean())
        self._points.append([round(self._seconds, 2), round(accuracy, 4)])
        self._since = time.perf_counter()

    def answer(self) -> dict:
        return {"seconds": self._seconds, "curve": self._points}


def fastest(choices: list, work: Callable[[object], object], repeats: int = 2):
    """The choice with the shortest of `repeats` runs after one that does not count.

    So each peer has the settings that suit it best on this machine.
    """

    def seconds(choice) -> float:
        taken = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            work(choice)
            taken.append(time.perf_counter() - start)
        return min(taken[1:])

    return min(choices, key=seconds)


def in_batches(run: Callable, pictures, size: int):
    """The concatenated outputs of `run` over batches of this size."""
    import numpy as np

    starts = range(0, len(pictures), size)
    return np.concatenate([run(pictures[i : i + size]) for i in starts])
