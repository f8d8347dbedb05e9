"""JPEG files on disk, as a learner's pictures are: for benchmarks of whole folders."""

from itertools import cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable


def originals(work: Path) -> tuple[list[Path], str]:
    """JPEG files and a name for them: the dogs pack's, or else solar cells'."""
    try:
        data = tl.load_dataset("dogs")
        paths = [path for split in data.splits.values() for path in split.images.paths]
        if all(path.suffix.lower() in (".jpg", ".jpeg") for path in paths):
            return paths, "photographs of the dogs pack (JPEG)"
    except (DatasetUnavailable, AttributeError):  # or arrays of tensorflow-datasets
        pass
    folder = work / "originals"
    folder.mkdir()
    for number, cell in enumerate(tl.load_dataset("solar").train.images[:600]):
        Image.fromarray(cell).save(folder / f"{number:06}.jpg", quality=90)
    return sorted(folder.iterdir()), "solar cells (300 × 300, saved as JPEG)"


def write_folder(work: Path, count: int) -> tuple[Path, str]:
    """A folder of `count` JPEGs in a random order, and what they are.

    A repeated photograph is another one to a cache: its file ends in its number.
    """
    folder, (paths, name) = work / "jpegs", originals(work)
    folder.mkdir()
    order = np.random.default_rng(0).permutation(len(paths))
    for number, index in enumerate(islice(cycle(order), count)):
        content = paths[index].read_bytes() + number.to_bytes(4, "big")
        (folder / f"{number:06}.jpg").write_bytes(content)
    repeated = f", repeated to {count:,}" if len(paths) < count else ""
    return folder, f"{min(count, len(paths))} {name}{repeated}"
