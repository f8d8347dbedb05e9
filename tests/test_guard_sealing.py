"""A sealed split judges one classifier, as often as its cell is run; another one is refused and told how to begin."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.datasets.core import Split
from tlcourse.errors import GuardError, UserInputError
from tlcourse.guards import seal

NAMES = ["circle", "square"]


@pytest.fixture
def split(request):
    """Six pictures, different ones in each test."""
    rng = np.random.default_rng(abs(hash(request.node.nodeid)))
    return Split(rng.integers(0, 255, (6, 4, 4), np.uint8), [0, 1, 0, 1, 0, 1], NAMES)


@pytest.fixture
def sealed(split):
    return seal(split)


def says(*answers):
    return lambda images: np.array(answers)


FIRST, SECOND = says(0, 1, 0, 1, 0, 0), says(0, 1, 0, 1, 0, 1)


def failure(action, kind=GuardError) -> str:
    with pytest.raises(kind) as caught:
        action()
    return str(caught.value)


def test_it_judges_a_classifier(sealed):
    found = sealed.open(FIRST)
    assert (
        found.accuracy == 5 / 6
        and found.counts.tolist() == [[3, 0], [1, 2]]
        and found.class_names == NAMES
    )


def test_the_same_classifier_may_be_judged_again_as_when_a_cell_is_run_again(sealed):
    first = sealed.open(FIRST)
    np.testing.assert_array_equal(sealed.open(FIRST).counts, first.counts)
    assert sealed.looks == 1


def test_another_classifier_is_refused_and_told_what_to_do(sealed):
    sealed.open(FIRST)
    sentence = failure(lambda: sealed.open(SECOND))
    assert "this is another one: 1 of 6 answers differ" in sentence
    assert (
        "choose by validation" in sentence
        and "tl.guards.seal(dataset.test)" in sentence
        and "so far 1" in sentence
    )


def test_after_a_refusal_the_first_one_s_result_still_stands(sealed):
    sealed.open(FIRST)
    failure(lambda: sealed.open(SECOND))
    assert sealed.open(FIRST).accuracy == 5 / 6 and sealed.looks == 1


def test_sealed_anew_it_judges_another_one_and_the_looks_are_counted(split):
    seal(split).open(FIRST)
    again = seal(split)
    assert again.open(SECOND).accuracy == 1 and again.looks == 2


def test_the_same_pictures_taken_from_the_data_again_are_known(split):
    seal(split).open(FIRST)
    assert (
        seal(split.select(range(6))).looks == 1
        and seal(split.select(range(5))).looks == 0
    )


def test_looking_at_what_it_is_does_not_open_it(sealed):
    assert repr(sealed) == "<sealed split: 6 pictures of 2 classes>"
    assert (len(sealed), sealed.class_names, sealed.kind, sealed.looks) == (
        6,
        NAMES,
        "pictures",
        0,
    )


def test_it_says_when_it_has_been_opened(split):
    sealed = seal(split)
    sealed.open(FIRST)
    assert (
        repr(sealed)
        == "<opened split: 6 pictures of 2 classes; they have judged 1 classifier in this session>"
    )
    seal(split).open(SECOND)
    assert repr(seal(split)).endswith("they have judged 2 classifiers in this session>")


@pytest.mark.parametrize(
    "name", ["inputs", "images", "labels", "label_names", "weights", "select", "sample"]
)
def test_what_is_in_it_cannot_be_had(sealed, name):
    assert f"This split is sealed, so its .{name} cannot be had" in failure(
        lambda: getattr(sealed, name)
    )


def test_a_name_that_no_split_has_is_answered_as_python_does(sealed):
    assert not hasattr(sealed, "picture") and not hasattr(sealed, "__array__")


def test_what_takes_pictures_refuses_it(sealed, bundled_model):
    assert "SealedSplit; expected an array" in failure(
        lambda: bundled_model.extract_features(sealed), UserInputError
    )


def test_a_data_set_can_hold_it_and_be_shown():
    digits = tl.load_dataset("digits")
    digits.test = seal(digits.test)
    assert (
        repr(digits)
        == "<digits: train 5,000, validation 1,000, test 1,000 pictures of 10 classes>"
    )


class Trained:
    def predict(self, images):
        return np.array(["circle", "square"])[np.arange(len(images)) % 2]


def test_anything_with_predict_will_do_and_may_answer_by_names(sealed):
    assert sealed.open(Trained()).accuracy == 1


def test_sentences_are_sealed_too():
    films = tl.load_dataset("reviews").test.select(slice(0, 4))
    sealed = seal(films)
    assert "its .sentences cannot be had" in failure(lambda: sealed.sentences)
    assert sealed.open(lambda sentences: np.ones(len(sentences), int)).counts.sum() == 4


@pytest.mark.parametrize(
    ("classifier", "words"),
    [
        (7, "A int was given; expected something with predict"),
        (says(0, 1), "gave an array of shape (2,)"),
        (
            lambda images: np.zeros((6, 2)),
            "Probabilities become labels by .argmax(axis=1)",
        ),
        (lambda images: np.zeros(6), "type float64"),
        (lambda images: ["triangle"] * 6, "Expected places in class_names"),
    ],
)
def test_what_gives_no_labels_gets_a_sentence_and_leaves_the_seal(
    sealed, classifier, words
):
    assert words in failure(lambda: sealed.open(classifier), UserInputError)
    assert sealed.looks == 0 and sealed.open(FIRST).accuracy == 5 / 6


def test_what_is_no_split_gets_a_sentence():
    assert "A list was given; expected a split" in failure(
        lambda: seal([1, 2]), UserInputError
    )
