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


def test_empty_splits_are_named():
    text, look = finding(made((1, 1), (0, 0), (0, 0)), "pictures")
    assert look and text.endswith("Each class needs three different pictures or more.")


def test_classes_with_few_pictures_are_named_the_rarest_first():
    text, look = finding(
        made((30, 9, 2), (5, 5, 5), (5, 5, 5), ("cat", "dog", "fox")), "training set"
    )
    assert look and text == "few pictures of fox 2, dog 9: add some if you can."


@pytest.mark.parametrize(("dogs", "look"), [(20, False), (6, True)])
def test_uneven_classes_need_a_look(dogs, look):
    text, found = finding(made((40, dogs), (5, 5), (5, 5)), "balance")
    assert found == look and ("look at each class's recall" in text) == look


def test_what_was_left_out_is_counted_by_its_reason():
    skipped = [
        ("a.jpg", "a copy of b.jpg"),
        ("c.jpg", "a copy of b.jpg"),
        ("d.jpg", "cannot be read as a picture: it was cut short"),
        ("e.jpg", "1 × 1 pixels are too few to show anything; at least 16 a side"),
        ("notes.txt", "no picture by its name: .txt"),
        ("f.jpg", "the same picture is in the classes cat and dog"),
        ("g.jpg", "outside the class folders"),
    ]
    text, look = finding(made((30, 20), (5, 5), (5, 5), skipped=skipped), "left out")
    assert look and text.startswith(
        "7 (2 copied, 1 unreadable, 1 too small, 1 no pictures by name, 1 in two"
    )


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
    with pytest.raises(UserInputError, match="holds sentences"):
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
