"""The small network that reads: it learns, the same way each time, and padding changes nothing."""

from pathlib import Path

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.models.wordpiece import Tokenizer

VOCABULARY = Path(__file__).resolve().parent / "tiny_bert" / "plain" / "vocab.txt"


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer(VOCABULARY, lower_case=True, longest=40)


@pytest.fixture(scope="module")
def words(tokenizer):
    """Two words that the vocabulary has."""
    return [
        token
        for token in VOCABULARY.read_text().split()
        if token.isalpha() and len(token) > 2
    ][:2]


@pytest.fixture(scope="module")
def sentences(words):
    """Ten sentences with the first word and ten with the second, of many lengths."""
    return [
        " ".join([word] * (1 + number % 7)) for word in words for number in range(10)
    ]


LABELS = np.repeat(["one", "other"], 10)


@pytest.fixture(scope="module")
def trained(tokenizer, sentences):
    return tl.train_text_network(sentences, LABELS, tokenizer, steps=40)


def test_it_learns_to_tell_sentences_apart(trained, sentences):
    assert trained.score(sentences, LABELS) == 1


def test_probabilities_are_one_row_for_each_sentence(trained, sentences):
    found = trained.predict_proba(sentences)
    assert found.shape == (20, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_the_neighbours_in_a_batch_change_nothing(trained, sentences):
    together = trained.predict_proba(sentences)
    np.testing.assert_allclose(
        [trained.predict_proba(text)[0] for text in sentences], together, atol=1e-5
    )


def test_the_same_seed_gives_the_same_network(tokenizer, sentences):
    first, second, other = (
        tl.train_text_network(
            sentences, LABELS, tokenizer, steps=5, seed=seed
        ).network.get_weights()[0]
        for seed in (1, 1, 2)
    )
    assert np.array_equal(first, second) and not np.array_equal(first, other)


def test_rows_of_no_weight_are_not_learned_from(tokenizer, sentences):
    labels = np.concatenate([LABELS, LABELS[::-1]])
    weights = np.repeat([1.0, 0.0], 20)
    network = tl.train_text_network(
        sentences * 2, labels, tokenizer, steps=60, sample_weight=weights
    )
    assert network.score(sentences, LABELS) == 1


@pytest.mark.slow
def test_the_number_of_steps_grows_with_the_number_of_sentences(tokenizer, sentences):
    few = tl.train_text_network(sentences, LABELS, tokenizer)
    many = tl.train_text_network(sentences * 20, np.tile(LABELS, 20), tokenizer)
    assert few.record["steps"] == 200 and many.record["steps"] == 250


@pytest.mark.parametrize(
    ("texts", "labels", "words"),
    [
        (["good", "bad"], [1, 1], "at least two classes"),
        (["good", None], [0, 1], "Text number 1 is None"),
        (["good", "bad"], [0], "expected one label for each row"),
    ],
)
def test_what_cannot_be_learned_from_gets_a_sentence(tokenizer, texts, labels, words):
    with pytest.raises(UserInputError, match=words):
        tl.train_text_network(texts, labels, tokenizer)
