"""Packs: data sets as class folders, copied to a machine without internet.

`python -m workshop pack` writes them, with a list of checksums.
"""

import os
import re
from pathlib import Path, PurePosixPath

from ..errors import DamagedFile
from ..files import read_file, sha256
from ..folders import pack_folders
from ..validation import text
from .core import Dataset
from .folder import SHARES, from_folder

CHECKSUMS = "SHA256SUMS"  # as `sha256sum --check` reads it


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
    """Read a pack as `from_folder` does, once its files were compared with its list.

    DamagedFile says that the list is cut short, or a picture is not the one in it.
    """
    if (folder / CHECKSUMS).is_file():
        check_pack(folder)
    return from_folder(folder, check=False)


def check_pack(folder: Path) -> None:
    """Compare each file of a pack with its SHA-256; DamagedFile if one differs."""
    cure = f"Copy the pack {folder.name} again from where it came."
    content = read_file(folder / CHECKSUMS, error=DamagedFile)
    lines = content.decode("utf-8", "replace").removesuffix("\n").split("\n")
    listed = set()
    for line in lines:
        match = re.fullmatch("([0-9a-f]{64})  ([^\0]+)", line)
        if match is None or not _is_inside(match[2]):
            raise DamagedFile(f"{folder / CHECKSUMS} is altered or cut short. {cure}")
        path = folder / match[2]
        listed.add(path)
        if not path.is_file() or sha256(path) != match[1]:
            raise DamagedFile(f"{path} is missing or altered. {cure}")
    for split in SHARES:
        files = {path for path in (folder / split).rglob("*") if path.is_file()}
        if unlisted := sorted(files - listed):
            raise DamagedFile(f"{unlisted[0]} is not in {folder / CHECKSUMS}. {cure}")


def _is_inside(file: str) -> bool:
    """Whether a listed file is in the pack's folder, whatever the system."""
    path = PurePosixPath(file)
    return not (path.is_absolute() or ".." in path.parts or set(file) & set("\\:"))
