"""How nbval compares the lessons: what has to agree."""

import os
import shutil
import tempfile

import pytest

from authoring import dead_kernels
from authoring.bands import Banded
from tlcourse.plots.figure import IN_WORDS

CACHE = pytest.StashKey[str]()


def pytest_configure(config):
    """The lessons' kernels share a cache of this run: nothing is taken from the user's, and nothing put there."""
    dead_kernels.watch()
    config.stash[CACHE] = os.environ["TLCOURSE_CACHE"] = tempfile.mkdtemp(
        prefix="tlcourse-lessons-"
    )


def pytest_unconfigure(config):
    shutil.rmtree(config.stash[CACHE], ignore_errors=True)


def pytest_collection_modifyitems(items):
    """Compare in bands."""
    for item in items:
        dead_kernels.fail_at_once(item)
        item.sanitize = _banded(item.sanitize, item.cell.metadata.get("tags", ()))


def _banded(sanitize, tags):
    """nbval's own clean-up of an output, whose texts are then compared in bands; of a figure nothing is compared."""

    def banded(output):
        cleaned = sanitize(output)
        if isinstance(cleaned, str) and cleaned.startswith(IN_WORDS):
            return IN_WORDS
        return Banded(cleaned, tags) if isinstance(cleaned, str) else cleaned

    return banded
