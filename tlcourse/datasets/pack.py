"""Packs: data sets as class folders, copied to a machine without internet.

`python -m workshop pack` writes them, with a manifest.
"""

import csv
import io
import os
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..errors import DamagedFile
from ..features.decoding import BitDepth
from ..features.pictures import Pictures
from ..files import read_file, sha256
from ..folders import pack_folders
from ..foreign_text import from_csv_cell
from ..validation import text
from .core import Dataset, Split
from .folder import SHARES, card_of, from_folder

MANIFEST = "manifest.csv"
COLUMNS = ("split", "file", "label", "class", "weight", "group", "sha256")


def find_pack(name: str) -> Path | None:
    """The first folder `name` with a `train` folder in it, in `TLCOURSE_PACKS`."""
    text("name", name)
    for folder in pack_folders():
        # Unlike Path.is_dir, this is False for a name that is too long.
        if os.path.isdir(folder / name / "train"):
            return folder / name
    return None


def list_packs() -> list[str]:
    """Names of the packs in the folders of `TLCOURSE_PACKS`."""
    trains = [train for folder in pack_folders() for train in folder.glob("*/train")]
    names = {train.parent.name for train in trains}
    return sorted(name for name in names if not name.startswith("."))  # half-written


def read_pack(folder: Path) -> Dataset:
    """Read a pack: by its manifest if it has one, else as `from_folder`.

    DamagedFile says that the manifest is not whole, or a picture is not the one in it.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        return from_folder(folder, check=False)
    cure = f"Copy the pack {folder.name} again from where it came."
    try:
        rows = _rows(read_file(manifest, error=DamagedFile).decode("utf-8"))
    except (csv.Error, AttributeError, KeyError, TypeError, ValueError):
        raise DamagedFile(f"{manifest} is altered or cut short. {cure}") from None
    for row in rows:
        path = folder / row["file"]
        if not path.is_file() or sha256(path) != row["sha256"]:
            raise DamagedFile(f"{path} is missing or altered. {cure}")
    by_label = {int(row["label"]): row["class"] for row in rows}
    names = list(dict.fromkeys(by_label[label] for label in sorted(by_label)))
    depth = BitDepth(folder / row["file"] for row in rows)
    splits: dict[str, Any] = {}
    for name in SHARES:
        part = [row for row in rows if row["split"] == name]
        splits[name] = Split(
            Pictures([folder / row["file"] for row in part], depth=depth),
            # Not the manifest's number: a class without any picture is gone.
            np.array([names.index(row["class"]) for row in part], np.int64),
            names,
            _column(part, "weight", np.float32),
            _column(part, "group", str),
        )
    card = card_of(folder, folder.name)
    return Dataset(folder.name, **splits, class_names=names, card=card)


def _rows(manifest: str) -> list[dict[str, str]]:
    """The manifest's rows, or an exception if it is not whole."""
    rows = list(csv.DictReader(io.StringIO(manifest, newline="")))
    for row in rows:
        file = PurePosixPath(row["file"])
        if set(row) != set(COLUMNS) or file.is_absolute() or ".." in file.parts:
            raise ValueError("it leads out of the pack's folder, or has other columns")
        int(row["label"]), float(row["weight"] or 1)
        row |= {column: from_csv_cell(row[column]) for column in ("class", "group")}
    if not rows:
        raise ValueError("it is empty")
    return rows


def _column(rows: list[dict[str, str]], name: str, dtype: type) -> np.ndarray | None:
    """A column as an array; None where it is not filled."""
    values = [row[name] for row in rows]
    return np.array(values).astype(dtype) if values and all(values) else None
