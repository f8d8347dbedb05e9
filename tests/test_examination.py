"""What `examine` says of a data set before anything is trained on it."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.cards import Card
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import UserInputError

CARD = Card("pets", "Pets", "here", "none", "nobody", {}, "")


def made(train, validation, test, names=("cat", "dog")):
    """A data set of noise with so many pictures of each class in each split."""
    rng, splits = np.random.default_rng(0), []
    for counts in (train, validation, test):
        labels = np.repeat(np.arange(len(names)), counts)
        pixels = rng.integers(0, 255, (len(labels), 32, 32, 3), dtype=np.uint8)
        splits.append(Split(pixels, labels, list(names)))
    return Dataset("pets", *splits, list(names), CARD)


def finding(dataset, subject):
    findings = tl.datasets.examine(dataset).findings
    return next((text, look) for name, text, look in findings if name == subject)


@pytest.fixture
def tidy():
    return made((30, 20), (10, 7), (12, 8))


def test_of_a_tidy_data_set_nothing_needs_a_look(tidy):
    assert not any(look for *_, look in tl.datasets.examine(tidy).findings)
    assert finding(tidy, "left out") == ("every file was used.", False)


def test_the_baseline_always_answers_the_most_frequent_class_of_train(tidy):
    examination = tl.datasets.examine(tidy)
    assert (examination.most_frequent, examination.baseline) == ("cat", 12 / 20)
    assert "always answering cat is right for 60.0%" in finding(tidy, "baseline")[0]


def test_classes_with_few_pictures_are_named_the_rarest_first():
    dataset = made((30, 9, 2), (5, 5, 5), (5, 5, 5), ("cat", "dog", "fox"))
    text, look = finding(dataset, "training set")
    assert look and text == "few pictures of fox 2, dog 9: add some if you can."


def test_a_picture_in_two_splits_is_found_also_mirrored(tidy):
    tidy.test.inputs[3] = tidy.train.inputs[7][:, ::-1]
    text, look = finding(tidy, "copies")
    assert look and text == "1 in two splits, the first 7 of train = 3 of test."


def test_a_picture_in_two_classes_is_found_also_mirrored(tidy):
    tidy.train.inputs[45] = tidy.train.inputs[7][:, ::-1]
    text, look = finding(tidy, "labels")
    assert look and text == "1 in two classes, the first in cat and in dog."


def test_pictures_of_almost_one_colour_are_named(tidy):
    tidy.train.inputs[4] //= 20  # almost black
    tidy.train.inputs[6] = 250
    text, look = finding(tidy, "contrast")
    assert look and text.startswith("2 of nearly a single colour, the first 4 of train")


def test_sentences_are_refused():
    with pytest.raises(UserInputError, match="expected one of pictures"):
        tl.datasets.examine(tl.load_dataset("reviews"))
