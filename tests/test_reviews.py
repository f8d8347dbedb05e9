"""The data set `reviews`: rated sentences of three domains, and splits in which nothing comes back."""

import importlib.util
import os
import re
import shutil
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from tlcourse import cards, datasets
from tlcourse.datasets import bundled
from tlcourse.errors import DamagedFile, UserInputError

DOMAINS = ["films", "products", "tweets"]
SPLITS = ["train", "validation", "test"]
SDIST = os.environ.get("TLCOURSE_REVIEWS_SDIST")


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


@pytest.fixture(scope="module")
def build():
    """The script that made the bundle, as a module."""
    spec = importlib.util.spec_from_file_location(
        "build_reviews", cards.data_folder() / "reviews" / "build.py"
    )
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules[spec.name] = module  # a dataclass looks its module up there
    spec.loader.exec_module(module)
    yield module
    sys.path[:] = before
    del sys.modules[spec.name]


def every(reviews):
    """(domain, split's name, split) of all nine."""
    return [
        (domain, name, split)
        for domain, data in reviews.items()
        for name, split in data.splits.items()
    ]


# What is in it


def test_without_a_domain_it_is_the_films(reviews):
    assert (
        datasets.load_dataset("reviews").test.sentences.tolist()
        == reviews["films"].test.sentences.tolist()
    )


def test_a_data_set_of_sentences_says_so(reviews):
    found = re.fullmatch(
        r"<reviews \(tweets\): train [\d,]+, validation \d+, test \d+ sentences of 2 classes>",
        repr(reviews["tweets"]),
    )
    assert found


def test_the_counts_are_the_cards(reviews):
    table = re.findall(
        r"^\| (\w+) \| (\w+) \| ([\d,]+) \| ([\d,]+) \|",
        cards.read_card("reviews").text,
        re.MULTILINE,
    )
    card = {
        (domain, split): [negative, positive]
        for domain, split, negative, positive in table
        if split in SPLITS
    }
    found = {
        (domain, name): [f"{count:,}" for count in np.bincount(split.labels)]
        for domain, name, split in every(reviews)
    }
    assert found == card


@pytest.mark.parametrize("domain", DOMAINS)
def test_the_splits_are_about_seven_one_and_two_tenths_of_each_class(reviews, domain):
    counts = np.array(
        [np.bincount(split.labels) for split in reviews[domain].splits.values()]
    )
    np.testing.assert_allclose(
        counts / counts.sum(axis=0), [[0.7] * 2, [0.1] * 2, [0.2] * 2], atol=0.01
    )


def test_sentences_are_plain_text_without_remains_of_a_web_page(reviews):
    for _, _, split in every(reviews):
        for sentence in split.sentences:
            assert type(sentence) is str and sentence == " ".join(sentence.split())
            assert sentence and not re.search(
                r"&(#\d+|amp|lt|gt|quot);|\ufeff|\ufffd|''", sentence
            )


def test_a_tweets_entities_are_characters_again(reviews):
    assert any(" & " in sentence for sentence in reviews["tweets"].train.sentences)


@pytest.mark.parametrize("domain", DOMAINS)
def test_labels_follow_from_the_ratings(reviews, domain):
    for split in reviews[domain].splits.values():
        assert split.ratings.dtype == np.float32 and split.ratings.shape == (
            len(split),
        )
        assert (split.labels == (split.ratings > 0)).all() and np.abs(
            split.ratings
        ).max() <= 4


def test_the_classes_are_negative_and_positive(reviews):
    assert all(
        split.class_names == ["negative", "positive"] for _, _, split in every(reviews)
    )


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


def test_the_rule_for_neutral_rows_is_the_cards():
    assert (
        f"rated from −{bundled.NEUTRAL} to {bundled.NEUTRAL} |"
        in cards.read_card("reviews").text
    )


def test_good_and_bad_take_turns_enough_that_any_beginning_is_mixed(reviews):
    assert all(
        0.25 < split.labels[:100].mean() < 0.85 for _, _, split in every(reviews)
    )


def test_the_bundle_is_smaller_than_a_megabyte():
    assert (cards.data_folder() / "reviews" / "reviews.npz").stat().st_size < 1e6


# Nothing comes back


@pytest.mark.parametrize(("one", "other"), list(combinations(SPLITS, 2)))
def test_no_group_is_in_two_splits_of_whichever_domains(reviews, one, other):
    groups = {name: set() for name in SPLITS}
    for _, name, split in every(reviews):
        groups[name] |= set(split.groups)
    assert not groups[one] & groups[other]


def test_no_product_review_is_in_two_splits(arrays):
    products = arrays["domain"] == DOMAINS.index("products")
    pairs = set(
        zip(
            arrays["number"][products].tolist(),
            arrays["split"][products].tolist(),
            strict=True,
        )
    )
    assert len(pairs) == len(set(arrays["number"][products].tolist()))


def test_no_wording_is_in_two_splits_of_whichever_domains(arrays, texts):
    """Small letters and no signs: `words` of the build script written again, without its care for accents."""
    plain = [
        " ".join(
            re.findall(
                r"\w+", re.sub("@anonymous|http://url_removed|['’]", " ", text).lower()
            )
        )
        or text
        for text in texts
    ]
    assert len(set(zip(plain, arrays["split"].tolist(), strict=True))) == len(
        set(plain)
    )


