"""Anyone's own photographs: a folder of class folders → a `Dataset`."""

import unicodedata
import warnings
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path

import numpy as np

from ..cards import Card
from ..errors import PictureError, UserInputError, printable
from ..features.bit_depth import BitDepth
from ..features.pictures import Pictures, files_below, open_picture
from ..files import as_path, read_file, sha256
from ..progress import progress_bar
from ..validation import flag
from .core import Dataset, Split
from .same_pictures import same_pictures

SMALLEST_SIDE = 16  # pixels; a network that takes 224 sees a smear of less
LARGEST_CARD = 1_000_000  # bytes
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
# A picture in two splits stays in the first of these.
_PRECEDENCE = ("test", "validation", "train", "all")

Labelled = list[tuple[Path, str]]  # picture file, class name
Skipped = list[tuple[str, str]]  # file, reason


def from_folder(path: str | PathLike, check: bool = True) -> Dataset:
    """Make a data set of a folder that holds one folder of pictures for each class.

    Folders named train, validation (val, valid) and test above the class folders are
    the splits; a missing one is cut from train. Without them each class is split
    60 / 20 / 20, by content (SHA-256), so equally on every machine, and by identity: a
    picture that was resized, re-encoded, brightened or mirrored goes with its original.

    Parameters
    ----------
    path : str or path
        The folder. Hidden files and folders are ignored.
    check : bool
        False trusts the files and does not open them.

    Returns
    -------
    Dataset
        `skipped` lists what was left out (a warning counts it): damaged files, other
        files, pictures that are too small or too large, second copies, a picture that
        is in two classes or outside the class folders, and links to folders.

    Raises
    ------
    UserInputError
        There is no such folder, there are fewer than two classes with pictures, or a
        class has no picture to train on.
    """
    folder = as_path(path)
    if not folder.is_dir():
        raise UserInputError(
            f"{folder} is not a folder. Relative paths start at {Path.cwd()}."
        )
    files, skipped = _find(folder)
    depth = BitDepth(file for entries in files.values() for file, _ in entries)
    if flag("check", check):
        files, damaged = _readable(files, depth)
        skipped += damaged
    if check or set(files) != set(SPLIT_FOLDERS):
        files, copies = _without_copies(files, folder)
        skipped += copies
        files = _with_all_splits(files, depth)
    dataset = _assemble(folder, files, skipped, depth)
    if skipped:
        file, reason = skipped[0]
        warnings.warn(
            f"{len(skipped)} files of {printable(folder)} were left out; the first: "
            f"{file} ({printable(reason)}). All, with reasons: dataset.skipped",
            stacklevel=2,
        )
    return dataset


def _visible_folders(folder: Path) -> list[Path]:
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
    except OSError as error:
        raise UserInputError(
            f"{folder} cannot be opened: {error.strerror}. Give yourself the right to "
            "read it."
        ) from error
    return sorted(path for path in entries if path.is_dir())


def _split_folders(folder: Path) -> dict[str, Path]:
    """Split → its folder; {"all": folder} where the class folders lie in it."""
    tops = _visible_folders(folder)
    named = {
        split: top
        for split, names in SPLIT_FOLDERS.items()
        for top in tops
        if top.name.lower() in names
    }
    # "train" may be a class, beside "bus" and "car".
    if "train" not in named or not (
        set(tops) == set(named.values()) or _visible_folders(named["train"])
    ):
        return {"all": folder}
    return named


def _find(folder: Path) -> tuple[dict[str, Labelled], Skipped]:
    """The picture files of each split, or of "all", by their names."""
    files: dict[str, Labelled] = {}
    skipped: Skipped = []
    for split, top in _split_folders(folder).items():
        classes = _visible_folders(top)
        if not classes:
            raise UserInputError(
                f"{top} holds no class folders. Put the pictures of each class into a "
                f"folder named after the class: {top / 'cat'}, {top / 'dog'}, …"
            )
        files[split] = []
        for class_folder in classes:
            # macOS writes é as two characters, others as one.
            name = unicodedata.normalize("NFC", class_folder.name)
            below = files_below(class_folder)
            files[split] += [(file, name) for file in below.pictures]
            others = [*below.others, *below.closed]
            if not below.pictures:
                others.append((class_folder, "a class folder without pictures"))
            skipped += [(printable(file), reason) for file, reason in others]
    inside = {file for entries in files.values() for file, _ in entries}
    skipped += [
        (printable(file), "outside the class folders")
        for file in files_below(folder).pictures
        if file not in inside
    ]
    return files, skipped


def _readable(
    files: dict[str, Labelled], depth: BitDepth
) -> tuple[dict[str, Labelled], Skipped]:
    """Open each picture in full: only then does a file that was cut short show."""
    everything = [file for entries in files.values() for file, _ in entries]
    with ThreadPoolExecutor(max_workers=2) as pool:
        reasons = progress_bar(
            pool.map(partial(_fault, depth=depth), everything),
            total=len(everything),
            desc="Checking pictures",
        )
        faults = dict(zip(everything, reasons, strict=True))
    readable = {
        split: [entry for entry in entries if not faults[entry[0]]]
        for split, entries in files.items()
    }
    return readable, [(printable(f), reason) for f, reason in faults.items() if reason]


