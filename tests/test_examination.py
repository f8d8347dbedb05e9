"""What `examine` says of a data set before anything is trained on it."""

import numpy as np
import pytest

import tlcourse as tl
from tlcourse.cards import Card
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import UserInputError

CARD = Card("pets", "Pets", "here", "none", "nobody", {}, "")


def made(train, validation, test, names=("cat", "dog"), skipped=(), seed=0):
    """A data set of noise with so many pictures of each class in each split."""
    rng = np.random.default_rng(seed)
    splits = []
    for counts in (train, validation, test):
        labels = np.repeat(np.arange(len(names)), counts)
        splits.append(
            Split(
                rng.integers(0, 255, (len(labels), 32, 32, 3), dtype=np.uint8),
                labels,
                list(names),
            )
        )
    return Dataset("pets", *splits, list(names), CARD, list(skipped))


def finding(dataset, subject):
    return next(
        (text, look)
        for name, text, look in tl.datasets.examine(dataset).findings
        if name == subject
    )


@pytest.fixture(scope="module")
def tidy():
    return made((30, 20), (10, 7), (12, 8))


def test_of_a_tidy_data_set_nothing_needs_a_look(tidy):
    assert [
        subject for subject, _, look in tl.datasets.examine(tidy).findings if look
    ] == []


def test_the_baseline_is_what_always_giving_the_most_frequent_class_of_train_reaches_on_test(
    tidy,
):
    examination = tl.datasets.examine(tidy)
    assert (examination.most_frequent, examination.baseline) == ("cat", 12 / 20)
    assert (
        finding(tidy, "baseline")[0]
        == "always answering cat is right for 60.0% of the test pictures."
    )


def test_classes_with_few_pictures_are_named_the_rarest_first():
    text, look = finding(
        made((30, 9, 2), (5, 5, 5), (5, 5, 5), ("cat", "dog", "fox")), "training set"
    )
    assert look and text == "few pictures of fox 2, dog 9: add some if you can."


def test_a_picture_in_two_splits_is_found_also_mirrored(tidy):
    test = tidy.test.select(np.arange(len(tidy.test)))
    test.inputs = test.inputs.copy()
    test.inputs[3] = tidy.train.inputs[7][:, ::-1]
    text, look = finding(
        Dataset("pets", tidy.train, tidy.validation, test, tidy.class_names, CARD),
        "copies",
    )
    assert look and text == "1 in two splits, the first 7 of train = 3 of test."


def test_sentences_are_refused():
    with pytest.raises(UserInputError, match="expected one of pictures"):
        tl.datasets.examine(tl.load_dataset("reviews"))


def test_pictures_of_almost_one_colour_are_named(tidy):
    train = tidy.train.select(np.arange(len(tidy.train)))
    train.inputs = train.inputs.copy()
    train.inputs[4] = train.inputs[4] // 20  # almost black
    train.inputs[6] = 250
    text, look = finding(
        Dataset("pets", train, tidy.validation, tidy.test, tidy.class_names, CARD),
        "contrast",
    )
    assert look and text.startswith("2 almost of one colour, the first 4 of train")
