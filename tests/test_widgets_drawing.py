"""Draw a Kanji: strokes become a sign like those of the data set, and each network says what it reads."""

import numpy as np
import pytest
from small_network import train_small_network

import tlcourse as tl
from tlcourse.errors import UserInputError
from tlcourse.widgets import draw_a_kanji, read_kanji
from tlcourse.widgets.strokes import as_sign

ONE = [[(0, 50), (50, 48), (100, 50)]]
THREE = [[(10, 0), (90, 0)], [(20, 50), (80, 50)], [(0, 100), (100, 100)]]


@pytest.fixture(scope="module")
def numerals():
    kanji = tl.load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:3])


@pytest.fixture(scope="module")
def networks(numerals):
    train = numerals.train
    network = train_small_network(train.images, train.labels)

    def keras_network(images):
        colours = np.repeat(images[..., None], 3, axis=-1)
        return network.model(colours.astype(np.float32))

    return {"first": network, "second": keras_network}


@pytest.fixture
def widget(networks, numerals):
    pytest.importorskip("ipycanvas")
    widget = draw_a_kanji(networks, numerals)
    widget.box  # noqa: B018 - makes canvas and list
    return widget


def draw(widget, strokes):
    for (x, y), *rest in strokes:
        widget._begin(x, y)
        for place in rest:
            widget._move(*place)
        widget._end(None, None)


# Strokes


def ink(sign, axis):
    return np.flatnonzero(sign.max(axis=axis) > 60)


def test_a_stroke_fills_the_box_and_lies_in_the_middle():
    sign = as_sign(ONE)
    assert sign.shape == (28, 28) and sign.dtype == np.uint8
    assert 19 <= len(ink(sign, 0)) <= 21 and set(ink(sign, 1)) <= {12, 13, 14, 15}


def test_size_and_place_of_the_writing_do_not_matter():
    large = [[(3 * x + 70, 3 * y + 20) for x, y in stroke] for stroke in THREE]
    np.testing.assert_array_equal(as_sign(THREE), as_sign(large))


def test_as_much_ink_as_in_the_signs_of_the_data_set(numerals):
    hands = [
        numerals.test.images[numerals.test.labels == label].mean() for label in (0, 2)
    ]
    assert [as_sign(ONE).mean(), as_sign(THREE).mean()] == pytest.approx(hands, rel=0.5)


def test_what_is_heavy_at_the_top_is_moved_down():
    sign = as_sign([[(30, 0), (70, 0)], [(50, 0), (50, 100)]])
    centre = np.average(np.arange(28), weights=sign.sum(axis=1))
    assert centre == pytest.approx(13.5, abs=0.6)


def test_a_dot_is_a_sign_too():
    assert 0 < np.count_nonzero(as_sign([[(140, 140)]])) < 16


def test_a_sign_stays_as_it_is(numerals):
    assert as_sign(numerals.test.images[0]) is not None
    np.testing.assert_array_equal(
        as_sign(numerals.test.images[0]), numerals.test.images[0]
    )


@pytest.mark.parametrize(
    ("drawing", "said"),
    [
        ([], "Nothing has been drawn"),
        ([[]], "A stroke must be a list of points"),
        ([[1, 2, 3]], "A stroke must be a list of points"),
        ([[(0, float("nan"))]], "A stroke must be a list of points"),
        (["一"], "A stroke must be a list of points"),
        (np.zeros((30, 30), np.uint8), r"expected uint8 \(28, 28\)"),
        (np.zeros((28, 28)), r"expected uint8 \(28, 28\)"),
    ],
)
def test_what_is_no_drawing_is_refused(drawing, said):
    with pytest.raises(UserInputError, match=said):
        as_sign(drawing)


# What the networks read


