"""The side of a contestant in `make bench`: a process of its own that works when it is told to and else is idle.

It loads, works once to warm up, and says so: {"ready": {…}}. To each line "go" it does its work once and answers
{"seconds": …}; to "go FILE" it also saves what came out as FILE, an .npy. The end of the input is its own end.
"""

import json
import os
import sys
import time
from collections.abc import Callable

_answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(
    2, 1
)  # whatever a library prints goes to stderr: only answers go where answers are read


def serve(work: Callable[[], object], ready: dict) -> None:
    """Answer until the input ends.

    Args:
        work: does the work once; what it returns can be saved as an array. A dict stands for itself: its entries go
            into the answer, and a "seconds" among them replaces the time taken here.
        ready: what the results should say of this contestant, such as its settings and versions.
    """
    say({"ready": ready})
    for line in sys.stdin:
        start = time.perf_counter()
        result = work()
        answer = {"seconds": time.perf_counter() - start}
        if isinstance(result, dict):
            answer.update(result)
        _, _, file = line.strip().partition(" ")
        if file:
            import numpy as np

            np.save(file, np.asarray(result))
        say(answer)


def say(answer: dict) -> None:
    _answers.write(json.dumps(answer) + "\n")
    _answers.flush()


def best_setting(settings: list, work: Callable[[object], object], repeats: int = 2):
    """The setting with which `work` is fastest, by its best of `repeats` runs after one that does not count.

    A contestant that leaves a choice to its user is given the choice that suits it best on this machine.
    """

    def seconds(setting) -> float:
        taken = []
        for _ in range(repeats + 1):
            start = time.perf_counter()
            work(setting)
            taken.append(time.perf_counter() - start)
        return min(taken[1:])

    return min(settings, key=seconds)
