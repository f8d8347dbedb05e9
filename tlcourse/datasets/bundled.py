"""Data sets that are on the machine as soon as the course is installed."""

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import DatasetUnavailable, UserInputError
from ..features.pictures import Pictures
from ..files import Card, bundled_file, read_card
from ..validation import shown
from . import tfds
from .core import Dataset, from_arrays


def load_digits(full: bool = False) -> Dataset:
    """MNIST in small: 28×28 uint8, white on black, 500 / 100 / 100 pictures of each digit.

    Args:
        full: all 70,000 pictures, through tensorflow-datasets.
    """
    names = [str(digit) for digit in range(10)]
    if full:
        return tfds.load_images("mnist", read_card("digits"), names)
    arrays = _read("digits", "digits.npz")
    return from_arrays(
        read_card("digits"), arrays["images"], arrays["labels"], arrays["split"], names
    )


def load_kanji() -> Dataset:
    """100 Kanji in eight hands: 28×28 uint8 as MNIST; no hand is in two splits. `groups` names each picture's hand."""
    arrays = _read("kanji", "kanji.npz")
    hands = arrays["hand_names"][arrays["hand"]]
    names = arrays["class_names"].tolist()
    return from_arrays(
        read_card("kanji"),
        arrays["images"],
        arrays["labels"],
        arrays["split"],
        names,
        groups=hands,
    )


def load_kmnist() -> Dataset:
    """70,000 characters from real manuscripts, ten classes of cursive hiragana (Clanuwat et al., 2018)."""
    card = Card(
        "kmnist",
        "Kuzushiji-MNIST: cursive hiragana from manuscripts",
        "tensorflow-datasets kmnist",
        "CC BY-SA 4.0",
        "tensorflow-datasets",
        {},
        "",
    )
    return tfds.load_images("kmnist", card, list("おきすつなはまやれを"))


def kanji_meanings() -> dict[str, str]:
    """English meaning of each Kanji of `load_dataset("kanji")`: {"一": "one", …}."""
    arrays = _read("kanji", "kanji.npz")
    return {
        str(kanji): str(meaning)
        for kanji, meaning in zip(
            arrays["class_names"], arrays["meanings"], strict=True
        )
    }


REVIEW_DOMAINS = ("films", "products", "tweets")
SENTIMENTS = ("negative", "positive")
NEUTRAL = 0.5  # a mean rating no further than this from 0 takes no side: such a sentence is in neither class


def load_reviews(domain: str = "films") -> Dataset:
    """Sentences with an opinion, negative or positive, each rated by a dozen people and more from −4 to 4.

    Args:
        domain: "films" (snippets of critics' reviews), "products" (customers' reviews) or "tweets".

    Returns:
        Dataset with `sentences` and `ratings` (the mean of the raters). What is rated within `NEUTRAL` of 0 is left
        out. `groups` name where a sentence comes from, those that nearly repeat each other together; no group is in
        two splits, not even of two domains.

    Raises:
        UserInputError: unknown domain.
    """
    if domain not in REVIEW_DOMAINS:
        raise UserInputError(
            f"domain is {shown(domain)}; the domains of reviews are {', '.join(REVIEW_DOMAINS)}."
        )
    arrays = _read("reviews", "reviews.npz")
    sentences = np.array(
        arrays["text"].tobytes().decode("utf-8").split("\n"), dtype=object
    )
    names = np.array(REVIEW_DOMAINS)[arrays["group_domain"]]
    groups = np.char.add(np.char.add(names, " "), arrays["group_number"].astype(str))
    ratings = arrays["rating"]
    kept = (arrays["domain"] == REVIEW_DOMAINS.index(domain)) & (
        np.abs(ratings) > NEUTRAL
    )
    dataset = from_arrays(
        read_card("reviews"),
        sentences[kept],
        ratings[kept] > 0,
        arrays["split"][kept],
        SENTIMENTS,
        groups=groups[kept],
        ratings=ratings[kept],
    )
    return replace(dataset, name=f"reviews ({domain})")


def _read(folder: str, name: str) -> dict[str, np.ndarray]:
    with np.load(bundled_file(folder, name), allow_pickle=False) as arrays:
        return dict(arrays)