def test_each_network_says_what_it_reads(networks, numerals):
    answer = read_kanji(ONE, networks, numerals)
    assert list(answer.data["guesses"]) == ["first", "second"]
    best = answer.data["guesses"]["first"][0]
    assert (best["sign"], best["meaning"]) == ("一", "one") and best[
        "probability"
    ] > 0.5
    assert answer.text.startswith("first: 一 (one) ")


def test_it_reads_what_the_networks_themselves_would(networks, numerals):
    sign = numerals.test.images[7]
    found = read_kanji(sign, networks, numerals).data["guesses"]["first"]
    expected = np.sort(networks["first"].predict_proba(sign[None])[0])[::-1]
    assert [guess["probability"] for guess in found] == pytest.approx(
        expected, abs=2e-4
    )


def test_the_figure_is_in_letters_that_every_font_has(networks, numerals, recwarn):
    figure = read_kanji(THREE, networks, numerals).figure
    figure._repr_png_()
    assert not recwarn.list and "三 (three)" in figure.alt


def test_while_nothing_is_drawn_a_test_sign_is_read(networks, numerals):
    widget = draw_a_kanji(networks, numerals)
    assert (
        widget.default.text
        == read_kanji(numerals.test.images[0], networks, numerals).text
    )


def test_what_is_drawn_is_read(widget, networks, numerals):
    draw(widget, THREE)
    assert widget.page.value == read_kanji(THREE, networks, numerals).page


def test_fingers_draw_as_the_mouse_does(widget, networks, numerals):
    for event, fingers in (
        ("start", [{"x": 0, "y": 50}]),
        ("move", [{"x": 100, "y": 50}]),
        ("end", []),
    ):
        widget.canvas._handle_frontend_event(
            None, {"event": f"touch_{event}", "touches": fingers}, None
        )
    assert (
        widget.page.value == read_kanji([[(0, 50), (100, 50)]], networks, numerals).page
    )


def test_a_mouse_that_is_not_pressed_draws_nothing(widget):
    before = widget.page.value
    widget._move(5, 5)
    widget._end(5, 5)
    assert widget.page.value == before


def test_a_stroke_can_be_taken_back_and_all_of_them(widget, networks, numerals):
    draw(widget, THREE)
    widget.undo.click()
    assert widget.page.value == read_kanji(THREE[:2], networks, numerals).page
    widget.clear.click()
    assert "Draw a sign, or choose one from the list." in widget.page.value


def test_by_keyboard_a_sign_is_taken_from_the_list(widget, networks, numerals):
    widget.signs.value = 2
    first = numerals.test.images[np.flatnonzero(numerals.test.labels == 2)[0]]
    assert widget.page.value == read_kanji(first, networks, numerals).page


def test_drawing_takes_the_place_of_the_sign_from_the_list(widget):
    widget.signs.value = 1
    draw(widget, ONE)
    assert widget.signs.label == "what I draw" and len(widget._strokes) == 1


def test_the_canvas_is_no_part_of_what_is_saved(widget):
    draw(widget, THREE)
    assert widget.canvas.image_data is None and not widget.canvas.sync_image_data


def test_without_a_canvas_the_list_remains(networks, numerals, monkeypatch):
    monkeypatch.setattr("tlcourse.widgets.drawing.has_canvas", lambda: False)
    widget = draw_a_kanji(networks, numerals)
    widget.box  # noqa: B018 - makes the list
    widget.signs.value = 2
    assert "three" in widget.page.value and not hasattr(widget, "canvas")
    assert "pip install ipycanvas" in widget.note.value


@pytest.mark.parametrize("wrong", [{}, {"probe": object()}])
def test_what_is_no_network_is_refused(wrong, numerals):
    with pytest.raises(UserInputError, match="expected"):
        draw_a_kanji(wrong, numerals)


def test_a_network_for_other_classes_is_refused(networks):
    with pytest.raises(
        UserInputError, match="'first' knows 3 classes and kanji has 100"
    ):
        draw_a_kanji(networks, tl.load_dataset("kanji"))
