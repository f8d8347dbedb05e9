"""Packs: what a machine without internet needs of a data set or network, as a folder.

``tlcourse`` reads them (``tlcourse.datasets.read_pack``) where ``TLCOURSE_PACKS`` names
the folder that holds them.
"""

import os
import shutil
from collections.abc import Iterator
from os import PathLike
from pathlib import Path

from PIL import Image

from tlcourse.datasets.core import Dataset, Split
from tlcourse.datasets.pack import CHECKSUMS
from tlcourse.errors import UserInputError, printable
from tlcourse.features.pictures import Pictures
from tlcourse.files import as_path, sha256, unfinished_folder
from tlcourse.models import bert_folder


def write_pack(dataset: Dataset, folder: str | PathLike) -> Path:
    """Write a data set as folder/<name>/<split>/<class>/<picture>.

    Picture files are copied, arrays are written as PNG; neither loses anything. A card
    and a list of checksums, for `sha256sum --check`, are written beside them. Weights
    and groups are not.

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
        if name in ("", ".", "..") or set(name) & set("/\\\0\r\n"):
            raise UserInputError(
                f"{name!r} cannot be the name of a folder, and a pack has one for each "
                "class. Rename it; nothing was written."
            )
    pack = _new_folder(folder, dataset.name)
    with unfinished_folder(pack) as temporary:
        (temporary / "train").mkdir()  # by which a pack is known
        lines: list[str] = []
        for name, split in dataset.splits.items():
            lines += _write_split(temporary, name, split)
        with open(temporary / CHECKSUMS, "w", newline="", encoding="utf-8") as file:
            file.writelines(lines)
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


def _write_split(folder: Path, split_name: str, split: Split) -> Iterator[str]:
    """Write the pictures; yields the lines of the list of checksums."""
    for row, name in enumerate(map(str, split.label_names)):
        class_folder = folder / split_name / name
        class_folder.mkdir(parents=True, exist_ok=True)
        if isinstance(split.images, Pictures):
            source = split.images.paths[row]
            path = class_folder / f"{row:05}-{printable(source.name)}"
            shutil.copyfile(source, path)
        else:
            path = class_folder / f"{row:05}.png"
            Image.fromarray(split.images[row]).save(path)
        yield f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n"