def load_samples() -> Dataset:
    """Half a dozen photographs to look at a network with: all in `test`, named by what they show."""
    card = read_card("samples")
    paths = [bundled_file("samples", name) for name in sorted(card.files)]
    names = [path.stem for path in paths]
    return from_arrays(
        card, Pictures(paths), np.arange(len(paths)), np.full(len(paths), 2), names
    )


SOLAR_CLASSES = ("functional", "defective")
SOLAR_PROTOCOLS = ("deitsch2019", "confident")


def load_solar(protocol: str = "deitsch2019", seed: int = 2019) -> Dataset:
    """2,624 electroluminescence photographs of solar cells, 300×300, functional or defective.

    Experts gave each cell a probability of being defective: 0, 1/3, 2/3 or 1.

    Args:
        protocol: "deitsch2019", as published (Deitsch et al., Solar Energy 185, 2019): a quarter of all cells is
            the test; a cell is defective when its probability is above 0; sure labels weigh 1, unsure ones as much
            as their probability (`weights`). "confident": only the cells with sure labels (0 or 1).
        seed: which draw of the split; the paper's own is not published, so for a mean and a spread take several.

    Returns:
        Dataset whose `groups` name the kind of cell, "mono" or "poly". The split is stratified by kind and
        probability and depends on nothing but the file names' order, so it is the same on every machine. One tenth of
        the training cells is set apart for validation; train + validation are the published 75 %.

    Raises:
        DatasetUnavailable: the package elpv-dataset is not installed.
        UserInputError: unknown protocol.
    """
    if protocol not in SOLAR_PROTOCOLS:
        raise UserInputError(
            f"protocol is {shown(protocol)}; the protocols of solar are {', '.join(SOLAR_PROTOCOLS)}."
        )
    paths, probability, kind = _read_elpv()
    split = _stratified_split(np.char.add(kind, np.char.mod("%.2f", probability)), seed)
    labels = (probability > 0).astype(np.int64)
    weights = np.where(probability > 0, probability, 1).astype(np.float32)
    kept = (
        np.ones(len(paths), bool)
        if protocol == "deitsch2019"
        else np.isin(probability, (0, 1))
    )
    return from_arrays(
        read_card("solar"),
        Pictures(paths)[kept],
        labels[kept],
        split[kept],
        SOLAR_CLASSES,
        weights[kept],
        kind[kept],
    )


def _read_elpv() -> tuple[list[Path], np.ndarray, np.ndarray]:
    """Paths, probabilities float64 (0, 1/3, 2/3, 1) and kinds ("mono" or "poly") of the package's cells."""
    package = find_spec("elpv_dataset")
    if package is None or package.origin is None:
        raise DatasetUnavailable(
            "The solar cells come with the pip package elpv-dataset, which is not installed. "
            "Run: pip install elpv-dataset"
        )
    folder = Path(package.origin).parent / "data"
    with open(folder / "labels.csv", encoding="utf-8") as file:
        rows = [line.split() for line in file if line.strip()]
    names, probability, kind = zip(*rows, strict=True)
    return (
        [folder / name for name in names],
        np.rint(np.array(probability, float) * 3) / 3,
        np.array(kind),
    )


def _stratified_split(strata: np.ndarray, seed: int) -> np.ndarray:
    """0 train, 1 validation or 2 test for each row: a quarter is test and a tenth of the rest validation.

    Rows are shuffled and lined up stratum by stratum, and every fourth is taken: so each stratum gives its share to
    within one row, and the total is exact.
    """
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(strata))
    line = shuffled[np.argsort(strata[shuffled], kind="stable")]
    split = np.zeros(len(strata), np.int64)
    test = _evenly(line, 1 / 4)
    split[test] = 2
    split[_evenly(line[split[line] == 0], 1 / 10)] = 1
    return split


def _evenly(rows: np.ndarray, share: float) -> np.ndarray:
    """This share of the rows, at even distances."""
    steps = np.floor(np.arange(len(rows) + 1) * share + 0.5)
    return rows[np.diff(steps) > 0]
