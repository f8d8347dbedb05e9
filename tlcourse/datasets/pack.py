"""Packs: data sets as plain class folders, to be carried to a machine without internet."""

import csv
import io
import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from os import PathLike
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import DamagedFile, UserInputError
from ..features.bit_depth import BitDepth
from ..features.pictures import Pictures
from ..files import Card, as_path, read_text, sha256, unfinished_folder
from ..foreign_text import csv_cell, from_csv_cell
from ..progress import progress_bar
from ..validation import shown, text
from .core import Dataset, Split
from .folder import from_folder

MANIFEST = "manifest.csv"
COLUMNS = ("split", "file", "label", "class", "weight", "group", "sha256")


def how_to_carry(name: str) -> str:
    """What brings a data set or a network for text to a machine without internet."""
    return (
        f"run `tlcourse pack {name} FOLDER` on a machine that has the data, carry FOLDER over, and set "
        "TLCOURSE_PACKS=FOLDER."
    )


def find_pack(name: str) -> Path | None:
    """The first folder `name` with a `train` folder in it, in the folders of `TLCOURSE_PACKS`, or None."""
    text("name", name)
    for folder in pack_folders():
        if os.path.isdir(
            folder / name / "train"
        ):  # unlike Path.is_dir, it says no to a name that is too long for one
            return folder / name
    return None


def pack_folders() -> list[Path]:
    """The folders named by `TLCOURSE_PACKS`, which separates them as PATH does."""
    given = os.environ.get("TLCOURSE_PACKS", "").split(os.pathsep)
    return [as_path(entry, "TLCOURSE_PACKS") for entry in given if entry]


def list_packs() -> list[str]:
    """Names of the packs in the folders of `TLCOURSE_PACKS`."""
    found = {
        train.parent.name
        for folder in pack_folders()
        if folder.is_dir()
        for train in folder.glob("*/train")
    }
    return sorted(
        name for name in found if not name.startswith(".")
    )  # half-written ones begin with a dot


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
    """Read a pack. One that `write_pack` made is compared with its manifest; any other is read by its folders.

    Raises:
        DamagedFile: a picture is missing or altered, or the manifest is not whole.
    """
    if not (folder / MANIFEST).is_file():
        return from_folder(folder, check=False)
    mend = f"Copy the pack {folder.name} again from where it came."
    rows = _rows(folder / MANIFEST)
    if not rows:
        raise DamagedFile(
            f"{folder / MANIFEST} is cut short or not what `tlcourse pack` wrote. {mend}"
        )
    for row in rows:
        path = folder / row["file"]
        if not path.is_file() or sha256(path) != row["sha256"]:
            raise DamagedFile(f"{path} is missing or altered. {mend}")
    names = list(
        dict(sorted({int(row["label"]): row["class"] for row in rows}.items())).values()
    )
    card = Card(
        folder.name,
        f"Pack {folder}",
        str(folder),
        "see the text",
        "tlcourse pack",
        {},
        _text(folder),
    )
    depth = BitDepth(folder / row["file"] for row in rows)
    parts = {name: [row for row in rows if row["split"] == name] for name in _SPLITS}
    splits = {
        name: _read_split(folder, part, names, depth) for name, part in parts.items()
    }
    return Dataset(
        folder.name, splits["train"], splits["validation"], splits["test"], names, card
    )


_SPLITS = ("train", "validation", "test")


def _rows(manifest: Path) -> list[dict[str, str]]:
    """The manifest's rows; none where it is not whole."""
    try:
        rows = list(
            csv.DictReader(
                io.StringIO(read_text(manifest, error=DamagedFile), newline="")
            )
        )
        for row in rows:
            if (
                set(row) != set(COLUMNS)
                or None in row.values()
                or not _is_inside(row["file"])
            ):
                return []
            int(row["label"]), float(row["weight"] or 1)
            row |= {column: from_csv_cell(row[column]) for column in ("class", "group")}
    except (csv.Error, ValueError):
        return []
    return rows


def _is_inside(file: str) -> bool:
    """Whether a picture's path leads to no other folder than the pack's."""
    path = PurePosixPath(file)
    return (
        bool(file)
        and not path.is_absolute()
        and ".." not in path.parts
        and "\0" not in file
    )


def _text(folder: Path) -> str:
    return (
        read_text(folder / "CARD.md", error=DamagedFile)
        if (folder / "CARD.md").is_file()
        else ""
    )


def _read_split(
    folder: Path, rows: list[dict[str, str]], names: list[str], depth: BitDepth
) -> Split:
    column = lambda key: np.array([row[key] for row in rows])  # noqa: E731
    labels = [
        names.index(row["class"]) for row in rows
    ]  # not its number: a class without any picture is gone
    return Split(
        Pictures([folder / row["file"] for row in rows], depth=depth),
        np.array(labels, np.int64),
        names,
        column("weight").astype(np.float32)
        if rows and all(row["weight"] for row in rows)
        else None,
        column("group") if rows and all(row["group"] for row in rows) else None,
    )


def with_card(dataset: Dataset, name: str, card: Card) -> Dataset:
    """The same data set under the name and card of the course's, with its source and text kept."""
    return replace(
        dataset,
        name=name,
        card=replace(
            card,
            source=dataset.card.source,
            text=dataset.card.text or card.text,
            bundled=False,
        ),
    )