def _fault(file: Path, depth: BitDepth) -> str | None:
    """Why a picture cannot be used, or None."""
    try:
        width, height = open_picture(file, depth=depth).size
    except PictureError as error:
        return str(error).removeprefix(f"{printable(file, lines=True)} ")
    if min(width, height) < SMALLEST_SIDE:
        return (
            f"{width} × {height} pixels are too few to show anything; at least "
            f"{SMALLEST_SIDE} a side"
        )
    return None


def _without_copies(
    files: dict[str, Labelled], folder: Path
) -> tuple[dict[str, Labelled], Skipped]:
    """Keep one file of each content, in the split that must stay clean, by content."""
    by_content = defaultdict(list)
    for split in (split for split in _PRECEDENCE if split in files):
        for file, name in files[split]:
            by_content[sha256(file)].append((split, file, name))
    unique: dict[str, Labelled] = {split: [] for split in files}
    skipped: Skipped = []
    for _, copies in sorted(by_content.items()):
        names = sorted({name for _, _, name in copies})
        if len(names) > 1:
            reason = f"the same picture is in the classes {' and '.join(names)}"
        else:
            split, original, name = copies.pop(0)
            unique[split].append((original, name))
            reason = f"a copy of {printable(original.relative_to(folder))}"
        skipped += [(printable(file), reason) for _, file, _ in copies]
    return unique, skipped


def _with_all_splits(
    files: dict[str, Labelled], depth: BitDepth
) -> dict[str, Labelled]:
    """Cut the splits that are missing from train, or all of them from "all"."""
    source = files.get("all", files.get("train", []))
    present = {split: part for split, part in files.items() if split in SHARES}
    shares = {
        split: share
        for split, share in SHARES.items()
        if split == "train" or split not in present
    }
    if len(shares) == 1 or not source:
        return {**dict.fromkeys(shares, source), **present}
    paths = [file for file, _ in source]
    groups = same_pictures(Pictures(paths, depth=depth)).tolist()
    groups_of: dict[str, list[int]] = defaultdict(list)
    for (_, name), group in zip(source, groups, strict=True):
        groups_of[name].append(group)
    split_of: dict[int, str] = {}  # of each group, whatever classes its pictures have
    for name in sorted(groups_of):
        _split_class(groups_of[name], shares, split_of)
    cut: dict[str, Labelled] = {split: [] for split in shares}
    for entry, group in zip(source, groups, strict=True):
        cut[split_of[group]].append(entry)
    return {**present, **cut}


def _split_class(
    groups: list[int], shares: dict[str, float], split_of: dict[int, str]
) -> None:
    """Assign each group of one class: the last to test, then validation, then train."""
    pictures = Counter(groups)
    unassigned = [group for group in pictures if group not in split_of]
    sizes = _split_sizes(len(groups), shares)
    for split in reversed([split for split in shares if split != "train"]):
        size = sum(n for group, n in pictures.items() if split_of.get(group) == split)
        while size < sizes[split] and len(unassigned) > 1:
            group = unassigned.pop()
            split_of[group] = split
            size += pictures[group]
    split_of.update(dict.fromkeys(unassigned, "train"))


def _split_sizes(count: int, shares: dict[str, float]) -> dict[str, int]:
    """How many pictures go to each split but train, which gets at least one."""
    total = sum(shares.values())
    sizes = {
        split: max(round(count * share / total), 1)
        for split, share in shares.items()
        if split != "train"
    }
    while sum(sizes.values()) >= count and any(sizes.values()):
        sizes[max(sizes, key=sizes.__getitem__)] -= 1
    return sizes


def _assemble(
    folder: Path, files: dict[str, Labelled], skipped: Skipped, depth: BitDepth
) -> Dataset:
    names = sorted({name for entries in files.values() for _, name in entries})
    if len(names) < 2:
        classes = f"1 class ({names[0]})" if names else "0 classes"
        raise UserInputError(
            f"{folder} holds pictures of {classes}; a classifier needs at least two "
            f"class folders with readable pictures. {len(skipped)} files were left out."
        )
    untrained = sorted(set(names) - {name for _, name in files["train"]})
    if untrained:
        raise UserInputError(
            f"{folder} has no training pictures of {', '.join(untrained[:5])}. Add "
            "some, or take the class out of the validation and test folders."
        )
    splits = {}
    for split in SPLIT_FOLDERS:
        entries = sorted(files.get(split, []))
        pictures = Pictures([file for file, _ in entries], depth=depth)
        labels = np.array([names.index(name) for _, name in entries], np.int64)
        splits[split] = Split(pictures, labels, names)
    text = ""
    with suppress(UserInputError):  # a card that cannot be read is none
        text = read_file(folder / "CARD.md", LARGEST_CARD).decode("utf-8", "replace")
    name = folder.resolve().name  # a path may be "."
    title, licence = f"Pictures of {folder}", "not stated: see the text"
    card = Card(name, title, str(folder), licence, "its owner", {}, text)
    return Dataset(name, **splits, class_names=names, card=card, skipped=skipped)
