"""Assertions that explain: each names a mistake that Keras lets pass in silence, and what mends it."""

from ..datasets.same_pictures import Pair
from ..errors import GuardError
from .changes import assert_changed
from .duplicates import LeakageError, assert_disjoint
from .frozen import frozen_report
from .heads import assert_head_trained
from .losses import assert_loss_fits
from .preprocessing import assert_preprocessing
from .pretrained import assert_still_pretrained, moved
from .sealing import SealedSplit, seal
from .snapshots import Snapshot, snapshot

__all__ = [
    "GuardError",
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
