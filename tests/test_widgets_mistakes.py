"""The mistake browser shows the pictures of a field of the confusion matrix, and what they look like to the network."""

import re

import numpy as np
import pytest

from tlcourse.datasets.core import Split
from tlcourse.errors import UserInputError
from tlcourse.widgets import mistake_browser, mistakes_of

NAMES = ["cat", "dog"]


def split(labels, names=NAMES):
    pictures = (
        np.arange(len(labels), dtype=np.uint8)[:, None, None]
        .repeat(4, axis=1)
        .repeat(5, axis=2)
    )
    return Split(pictures, np.array(labels), list(names))


@pytest.fixture(scope="module")
def judged():
    """Six pictures, of which two cats are taken for dogs, the second more surely; with features of two numbers."""
    probabilities = np.array(
        [[0.9, 0.1], [0.4, 0.6], [0.1, 0.9], [0.2, 0.8], [0.3, 0.7], [0.8, 0.2]]
    )
    features = np.array([[1, 0], [1, 0.1], [0, 1], [0, 1], [0.1, 1], [1, 0]], float)
    return split([0, 0, 0, 1, 1, 0]), probabilities, features


@pytest.fixture(scope="module")
def train():
    return split([0, 1, 0, 1]), np.array([[1, 0], [0, 1], [1, 0.2], [0.5, 0.5]])


@pytest.fixture
def browser(judged, train):
    return mistake_browser(*judged, *train)


def test_without_a_choice_the_most_frequent_mistake_is_shown_the_surest_picture_first(
    judged,
):
    found = mistakes_of(*judged[:2]).data
    assert (found["true"], found["predicted"], found["rows"]) == ("cat", "dog", [2, 1])


def test_each_picture_comes_with_its_probabilities_and_nearest_training_pictures(
    judged, train
):
    split, probabilities, features = judged
    answer = mistakes_of(split, probabilities, "cat", "dog", features, *train)
    first = answer.data["shown"][0]
    assert first["probabilities"] == {"dog": 0.9, "cat": 0.1}
    assert [near["row"] for near in first["neighbours"]] == [1, 3, 2] and first[
        "neighbours"
    ][0]["cosine"] == 1
    assert (
        "picture 2: dog 90%, cat 10%; nearest training pictures: dog, dog, cat"
        in answer.text
    )


def test_right_pictures_can_be_looked_at_too(judged):
    assert mistakes_of(*judged[:2], "dog", "dog").text.startswith("dog recognised: 2:")


def test_a_field_without_pictures_says_so(judged):
    answer = mistakes_of(*judged[:2], "dog", "cat")
    assert answer.text == "dog taken for cat: none." == answer.figure.alt


def test_the_figure_has_a_row_a_picture(judged, train, browser):
    assert len(browser.default.figure.axes) == 2 * (1 + 3)


def test_each_field_is_a_button_that_says_what_it_counts(browser):
    browser.box  # noqa: B018 - makes the buttons
    assert {field: button.description for field, button in browser.buttons.items()} == {
        ("cat", "cat"): "2",
        ("cat", "dog"): "2",
        ("dog", "cat"): "0",
        ("dog", "dog"): "2",
    }
    assert (
        browser.buttons["cat", "dog"].tooltip == "2 of true class cat predicted as dog"
    )


def test_a_click_opens_the_field(browser):
    browser.box  # noqa: B018 - makes the buttons
    browser.buttons["dog", "dog"].click()
    assert "dog recognised: 2:" in browser.page.value
    assert re.findall(
        r'alt="(Picture \d, dog, taken for dog)"', browser.page.value
    ) == [
        "Picture 3, dog, taken for dog",
        "Picture 4, dog, taken for dog",
    ]


def test_of_many_classes_the_fields_are_a_list_the_worst_first():
    names = [f"class {number}" for number in range(13)]
    labels = [0, 0, 1, *range(13)]
    probabilities = np.eye(13)[[1, 1, 2, *range(13)]]
    browser = mistake_browser(split(labels, names), probabilities)
    browser.box  # noqa: B018 - makes the list
    assert [label for label, _ in browser.list.options[:2]] == [
        "2 × class 0 taken for class 1",
        "1 × class 1 taken for class 2",
    ]
    browser.list.value = ("class 1", "class 2")
    assert "class 1 taken for class 2: 1:" in browser.page.value


def test_names_from_a_folder_stay_text():
    browser = mistake_browser(split([0, 1], ["<script>", "dog"]), np.eye(2))
    assert "<script>" not in browser.at("<script>", "<script>").page
    assert all(
        "<script>" not in cell.value
        for cell in browser.box.children[0].children
        if hasattr(cell, "value")
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((np.zeros((5, 2)),), "Lengths differ"),
        ((np.zeros((6, 3)),), "expected a column for each of the 2 classes"),
        (
            (np.zeros((6, 2)), np.zeros((6, 2))),
            "For neighbours three things are needed",
        ),
        (
            (np.zeros((6, 2)), np.ones((6, 2)), split([0, 1]), np.ones((3, 2))),
            "train holds 2 pictures",
        ),
        (
            (np.zeros((6, 2)), np.ones((5, 2)), split([0, 1]), np.ones((2, 2))),
            "Lengths differ",
        ),
    ],
)
def test_what_does_not_belong_together_is_refused(judged, arguments, said):
    with pytest.raises(UserInputError, match=said):
        mistake_browser(judged[0], *arguments)


def test_an_unknown_class_is_answered_with_the_known_ones(judged):
    with pytest.raises(
        UserInputError, match="There is no class 'fox'. There are cat, dog."
    ):
        mistakes_of(*judged[:2], "fox", "dog")
