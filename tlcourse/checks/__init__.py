"""Assertions that explain: each names a mistake that Keras does not notice."""

from ..datasets.same_pictures import Pair
from ..errors import CheckError
from .changes import Snapshot, assert_changed, snapshot
from .distance import assert_still_pretrained, moved
from .frozen import assert_head_trained, frozen_report
from .leakage import LeakageError, SealedSplit, assert_disjoint, seal
from .losses import assert_loss_fits
from .preprocessing import assert_preprocessing

__all__ = [
    "CheckError",
    "LeakageError",
    "Pair",
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
