"""What is left out of anyone's own folder: files that cannot be read, pictures that show nothing, second copies."""

from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from ..errors import PictureError, printable
from ..features.bit_depth import BitDepth
from ..features.pictures import open_picture
from ..files import sha256
from ..progress import progress_bar

SMALLEST_SIDE = 16  # pixels; of less a network that takes 224 sees a smear
_PRECEDENCE = (
    "test",
    "validation",
    "train",
    "all",
)  # a picture in two splits stays in the first of these

Labelled = list[tuple[Path, str]]  # picture file, class name
Skipped = list[tuple[str, str]]  # file, reason


def readable(
    found: dict[str, Labelled], depth: BitDepth
) -> tuple[dict[str, Labelled], Skipped]:
    """Open every picture once, in full (a file cut short shows only then), and leave out what shows nothing."""
    everything = [file for entries in found.values() for file, _ in entries]
    with ThreadPoolExecutor(max_workers=2) as pool:
        progress = progress_bar(
            pool.map(partial(_fault, depth=depth), everything),
            total=len(everything),
            desc="Checking pictures",
            unit="",
        )
        faults = dict(zip(everything, progress, strict=True))
    kept = {
        split: [entry for entry in entries if not faults[entry[0]]]
        for split, entries in found.items()
    }
    return kept, [(printable(file), fault) for file, fault in faults.items() if fault]


def _fault(file: Path, depth: BitDepth) -> str | None:
    """Why a picture cannot be used, or None."""
    try:
        width, height = open_picture(file, depth=depth).size
    except PictureError as error:
        return str(error).removeprefix(f"{printable(file, lines=True)} ")
    if min(width, height) < SMALLEST_SIDE:
        return f"{width} × {height} pixels are too few to show anything; at least {SMALLEST_SIDE} a side"
    return None


def without_copies(
    found: dict[str, Labelled], folder: Path
) -> tuple[dict[str, Labelled], Skipped]:
    """Keep one of each picture, in the split that must stay clean; a picture under two classes goes altogether.

    The entries of each split come back ordered by content (SHA-256): an order that is the same on every machine.
    """
    by_content = defaultdict(list)
    for split in (split for split in _PRECEDENCE if split in found):
        for file, name in found[split]:
            by_content[sha256(file)].append((split, file, name))
    kept: dict[str, Labelled] = {split: [] for split in found}
    skipped: Skipped = []
    for content in sorted(by_content):
        first, *others = by_content[content]
        names = {name for _, _, name in by_content[content]}
        if len(names) > 1:
            why = f"the same picture stands under {' and '.join(sorted(names))}"
            skipped += [(printable(file), why) for _, file, _ in by_content[content]]
            continue
        kept[first[0]].append((first[1], first[2]))
        skipped += [
            (printable(file), f"a copy of {printable(first[1].relative_to(folder))}")
            for _, file, _ in others
        ]
    return kept, skipped
