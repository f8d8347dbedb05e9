"""Pictures, sentences and recordings: bundled, downloaded, or of one's own."""

import inspect
from typing import Any

from ..cards import Card, read_card
from ..errors import DatasetUnavailable, UserInputError
from ..validation import shown, text
from . import bundled, downloaded, spoken
from .archive import unpack
from .bundled import kanji_meanings
from .core import Dataset, Split
from .examination import Examination, examine
from .folder import from_folder
from .pack import find_pack, list_packs, read_pack
from .texts import Facts, PythonFAQ, load_facts, load_python_faq

__all__ = [
    "Card",
    "Dataset",
    "Examination",
    "Facts",
    "PythonFAQ",
    "Split",
    "examine",
    "find_pack",
    "from_folder",
    "kanji_meanings",
    "list_datasets",
    "load_dataset",
    "load_facts",
    "load_python_faq",
    "unpack",
]

_LOADERS = {
    "digits": bundled.load_digits,
    "kanji": bundled.load_kanji,
    "stamps": bundled.load_stamps,
    "solar": bundled.load_solar,
    "dogs": downloaded.load_dogs,
    "reviews": bundled.load_reviews,
    "words": spoken.load_words,
    "spoken_digits": spoken.load_spoken_digits,
    "samples": bundled.load_samples,
}


def list_datasets() -> dict[str, str]:
    """Name → title of each data set that `load_dataset` knows.

    Examples
    --------
    >>> import tlcourse as tl
    >>> "kanji" in tl.list_datasets()
    True
    """
    return {name: read_card(name).title for name in _LOADERS}


def load_dataset(name: str, **options: Any) -> Dataset:
    """Load a data set by name. Nothing is downloaded.

    Parameters
    ----------
    name : str
        digits, kanji, stamps, solar, dogs, reviews, words, spoken_digits or samples, or
        the name of a pack in the folders of the variable TLCOURSE_PACKS.
    **options
        ``seed`` of stamps and solar: another random split; ``protocol`` ("deitsch2019"
        or "confident") of solar; ``domain`` ("films", "products" or "tweets") of
        reviews.

    Returns
    -------
    Dataset
        With `train`, `validation` and `test`, each a `Split` with `images` (of reviews:
        `sentences`) and `labels`.

    Raises
    ------
    TLCourseError
        The name or an option is unknown; the data is not on this machine (the message
        says how to get it); or a file is not the published one.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.load_dataset("digits")
    <digits: train 5,000, validation 1,000, test 1,000 pictures of 10 classes>
    """
    loader, pack = _LOADERS.get(text("name", name)), find_pack(name)
    known = list(inspect.signature(loader).parameters) if loader else []
    unknown = [option for option in options if option not in known]
    if unknown and (loader or pack):
        raise UserInputError(
            f"{name} has no option {shown(unknown[0])}; "
            f"it has {', '.join(known) or 'none'}."
        )
    try:
        if loader:
            return loader(**options)
    except DatasetUnavailable:
        if options or not pack:
            raise
    if pack:
        return read_pack(pack)
    raise UserInputError(
        f"There is no data set {shown(name)}. The course has {', '.join(_LOADERS)}; "
        f"packs in TLCOURSE_PACKS: {', '.join(list_packs()) or 'none'}. For a folder "
        "of your own: tl.datasets.from_folder(path)."
    )
