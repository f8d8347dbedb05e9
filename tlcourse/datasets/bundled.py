"""Data sets that are on the machine as soon as the course is installed."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..cards import bundled_file, read_card
from ..errors import DatasetUnavailable
from ..features.pictures import Pictures
from ..validation import one_of
from ..validation import seed as checked_seed
from .core import Dataset, from_arrays

REVIEW_DOMAINS = ("films", "products", "tweets")
NEUTRAL = 0.5  # reviews with a mean rating no further than this from 0 are left out
SOLAR_PROTOCOLS = ("deitsch2019", "confident")


def load_digits() -> Dataset:
    """MNIST in part: uint8, 28×28, 500 / 100 / 100 pictures of each digit."""
    arrays = _read("digits")
    return from_arrays(
        read_card("digits"),
        arrays["split"],
        inputs=arrays["images"],
        labels=arrays["labels"],
        class_names=range(10),
    )


def load_kanji() -> Dataset:
    """100 Kanji of eight fonts: uint8, 28×28; `groups` are fonts, each in one split."""
    arrays = _read("kanji")
    return from_arrays(
        read_card("kanji"),
        arrays["split"],
        inputs=arrays["images"],
        labels=arrays["labels"],
        class_names=arrays["class_names"],
        groups=arrays["hand_names"][arrays["hand"]],
    )


def kanji_meanings() -> dict[str, str]:
    """English meaning of each Kanji of `load_dataset("kanji")`.

    Examples
    --------
    >>> import tlcourse as tl
    >>> tl.datasets.kanji_meanings()["木"]
    'tree'
    """
    arrays = _read("kanji")
    names, meanings = arrays["class_names"].tolist(), arrays["meanings"].tolist()
    return dict(zip(names, meanings, strict=True))


def load_reviews(domain: str = "films") -> Dataset:
    """Sentences with an opinion, rated by a dozen people or more from −4 to 4.

    `ratings` are the means of these; `groups` name a sentence's source, with near
    repetitions in one group. No group is in two splits, not even of two domains
    ("films", "products" or "tweets").
    """
    number = REVIEW_DOMAINS.index(one_of("domain", domain, REVIEW_DOMAINS))
    arrays = _read("reviews")
    sentences = arrays["text"].tobytes().decode("utf-8").split("\n")
    sources = np.array(REVIEW_DOMAINS)[arrays["group_domain"]]
    groups = np.char.add(np.char.add(sources, " "), arrays["group_number"].astype(str))
    ratings = arrays["rating"]
    rows = (arrays["domain"] == number) & (np.abs(ratings) > NEUTRAL)
    dataset = from_arrays(
        read_card("reviews"),
        arrays["split"][rows],
        inputs=np.array(sentences, dtype=object)[rows],
        labels=ratings[rows] > 0,
        class_names=("negative", "positive"),
        groups=groups[rows],
        ratings=ratings[rows],
    )
    return replace(dataset, name=f"reviews ({domain})")


def load_samples() -> Dataset:
    """Half a dozen photographs, all in `test`, each of a class of its own."""
    card = read_card("samples")
    paths = [bundled_file("samples", name) for name in sorted(card.files)]
    return from_arrays(
        card,
        np.full(len(paths), 2),
        inputs=Pictures(paths),
        labels=np.arange(len(paths)),
        class_names=[path.stem for path in paths],
    )


def load_solar(protocol: str = "deitsch2019", seed: int = 2019) -> Dataset:
    """2,624 electroluminescence photographs of solar cells, functional or defective.

    Experts gave each cell a probability of being defective: 0, 1/3, 2/3 or 1. Splits
    are stratified by it and by kind of cell ("mono" or "poly", in `groups`); a tenth of
    the training cells is for validation.

    `protocol` "deitsch2019" is as published by Deitsch et al., Solar Energy 185 (2019):
    a quarter of the cells is the test set, cells with a probability above 0 are
    defective, and `weights` are the probabilities of these. "confident" takes only the
    cells with a probability of 0 or 1. The paper's own `seed` is not published: average
    over several.
    """
    one_of("protocol", protocol, SOLAR_PROTOCOLS)
    paths, probability, kind = _read_elpv()
    strata = np.char.add(kind, np.char.mod("%.2f", probability))
    split = _stratified_split(strata, checked_seed(seed))
    rows = np.isin(probability, (0, 1)) | (protocol != "confident")
    weights = np.where(probability > 0, probability, 1).astype(np.float32)
    return from_arrays(
        read_card("solar"),
        split[rows],
        inputs=Pictures(paths)[rows],
        labels=(probability > 0)[rows],
        class_names=("functional", "defective"),
        weights=weights[rows],
        groups=kind[rows],
    )


def _read(name: str) -> dict[str, np.ndarray]:
    with np.load(bundled_file(name, f"{name}.npz"), allow_pickle=False) as arrays:
        return dict(arrays)


def _read_elpv() -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Paths, probabilities of a defect, float64, and kinds of the package's cells."""
    package = find_spec("elpv_dataset")
    if package is None or package.origin is None:
        raise DatasetUnavailable(
            "The solar cells are not installed: run `pip install elpv-dataset`."
        )
    folder = Path(package.origin).parent / "data"
    with open(folder / "labels.csv", encoding="utf-8") as file:
        rows = [line.split() for line in file if line.strip()]
    names, probability, kind = zip(*rows, strict=True)
    thirds = np.rint(np.array(probability, float) * 3) / 3
    return [folder / name for name in names], thirds, np.array(kind)


def _stratified_split(strata: np.ndarray, seed: int) -> np.ndarray:
    """0 train, 1 validation or 2 test for each row, 67.5 : 7.5 : 25 in each stratum."""
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    split = np.zeros(len(strata), np.int64)
    split[_evenly_spaced(order, 1 / 4)] = 2
    split[_evenly_spaced(order[split[order] == 0], 1 / 10)] = 1
    return split


def _evenly_spaced(rows: np.ndarray, share: float) -> np.ndarray:
    steps = np.floor(np.arange(len(rows) + 1) * share + 0.5)
    return rows[np.diff(steps) > 0]
