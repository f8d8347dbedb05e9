"""Packs: what a machine without internet needs of a data set or network, as a folder.

``tlcourse`` reads them (``tlcourse.datasets.read_pack``) where ``TLCOURSE_PACKS`` names
the folder that holds them.
"""

import csv
import os
import shutil
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from PIL import Image

from tlcourse.datasets.core import Dataset, Split
from tlcourse.datasets.pack import COLUMNS, MANIFEST
from tlcourse.errors import UserInputError
from tlcourse.features.pictures import Pictures
from tlcourse.files import as_path, sha256, unfinished_folder
from tlcourse.foreign_text import csv_cell
from tlcourse.models import bert_folder


def write_pack(dataset: Dataset, folder: str | PathLike) -> Path:
    """Write a data set as folder/<name>/<split>/<class>/<picture>.

    Picture files are copied, arrays are written as PNG; neither loses anything. A card
    and a manifest with SHA-256 are written beside them. In the manifest a name that a
    spreadsheet would take for a formula has an apostrophe before it.

    Returns
    -------
    Path
        The pack; with ``TLCOURSE_PACKS=<folder>``, ``load_dataset(name)`` finds it.

    Raises
    ------
    UserInputError
        The pack exists already, the data set holds sentences, or a class name cannot be
        the name of a folder.
    """
    if dataset.train.kind != "pictures":
        raise UserInputError(
            f"{dataset.name} holds {dataset.train.kind}; a pack is made of folders of "
            "pictures. Nothing was written. What comes with the course needs no pack."
        )
    for name in (dataset.name, *dataset.class_names):
        if name in ("", ".", "..") or set(name) & set("/\\\0"):
            raise UserInputError(
                f"{name!r} cannot be the name of a folder, and a pack has one for each "
                "class. Rename it; nothing was written."
            )
    pack = _new_folder(folder, dataset.name)
    with unfinished_folder(pack) as temporary:
        rows: list[tuple] = [COLUMNS]
        for name, split in dataset.splits.items():
            rows += _write_split(temporary, name, split)
        with open(temporary / MANIFEST, "w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(rows)
        (temporary / "CARD.md").write_text(str(dataset.card), encoding="utf-8")
        temporary.rename(pack)
    return pack


def write_network(name: str, folder: str | PathLike) -> Path:
    """Copy a network for text that is on this machine into folder/<name>.

    Raises
    ------
    WeightsUnavailable, DamagedFile
        It is not here, or not as it was published.
    UserInputError
        The pack exists already.
    """
    source = bert_folder.find_folder(name)
    pack = _new_folder(folder, name)
    with unfinished_folder(pack) as temporary:
        copy = shutil.copyfile  # without the permissions of the source
        shutil.copytree(source, temporary, copy_function=copy, dirs_exist_ok=True)
        temporary.rename(pack)
    return pack


def _new_folder(folder: str | PathLike, name: str) -> Path:
    pack = as_path(folder, "the folder") / name
    if os.path.lexists(pack):
        raise UserInputError(
            f"{pack} exists already. Remove it, or choose another folder; nothing was "
            "overwritten."
        )
    return pack


def _write_split(folder: Path, split_name: str, split: Split) -> Iterator[tuple]:
    """Write the pictures; yields the manifest's rows."""
    for name in split.class_names:
        (folder / split_name / name).mkdir(parents=True, exist_ok=True)
    for row, name in enumerate(map(str, split.label_names)):
        class_folder = folder / split_name / name
        if isinstance(split.images, Pictures):
            source = split.images.paths[row]
            path = class_folder / f"{row:05}-{source.name}"
            shutil.copyfile(source, path)
        else:
            path = class_folder / f"{row:05}.png"
            Image.fromarray(split.images[row]).save(path)
        yield (
            split_name,
            path.relative_to(folder).as_posix(),
            int(split.labels[row]),
            csv_cell(name),
            "" if split.weights is None else repr(float(split.weights[row])),
            "" if split.groups is None else csv_cell(str(split.groups[row])),
            sha256(path),
        )
