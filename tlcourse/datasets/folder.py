"""Anyone's own photographs: a folder of class folders → a `Dataset`."""

import unicodedata
import warnings
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from os import PathLike
from pathlib import Path

import numpy as np

from ..errors import PictureError, UserInputError
from ..files import Card, sha256
from ..pictures import Pictures, open_picture, pictures_and_others
from ..progress import progress_bar
from .core import Dataset, Split

SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
_PRECEDENCE = ("test", "validation", "train")  # a picture that stands in two splits stays in the first of these

Labelled = list[tuple[Path, str]]  # picture file, class name
Skipped = list[tuple[str, str]]  # file, reason


def from_folder(path: str | PathLike, check: bool = True) -> Dataset:
    """Make a data set of a folder that holds one folder of pictures for each class.

    With folders named train, validation (or val, valid) and test above the class folders, these are the splits; what
    is missing is cut from train. Without, each class is divided 60 / 20 / 20. The cut goes by the pictures' content
    (SHA-256), not by names or order, so the same pictures are divided the same way on every machine, and copies of a
    picture never stand on both sides.

    Left out, and listed with the reason in `.skipped` (a warning counts them): files that are no pictures, damaged or
    cut short, too large to open safely, a second copy of a picture, a picture that stands under two classes or outside
    the class folders. Hidden files and folders are passed over.

    Args:
        path: the folder.
        check: False trusts the files and does not open them: for folders that were checked before.

    Raises:
        UserInputError: no such folder, no class folders, fewer than two classes with pictures, or a class without a
            picture to train on.
    """
    folder = Path(path).expanduser()
    if not folder.is_dir():
        raise UserInputError(f"{folder} is not a folder. Relative paths start at {Path.cwd()}.")
    found, skipped = _find(folder)
    if check:
        found, damaged = _readable(found)
        skipped += damaged
    if set(found) != set(SPLIT_FOLDERS) or check:
        found, copies = _without_copies(found)
        skipped += copies
        found = _with_all_splits(found)
    dataset = _assemble(folder, found, skipped)
    if skipped:
        warnings.warn(
            f"{len(skipped)} files of {folder} were left out; the first: {skipped[0][0]} ({skipped[0][1]}). "
            "All of them, with reasons: dataset.skipped",
            stacklevel=2,
        )
    return dataset


def _visible_folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not entry.name.startswith("."))


def _find(folder: Path) -> tuple[dict[str, Labelled], Skipped]:
    """Picture files by split; those of a folder without split folders stand under "all", to be divided later."""
    tops = _visible_folders(folder)
    split_tops = {split: top for split, names in SPLIT_FOLDERS.items() for top in tops if top.name.lower() in names}
    only_splits = set(tops) == set(split_tops.values())
    if "train" not in split_tops or not (only_splits or _visible_folders(split_tops["train"])):
        split_tops = {"all": folder}  # "train" may be a class, beside "bus" and "car"
    found, skipped = {}, []
    for split, top in split_tops.items():
        classes = _visible_folders(top)
        if not classes:
            raise UserInputError(
                f"{top} holds no class folders. Put the pictures of each class into a folder named after the class: "
                f"{top / 'cat'}, {top / 'dog'}, …"
            )
        found[split] = []
        for class_folder in classes:
            name = unicodedata.normalize("NFC", class_folder.name)  # macOS writes é as two characters, others as one
            pictures, others = pictures_and_others(class_folder)
            found[split] += [(file, name) for file in pictures]
            skipped += [(str(file), f"no picture by its name: {file.suffix or 'no extension'}") for file in others]
            if not pictures:
                skipped.append((str(class_folder), "a class folder without pictures"))
    in_class_folders = {file for entries in found.values() for file, _ in entries}
    outside = [file for file in pictures_and_others(folder)[0] if file not in in_class_folders]
    return found, skipped + [(str(file), "outside the class folders") for file in outside]


