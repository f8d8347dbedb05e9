"""Data sets that are on the machine as soon as the course is installed."""

import csv
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np

from ..cards import bundled_file, read_card
from ..features.pictures import Pictures
from ..validation import one_of
from ..validation import seed as checked_seed
from .core import Dataset, from_arrays

REVIEW_DOMAINS = ("films", "products", "tweets")
NEUTRAL = 0.5  # reviews with a mean rating no further than this from 0 are left out
SOLAR_PROTOCOLS = ("deitsch2019", "confident")


def load_digits() -> Dataset:
    """MNIST in part: uint8, 28×28, 500 / 100 / 100 pictures of each digit."""
    data = _read("digits")
    return from_arrays(
        "digits", data["split"], data["images"], data["labels"], range(10)
    )


def load_kanji() -> Dataset:
    """100 Kanji of eight fonts: uint8, 28×28; `groups` are fonts, each in one split."""
    data = _read("kanji")
    groups = data["hand_names"][data["hand"]]
    columns = (data["split"], data["images"], data["labels"], data["class_names"])
    return from_arrays("kanji", *columns, groups=groups)


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
    data = _read("reviews")
    sentences = np.array(data["text"].tobytes().decode().split("\n"), dtype=object)
    sources = np.array(REVIEW_DOMAINS)[data["group_domain"]]
    groups = np.char.add(np.char.add(sources, " "), data["group_number"].astype(str))
    ratings = data["rating"]
    rows = (data["domain"] == number) & (np.abs(ratings) > NEUTRAL)
    dataset = from_arrays(
        "reviews",
        data["split"][rows],
        sentences[rows],
        ratings[rows] > 0,
        ("negative", "positive"),
        groups=groups[rows],
        ratings=ratings[rows],
    )
    return replace(dataset, name=f"reviews ({domain})")


def load_samples() -> Dataset:
    """Half a dozen photographs, all in `test`, each of a class of its own."""
    names = sorted(read_card("samples").files)
    pictures = Pictures([bundled_file("samples", name) for name in names])
    labels, classes = np.arange(len(names)), [Path(name).stem for name in names]
    return from_arrays("samples", np.full(len(names), 2), pictures, labels, classes)


def load_stamps(seed: int = 0) -> Dataset:
    """178 cut-out photographs on white, in six classes: RGB, 256×256 pixels.

    Splits are stratified, 48 : 12 : 40 per cent. `groups` name what a picture shows:
    two photographs that may show the same animal or fruit are in the same split.
    """
    with bundled_file("stamps", "stamps.csv").open(encoding="utf-8") as table:
        rows = list(csv.DictReader(table))
    files = [bundled_file("stamps", row["file"], row["sha256"]) for row in rows]
    labels, groups = (np.array([r[name] for r in rows]) for name in ("class", "group"))
    names, label = np.unique(labels, return_inverse=True)
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    split = _stratified_split(labels[first], checked_seed(seed), 2 / 5, 1 / 5)[group]
    return from_arrays("stamps", split, Pictures(files), label, names, groups=groups)


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
    folder = Path(str(files("elpv_dataset"))) / "data"
    table = np.loadtxt(folder / "labels.csv", dtype=str)
    paths = [folder / name for name in table[:, 0]]
    probability = np.rint(table[:, 1].astype(float) * 3) / 3
    kind = table[:, 2]
    strata = np.char.add(kind, np.char.mod("%.2f", probability))
    split = _stratified_split(strata, checked_seed(seed))
    rows = np.isin(probability, (0, 1)) | (protocol != "confident")
    weights = np.where(probability > 0, probability, 1).astype(np.float32)
    return from_arrays(
        "solar",
        split[rows],
        Pictures(paths)[rows],
        (probability > 0)[rows],
        ("functional", "defective"),
        weights=weights[rows],
        groups=kind[rows],
    )


def _read(name: str) -> dict[str, np.ndarray]:
    with np.load(bundled_file(name, f"{name}.npz"), allow_pickle=False) as arrays:
        return dict(arrays)


def _stratified_split(
    strata: np.ndarray, seed: int, test: float = 1 / 4, validation: float = 1 / 10
) -> np.ndarray:
    """0 train, 1 validation or 2 test for each row, in the same shares in each stratum.

    `validation` is a share of what the test set leaves.
    """
    shuffled = np.random.Generator(np.random.PCG64(seed)).permutation(len(strata))
    order = shuffled[np.argsort(strata[shuffled], kind="stable")]
    split = np.zeros(len(strata), np.int64)
    split[_evenly_spaced(order, test)] = 2
    split[_evenly_spaced(order[split[order] == 0], validation)] = 1
    return split


def _evenly_spaced(rows: np.ndarray, share: float) -> np.ndarray:
    steps = np.floor(np.arange(len(rows) + 1) * share + 0.5)
    return rows[np.diff(steps) > 0]
