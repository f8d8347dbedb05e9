"""The data set `reviews`: rated sentences of three domains, and splits in which nothing comes back."""

from itertools import combinations

import numpy as np
import pytest

from tlcourse import datasets
from tlcourse.datasets import bundled

DOMAINS = ["films", "products", "tweets"]
SPLITS = ["train", "validation", "test"]


@pytest.fixture(scope="module")
def reviews():
    """The three domains by name."""
    return {
        domain: datasets.load_dataset("reviews", domain=domain) for domain in DOMAINS
    }


@pytest.fixture(scope="module")
def arrays():
    """The bundle as it lies on disk, neutral rows included."""
    return bundled._read("reviews")


@pytest.fixture(scope="module")
def texts(arrays):
    return arrays["text"].tobytes().decode("utf-8").split("\n")


def every(reviews):
    """(domain, split's name, split) of all nine."""
    return [
        (domain, name, split)
        for domain, data in reviews.items()
        for name, split in data.splits.items()
    ]


@pytest.mark.parametrize("domain", DOMAINS)
def test_labels_follow_from_the_ratings(reviews, domain):
    for split in reviews[domain].splits.values():
        assert split.ratings.dtype == np.float32 and split.ratings.shape == (
            len(split),
        )
        assert (split.labels == (split.ratings > 0)).all() and np.abs(
            split.ratings
        ).max() <= 4


@pytest.mark.parametrize("domain", DOMAINS)
def test_all_that_is_neutral_is_left_out_and_nothing_else(
    reviews, arrays, texts, domain
):
    here = arrays["domain"] == DOMAINS.index(domain)
    sided = np.abs(arrays["rating"]) > bundled.NEUTRAL
    expected = [texts[row] for row in np.flatnonzero(here & sided)]
    found = [
        sentence
        for split in reviews[domain].splits.values()
        for sentence in split.sentences
    ]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(("one", "other"), list(combinations(SPLITS, 2)))
def test_no_group_is_in_two_splits_of_whichever_domains(reviews, one, other):
    groups = {name: set() for name in SPLITS}
    for _, name, split in every(reviews):
        groups[name] |= set(split.groups)
    assert not groups[one] & groups[other]
