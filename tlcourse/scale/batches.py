"""Picture files → batches, one for each shard, and what tells one job from another."""

import hashlib
import json
import os
from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..errors import UserInputError, printable
from ..features.bit_depth import BitDepth
from ..features.decoding import PREPARATION
from ..features.inputs import as_pictures
from ..files import as_path

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

    from ..features.engine import Engine
    from ..files import as_path
from ..features.inputs import Images

SHARDS = 1000  # so many at first, …
SMALLEST, LARGEST = (
    32,
    1024,
)  # … of so many pictures each: a small one is little to lose, large ones are few files


class Batch(NamedTuple):
    """The pictures of one shard: what is computed, written and, if a worker dies of it, tried again together."""

    number: int
    paths: list[str]
    names: list[str]


def files_of(images: "Images") -> tuple[list[str], list[str], BitDepth]:
    """Absolute paths, names as they are shown (below the folder, where one was given), and the bit depth of them all.

    Raises:
        UserInputError: no pictures, or pictures that are no files.
    """
    is_array = isinstance(images, np.ndarray) and images.dtype.kind not in "OU"
    pictures, _, depth = ([images], 1, BitDepth()) if is_array else as_pictures(images)
    pictures = list(pictures)
    if not pictures:
        raise UserInputError(
            "There are no pictures in what was given; at least one is needed."
        )
    paths = [picture for picture in pictures if isinstance(picture, str | PathLike)]
    if len(paths) < len(pictures):
        raise UserInputError(
            "engine='dask' takes pictures that its workers can open: a folder, a list of paths, or the images of "
            "tl.datasets.from_folder. Arrays are computed by this process: leave engine out."
        )
    folder = as_path(images) if isinstance(images, str | PathLike) else None
    folder = folder if folder and folder.is_dir() else None
    names = [
        printable(Path(path).relative_to(folder).as_posix() if folder else path)
        for path in paths
    ]
    return [os.path.abspath(path) for path in paths], names, depth


def batches_of(paths: list[str], names: list[str]) -> Iterator[Batch]:
    """Consecutive pictures; their number alone says how many go together, so that any cluster finds the same shards."""
    step = min(LARGEST, max(SMALLEST, -(-len(paths) // SHARDS)))
    for number, at in enumerate(range(0, len(paths), step)):
        yield Batch(number, paths[at : at + step], names[at : at + step])


def fingerprint(
    engine: "Engine",
    paths: list[str],
    size: tuple[int, int],
    views: tuple[str, ...],
    dtype: "DTypeLike",
    bits: int | None = None,
) -> str:
    """SHA-256 of all that the rows depend on; a picture's file goes by its path, size and time."""
    from PIL import __version__ as pillow

    determined_by = [
        engine.key,
        engine.output_shape,
        size,
        views,
        np.dtype(dtype).name,
        PREPARATION,
        pillow,
    ]
    determined_by += (
        [bits] if bits not in (None, 16) else []
    )  # of 16-bit files; others are what they were
    summary = hashlib.sha256(json.dumps(determined_by).encode())
    for path in paths:
        try:
            status = os.stat(path)
            state = f"{status.st_size} {status.st_mtime_ns}"
        except (OSError, ValueError):  # it is reported when it is opened
            state = "absent"
        summary.update(f"{state} ".encode() + os.fsencode(path) + b"\0")
    return summary.hexdigest()
