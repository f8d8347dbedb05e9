"""Pictures of one's own: a folder of class folders → a `Dataset`."""

import unicodedata
import warnings
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..cards import Card
from ..errors import PictureError, UserInputError, printable
from ..features.decoding import BitDepth
from ..features.pictures import Pictures, files_below, open_picture
from ..files import as_path, read_file, sha256
from ..progress import progress_bar
from ..validation import flag
from .core import Dataset, Split
from .same_pictures import same_pictures

SMALLEST_SIDE = 16  # pixels
LARGEST_CARD = 1_000_000  # bytes
SPLIT_FOLDERS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
SHARES = {"train": 0.6, "validation": 0.2, "test": 0.2}
UNSPLIT = ""
# A picture in two splits stays in the first of these.
_PRECEDENCE = ("test", "validation", "train", UNSPLIT)

_Skipped = list[tuple[Path, str]]  # file, reason


class _File(NamedTuple):
    path: Path
    class_name: str
    split: str


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
        It is no folder, has fewer than two classes, or a class has nothing to train on.
    """
    folder, check = as_path(path), flag("check", check)
    if not folder.is_dir():
        raise UserInputError(
            f"{folder} is not a folder. Relative paths start at {Path.cwd()}."
        )
    files, skipped = _find(folder)
    depth = BitDepth(file.path for file in files)
    if check:
        files, damaged = _readable(files, depth)
        skipped += damaged
    if check or {file.split for file in files} != set(SHARES):
        files, copies = _without_copies(files, folder)
        skipped += copies
        files = _with_all_splits(files, depth)
    names = sorted({file.class_name for file in files})
    if len(names) < 2:
        raise UserInputError(
            f"{folder} holds pictures of {len(names)} classes; a classifier needs two "
            f"class folders with readable pictures. {len(skipped)} files were left out."
        )
    trained = {file.class_name for file in files if file.split == "train"}
    if untrained := sorted(set(names) - trained):
        raise UserInputError(
            f"{folder} has no training pictures of {', '.join(untrained[:5])}. Add "
            "some, or take the class out of the validation and test folders."
        )
    if skipped:
        file, reason = skipped[0]
        warnings.warn(
            f"{len(skipped)} files of {printable(folder)} were left out; the first: "
            f"{printable(file)} ({printable(reason)}). All, with reasons: "
            "dataset.skipped",
            stacklevel=2,
        )
    splits = {}
    for split in SHARES:
        part = sorted(file for file in files if file.split == split)
        pictures = Pictures([file.path for file in part], depth=depth)
        labels = np.array([names.index(file.class_name) for file in part], np.int64)
        splits[split] = Split(pictures, labels, names)
    left_out = [(printable(path), reason) for path, reason in skipped]
    name = folder.resolve().name  # a path may be "."
    card = card_of(folder, name)
    return Dataset(name, **splits, class_names=names, card=card, skipped=left_out)


def card_of(folder: Path, name: str) -> Card:
    """A card with the text of the folder's own CARD.md, if it can be read."""
    text = ""
    with suppress(UserInputError):
        text = read_file(folder / "CARD.md", LARGEST_CARD).decode("utf-8", "replace")
    title, licence = f"Pictures of {folder}", "not stated"
    return Card(name, title, str(folder), licence, "its owner", {}, text)


