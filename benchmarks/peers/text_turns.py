"""What the contestants for text share: they try their choices and take their turns, or load and work once.

    python PROGRAM.py SENTENCES.json …                a contestant, see `protocol`
    python PROGRAM.py SENTENCES.json … once CHOICE    load, all sentences once with this choice, what it took

Of the second kind is printed {"load_seconds": …, "start_seconds": …, "seconds": …, "peak_megabytes": …}: to load the
network and its vocabulary; from before the libraries are imported to the features of the first sentence; for all
sentences. Megabytes are 10⁶ bytes. It is a run of its own because a contestant first tries several choices, which
needs more memory.
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import protocol

START = (
    time.perf_counter()
)  # this module is imported before the libraries that take long
TRIED = 64  # sentences with which the choices are tried


def arguments() -> list[str]:
    """Those of the command line between the sentences and `once`."""
    end = sys.argv.index("once") if "once" in sys.argv else len(sys.argv)
    return sys.argv[2:end]


def take_part(
    load: Callable, choices: dict[str, object], about: str, versions: dict
) -> None:
    """Do as the command line says.

    Args:
        load: a choice → a function from a list of sentences to features (n, width). Called for every choice, so it
            should load what several share only once.
        choices: name → choice; as a contestant it is given the fastest.
        about: the rest of the settings, in words.
        versions: of the libraries.
    """
    sentences = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    if "once" in sys.argv:
        once(load, choices[sys.argv[-1]], sentences)
        return
    features = {name: load(choice) for name, choice in choices.items()}
    few = sentences[:: max(1, len(sentences) // TRIED)]
    name = protocol.best_setting(list(features), lambda name: features[name](few))
    chosen = f", the fastest of {len(choices)} choices" if len(choices) > 1 else ""
    ready = {"settings": f"{about}{name}{chosen}", "versions": versions, "choice": name}
    protocol.serve(lambda: features[name](sentences), ready)


def once(load: Callable, choice, sentences: list[str]) -> None:
    from tlcourse.progress import measured

    with measured() as loading:
        features = load(choice)
    features(sentences[:1])
    started = time.perf_counter() - START
    with measured() as working:
        features(sentences)
    protocol.say(
        {
            "load_seconds": loading.seconds,
            "start_seconds": started,
            "seconds": working.seconds,
            "peak_megabytes": working.peak_megabytes,
        }
    )
