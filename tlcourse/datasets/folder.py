"""Anyone's own photographs: a folder of class folders → a `Dataset`."""

import unicodedata
import warnings
from contextlib import suppress
from os import PathLike
from pathlib import Path

import numpy as np

from ..errors import UserInputError, printable
from ..features.bit_depth import BitDepth
from ..features.pictures import Pictures, files_below
from ..files import Card, as_path, read_file
from .cleaning import Labelled, Skipped, readable, without_copies
from .core import Dataset, Split
from .dividing import with_all_splits

MAX_CARD_BYTES = 1_000_000
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}


def from_folder(path: str | PathLike, check: bool = True) -> Dataset:
    """Make a data set of a folder that holds one folder of pictures for each class.

    With folders named train, validation (or val, valid) and test above the class folders, these are the splits; what
    is missing is cut from train. Without, each class is divided 60 / 20 / 20. The cut goes by the pictures' content
    (SHA-256), not by names or order, so the same pictures are divided the same way on every machine; and by identity:
    a picture that was resized, re-encoded, brightened or mirrored goes where its original goes.

    Left out, and listed with the reason in `.skipped` (a warning counts them): files that are no pictures, damaged or
    cut short, too small to show anything or too large to open safely, a second copy of a file, a file that stands under
    two classes or outside the class folders, links to folders, what may not be read. Hidden files and folders are
    passed over.

    Args:
        path: the folder.
        check: False trusts the files and does not open them: for folders that were checked before.

    Raises:
        UserInputError: no such folder, no class folders, fewer than two classes with pictures, or a class without a
            picture to train on.
    """
    folder = as_path(path)
    if not folder.is_dir():
        raise UserInputError(
            f"{folder} is not a folder. Relative paths start at {Path.cwd()}."
        )
    found, skipped = _find(folder)
    depth = BitDepth(file for entries in found.values() for file, _ in entries)
    if check:
        found, damaged = readable(found, depth)
        skipped += damaged
    if set(found) != set(SPLIT_FOLDERS) or check:
        found, copies = without_copies(found, folder)
        skipped += copies
        found = with_all_splits(found, depth)
    dataset = _assemble(folder, found, skipped, depth)
    if skipped:
        warnings.warn(
            f"{len(skipped)} files of {printable(folder)} were left out; the first: {skipped[0][0]} "
            f"({printable(skipped[0][1])}). "
            "All of them, with reasons: dataset.skipped",
            stacklevel=2,
        )
    return dataset


def _visible_folders(folder: Path) -> list[Path]:
    try:
        return sorted(
            entry
            for entry in folder.iterdir()
            if entry.is_dir() and not entry.name.startswith(".")
        )
    except OSError as error:
        raise UserInputError(
            f"{folder} cannot be opened: {error.strerror}. Give yourself the right to read it."
        ) from error


def _find(folder: Path) -> tuple[dict[str, Labelled], Skipped]:
    """Picture files by split; those of a folder without split folders stand under "all", to be divided later."""
    tops = _visible_folders(folder)
    split_tops = {
        split: top
        for split, names in SPLIT_FOLDERS.items()
        for top in tops
        if top.name.lower() in names
    }
    only_splits = set(tops) == set(split_tops.values())
    if "train" not in split_tops or not (
        only_splits or _visible_folders(split_tops["train"])
    ):
        split_tops = {"all": folder}  # "train" may be a class, beside "bus" and "car"
    found: dict[str, Labelled] = {}
    skipped: Skipped = []
    for split, top in split_tops.items():
        classes = _visible_folders(top)
        if not classes:
            raise UserInputError(
                f"{top} holds no class folders. Put the pictures of each class into a folder named after the class: "
                f"{top / 'cat'}, {top / 'dog'}, …"
            )
        found[split] = []
        for class_folder in classes:
            name = unicodedata.normalize(
                "NFC", class_folder.name
            )  # macOS writes é as two characters, others as one
            below = files_below(class_folder)
            found[split] += [(file, name) for file in below.pictures]
            skipped += [
                (printable(file), why) for file, why in below.others + below.closed
            ]
            if not below.pictures:
                skipped.append(
                    (printable(class_folder), "a class folder without pictures")
                )
    in_class_folders = {file for entries in found.values() for file, _ in entries}
    outside = [
        file for file in files_below(folder).pictures if file not in in_class_folders
    ]
    return found, skipped + [
        (printable(file), "outside the class folders") for file in outside
    ]


def _assemble(
    folder: Path, found: dict[str, Labelled], skipped: Skipped, depth: BitDepth
) -> Dataset:
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
        labels = np.array([number[name] for _, name in entries], np.int64)
        splits[split] = Split(
            Pictures([file for file, _ in entries], depth=depth), labels, names
        )
    card_file, text = folder / "CARD.md", ""
    with suppress(UserInputError):  # a card that cannot be read is none
        text = read_file(card_file, MAX_CARD_BYTES).decode("utf-8", "replace")
    name = folder.resolve().name  # a path may be "."
    card = Card(
        name,
        f"Pictures of {folder}",
        str(folder),
        "not stated: see the text",
        "its owner",
        {},
        text,
    )
    return Dataset(name, **splits, class_names=names, card=card, skipped=skipped)
