"""Packs: data sets as class folders, copied to a machine without internet.

`python -m workshop pack` writes them.
"""

import csv
import io
import os
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from ..errors import DamagedFile
from ..features.bit_depth import BitDepth
from ..features.pictures import Pictures
from ..files import Card, as_path, read_text, sha256
from ..foreign_text import from_csv_cell
from ..validation import text
from .core import Dataset, Split
from .folder import from_folder

MANIFEST = "manifest.csv"
COLUMNS = ("split", "file", "label", "class", "weight", "group", "sha256")


def how_to_carry(name: str) -> str:
    """What brings a data set or a network for text to a machine without internet."""
    return (
        f"run `python -m workshop pack {name} FOLDER` in a checkout of the course on a "
        "machine that has the data, copy FOLDER, and set TLCOURSE_PACKS=FOLDER."
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


def read_pack(folder: Path) -> Dataset:
    """Read a pack; one that has a manifest is compared with it, by SHA-256.

    Raises
    ------
    DamagedFile
        A picture is missing or altered, or the manifest is cut short.
    """
    if not (folder / MANIFEST).is_file():
        return from_folder(folder, check=False)
    mend = f"Copy the pack {folder.name} again from where it came."
    rows = _rows(folder / MANIFEST)
    if not rows:
        raise DamagedFile(
            f"{folder / MANIFEST} is cut short, or another program wrote it. {mend}"
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
        "python -m workshop pack",
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
