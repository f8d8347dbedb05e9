"""What tensorflow-datasets brings: larger sets, fetched once by `tlcourse fetch`, read from disk afterwards."""

import hashlib
import logging
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..downloading import DownloadError, download, has_digest
from ..errors import DatasetUnavailable
from ..files import Card, sha256
from . import fitting
from .core import Dataset, from_arrays

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_datasets as tfds

UNPACKED = ".unpacked-"
SIZES = {
    "oxford_iiit_pet": "about 800 MB",
    "mnist": "about 12 MB",
    "kmnist": "about 21 MB",
}


def builder(name: str) -> "tfds.core.DatasetBuilder":
    """The tensorflow-datasets builder of a data set, its log kept quiet. Nothing is downloaded.

    Raises:
        DatasetUnavailable: tensorflow-datasets does not start beside the packages that are here.
    """
    if why := fitting.fault():
        raise DatasetUnavailable(why)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow_datasets as tfds

    logging.getLogger("absl").setLevel(logging.ERROR)
    return tfds.builder(name)


def fetch(name: str, called: str | None = None) -> None:
    """Download a data set's archives, compare their SHA-256 with those that tensorflow-datasets has, and let it
    prepare them; nothing if it is there.

    The archives go when the set is prepared. (Left to itself tensorflow-datasets would ask a host that does not answer
    ten times, for minutes, and leave what came by halves.)

    Args:
        name: as tensorflow-datasets has it.
        called: as the course has it, for what is said.

    Raises:
        DatasetUnavailable: the download did not finish; files that did are used by the next try.
    """
    wanted = builder(name)
    if wanted.is_prepared():
        return
    called = called or name
    again = f"With internet: `tlcourse fetch {called}`; files that came whole are kept."
    archives = data_folder() / "downloads" / f"tlcourse-{name}"
    try:
        for url, info in wanted.url_infos.items():
            goal = archives / info.filename
            if not (goal.is_file() and sha256(goal) == info.checksum):
                download(url, goal, has_digest("sha256", info.checksum))
        _prepare(wanted, archives)
    except DownloadError as error:
        raise DatasetUnavailable(
            f"{called} could not be downloaded: {error}. {again}"
        ) from error
    except (
        Exception
    ) as error:  # full disks, folders of others, archives that hold something else
        raise DatasetUnavailable(
            f"{called} could not be prepared in {data_folder()} ({type(error).__name__}: "
            f"{str(error).strip()[:200]}). Where that is for want of room, set TFDS_DATA_DIR to a folder on another "
            f"disk. {again}"
        ) from error
    _remove_archives(archives, [info.filename for info in wanted.url_infos.values()])


def _remove_archives(folder: Path, names: list[str]) -> None:
    """Remove what was downloaded, and the folder, unless something else is in it."""
    for path in [folder / name for name in names]:
        with suppress(OSError):
            path.unlink()
    for path in folder.glob(f"{UNPACKED}*"):  # of a process that was killed
        shutil.rmtree(path, ignore_errors=True)
    with suppress(OSError):
        folder.rmdir()


def _prepare(wanted: "tfds.core.DatasetBuilder", archives: Path) -> None:
    """Let tensorflow-datasets read archives that are here: it takes them for files that a person has downloaded."""
    import tensorflow_datasets as tfds

    with tempfile.TemporaryDirectory(dir=archives, prefix=UNPACKED) as unpacked:
        wanted.download_and_prepare(
            download_config=tfds.download.DownloadConfig(
                manual_dir=archives, extract_dir=unpacked, try_download_gcs=False
            )
        )


def data_folder() -> Path:
    """The folder of all data sets of tensorflow-datasets; a set's own lies in it as <name>/<version>."""
    return Path(builder("mnist").data_path).parent.parent


def prepared(name: str) -> "tfds.core.DatasetBuilder":
    """The builder of a data set that is on this machine.

    Raises:
        DatasetUnavailable: it is not; says where it was looked for.
    """
    wanted = builder(name)
    if not wanted.is_prepared():
        raise DatasetUnavailable(
            f"{name} of tensorflow-datasets ({SIZES[name]}) is not on this machine; looked for in {wanted.data_path}. "
            f"With internet: `tlcourse fetch {name}`. Without: copy that folder from a machine that has it."
        )
    return wanted


def load_images(name: str, card: Card, class_names: list[str]) -> Dataset:
    """A whole set of small pictures as arrays: 28×28 uint8, tensorflow-datasets' own test split.

    One sixth of its training split is validation, chosen by the pictures' SHA-256, so that copies stay together;
    copies of test pictures are left out.

    Raises:
        DatasetUnavailable: not on this machine.
    """
    source = prepared(name)
    (images, labels), (test_images, test_labels) = (
        _arrays(source, split) for split in ("train", "test")
    )
    digests, test_digests = _digests(images), _digests(test_images)
    split = np.where(digests % 6 == 0, 1, 0)
    split[np.isin(digests, test_digests)] = -1  # in no split: a copy of a test picture
    return from_arrays(
        card,
        np.concatenate([images, test_images]),
        np.concatenate([labels, test_labels]),
        np.concatenate([split, np.full(len(test_labels), 2)]),
        class_names,
    )


def _arrays(source: "tf.data.Dataset", split: str) -> tuple[np.ndarray, np.ndarray]:
    """All pictures, uint8 (n, height, width), and labels, (n,), of a prepared split."""
    batches = source.as_dataset(
        split=split, batch_size=1000, as_supervised=True
    ).as_numpy_iterator()
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return images[..., 0], labels


def _digests(images: np.ndarray) -> np.ndarray:
    """The first eight bytes of each picture's SHA-256: uint64 (n,)."""
    return np.array(
        [int.from_bytes(hashlib.sha256(image).digest()[:8], "big") for image in images],
        np.uint64,
    )
