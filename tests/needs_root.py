"""Tests that take root: where TLCOURSE_ROOT=required (`.ci/run` sets it) they fail instead of being skipped."""

import os
from typing import NoReturn

import pytest


def skip(reason: str) -> NoReturn:
    """Skip a test for want of root, or of what root needs for it."""
    if os.environ.get("TLCOURSE_ROOT") == "required":
        pytest.fail(
            f"{reason}; TLCOURSE_ROOT=required says that this test may not be skipped"
        )
    pytest.skip(reason)
