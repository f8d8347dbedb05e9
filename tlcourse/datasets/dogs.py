"""Photographs of dogs: from a pack on disk or a stick, or from tensorflow-datasets."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import DatasetUnavailable
from ..files import cache_folder, make_cache_folder, read_card, unfinished_folder
from . import tfds
from .core import Dataset
from .folder import from_folder
from .pack import find_pack, how_to_carry, pack_folders, read_pack, with_card

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

PETS = "oxford_iiit_pet"
BREEDS = (
    "american_bulldog american_pit_bull_terrier basset_hound beagle boxer chihuahua english_cocker_spaniel "
    "english_setter german_shorthaired great_pyrenees havanese japanese_chin keeshond leonberger "
    "miniature_pinscher newfoundland pomeranian pug saint_bernard samoyed scottish_terrier shiba_inu "
    "staffordshire_bull_terrier wheaten_terrier yorkshire_terrier"
).split()

CURE = f"With internet: `tlcourse fetch dogs` ({tfds.SIZES[PETS]}, once). Without: {how_to_carry('dogs')}"


def load_dogs() -> Dataset:
    """Dog photographs: from a pack in `TLCOURSE_PACKS`, or else from Oxford-IIIT Pet of tensorflow-datasets.

    Nothing is downloaded here; `tlcourse fetch dogs` does that. The card says which source it is.

    Raises:
        DatasetUnavailable: neither is on this machine; the message says where they were looked for.
    """
    pack = find_pack("dogs")
    if pack:
        return with_card(read_pack(pack), "dogs", read_card("dogs"))
    builder = tfds.builder(PETS)
    if not builder.is_prepared():
        raise DatasetUnavailable(
            f"The dog photographs are not on this machine. Looked for: a folder `dogs` in {_searched()}; "
            f"oxford_iiit_pet of tensorflow-datasets in {builder.data_path}. {CURE}"
        )
    dataset = from_folder(_unpacked(builder), check=False)
    return replace(dataset, name="dogs", card=read_card("dogs"))


def _searched() -> str:
    folders = pack_folders()
    return (
        " and ".join(str(folder.resolve()) for folder in folders)
        if folders
        else "TLCOURSE_PACKS (which is not set)"
    )


def _unpacked(builder: "DatasetBuilder") -> Path:
    """The dogs among the pets as class folders in the cache: JPEG files as they are, decoded only when asked for.

    The test pictures are the published ones; of the published training pictures one fifth of each breed, chosen by
    the SHA-256 of their content, is validation.
    """
    folder = cache_folder() / "dogs" / builder.info.full_name.replace("/", "-")
    if folder.is_dir():
        return folder
    try:
        make_cache_folder("dogs")
    except OSError as error:
        raise DatasetUnavailable(
            f"The dog photographs cannot be unpacked into {folder} ({error.strerror or error}). Set TLCOURSE_CACHE to "
            "a folder of your own."
        ) from error
    with unfinished_folder(folder) as half_done:
        seen: set[str] = set()
        _write_pictures(builder, "test", half_done, lambda rank, count: "test", seen)
        _write_pictures(
            builder,
            "train",
            half_done,
            lambda rank, count: "validation" if rank < count / 5 else "train",
            seen,
        )
        if not folder.is_dir():  # another process may have been faster
            half_done.rename(folder)
    return folder


def _write_pictures(
    builder: "DatasetBuilder",
    source: str,
    folder: Path,
    split_of: "Callable[[int, int], str]",
    seen: set[str],
) -> None:
    """Write one tensorflow-datasets split as <folder>/<split_of(rank, count)>/<breed>/<file name>.jpg.

    Pictures whose SHA-256 is among `seen` are left out, so that no picture is in two splits; the others are added.
    """
    from tensorflow_datasets import decode

    only_these = {"image": True, "label": True}
    decoders = decode.PartialDecoding(
        only_these, decoders={"image": decode.SkipDecoding()}
    )
    breeds = builder.info.features["label"].names
    pictures: dict[str, list[tuple[str, Path]]] = {breed: [] for breed in BREEDS}
    for number, row in enumerate(
        builder.as_dataset(split=source, decoders=decoders).as_numpy_iterator()
    ):
        breed = breeds[row["label"]]
        content = hashlib.sha256(row["image"]).hexdigest()
        if breed in pictures and content not in seen:
            seen.add(content)
            path = folder / "unsorted" / f"{number:05}.jpg"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(row["image"])
            pictures[breed].append((content, path))
    for breed, entries in pictures.items():
        for rank, (content, path) in enumerate(sorted(entries)):
            goal = (
                folder
                / split_of(rank, len(entries))
                / breed
                / f"{breed}_{content[:12]}.jpg"
            )
            goal.parent.mkdir(parents=True, exist_ok=True)
            path.rename(goal)
    shutil.rmtree(folder / "unsorted", ignore_errors=True)
