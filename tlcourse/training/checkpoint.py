"""A training that is stopped goes on where it was: its state on disk, under a name that says which training it is."""

import hashlib
import json
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ..features.cache import keep
from .examples import Examples

RULES = 3  # one more whenever training itself changes: what was begun by other rules is not gone on with


class Checkpoint:
    """A training's state on disk, at this path; None: nowhere."""

    def __init__(self, path: Path | None) -> None:
        self.path = path

    def read(self) -> dict[str, np.ndarray] | None:
        """The state, or None where there is none that is whole."""
        if self.path is None:
            return None
        try:
            with np.load(
                self.path, allow_pickle=False
            ) as archive:  # a zip file, which has checksums
                return dict(archive)
        except (OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, state: dict[str, np.ndarray]) -> None:
        """Keep the state in place of the one before; where that cannot be, training goes on without."""
        if self.path is not None:
            arrays: dict[str, Any] = {
                **state
            }  # savez's options, of which none is given, are no arrays
            keep(
                self.path,
                lambda file: np.savez(file, **arrays),
                sum(array.nbytes for array in state.values()),
            )

    def remove(self) -> None:
        """Where it cannot be removed, the cache makes room of it in time."""
        if self.path is not None:
            with suppress(OSError):
                self.path.unlink(missing_ok=True)


def fingerprint(parts: list, examples: list[Examples | None]) -> str:
    """SHA-256 of all that a training depends on: settings and names in `parts`, and the examples themselves."""
    summary = hashlib.sha256(json.dumps([RULES, *parts], default=str).encode())
    given = [chosen for chosen in examples if chosen is not None]
    for chosen in given:
        for array in (chosen.rows, chosen.targets, chosen.weights):
            summary.update(np.ascontiguousarray(array).data)
    for chosen in {
        id(chosen.activations): chosen for chosen in given
    }.values():  # large, and often shared
        for piece in chosen.pieces():
            summary.update(np.ascontiguousarray(piece).data)
    return summary.hexdigest()
