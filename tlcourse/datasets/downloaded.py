"""The data set of tensorflow-datasets: dogs."""

import hashlib
import logging
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ..cards import read_card
from ..downloads import download
from ..errors import DatasetUnavailable, convert_errors
from ..files import sha256, unfinished_folder
from ..folders import cache_folder, how_to_carry, make_cache_folder
from .core import Dataset
from .folder import from_folder
from .pack import find_pack, read_pack

if TYPE_CHECKING:
    from tensorflow_datasets.core import DatasetBuilder

PUBLISHED = "oxford_iiit_pet"
EXTRACTED = ".unpacked-"
BREEDS = (
    "american_bulldog american_pit_bull_terrier basset_hound beagle boxer chihuahua "
    "english_cocker_spaniel english_setter german_shorthaired great_pyrenees havanese "
    "japanese_chin keeshond leonberger miniature_pinscher newfoundland pomeranian pug "
    "saint_bernard samoyed scottish_terrier shiba_inu staffordshire_bull_terrier "
    "wheaten_terrier yorkshire_terrier"
).split()
_HOW_TO_GET = (
    "With internet: `tlcourse fetch dogs` (about 800 MB). Without: "
    + how_to_carry("dogs")
)


def load_dogs() -> Dataset:
    """Dogs of a pack in `TLCOURSE_PACKS`, or the 25 breeds of Oxford-IIIT Pet."""
    card, pack = read_card("dogs"), find_pack("dogs")
    if pack:
        dataset = read_pack(pack)
        text = dataset.card.text or card.text
        card = replace(card, source=dataset.card.source, text=text)
    else:
        dataset = from_folder(_dogs_folder(builder()), check=False)
    return replace(dataset, name="dogs", card=card)


def builder() -> "DatasetBuilder":
    """The builder of Oxford-IIIT Pet; nothing is downloaded.

    tensorflow-metadata from 1.18 needs protobuf 6 without telling pip; TensorFlow 2.19
    holds protobuf at 5.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    what = "tensorflow-datasets does not start"
    command = (
        'pip install --force-reinstall tensorflow-datasets "tensorflow-metadata<1.18"'
    )
    # ImportError, or protobuf's VersionError
    with convert_errors(Exception, DatasetUnavailable, what, f"Run: {command}"):
        import tensorflow_datasets as tfds
        from tensorflow_metadata.proto.v0 import schema_pb2  # noqa: F401
    logging.getLogger("absl").setLevel(logging.ERROR)
    return tfds.builder(PUBLISHED)


def fetch() -> None:
    """Download and prepare the dogs; archives that are whole are not fetched again.

    tensorflow-datasets would wait without end for a host that falls silent. So the
    archives are downloaded here, compared with the SHA-256 that it knows, and given to
    it as the user's own downloads.
    """
    pets = builder()
    if pets.is_prepared():
        return
    import tensorflow_datasets as tfds

    folder = Path(pets.data_path).parents[1]
    archives = folder / "downloads" / f"tlcourse-{PUBLISHED}"
    what = f"dogs could not be downloaded to {folder}"
    cure = f"For a folder on another disk set TFDS_DATA_DIR. {_HOW_TO_GET}"
    # DownloadError, full disks, other archives, …
    with convert_errors(Exception, DatasetUnavailable, what, cure):
        for url, info in pets.url_infos.items():
            path = archives / info.filename
            if not (path.is_file() and sha256(path) == info.checksum):
                download(url, path, info.checksum)
        with tempfile.TemporaryDirectory(dir=archives, prefix=EXTRACTED) as extracted:
            config = tfds.download.DownloadConfig(
                manual_dir=archives, extract_dir=extracted, try_download_gcs=False
            )
            pets.download_and_prepare(download_config=config)
    shutil.rmtree(archives, ignore_errors=True)


def _dogs_folder(pets: "DatasetBuilder") -> Path:
    """The dogs among the pets as class folders of JPEG files in the cache."""
    if not pets.is_prepared():
        raise DatasetUnavailable(
            "The data set dogs is not on this machine: neither in TLCOURSE_PACKS nor "
            f"in {pets.data_path}. {_HOW_TO_GET}"
        )
    folder = cache_folder() / "dogs" / pets.info.full_name.replace("/", "-")
    if folder.is_dir():
        return folder
    what = f"The dogs cannot be unpacked into {folder}"
    cure = "Set TLCOURSE_CACHE to a folder of your own."
    with convert_errors(OSError, DatasetUnavailable, what, cure):
        make_cache_folder("dogs")
        with unfinished_folder(folder) as unfinished:
            _write_dogs(pets, unfinished)
            if not folder.is_dir():  # another process may have been faster
                unfinished.rename(folder)
    return folder


def _write_dogs(pets: "DatasetBuilder", folder: Path) -> None:
    """Write each dog once: the published test set, and a fifth of train to validate."""
    from tensorflow_datasets import decode

    decoders = decode.PartialDecoding(
        {"image": True, "label": True}, decoders={"image": decode.SkipDecoding()}
    )
    names, seen = pets.info.features["label"].names, set()
    for part in ("test", "train"):
        rows = pets.as_dataset(split=part, decoders=decoders).as_numpy_iterator()
        for row in rows:
            breed = names[row["label"]]
            content = hashlib.sha256(row["image"]).hexdigest()
            if breed not in BREEDS or content in seen:
                continue
            seen.add(content)
            is_fifth = part == "train" and int(content, 16) % 5 == 0
            split = "validation" if is_fifth else part
            path = folder / split / breed / f"{breed}_{content[:12]}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(row["image"])