@pytest.mark.slow
def test_no_sentence_has_a_near_duplicate_in_another_split(build, arrays, texts):
    pairs = np.array(
        build.near_duplicates([frozenset(build.words(text)) for text in texts])
    )
    assert (
        len(pairs) > 100
        and (arrays["split"][pairs[:, 0]] == arrays["split"][pairs[:, 1]]).all()
    )


@pytest.mark.parametrize("domain", DOMAINS)
def test_no_text_is_there_twice_in_a_domain(arrays, texts, domain):
    here = [
        texts[row] for row in np.flatnonzero(arrays["domain"] == DOMAINS.index(domain))
    ]
    assert len(set(here)) == len(here)


def test_a_group_goes_by_its_source_document(reviews):
    products = set(
        np.concatenate(
            [split.groups for split in reviews["products"].splits.values()]
        ).tolist()
    )
    assert "products 144" in products and all(
        re.fullmatch(r"(films|products|tweets) \d+", name) for name in products
    )


# Rows stay whole


def rows_of(split):
    columns = (split.sentences, split.label_names, split.ratings, split.groups)
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_sample_keeps_sentence_label_rating_and_group_together(reviews):
    train = reviews["products"].train
    sample = train.sample(5, seed=3)
    assert np.bincount(sample.labels).tolist() == [5, 5]
    assert rows_of(sample) == [
        rows_of(train)[row] for row in train.sample_rows(5, seed=3)
    ]


def test_a_mask_keeps_sentence_label_rating_and_group_together(reviews):
    test = reviews["tweets"].test
    loud = [("!" in sentence) for sentence in test.sentences]
    assert rows_of(test.select(np.array(loud))) == [
        row for row in rows_of(test) if "!" in row[0]
    ]


# What goes wrong


@pytest.mark.parametrize("domain", ["books", "Films", None])
def test_an_unknown_domain_is_answered_with_the_three(domain):
    with pytest.raises(
        UserInputError, match="the domains of reviews are films, products, tweets"
    ):
        datasets.load_dataset("reviews", domain=domain)


def test_a_bundle_that_was_cut_short_is_refused(monkeypatch, tmp_path):
    shutil.copytree(cards.data_folder() / "reviews", tmp_path / "reviews")
    bundle = tmp_path / "reviews" / "reviews.npz"
    bundle.write_bytes(bundle.read_bytes()[:-1000])
    monkeypatch.setattr(cards, "data_folder", lambda: tmp_path)
    with pytest.raises(
        DamagedFile,
        match="altered or cut short.*git checkout -- data/reviews/reviews.npz",
    ):
        datasets.load_dataset("reviews")


# How it was made


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ugh. I hate rain.", "@anonymous UGH!!! I HATE rain"),
        ("The Château doesn't rest.", "the chateau doesnt rest"),
        ("9 ½ Weeks", "9 1⁄2 weeks"),
    ],
)
def test_two_writings_of_the_same_words_are_the_same(build, one, other):
    assert build.words(one) == build.words(other)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("salt &amp; pepper", "salt & pepper"),
        ("lying on bed &amp;#38; phone", "lying on bed & phone"),
        ("I &lt;3  it ", "I <3 it"),
        ("the new ''Conan''", 'the new "Conan"'),
    ],
)
def test_a_text_is_cleaned_of_what_its_way_here_left(build, raw, text):
    assert build.clean(raw) == text


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("a b c d", "a b c e", True),  # 3 of 5
        ("a b c d e", "a b c f", False),  # 3 of 6
        ("a b c", "a b c", False),  # too short to tell
    ],
)
def test_near_duplicates_share_six_tenths_of_their_words(build, one, other, near):
    found = build.near_duplicates(
        [
            frozenset(one.split()),
            frozenset(other.split()),
            frozenset("v w x y z".split()),
        ]
    )
    assert bool(found) == near


def test_no_near_duplicate_is_missed(build, texts):
    some = [frozenset(build.words(text)) for text in texts[-400:]]
    every_pair = {
        (one, other)
        for one, other in combinations(range(len(some)), 2)
        if min(len(some[one]), len(some[other])) >= 4
        and len(some[one] & some[other]) >= 0.6 * len(some[one] | some[other])
    }
    assert {tuple(sorted(pair)) for pair in build.near_duplicates(some)} == every_pair


@pytest.mark.skipif(
    not SDIST,
    reason="TLCOURSE_REVIEWS_SDIST names no source distribution of vaderSentiment",
)
def test_building_again_gives_the_committed_files(build, monkeypatch, capsys):
    monkeypatch.setattr(
        sys, "argv", ["build.py", "--check", "--sdist", str(Path(SDIST))]
    )
    build.main()
    assert capsys.readouterr().out.count("this build") == 2


def test_another_source_distribution_is_refused(build):
    with pytest.raises(SystemExit, match="nothing was built"):
        build.read_rows(b"something else")
