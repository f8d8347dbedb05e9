"""How nbval compares the lessons: what has to agree, and which of them can be compared on this machine."""

import os
import shutil
import tempfile
from pathlib import Path

import dead_kernels
import pytest
from bands import Banded

from tlcourse.plots.figure import IN_WORDS

CACHE = pytest.StashKey[str]()
STORED_WITH = "the test pack of three breeds"


def pytest_configure(config):
    """The lessons' kernels share a cache of this run: nothing is taken from the user's, and nothing put there."""
    dead_kernels.watch()
    config.stash[CACHE] = os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp(
        prefix="tlcourse-lessons-"
    )


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[CACHE], ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Compare in bands; skip, by name and with the reason, a lesson whose stored outputs come from data not here."""
    reasons = {}
    for item in items:
        dead_kernels.fail_at_once(item)
        item.sanitize = _banded(item.sanitize, item.cell.metadata.get("tags", ()))
        lesson = Path(item.path).stem
        if lesson.startswith("03"):
            if lesson not in reasons:
                reasons[lesson] = _dogs_are_missing()
            if reasons[lesson]:
                item.add_marker(pytest.mark.skip(reason=f"{lesson}: {reasons[lesson]}"))


def _banded(sanitize, tags):
    """nbval's own clean-up of an output, whose texts are then compared in bands; of a figure nothing is compared."""

    def banded(output):
        cleaned = sanitize(output)
        if isinstance(cleaned, str) and cleaned.startswith(IN_WORDS):
            return IN_WORDS
        return Banded(cleaned, tags) if isinstance(cleaned, str) else cleaned

    return banded


def _dogs_are_missing() -> str | None:
    import tlcourse as tl
    from tlcourse.errors import DatasetUnavailable

    try:
        dogs = tl.load_dataset("dogs")
    except DatasetUnavailable as error:
        return str(error)
    if len(dogs.class_names) != 3:
        return f"its outputs were stored with {STORED_WITH}; here are {len(dogs.class_names)} breeds"
    return None
