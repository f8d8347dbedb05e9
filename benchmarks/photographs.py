"""Files that the benchmarks read as a learner's are read: JPEGs from the disk."""

from pathlib import Path

from PIL import Image

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable


def photographs(work: Path) -> tuple[list[Path], str]:
    """Files of real JPEGs."""
    try:
        data = tl.load_dataset("dogs")
        paths = [path for split in data.splits.values() for path in split.images.paths]
        if all(path.suffix.lower() in (".jpg", ".jpeg") for path in paths):
            return paths, "photographs of the dogs pack (JPEG)"
    except (
        DatasetUnavailable,
        AttributeError,
    ):  # none, or arrays out of tensorflow-datasets
        pass
    originals = work / "originals"
    originals.mkdir()
    for number, cell in enumerate(tl.load_dataset("solar").train.images[:600]):
        Image.fromarray(cell).save(originals / f"{number:06}.jpg", quality=90)
    return sorted(originals.iterdir()), "solar cells (300 × 300, saved as JPEG)"