def _visible_folders(folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise UserInputError(f"{folder} cannot be opened: {error.strerror}.") from error
    return [path for path in entries if path.is_dir() and path.name[0] != "."]


def _split_folders(folder: Path) -> dict[str, Path]:
    """Split → its folder; {UNSPLIT: folder} where the class folders lie in it."""
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
        return {UNSPLIT: folder}
    return named


def _find(folder: Path) -> tuple[list[_File], _Skipped]:
    """The picture files, by their names."""
    files: list[_File] = []
    skipped: _Skipped = []
    for split, top in _split_folders(folder).items():
        classes = _visible_folders(top)
        if not classes:
            raise UserInputError(
                f"{top} holds no class folders. Put the pictures of each class into a "
                f"folder named after the class: {top / 'cat'}, {top / 'dog'}, …"
            )
        for class_folder in classes:
            # macOS writes é as two characters, others as one.
            name = unicodedata.normalize("NFC", class_folder.name)
            below = files_below(class_folder)
            files += [_File(path, name, split) for path in below.pictures]
            skipped += [*below.others, *below.closed]
            if not below.pictures:
                skipped.append((class_folder, "a class folder without pictures"))
    outside = set(files_below(folder).pictures) - {file.path for file in files}
    skipped += [(path, "outside the class folders") for path in sorted(outside)]
    return files, skipped


def _readable(files: list[_File], depth: BitDepth) -> tuple[list[_File], _Skipped]:
    """Open each picture in full: only then does a file that was cut short show."""
    with ThreadPoolExecutor(max_workers=2) as pool:
        reasons = pool.map(partial(_fault, depth=depth), files)
        bar = progress_bar(reasons, total=len(files), desc="Checking pictures")
        checked = list(zip(files, bar, strict=True))
    damaged = [(file.path, reason) for file, reason in checked if reason]
    return [file for file, reason in checked if not reason], damaged


def _fault(file: _File, depth: BitDepth) -> str | None:
    """Why a picture cannot be used, or None."""
    try:
        width, height = open_picture(file.path, depth=depth).size
    except PictureError as error:
        return str(error).removeprefix(f"{printable(file.path, lines=True)} ")
    if min(width, height) < SMALLEST_SIDE:
        return f"{width} × {height} pixels are too few; at least {SMALLEST_SIDE} a side"
    return None


def _without_copies(files: list[_File], folder: Path) -> tuple[list[_File], _Skipped]:
    """Of each content one file, of the split that must stay clean, sorted by content."""
    by_content = defaultdict(list)
    for file in sorted(files, key=lambda file: _PRECEDENCE.index(file.split)):
        by_content[sha256(file.path)].append(file)
    unique: list[_File] = []
    skipped: _Skipped = []
    for _, copies in sorted(by_content.items()):
        names = sorted({file.class_name for file in copies})
        if len(names) > 1:
            reason = f"the same picture is in the classes {' and '.join(names)}"
        else:
            original = copies.pop(0)
            unique.append(original)
            reason = f"a copy of {printable(original.path.relative_to(folder))}"
        skipped += [(file.path, reason) for file in copies]
    return unique, skipped


def _with_all_splits(files: list[_File], depth: BitDepth) -> list[_File]:
    """Cut the splits that are missing from train, or all of them from UNSPLIT."""
    missing = [split for split in SHARES if split not in {file.split for file in files}]
    source = [file for file in files if file.split in ("train", UNSPLIT)]
    if not missing or not source:
        return files
    pictures = Pictures([file.path for file in source], depth=depth)
    groups = dict(zip(source, same_pictures(pictures).tolist(), strict=True))
    split_of: dict[int, str] = {}  # of each group, whatever classes its pictures have
    for name in sorted({file.class_name for file in source}):
        group_of_each = [groups[file] for file in source if file.class_name == name]
        _split_class(group_of_each, missing, split_of)
    others = [file for file in files if file not in groups]
    return others + [file._replace(split=split_of[groups[file]]) for file in source]


def _split_class(
    groups: list[int], missing: list[str], split_of: dict[int, str]
) -> None:
    """Assign each group of one class: the last to test, then validation, then train."""
    pictures = Counter(groups)
    unassigned = [group for group in pictures if group not in split_of]
    to_fill = [split for split in missing if split != "train"]
    total = sum(SHARES[split] for split in ("train", *to_fill))
    sizes = {
        split: max(round(len(groups) * SHARES[split] / total), 1) for split in to_fill
    }
    while sum(sizes.values()) >= len(groups) and any(sizes.values()):
        sizes[max(sizes, key=sizes.__getitem__)] -= 1  # train keeps one at least
    for split in reversed(to_fill):
        size = sum(n for group, n in pictures.items() if split_of.get(group) == split)
        while size < sizes[split] and len(unassigned) > 1:
            group = unassigned.pop()
            split_of[group] = split
            size += pictures[group]
    split_of.update(dict.fromkeys(unassigned, "train"))
