"""Figures: what they show, that they are described in words, and what is refused."""

import html
import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tlcourse import plots as show
from tlcourse.errors import UserInputError
from tlcourse.features.pictures import Pictures
from tlcourse.plots.figure import in_words
from tlcourse.training.evaluation import ConfusionMatrix
from tlcourse.training.learning_curves import LearningCurve, Point

RANDOM = np.random.default_rng(0)
COLOUR = RANDOM.integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
POINTS = RANDOM.normal(size=(6, 2))
ACTIVATIONS = [RANDOM.normal(size=(4, 4, 9)), RANDOM.normal(size=(2, 2, 5))]
HEAT = RANDOM.random((5, 8, 9))
MATRIX = ConfusionMatrix(np.array([[8, 2], [1, 4]]), ["sound", "defect"])
CURVE = LearningCurve(
    "cells",
    [0, 1],
    {"probe": [Point(1, 2, [0.5, 0.7], [1, 1]), Point(10, 20, [0.9, 1.0], [1, 1])]},
)
MEANS = {"probe": [0.5, 0.7, 0.8], "scratch": [0.2, 0.3, 0.6]}
DEVIATIONS = {"probe": [0.1, 0.05, 0.01], "scratch": [0.0, 0.1, 0.2]}
HISTORY = {"loss": [1, 0.5], "val_loss": [1.2, 0.6], "val_accuracy": [0.7, 0.75]}
#         right: pug 99, 80, 70 and collie 75; wrong: pug 90, 55 and collie 60
TRUE = [0, 0, 0, 1, 1, 0, 0]
PUG = np.array([0.8, 0.99, 0.7, 0.25, 0.6, 0.1, 0.45])
PROBABILITIES = np.stack([PUG, 1 - PUG], axis=1)
SEVEN = np.arange(7 * 4, dtype=np.uint8).reshape(7, 2, 2)


def right_and_wrong(labels=TRUE, **options):
    return show.right_and_wrong(
        SEVEN, labels, PROBABILITIES, ["pug", "collie"], **options
    )


FIGURES = {
    "pictures": lambda: show.pictures(COLOUR, list("abcde")),
    "predictions": lambda: show.predictions(
        COLOUR[:1], [[("pug", 0.9), ("collie", 0.1)]]
    ),
    "confusion": lambda: show.confusion(MATRIX),
    "right_and_wrong": lambda: right_and_wrong(count=3),
    "neighbours": lambda: show.neighbours(COLOUR[0], "query", COLOUR[1:], list("abcd")),
    "feature_map": lambda: show.feature_map(POINTS, [0, 1] * 3, ["a", "b"]),
    "curves": lambda: show.curves(
        [1, 10, 100], MEANS, DEVIATIONS, "labels", "accuracy", "Few", highest=0.85
    ),
    "learning_curve": lambda: show.learning_curve(CURVE, "Few labels"),
    "heat_maps": lambda: show.heat_maps(COLOUR, HEAT, list("abcde")),
    "training": lambda: show.training(
        HISTORY, epochs=5, baseline={"val_accuracy": 0.65}
    ),
    "attention": lambda: show.attention(["[CLS]", "a"], [[0.25, 0.75], [0.5, 0.5]]),
    "bars": lambda: show.bars(["a", "b"], [1, 2], "seconds", "Cost"),
    "channels": lambda: show.channels(ACTIVATIONS, ["early", "late"]),
    "labelled_points": lambda: show.labelled_points(
        ["a", "b"], [1, 10], [2, 3], "cost", "accuracy", "Networks"
    ),
    "trials": lambda: show.trials(
        [1e-3, 1e-1, 1e-2], [0.5, 0.75, 0.625], 0.6, "C", "A search"
    ),
}


@pytest.fixture(scope="module")
def figures():
    """Each figure by its function's name, drawn once."""
    return {name: function() for name, function in FIGURES.items()}


def titles(figure):
    return [axes.get_title() for axes in figure.axes]


def shown(figure):
    """The pictures in a figure, uint8 (h, w, 3)."""
    return [np.asarray(a.images[0].get_array()) for a in figure.axes if a.images]


