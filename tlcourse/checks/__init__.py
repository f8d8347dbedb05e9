"""Assertions that explain: each names a mistake that Keras does not notice."""

from ..errors import CheckError
from .changes import (
    Snapshot,
    assert_changed,
    assert_still_pretrained,
    moved,
    snapshot,
)
from .frozen import assert_head_trained, frozen_report
from .inputs import assert_loss_fits, assert_preprocessing
from .leakage import LeakageError, SealedSplit, assert_disjoint, seal

__all__ = [
    "CheckError",
    "LeakageError",
    "SealedSplit",
    "Snapshot",
    "assert_changed",
    "assert_disjoint",
    "assert_head_trained",
    "assert_loss_fits",
    "assert_preprocessing",
    "assert_still_pretrained",
    "frozen_report",
    "moved",
    "seal",
    "snapshot",
]