def _readable(found: dict[str, Labelled]) -> tuple[dict[str, Labelled], Skipped]:
    """Open every picture once, in full: a file cut short shows only then."""

    def fault(entry: tuple[Path, str]) -> str | None:
        try:
            open_picture(entry[0])
        except PictureError as error:
            return str(error).removeprefix(f"{entry[0]} ")

    everything = [entry for entries in found.values() for entry in entries]
    with ThreadPoolExecutor(max_workers=2) as pool:
        progress = progress_bar(pool.map(fault, everything), total=len(everything), desc="Checking pictures", unit="")
        faults = dict(zip((file for file, _ in everything), progress, strict=True))
    kept = {split: [entry for entry in entries if not faults[entry[0]]] for split, entries in found.items()}
    return kept, [(str(file), fault) for file, fault in faults.items() if fault]


def _without_copies(found: dict[str, Labelled]) -> tuple[dict[str, Labelled], Skipped]:
    """Keep one of each picture, in the split that must stay clean; a picture under two classes goes altogether."""
    order = [split for split in (*_PRECEDENCE, "all") if split in found]
    by_content = defaultdict(list)
    for split in order:
        for file, name in found[split]:
            by_content[sha256(file)].append((split, file, name))
    kept, skipped = {split: [] for split in found}, []
    for content in sorted(by_content):  # by SHA-256: an order that is the same on every machine
        first, *others = by_content[content]
        names = {name for _, _, name in by_content[content]}
        if len(names) > 1:
            why = f"the same picture stands under {' and '.join(sorted(names))}"
            skipped += [(str(file), why) for _, file, _ in by_content[content]]
            continue
        kept[first[0]].append((first[1], first[2]))
        skipped += [(str(file), f"a copy of {first[1]}") for _, file, _ in others]
    return kept, skipped


def _with_all_splits(found: dict[str, Labelled]) -> dict[str, Labelled]:
    """Cut the splits that are missing out of train, class by class; entries come ordered by content."""
    if "all" in found:
        source, wanted, found = found["all"], SHARES, {}
    else:
        source = found["train"]
        wanted = {split: share for split, share in SHARES.items() if split == "train" or split not in found}
    divided = {split: [] for split in wanted}
    for name in sorted({name for _, name in source}):
        entries = [entry for entry in source if entry[1] == name]
        for split, part in zip(wanted, _divide(entries, list(wanted.values())), strict=True):
            divided[split] += part
    return {**found, **divided}


def _divide(entries: Labelled, shares: list[float]) -> list[Labelled]:
    """Cut a list in these shares; the parts after the first get at least one entry each while there are enough."""
    sizes = [max(round(len(entries) * share / sum(shares)), 1) for share in shares[1:]]
    while sum(sizes) >= len(entries) and any(sizes):
        sizes[sizes.index(max(sizes))] -= 1
    starts = np.cumsum([len(entries) - sum(sizes), *sizes])
    return [entries[start:stop] for start, stop in zip([0, *starts[:-1]], starts, strict=True)]


def _assemble(folder: Path, found: dict[str, Labelled], skipped: Skipped) -> Dataset:
    names = sorted({name for entries in found.values() for _, name in entries})
    if len(names) < 2:
        raise UserInputError(
            f"{folder} holds pictures of {f'1 class ({names[0]})' if names else '0 classes'}; "
            f"a classifier needs at least two class folders with readable pictures. {len(skipped)} files were left out."
        )
    untaught = sorted(set(names) - {name for _, name in found["train"]})
    if untaught:
        raise UserInputError(
            f"{folder} has no training pictures of {', '.join(untaught[:5])}. Add some, or take the class out of the "
            "validation and test folders."
        )
    number = {name: label for label, name in enumerate(names)}
    splits = {}
    for split in SPLIT_FOLDERS:
        entries = sorted(found.get(split, []))
        splits[split] = Split(Pictures([f for f, _ in entries]), [number[name] for _, name in entries], names)
    card_file = folder / "CARD.md"
    text = card_file.read_text(encoding="utf-8", errors="replace") if card_file.is_file() else ""
    name = folder.resolve().name  # a path may be "."
    card = Card(name, f"Pictures of {folder}", str(folder), "not stated: see the text", "its owner", {}, text)
    return Dataset(name, **splits, class_names=names, card=card, skipped=skipped)