def tick_labels(ticks):
    return [tick.get_text() for tick in ticks]


# Every figure


def test_each_public_function_is_tested_here():
    assert set(show.__all__) == set(FIGURES)


@pytest.mark.parametrize("name", FIGURES)
def test_a_notebook_stores_a_small_png_with_its_description(name, figures):
    data, metadata = figures[name]._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert 20 <= len(alt) <= 1500 and alt.endswith(".") and "\n" not in alt
    with Image.open(io.BytesIO(data["image/png"])) as picture:
        assert picture.format == "PNG" and 60 < min(picture.size)
        assert max(picture.size) < 900 and len(picture.getcolors(256)) > 10
    assert len(data["image/png"]) < 50_000


@pytest.mark.parametrize("name", ["bars", "pictures", "confusion"])
def test_the_same_figure_is_the_same_bytes(name, figures):
    assert FIGURES[name]()._repr_png_() == figures[name]._repr_png_()


@pytest.mark.parametrize("name", FIGURES)
def test_pyplot_does_not_show_it_a_second_time(name):
    from matplotlib import pyplot

    pyplot.close("all")
    assert isinstance(FIGURES[name](), Figure) and pyplot.get_fignums() == []


def test_a_notebook_shows_the_words_folded_away_below_the_picture(monkeypatch, figures):
    displayed = []
    monkeypatch.setattr(
        "IPython.display.display", lambda data, **options: displayed.append(data)
    )
    figures["bars"]._ipython_display_()
    picture, words = displayed
    assert "image/png" in picture and words["text/html"].startswith("<details")
    assert f"<p>{html.escape(figures['bars'].alt)}</p>" in words["text/html"]


def test_a_figure_in_words_escapes_text_and_marks_the_headings_of_its_table():
    table = {"columns": ["labels", "a < b"], "rows": [["1", "50 ± 3"]]}
    page = in_words("Lines of a < b.", table)
    assert "<p>Lines of a &lt; b.</p>" in page
    assert '<th scope="col">a &lt; b</th>' in page
    assert '<th scope="row">1</th><td>50 ± 3</td>' in page


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("confusion", "8 of true class sound predicted as sound"),
        ("curves", "1: probe 0.5 ± 0.1, scratch 0.2 ± 0"),
        ("learning_curve", "2: probe 60 ± 14; 20: probe 95 ± 7.1"),
        ("training", "2: loss 0.5, val_loss 0.6, val_accuracy 0.75"),
        ("bars", "a: seconds 1; b: seconds 2"),
        ("labelled_points", "a: cost 1, accuracy 2; b: cost 10, accuracy 3"),
        ("trials", "3 trials as points, validation accuracy by C: from 50.0 % to 75.0"),
        ("attention", "[CLS] to a 0.75"),
        ("feature_map", "a: points 3"),
        ("pictures", "5 pictures: a; b; c; d; e."),
        ("predictions", "1 picture: 90% pug 10% collie."),
        ("heat_maps", "Heat maps over 5 pictures: a; b"),
        ("channels", "each of early; late"),
        ("neighbours", "query; a; b"),
        ("right_and_wrong", "RIGHT pug, 99% sure"),
    ],
)
def test_the_words_say_what_is_shown(name, words, figures):
    assert words in figures[name].alt


def test_of_very_many_titles_the_words_hold_the_first():
    figure = show.pictures([COLOUR[0]] * 30, [str(number) for number in range(30)])
    assert figure.alt.endswith("; 23; and 6 more.")


TABLES = {
    "confusion": [("true class", "predicted sound", "predicted defect"), "sound", 8, 2],
    "feature_map": [("class", "points"), "a", 3],
    "curves": [("labels", "probe", "scratch"), "1", "0.5 ± 0.1", "0.2 ± 0"],
    "learning_curve": [("Labels in all", "probe"), "2", "60 ± 14"],
    "training": [("epoch", "loss", "val_loss", "val_accuracy"), 1, 1, 1.2, 0.7],
    "attention": [("token", "to [CLS]", "to a"), "[CLS]", 0.25, 0.75],
    "bars": [("bar", "seconds"), "a", 1],
    "labelled_points": [("point", "cost", "accuracy"), "a", 1, 2],
    "trials": [("trial", "C", "validation accuracy (%)"), 1, 0.001, 50],
}


