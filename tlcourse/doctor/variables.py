"""Environment variables that slow the course down or break it; nothing is said where there are none."""

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from ..features.engine import processors
from ..files import cache_folder
from .finding import Finding

THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


def variables() -> Iterator[Finding]:
    for look in (_bytecode, _threads, _locale, _keras):
        yield from look()


def _bytecode() -> Iterator[Finding]:
    if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
        return
    spec = find_spec("keras")
    if spec and spec.cached and not os.path.exists(spec.cached):
        cure = "Run: unset PYTHONDONTWRITEBYTECODE"
        text = f"is set, so each start of TensorFlow takes three times as long. {cure}"
        yield Finding("PYTHONDONTWRITEBYTECODE", "look", text)


def _threads() -> Iterator[Finding]:
    for name in THREADS:
        value = os.environ.get(name, "").split(",")[
            0
        ]  # OpenMP takes a number for each level
        if not value:
            continue
        if not value.isdecimal() or not int(value):
            cure = f"expected a whole number from 1. Run: unset {name}"
            yield Finding(name, "look", f"is {value!r}; {cure}")
        elif int(value) > 2 * processors():
            cure = f"there are {processors()} processors, and more threads than that slow each other down."
            yield Finding(name, "look", f"is {value}; {cure} Run: unset {name}")


def _locale() -> Iterator[Finding]:
    """Python reads names in UTF-8 all the same, but what it starts may not."""
    chosen = os.environ.get("LC_ALL", "")
    places = (Path.cwd(), Path.home(), Path(sys.prefix), cache_folder())
    odd = next((place for place in places if not str(place).isascii()), None)
    if chosen in ("C", "POSIX") and odd:
        cure = "Run: export LC_ALL=C.UTF-8"
        yield Finding(
            "LC_ALL",
            "look",
            f"is {chosen}, in which programs cannot read the name of {odd}. {cure}",
        )


def _keras() -> Iterator[Finding]:
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        text = f"is {backend!r}, and the course runs on TensorFlow. Run: unset KERAS_BACKEND"
        yield Finding("KERAS_BACKEND", "broken", text)
    if os.environ.get("TF_USE_LEGACY_KERAS", "0").lower() in ("1", "true"):
        text = "is set, and the course needs Keras 3. Run: unset TF_USE_LEGACY_KERAS"
        yield Finding("TF_USE_LEGACY_KERAS", "look", text)
