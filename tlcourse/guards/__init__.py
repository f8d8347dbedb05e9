"""Assertions that explain: what training changed, what is frozen, which pictures stand in two splits."""

from ..duplicates import LeakageError, Pair, assert_disjoint
from ..errors import GuardError
from .changes import assert_changed
from .frozen import frozen_report
from .snapshots import Snapshot, snapshot

__all__ = [
    "GuardError",
    "LeakageError",
    "Pair",
    "Snapshot",
    "assert_changed",
    "assert_disjoint",
    "frozen_report",
    "snapshot",
]