@pytest.mark.parametrize("name", TABLES)
def test_a_notebook_keeps_the_numbers_of_a_chart(name, figures):
    table = figures[name].table
    (columns, *first), row = TABLES[name], table.rows[0]
    assert tuple(table.columns)[: len(columns)] == columns
    assert list(row[: len(first)]) == first
    stored = figures[name]._repr_mimebundle_()[1]["image/png"]["table"]
    assert [stored["columns"], *stored["rows"]] == table.texts()


def test_grids_of_pictures_have_no_table(figures):
    assert {name for name in figures if figures[name].table is None} == set(
        figures
    ) - set(TABLES)


# Pictures


@pytest.mark.parametrize("kind", [np.uint8, np.float32, np.float64, np.int64])
def test_pictures_of_any_type_are_drawn_with_the_pixels_that_they_have(kind):
    np.testing.assert_array_equal(shown(show.pictures(COLOUR.astype(kind))), COLOUR)


@pytest.mark.parametrize("shape", [(5, 8, 9), (5, 8, 9, 1)])
def test_grey_pictures_are_grey(shape):
    grey = COLOUR[..., 0].reshape(shape)
    expected = np.repeat(COLOUR[..., :1], 3, axis=-1)
    np.testing.assert_array_equal(shown(show.pictures(grey)), expected)


@pytest.mark.parametrize("size", [(1, 1, 3), (1, 7, 3), (7, 1, 3), (1, 7), (7, 1)])
def test_a_picture_one_pixel_high_or_wide_is_drawn(size):
    (picture,) = shown(show.pictures([np.full(size, 9, np.uint8)]))
    assert picture.shape == (*size[:2], 3)


def test_files_and_pillow_images_are_drawn(tmp_path):
    Image.fromarray(COLOUR[0]).save(tmp_path / "0.png")
    for images in (Pictures([tmp_path / "0.png"]), [Image.fromarray(COLOUR[0])]):
        np.testing.assert_array_equal(shown(show.pictures(images)), COLOUR[:1])


@pytest.mark.parametrize(("columns", "expected"), [(2, 2), (5, 5), (9, 5)])
def test_there_are_no_more_columns_than_pictures(columns, expected):
    figure = show.pictures(COLOUR, columns=columns)
    assert figure.axes[0].get_gridspec().ncols == expected


def test_none_leaves_a_cell_empty():
    figure = show.pictures([COLOUR[0], None, COLOUR[1]], list("abc"))
    assert [bool(axes.images) for axes in figure.axes[:3]] == [True, False, True]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # The second of one class comes after the first of each.
        ({"count": 2}, [1, 3, 5, 4]),
        ({"count": 3}, [1, 0, 3, 5, 6, 4]),
        ({}, [1, 0, 2, 3, 5, 6, 4, None]),
        # Fewer right than wrong: the second row begins with the wrong ones.
        ({"labels": [1 - label for label in TRUE]}, [4, 5, 6, None, 3, 1, 0, 2]),
        ({"labels": PROBABILITIES.argmax(axis=1), "count": 4}, [1, 0, 5, 3]),
        ({"labels": PROBABILITIES.argmin(axis=1), "count": 4}, [5, 3, 1, 0]),
    ],
)
def test_right_and_wrong_shows_the_most_confident_of_each_class(options, expected):
    figure = right_and_wrong(**options)
    rows = [
        int(axes.images[0].get_array()[0, 0, 0]) // 4 if axes.images else None
        for axes in figure.axes
    ]
    assert rows == expected


def test_right_and_wrong_says_class_answer_and_confidence():
    assert titles(right_and_wrong(count=2)) == [
        "RIGHT\npug, 99% sure",
        "RIGHT\ncollie, 75% sure",
        "WRONG: is pug\ncollie, 90% sure",
        "WRONG: is collie\npug, 60% sure",
    ]


def test_the_query_stands_left_of_its_neighbours(figures):
    assert titles(figures["neighbours"]) == ["query", "a", "b", "c", "d"]
    np.testing.assert_array_equal(shown(figures["neighbours"]), COLOUR)


