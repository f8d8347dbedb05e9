"""Packs: data sets as class folders, for machines without internet."""

import csv
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np

from ..cards import Card
from ..errors import DamagedFile, UserInputError
from ..features.bit_depth import BitDepth
from ..features.pictures import Pictures
from ..files import as_path, read_text, sha256, unfinished_folder
from ..folders import pack_folders
from ..foreign_text import csv_cell, from_csv_cell
from ..progress import progress_bar
from ..validation import shown, text
from .core import Dataset, Split
from .folder import from_folder

MANIFEST = "manifest.csv"
COLUMNS = ("split", "file", "label", "class", "weight", "group", "sha256")


def find_pack(name: str) -> Path | None:
    """The first folder `name` with a `train` folder in it, in `TLCOURSE_PACKS`."""
    text("name", name)
    for folder in pack_folders():
        # Unlike Path.is_dir it says no to a name that is too long for one.
        if os.path.isdir(folder / name / "train"):
            return folder / name
    return None


def list_packs() -> list[str]:
    """Names of the packs in the folders of `TLCOURSE_PACKS`."""
    trains = [train for folder in pack_folders() for train in folder.glob("*/train")]
    names = {train.parent.name for train in trains}
    return sorted(name for name in names if not name.startswith("."))  # half-written


def write_pack(dataset: Dataset, folder: str | PathLike) -> Path:
    """Write a data set as folder/<name>/<split>/<class>/<picture>, with its card and a manifest with SHA-256.

    Picture files are copied as they are, arrays are written as PNG; nothing is lost either way. In the manifest a name
    that a spreadsheet would take for a formula has an apostrophe before it.

    Returns:
        The folder written; `TLCOURSE_PACKS=<folder>` makes `load_dataset(name)` find it.

    Raises:
        UserInputError: the pack is there already, or the data set holds sentences.
    """
    if not isinstance(dataset, Dataset):
        raise UserInputError(
            f"dataset is {shown(dataset)}; expected a data set of tl.load_dataset or from_folder."
        )
    if dataset.train.kind != "pictures":
        raise UserInputError(
            f"{dataset.name} holds {dataset.train.kind}; a pack is made of folders of pictures. Nothing was written. "
            "What comes with the course needs no pack: it is on every machine that has the course."
        )
    odd = [
        name
        for name in (dataset.name, *dataset.class_names)
        if not _is_folder_name(name)
    ]
    if odd:
        raise UserInputError(
            f"{odd[0]!r} cannot be the name of a folder, and a pack has one for each class. Rename it; nothing was "
            "written."
        )
    goal = as_path(folder, "the folder") / dataset.name
    if os.path.lexists(goal):
        raise UserInputError(
            f"{goal} exists already. Remove it, or choose another folder; nothing was overwritten."
        )
    with unfinished_folder(goal) as half_done:
        rows = [
            row
            for name, split in dataset.splits.items()
            for row in _write_split(half_done, name, split)
        ]
        with open(half_done / MANIFEST, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *rows])
        (half_done / "CARD.md").write_text(str(dataset.card), encoding="utf-8")
        half_done.rename(goal)
    return goal


def _is_folder_name(name: str) -> bool:
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")


def _write_split(folder: Path, split_name: str, split: Split) -> Iterator[tuple]:
    from PIL import Image

    for name in split.class_names:
        (folder / split_name / name).mkdir(parents=True, exist_ok=True)
    for row in progress_bar(
        range(len(split)), desc=f"Writing {split_name}", unit=" pictures"
    ):
        name = str(split.label_names[row])
        if isinstance(split.images, Pictures):
            source = split.images.paths[row]
            path = folder / split_name / name / f"{row:05}-{source.name}"
            shutil.copyfile(source, path)
        else:
            path = folder / split_name / name / f"{row:05}.png"
            Image.fromarray(split.images[row]).save(path)
        weight = "" if split.weights is None else repr(float(split.weights[row]))
        group = "" if split.groups is None else split.groups[row]
        file, label, of = (
            path.relative_to(folder).as_posix(),
            int(split.labels[row]),
            csv_cell(name),
        )
        yield split_name, file, label, of, weight, csv_cell(str(group)), sha256(path)


def read_pack(folder: Path) -> Dataset:
    """Read a pack, compared with its manifest if it has one, else by its folders.

    Raises
    ------
    DamagedFile
        A picture is missing or altered, or the manifest is not whole.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return from_folder(folder, check=False)
    mend = f"Copy the pack {folder.name} again from where it came."
    rows = _rows(manifest)
    if not rows:
        raise DamagedFile(
            f"{manifest} is cut short or not what `tlcourse pack` wrote. {mend}"
        )
    for row in rows:
        path = folder / row["file"]
        if not path.is_file() or sha256(path) != row["sha256"]:
            raise DamagedFile(f"{path} is missing or altered. {mend}")
    by_label = {int(row["label"]): row["class"] for row in rows}
    names = list(dict.fromkeys(by_label[label] for label in sorted(by_label)))
    depth = BitDepth(folder / row["file"] for row in rows)
    splits = {
        name: _read_split(
            folder, [row for row in rows if row["split"] == name], names, depth
        )
        for name in ("train", "validation", "test")
    }
    card, text = folder / "CARD.md", ""
    if card.is_file():
        text = read_text(card, error=DamagedFile)
    title, licence = f"Pack {folder}", "see the text"
    card = Card(folder.name, title, str(folder), licence, "tlcourse pack", {}, text)
    return Dataset(folder.name, **splits, class_names=names, card=card)


def _rows(manifest: Path) -> list[dict[str, str]]:
    """The manifest's rows; none if it is not whole."""
    text = read_text(manifest, error=DamagedFile)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        for row in rows:
            whole = set(row) == set(COLUMNS) and None not in row.values()
            if not whole or not _is_inside(row["file"]):
                return []
            int(row["label"]), float(row["weight"] or 1)
            row |= {column: from_csv_cell(row[column]) for column in ("class", "group")}
    except (csv.Error, ValueError):
        return []
    return rows


def _is_inside(file: str) -> bool:
    """Whether a picture's path leads to no other folder than the pack's."""
    path = PurePosixPath(file)
    leads_out = path.is_absolute() or ".." in path.parts or "\0" in file
    return bool(file) and not leads_out


def _read_split(
    folder: Path, rows: list[dict[str, str]], names: list[str], depth: BitDepth
) -> Split:
    columns = {
        name: np.array([row[name] for row in rows])
        if rows and all(row[name] for row in rows)
        else None
        for name in ("weight", "group")
    }
    weights = columns["weight"]
    return Split(
        Pictures([folder / row["file"] for row in rows], depth=depth),
        # Not the manifest's number: a class without any picture is gone.
        np.array([names.index(row["class"]) for row in rows], np.int64),
        names,
        None if weights is None else weights.astype(np.float32),
        columns["group"],
    )


def with_card(dataset: Dataset, name: str, card: Card) -> Dataset:
    """The data set under the course's name and card, its source and text kept."""
    text = dataset.card.text or card.text
    card = replace(card, source=dataset.card.source, text=text, bundled=False)
    return replace(dataset, name=name, card=card)
