"""The label slider says how good each method is with so many labels, and from where on one leads."""

import re

import pytest

from tlcourse.errors import UserInputError
from tlcourse.plots.figure import Figure
from tlcourse.training.learning_curves import LearningCurve
from tlcourse.widgets import accuracy_at, label_slider
from tlcourse.widgets.moving import Moving


def point(labels, rows, *accuracies):
    return {
        "labels": labels,
        "rows": rows,
        "accuracies": list(accuracies),
        "seconds": [1.0] * len(accuracies),
    }


@pytest.fixture(scope="module")
def curve():
    """Two classes; the tortoise overtakes the hare at ten labels of each."""
    hare = [point(1, 2, 0.5, 0.7), point(10, 20, 0.6, 0.8), point(None, 200, 0.7, 0.7)]
    tortoise = [
        point(1, 2, 0.4, 0.4),
        point(10, 20, 0.7, 0.7),
        point(None, 200, 0.9, 0.9),
    ]
    return LearningCurve.of(
        {
            "name": "race",
            "seeds": [0, 1],
            "points": {"hare": hare, "tortoise": tortoise},
        }
    )


def test_a_title_that_is_wider_than_the_figure_is_not_cut():
    sheet = Figure(figsize=(4, 3))
    title = sheet.subplots().set_title(
        "Which of the two will be the first to arrive, and how many labels does it take?"
    )
    Moving(sheet, []).page()
    box = title.get_window_extent()
    assert (
        sheet.bbox.x0 <= box.x0 and box.x1 <= sheet.bbox.x1 and box.y1 <= sheet.bbox.y1
    )


def test_where_it_was_measured_mean_and_spread_are_those_of_the_draws(curve):
    found = accuracy_at(curve, 10)
    assert (
        found.data["measured"]
        and "10 labels of each class, 20 in all (measured):" in found.text
    )
    assert found.data["accuracy"]["hare"] == {
        "mean": pytest.approx(0.7),
        "sd": pytest.approx(0.1414, abs=1e-4),
    }


def test_between_two_measured_numbers_it_says_so(curve):
    found = accuracy_at(curve, 10**0.5)
    assert "(between two measured numbers)" in found.text
    assert found.data["accuracy"]["tortoise"]["mean"] == pytest.approx(0.55)


def test_all_labels_are_a_position_too(curve):
    assert accuracy_at(curve, 100).data["accuracy"]["tortoise"][
        "mean"
    ] == pytest.approx(0.9)


def test_the_crossing_is_named(curve):
    (crossing,) = accuracy_at(curve, 1).data["crossings"]
    assert crossing == {
        "behind": "hare",
        "better": "tortoise",
        "from_labels": pytest.approx(10),
    }
    assert (
        "'tortoise' is ahead of 'hare' from 10 labels of each class on."
        in accuracy_at(curve, 1).text
    )


def test_a_method_that_is_better_everywhere_is_named_as_such(curve):
    better = {
        "snail": curve.points["hare"],
        "dog": curve.points["tortoise"][1:] + curve.points["tortoise"][-1:],
    }
    text = accuracy_at(LearningCurve("race", [0, 1], better), 1).text
    assert "'dog' is ahead of 'snail' everywhere." in text


def test_the_figure_says_in_words_what_it_shows(curve):
    figure = accuracy_at(curve, 10, title="A race").figure
    assert (
        "tortoise: 70.0% ± 0.0%" in figure.alt
        and figure.axes[0].get_title() == "A race"
    )


def test_the_point_moves_with_the_slider(curve):
    slider = label_slider(curve)
    slider.box  # noqa: B018 - makes the slider
    slider.slider.value = 10
    marks = [
        line.get_xdata()[0]
        for line in slider.at(10).figure.axes[0].lines
        if line.get_marker() == "o"
    ]
    assert marks[-1] == 20 and "20 in all (measured)" in slider.page.value


def test_the_slider_stands_at_each_measured_number_and_between(curve):
    positions = label_slider(curve).positions
    assert (
        {1, 10, 100} <= set(positions)
        and len(positions) > 10
        and positions == sorted(positions)
    )


def test_the_numbers_stand_on_the_page_as_a_table(curve):
    page = label_slider(curve).at(10).page
    assert re.search(r"<th scope='row'[^>]*>hare</th><td[^>]*>70.0%</td>", page)


@pytest.mark.parametrize("wrong", [0.5, 101, "ten"])
def test_labels_that_were_not_measured_are_refused(curve, wrong):
    with pytest.raises(
        UserInputError, match="measured were 1 to 100 labels of each class"
    ):
        accuracy_at(curve, wrong)


def test_something_else_than_a_curve_is_refused():
    with pytest.raises(
        UserInputError, match="curve is a dict; expected what tl.learning_curve gives"
    ):
        label_slider({})