def test_each_layer_is_a_row_of_its_channels_that_vary_most(figures):
    best = np.argsort(-ACTIVATIONS[0].std(axis=(0, 1)))
    pictures = shown(figures["channels"])
    assert len(pictures) == 2 * 5  # as many as the narrowest layer has
    np.testing.assert_array_equal(pictures[0], ACTIVATIONS[0][..., best[0]])
    assert figures["channels"].axes[5].get_ylabel() == "late"


def test_a_heat_map_lies_over_its_picture_and_is_transparent_where_it_is_low(figures):
    below, above = figures["heat_maps"].axes[0].images
    np.testing.assert_array_equal(above.get_array(), HEAT[0].astype(np.float32))
    np.testing.assert_allclose(above.get_alpha(), 0.6 * HEAT[0], rtol=1e-6)
    assert above.get_extent() == below.get_extent()


# Charts


def test_a_confusion_has_counts_shades_and_names(figures):
    (axes,) = figures["confusion"].axes
    assert [text.get_text() for text in axes.texts] == ["8", "2", "1", "4"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0.2, 0.8]])
    assert tick_labels(axes.get_yticklabels()) == ["sound", "defect"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")
    assert "80.0%" in axes.get_title()


def test_a_large_confusion_has_no_counts_too_small_to_read_and_takes_empty_classes():
    names = [str(number) for number in range(31)]
    (axes,) = show.confusion(ConfusionMatrix.of([0], [0], names), "Mine").axes
    assert not axes.texts and axes.get_title() == "Mine"
    assert np.asarray(axes.images[0].get_array())[1:].max() == 0


def test_each_class_has_its_points_and_its_name_in_the_legend():
    figure = show.feature_map(POINTS, [0, 1] * 3, ["a", "_b", "none"])
    (axes,) = figure.axes
    np.testing.assert_array_equal(axes.collections[0].get_offsets(), POINTS[::2])
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["a", "_b", "none"]


def test_no_two_of_many_classes_have_the_same_colour_and_marker():
    names = [str(number) for number in range(40)]
    axes = show.feature_map(np.zeros((40, 2)), range(40), names).axes[0]
    styles = [
        (points.get_facecolor()[0].tobytes(), points.get_paths()[0].vertices.tobytes())
        for points in axes.collections
    ]
    assert len(set(styles)) == 40 and len({marker for _, marker in styles[:8]}) == 8


def test_curves_go_through_their_means_with_bands_that_end_at_the_highest(figures):
    (axes,) = figures["curves"].axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), MEANS["probe"])
    band = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(0.2) and band.max() == pytest.approx(0.8)
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() <= 0.85
    assert axes.get_xscale() == "log" and tick_labels(axes.get_xticklabels())[1] == "10"
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["probe", "scratch"]


def test_lines_differ_in_marker_and_dash_as_well_as_in_colour(figures):
    lines = figures["curves"].axes[0].lines
    for style in ("linestyle", "marker", "color"):
        assert len({getattr(line, f"get_{style}")() for line in lines}) == len(lines)


def test_one_curve_on_an_even_axis_has_no_legend():
    flat = {"a": [0.1, 0.2]}
    figure = show.curves([0, 5], flat, flat, "x", "y", "t", logarithmic=False)
    (axes,) = figure.axes
    assert axes.get_xscale() == "linear" and axes.get_legend() is None


def test_training_shows_validation_and_what_was_reached_before(figures):
    loss, accuracy = figures["training"].axes
    assert [line.get_label() for line in loss.lines] == ["training", "validation"]
    assert accuracy.lines[0].get_ydata().tolist() == [70, 75]
    assert set(accuracy.lines[1].get_ydata()) == {65}
    assert loss.get_xlim() == (0.5, 5.5)


def test_training_without_validation_shows_the_loss_alone():
    figure = show.training({"loss": [1.0]})
    assert len(figure.axes) == 1 and len(figure.axes[0].lines) == 1


