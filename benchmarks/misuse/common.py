"""What the eight studies share: the network, two data sets, and whether a check speaks."""

from collections.abc import Callable
from functools import cache

import numpy as np

import tlcourse as tl

NUMERALS, SIGNS = 10, 10  # of the Kanji, and of each so many by its writers
CELLS = 100  # of each class of solar cells


@cache
def model():
    return tl.load_pretrained_model()


@cache
def numerals():
    """The Kanji 一 … 十, the test by other hands than the rest."""
    kanji = tl.load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:NUMERALS])


@cache
def solar():
    return tl.load_dataset("solar")


@cache
def features_of_numerals() -> tuple[np.ndarray, np.ndarray]:
    """Features of the training and of the test signs."""
    return tuple(
        model().extract_features(split.images)
        for split in (numerals().train, numerals().test)
    )


def learned_signs(seed: int) -> np.ndarray:
    """The rows of the training signs that are learned from."""
    return numerals().train.sample_rows(SIGNS, seed)


def accuracy(predicted, labels) -> float:
    return float(np.mean(np.asarray(predicted) == labels))


def speaks(check: Callable, *arguments, **options) -> bool:
    """Whether a check objects."""
    try:
        check(*arguments, **options)
    except tl.errors.CheckError:
        return True
    return False
