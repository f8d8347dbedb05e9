"""Pictures and sentences with labels: bundled, from tensorflow-datasets, from packs, from anyone's own folder."""

from typing import Any

from ..errors import DatasetUnavailable, UserInputError
from ..files import Card, read_card
from ..validation import shown, text
from . import tfds
from .archive import unpack
from .bundled import (
    kanji_meanings,
    load_digits,
    load_kanji,
    load_kmnist,
    load_reviews,
    load_samples,
    load_solar,
)
from .core import Dataset, Split
from .dogs import PETS, load_dogs
from .examination import Examination, examine
from .folder import from_folder
from .pack import find_pack, list_packs, read_pack

__all__ = [
    "Card",
    "Dataset",
    "Examination",
    "Split",
    "examine",
    "fetch",
    "find_pack",
    "from_folder",
    "kanji_meanings",
    "list_datasets",
    "load_dataset",
    "unpack",
]

_LOADERS = {
    "digits": load_digits,
    "kanji": load_kanji,
    "solar": load_solar,
    "dogs": load_dogs,
    "reviews": load_reviews,
    "samples": load_samples,
}
_EXTENSIONS = {"kmnist": load_kmnist}
DOWNLOADS = {
    "dogs": PETS,
    PETS: PETS,
    "digits": "mnist",
    "mnist": "mnist",
    "kmnist": "kmnist",
}


def fetch(name: str) -> None:
    """Download what `load_dataset(name)` cannot find on this machine: dogs, mnist (all digits) or kmnist.

    Raises:
        UserInputError: nothing of that name is downloaded.
        DatasetUnavailable: the download did not finish; run it again.
    """
    if not isinstance(name, str) or name not in DOWNLOADS:
        raise UserInputError(
            f"There is no download {shown(name)}. Data sets to fetch: {', '.join(DOWNLOADS)}."
        )
    tfds.fetch(DOWNLOADS[name], name)


def list_datasets() -> dict[str, str]:
    """Name → title of every data set that `load_dataset` knows."""
    return {name: read_card(name).title for name in _LOADERS}


def load_dataset(name: str, **options: "Any") -> Dataset:
    """Load a data set of the course by name.

    Args:
        name: digits, kanji, solar, dogs, reviews or samples (`list_datasets()` says what they are), or the name of a
            pack.
        options: solar takes `protocol` ("deitsch2019" or "confident"), digits takes `full` (all 70,000),
            reviews takes `domain` ("films", "products" or "tweets").

    Returns:
        `Dataset` with train, validation and test, each with images (reviews: sentences) and labels.

    Raises:
        UserInputError: unknown name.
        DatasetUnavailable: not on this machine; the message says where it was looked for and what brings it.
        DamagedFile: a bundled file is not the published one.
    """
    name = text("name", name)
    loader, pack = _LOADERS.get(name) or _EXTENSIONS.get(name), find_pack(name)
    if loader:
        try:
            return loader(**options)
        except (
            DatasetUnavailable
        ):  # what another machine has may have been carried here
            if options or not pack:
                raise
    if pack:
        return read_pack(pack)
    raise UserInputError(
        f"There is no data set {shown(name)}. The course has {', '.join(_LOADERS)}; packs in TLCOURSE_PACKS: "
        f"{', '.join(list_packs()) or 'none'}. For a folder of your own: tl.datasets.from_folder(path)."
    )
