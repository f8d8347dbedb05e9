"""What tensorflow-datasets brings: larger sets, fetched once by `tlcourse fetch`, read from disk afterwards."""

import hashlib
import logging
import os
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DatasetUnavailable
from ..files import Card
from . import fitting
from .core import Dataset, from_arrays

if TYPE_CHECKING:
    import tensorflow as tf
    import tensorflow_datasets as tfds

SIZES = {"oxford_iiit_pet": "about 800 MB", "mnist": "about 12 MB", "kmnist": "about 21 MB"}


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


def fetch(name: str) -> None:
    """Download and prepare a data set, checksums compared by tensorflow-datasets; nothing if it is there.

    Raises:
        DatasetUnavailable: the download did not finish; files that did are used by the next try.
    """
    wanted = builder(name)
    if wanted.is_prepared():
        return
    try:
        wanted.download_and_prepare()
    except Exception as error:  # hosts fail in many ways, all with the same cure
        raise DatasetUnavailable(
            f"{name} could not be downloaded ({type(error).__name__}: {str(error).strip()[:200]}). Check the "
            "connection and run the command again; files that came whole are kept."
        ) from error


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
    (images, labels), (test_images, test_labels) = (_arrays(source, split) for split in ("train", "test"))
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
    batches = source.as_dataset(split=split, batch_size=1000, as_supervised=True).as_numpy_iterator()
    images, labels = (np.concatenate(parts) for parts in zip(*batches, strict=True))
    return images[..., 0], labels


def _digests(images: np.ndarray) -> np.ndarray:
    """The first eight bytes of each picture's SHA-256: uint64 (n,)."""
    return np.array([int.from_bytes(hashlib.sha256(image).digest()[:8], "big") for image in images], np.uint64)