def test_bars_are_as_long_as_their_values_and_named_from_top_to_bottom():
    figure = show.bars(["a", "b"], [80.0, 60.0], "accuracy", "Ways", [1.5, 2])
    (axes,) = figure.axes
    assert [bar.get_width() for bar in axes.patches] == [80, 60]
    assert [text.get_text() for text in axes.texts] == ["80.0 ± 1.5", "60.0 ± 2.0"]
    assert tick_labels(axes.get_yticklabels()) == ["a", "b"] and axes.yaxis_inverted()
    assert figure.table.rows[0] == ("a", "80.0 ± 1.5")


def test_points_bear_their_names(figures):
    (axes,) = figures["labelled_points"].axes
    assert [(note.get_text(), *note.xy) for note in axes.texts][1] == ("b", 10, 3)
    assert axes.get_xscale() == "log"


def test_the_halves_of_a_search_differ_and_the_default_is_a_line(figures):
    (axes,) = figures["trials"].axes
    assert [len(points.get_offsets()) for points in axes.collections] == [2, 1]
    assert axes.lines[0].get_ydata()[0] == 60


# What is refused


@pytest.mark.parametrize(
    ("draw", "word"),
    [
        (lambda: show.pictures([]), "nothing to show"),
        (lambda: show.pictures(COLOUR, ["a"]), "Lengths differ"),
        (lambda: show.pictures(COLOUR[0]), "is one picture"),
        (lambda: show.pictures(COLOUR[0, ..., 0]), "is one picture"),
        (lambda: show.pictures(COLOUR, columns=0), "columns is 0"),
        (lambda: show.pictures(["dog.png"]), "array of shape"),
        (lambda: show.pictures([np.zeros(9)]), "array of shape"),
        (lambda: show.pictures([np.full((2, 2), np.nan)]), "NaN"),
        (lambda: show.pictures(COLOUR / 255), "scaled"),
        (lambda: show.predictions(COLOUR, [[("a", 1)]]), "Lengths differ"),
        (lambda: show.neighbours(COLOUR[0], "q", COLOUR, ["a"]), "Lengths differ"),
        (lambda: right_and_wrong(labels=[0]), "Lengths differ"),
        (lambda: right_and_wrong(labels=[2] * 7), "position in class_names"),
        (lambda: right_and_wrong(labels=[0.5] * 7), "position in class_names"),
        (
            lambda: show.right_and_wrong(SEVEN, TRUE, PROBABILITIES, ["pug"] * 3),
            "class",
        ),
        (lambda: show.right_and_wrong(SEVEN, TRUE, PUG, ["a", "b"]), "a column"),
        (lambda: show.channels(ACTIVATIONS, ["a"]), "Lengths differ"),
        (lambda: show.channels([np.zeros((4, 4))], ["a"]), r"\(h, w, channels\)"),
        (lambda: show.heat_maps(COLOUR, HEAT[:1]), "Lengths differ"),
        (lambda: show.heat_maps(COLOUR[:1], 2 + HEAT[:1]), r"in \[0, 1\]"),
        (lambda: show.feature_map(POINTS, [0], ["a"]), "Lengths differ"),
        (lambda: show.feature_map(POINTS[:, :1], [0] * 6, ["a"]), r"\(n, 2\)"),
        (lambda: show.feature_map(POINTS, [-1] * 6, ["a"]), "position in class_names"),
        (lambda: show.curves([1], {}, {}, "", "", ""), "no lines"),
        (lambda: show.curves([1], {"a": [1]}, {}, "", "", ""), "deviations of a 0"),
        (lambda: show.training({}), "no epochs"),
        (lambda: show.training({"loss": [1], "val_loss": []}), "Lengths differ"),
        (lambda: show.attention(["a"], [[1, 2]]), "one row and one column"),
        (lambda: show.bars(["a"], [], "", ""), "Lengths differ"),
        (lambda: show.bars([], [], "", ""), "nothing to show"),
        (lambda: show.bars(["a"], [1], "", "", [1, 2]), "deviations 2"),
        (lambda: show.labelled_points(["a"], [1], [], "", "", ""), "Lengths differ"),
        (lambda: show.trials([1], [], 0, "", ""), "Lengths differ"),
    ],
)
def test_what_cannot_be_shown_is_refused(draw, word):
    with pytest.raises(UserInputError, match=word):
        draw()
