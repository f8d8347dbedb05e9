"""A figure shows what was passed, no more and no less; it is shown once, and the same figure is the same picture."""

import html
import io
import subprocess
import sys

import matplotlib.colors
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

COLOUR = np.random.default_rng(0).integers(0, 256, (5, 8, 9, 3), dtype=np.uint8)
POINTS = np.random.default_rng(0).normal(size=(6, 2))
MATRIX = ConfusionMatrix(np.array([[8, 2], [1, 4]]), ["sound", "defect"])
ACTIVATIONS = [
    np.random.default_rng(0).normal(size=(4, 4, 9)),
    np.random.default_rng(1).normal(size=(2, 2, 5)),
]
HEAT = np.random.default_rng(2).random((5, 8, 9))
CURVE = LearningCurve(
    "cells",
    [0, 1],
    {"probe": [Point(1, 2, [0.5, 0.7], [1, 1]), Point(10, 20, [0.9, 1.0], [1, 1])]},
)
LINES = {"probe": [0.5, 0.7, 0.8], "scratch": [0.2, 0.3, 0.6]}
SPREADS = {"probe": [0.1, 0.05, 0.01], "scratch": [0.0, 0.1, 0.2]}


def drawn(sheet):
    """The pictures in a figure, in the order of their places."""
    return [
        np.asarray(axes.images[0].get_array()) for axes in sheet.axes if axes.images
    ]


def titles(sheet):
    return [axes.get_title() for axes in sheet.axes]


def numbers(ticks):
    return [tick.get_text() for tick in ticks]


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(UserInputError) as caught:
        action(*arguments, **options)
    return str(caught.value)


def same_pictures(sheet, expected):
    found = drawn(sheet)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


# Every function: one figure, the same picture each time


EPOCHS = [
    {
        "epoch": number,
        "loss": 1 / number,
        "validation_loss": 1.2 / number,
        "validation_accuracy": 0.7 + number / 20,
    }
    for number in (1, 2, 3)
]
EVERY_FUNCTION = {
    "pictures": lambda: show.pictures(COLOUR, list("abcde")),
    "predictions": lambda: show.predictions(
        COLOUR[:1], [[("pug", 0.9), ("collie", 0.1)]]
    ),
    "confusion": lambda: show.confusion(MATRIX),
    "right_and_wrong": lambda: right_and_wrong(count=3),
    "neighbours": lambda: show.neighbours(COLOUR[0], "asked", COLOUR[1:], list("abcd")),
    "feature_map": lambda: show.feature_map(POINTS, [0, 1] * 3, ["a", "b"]),
    "curves": lambda: show.curves(
        [1, 10, 100], LINES, SPREADS, "labels", "accuracy", "Learning"
    ),
    "learning_curve": lambda: show.learning_curve(CURVE, "Few labels"),
    "heat_maps": lambda: show.heat_maps(COLOUR, HEAT, list("abcde")),
    "training": lambda: show.training(EPOCHS, 5),
    "attention": lambda: show.attention(
        ["[CLS]", "a", "[SEP]"], np.full((3, 3), 1 / 3)
    ),
    "bars": lambda: show.bars(["a", "b"], [1, 2], "seconds", "Cost"),
    "channels": lambda: show.channels(ACTIVATIONS, ["early", "late"]),
    "labelled_points": lambda: show.labelled_points(
        ["a", "b"], [1, 10], [2, 3], "cost", "accuracy", "Networks"
    ),
    "trials": lambda: show.trials(
        [1e-3, 1e-1, 1e-2], [0.5, 0.75, 0.625], 0.6, "strength", "A search"
    ),
}


@pytest.fixture(params=EVERY_FUNCTION, scope="module")
def function(request):
    return EVERY_FUNCTION[request.param]


@pytest.fixture(scope="module")
def png(function):
    """The bytes that a notebook stores of a function's figure."""
    return function()._repr_png_()


def test_every_function_for_learners_is_tested_here():
    assert set(show.__all__) == set(EVERY_FUNCTION)


def test_a_notebook_shows_a_figure_as_a_picture_of_sane_size(png):
    with Image.open(io.BytesIO(png)) as picture:
        assert (
            picture.format == "PNG"
            and 60 < picture.width < 900
            and 60 < picture.height < 900
        )


def test_the_stored_picture_is_not_blank(png):
    with Image.open(io.BytesIO(png)) as picture:
        assert len(picture.convert("RGB").getcolors(maxcolors=1_000_000)) > 10


def test_the_stored_picture_is_a_small_file(png):
    assert len(png) < 50_000


def test_a_figure_drawn_twice_gives_the_same_bytes(function, png):
    assert function()._repr_png_() == png


def test_a_notebook_keeps_what_is_seen_in_words_beside_the_picture(function, png):
    data, metadata = function()._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert (
        data["image/png"] == png
        and 20 <= len(alt) <= 1500
        and alt.endswith(".")
        and "\n" not in alt
    )


def test_a_notebook_shows_the_words_folded_away_below_the_picture(
    function, monkeypatch
):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display",
        lambda data, metadata=None, raw=False: shown.append(data),
    )
    sheet = function()
    sheet._ipython_display_()
    picture, words = shown
    assert "image/png" in picture
    assert (
        words["text/html"].startswith("<details")
        and f"<p>{html.escape(sheet.alt)}</p>" in words["text/html"]
    )


def test_a_figure_in_words_has_its_numbers_as_a_table_whose_headings_are_marked():
    found = in_words(
        "Lines of a < b.",
        {"columns": ["labels", "a < b"], "rows": [["1", "50 ± 3"], ["10", "80 ± 2"]]},
    )
    assert "<p>Lines of a &lt; b.</p>" in found
    assert (
        '<th scope="col">a &lt; b</th>' in found
        and '<th scope="row">10</th><td>80 ± 2</td>' in found
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("confusion", "8 of true class sound predicted as sound"),
        ("curves", "probe: 0.5 ± 0.1 at 1, 0.7 ± 0.05 at 10"),
        ("learning_curve", "probe: 60 ± 14 at 2, 95 ± 7.1 at 20"),
        ("training", "Epochs 1 to 3: loss from 1 to 0.333; held-out loss"),
        ("bars", "Bars, seconds: a 1; b 2"),
        ("labelled_points", "a: 1, 2; b: 10, 3"),
        (
            "trials",
            "3 trials as points, validation accuracy by strength: from 50.0 % to 75.0 %, the best at 0.1; the",
        ),
        ("feature_map", "a: 3 points around"),
        ("pictures", "5 pictures: a; b; c; d; e."),
        ("predictions", "1 picture: 90% pug 10% collie."),
        ("heat_maps", "Heat maps over 5 pictures: a; b"),
        ("channels", "channels of each of early; late"),
    ],
)
def test_the_words_hold_what_was_drawn(name, words):
    assert words in EVERY_FUNCTION[name]().alt


def test_of_very_many_titles_the_words_hold_the_first():
    sheet = show.pictures([COLOUR[0]] * 30, [str(number) for number in range(30)])
    assert sheet.alt.endswith("; 23; and 6 more.")


def test_drawing_does_not_import_pyplot_which_would_show_each_figure_twice():
    program = (
        "import sys; from tlcourse import plots; plots.bars(['a'], [1], 'x', 't')._repr_png_();"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0


def test_pyplot_knows_of_no_figure(function):
    from matplotlib import pyplot

    pyplot.close("all")
    assert isinstance(function(), Figure) and pyplot.get_fignums() == []


def test_a_figure_can_be_saved_as_a_file(tmp_path):
    show.bars(["a"], [1], "x", "t").savefig(tmp_path / "bars.pdf")
    assert (tmp_path / "bars.pdf").read_bytes()[:4] == b"%PDF"


# pictures


def test_an_array_of_colour_pictures_is_drawn_as_it_is():
    same_pictures(show.pictures(COLOUR), COLOUR)


@pytest.mark.parametrize(
    "grey", [COLOUR[..., 0], COLOUR[..., :1]], ids=["(n, h, w)", "(n, h, w, 1)"]
)
def test_grey_pictures_are_drawn_without_a_channel(grey):
    same_pictures(show.pictures(grey), COLOUR[..., 0])


def test_grey_pictures_are_black_at_0_and_white_at_255_whatever_they_hold():
    image = show.pictures([np.full((4, 4), 100, np.uint8)]).axes[0].images[0]
    assert image.get_clim() == (0, 255) and image.get_cmap().name == "gray"


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int64])
def test_pixels_from_0_to_255_of_any_type_are_drawn_as_they_are(kind):
    same_pictures(show.pictures(COLOUR.astype(kind)), COLOUR)


def test_fractions_are_rounded_and_what_lies_outside_becomes_black_or_white():
    assert drawn(show.pictures([np.array([[-3.0, 0.6, 254.7, 300.0]])]))[
        0
    ].tolist() == [[0, 1, 255, 255]]


def test_a_list_of_pictures_of_different_sizes_is_drawn():
    several = [COLOUR[0], COLOUR[1][:3], COLOUR[2][..., 0]]
    same_pictures(show.pictures(several), several)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (7, 1), (1, 1, 3)])
def test_a_picture_one_pixel_high_or_wide_is_drawn(size):
    assert drawn(show.pictures([np.zeros(size, np.uint8)]))[0].shape == size


def test_picture_files_are_drawn(tmp_path):
    for number, picture in enumerate(COLOUR):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    same_pictures(show.pictures(Pictures(sorted(tmp_path.iterdir()))), COLOUR)


def test_a_picture_file_is_read_once(tmp_path, monkeypatch):
    reads = []
    monkeypatch.setattr(
        "tlcourse.features.pictures.read_picture",
        lambda path, depth: reads.append(path) or COLOUR[0],
    )
    show.pictures(Pictures(["a.png", "b.png"]))
    assert [path.name for path in reads] == ["a.png", "b.png"]


def test_pillow_images_and_tensors_are_drawn():
    import tensorflow as tf

    same_pictures(
        show.pictures([Image.fromarray(COLOUR[0]), tf.constant(COLOUR[1])]), COLOUR[:2]
    )


def test_none_leaves_a_place_empty():
    sheet = show.pictures([COLOUR[0], None, COLOUR[1]], ["first", "", "third"])
    assert [len(axes.images) for axes in sheet.axes] == [1, 0, 1] and titles(sheet) == [
        "first",
        "",
        "third",
    ]


def test_each_picture_has_its_title():
    sheet = show.pictures(COLOUR, list("abcde"), columns=3)
    assert titles(sheet)[:5] == list("abcde")


@pytest.mark.parametrize(
    ("columns", "grid"), [(2, (3, 2)), (5, (1, 5)), (1, (5, 1)), (9, (1, 5))]
)
def test_there_are_as_many_columns_as_asked_for_but_not_more_than_pictures(
    columns, grid
):
    assert (
        show.pictures(COLOUR, columns=columns).axes[0].get_gridspec().get_geometry()
        == grid
    )


def test_the_places_after_the_last_picture_are_blank():
    assert [axes.axison for axes in show.pictures(COLOUR, columns=3).axes] == [
        False
    ] * 6


def test_the_figure_has_its_title():
    assert show.pictures(COLOUR, title="Five").get_suptitle() == "Five"


# predictions


def test_predictions_stand_above_their_picture_the_most_probable_first():
    guesses = [[("pug", 0.9), ("collie", 0.06)], [("beagle", 0.505), ("pug", 0.3)]]
    sheet = show.predictions(COLOUR[:2], guesses)
    assert titles(sheet) == ["90% pug\n6% collie", "50% beagle\n30% pug"]


# confusion


def cells(sheet):
    return {text.get_position()[::-1]: text.get_text() for text in sheet.axes[0].texts}


def test_each_cell_of_the_confusion_holds_its_count_with_true_classes_downwards():
    assert cells(show.confusion(MATRIX)) == {
        (0, 0): "8",
        (0, 1): "2",
        (1, 0): "1",
        (1, 1): "4",
    }


def test_a_cell_is_as_dark_as_its_share_of_the_true_class():
    np.testing.assert_allclose(
        drawn(show.confusion(MATRIX))[0], [[0.8, 0.2], [0.2, 0.8]]
    )


def test_the_confusions_axes_bear_the_class_names():
    axes = show.confusion(MATRIX).axes[0]
    assert (
        numbers(axes.get_xticklabels())
        == numbers(axes.get_yticklabels())
        == ["sound", "defect"]
    )


def test_the_confusions_axes_say_which_is_true_and_which_predicted():
    axes = show.confusion(MATRIX).axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("predicted class", "true class")


@pytest.mark.parametrize(
    ("title", "shown"), [(None, "80.0% right: the diagonal"), ("Cells", "Cells")]
)
def test_the_confusions_title_is_the_accuracy_unless_one_is_given(title, shown):
    assert titles(show.confusion(MATRIX, title)) == [shown]


def test_a_class_without_pictures_leaves_its_row_white():
    sheet = show.confusion(ConfusionMatrix(np.array([[3, 1], [0, 0]]), ["a", "b"]))
    assert drawn(sheet)[0][1].tolist() == [0, 0]


def test_a_large_confusion_has_names_but_no_counts_too_small_to_read():
    sheet = show.confusion(
        ConfusionMatrix(np.eye(31, dtype=int), [str(number) for number in range(31)])
    )
    assert not cells(sheet) and len(sheet.axes[0].get_xticklabels()) == 31


# right_and_wrong


NAMES = ["pug", "collie"]
#         right: pug 99, pug 80, collie 75, pug 70; wrong: collie as pug 60, pug as collie 90, pug as collie 55
TRUTH = [0, 0, 0, 1, 1, 0, 0]
PUG = [0.8, 0.99, 0.7, 0.25, 0.6, 0.1, 0.45]
PROBABILITIES = np.array([[pug, 1 - pug] for pug in PUG])
SEVEN = np.arange(7 * 4, dtype=np.uint8).reshape(7, 2, 2)


def places(sheet):
    """For each place the number of the picture from SEVEN, None where it is empty."""
    return [
        int(axes.images[0].get_array()[0, 0]) // 4 if axes.images else None
        for axes in sheet.axes
    ]


def right_and_wrong(truth=TRUTH, **options):
    return show.right_and_wrong(SEVEN, truth, PROBABILITIES, NAMES, **options)


def test_every_class_has_its_surest_answers_before_any_has_its_second():
    assert places(right_and_wrong(count=2)) == [1, 3, 5, 4]


def test_then_come_the_second_surest_and_each_class_stands_together():
    assert places(right_and_wrong(count=3)) == [1, 0, 3, 5, 6, 4]


def test_the_shorter_row_is_filled_with_empty_places():
    assert places(right_and_wrong()) == [1, 0, 2, 3, 5, 6, 4, None]


def test_where_fewer_are_right_than_wrong_the_wrong_ones_still_begin_the_second_row():
    opposite = [1 - label for label in TRUTH]
    assert places(right_and_wrong(opposite)) == [4, 5, 6, None, 3, 1, 0, 2]


def test_each_picture_says_its_class_the_answer_and_how_sure_it_was():
    assert titles(right_and_wrong(count=2)) == [
        "RIGHT\npug, 99% sure",
        "RIGHT\ncollie, 75% sure",
        "WRONG: is pug\ncollie, 90% sure",
        "WRONG: is collie\npug, 60% sure",
    ]


def test_where_nothing_is_wrong_there_is_one_row_of_right_answers():
    sheet = right_and_wrong(PROBABILITIES.argmax(axis=1), count=4)
    assert len(sheet.axes) == 4 and all(
        title.startswith("RIGHT") for title in titles(sheet)
    )


def test_where_nothing_is_right_the_wrong_answers_are_shown():
    sheet = right_and_wrong(PROBABILITIES.argmin(axis=1), count=4)
    assert [title[:5] for title in titles(sheet) if title] == ["WRONG"] * 4


def test_the_demos_titles_fit_on_a_figure_without_wrong_answers():
    sheet = right_and_wrong(PROBABILITIES.argmax(axis=1), count=5)
    sheet.suptitle("Solar cells")
    sheet.supxlabel("Photographs: …", fontsize=7)
    assert len(sheet._repr_png_()) > 1000


# neighbours


def test_the_picture_asked_for_comes_first_with_its_neighbours_to_its_right():
    sheet = show.neighbours(COLOUR[4], "asked", COLOUR[:3], ["a", "b", "c"])
    same_pictures(sheet, [COLOUR[4], *COLOUR[:3]])
    assert titles(sheet) == ["asked", "a", "b", "c"]


def test_neighbours_stand_in_one_row():
    sheet = show.neighbours(COLOUR[4], "asked", COLOUR[:3], ["a", "b", "c"])
    assert sheet.axes[0].get_gridspec().get_geometry() == (1, 4)


# feature_map


def test_each_class_has_its_own_points():
    labels = np.array([0, 2, 2, 1, 0, 2])
    clouds = show.feature_map(POINTS, labels, ["a", "b", "c"]).axes[0].collections
    assert [cloud.get_label() for cloud in clouds] == ["a", "b", "c"]
    for label, cloud in enumerate(clouds):
        np.testing.assert_array_equal(cloud.get_offsets(), POINTS[labels == label])


def test_the_legend_names_each_class():
    legend = show.feature_map(POINTS, [0, 1] * 3, ["a", "b"]).axes[0].get_legend()
    assert numbers(legend.get_texts()) == ["a", "b"]


def test_a_class_without_points_is_in_the_legend():
    sheet = show.feature_map(POINTS, [0] * 6, ["a", "b"])
    assert numbers(sheet.axes[0].get_legend().get_texts()) == ["a", "b"]


@pytest.mark.parametrize("classes", [2, 8, 9, 40])
def test_no_two_classes_look_alike(classes):
    clouds = (
        show.feature_map(POINTS, [0] * 6, [str(name) for name in range(classes)])
        .axes[0]
        .collections
    )
    looks = {
        (
            matplotlib.colors.to_hex(c.get_facecolor()[0]),
            c.get_paths()[0].vertices.tobytes(),
        )
        for c in clouds
    }
    assert len(looks) == classes


def test_up_to_eight_classes_differ_in_their_marker_too():
    clouds = (
        show.feature_map(POINTS, [0] * 6, [str(name) for name in range(8)])
        .axes[0]
        .collections
    )
    assert len({cloud.get_paths()[0].vertices.tobytes() for cloud in clouds}) == 8


def test_points_labels_and_names_may_be_lists():
    cloud = show.feature_map([[1, 2], [3, 4]], [0, 0], ["a"]).axes[0].collections[0]
    assert cloud.get_offsets().tolist() == [[1, 2], [3, 4]]


# curves


def curves():
    return show.curves([1, 10, 100], LINES, SPREADS, "labels", "accuracy", "Learning")


def test_each_line_goes_through_its_means():
    lines = curves().axes[0].lines
    assert {line.get_label(): line.get_ydata().tolist() for line in lines} == LINES
    assert all(list(line.get_xdata()) == [1, 10, 100] for line in lines)


@pytest.mark.parametrize(("number", "name"), list(enumerate(LINES)))
def test_each_band_reaches_one_standard_deviation_up_and_down(number, name):
    band = curves().axes[0].collections[number].get_paths()[0].vertices
    for x, mean, spread in zip([1, 10, 100], LINES[name], SPREADS[name], strict=True):
        heights = band[band[:, 0] == x, 1]
        np.testing.assert_allclose(
            [heights.min(), heights.max()], [mean - spread, mean + spread]
        )


def test_a_band_has_the_colour_of_its_line():
    axes = curves().axes[0]
    lines = [matplotlib.colors.to_rgb(line.get_color()) for line in axes.lines]
    assert lines == [tuple(band.get_facecolor()[0, :3]) for band in axes.collections]


def test_no_band_goes_beyond_the_highest_value_there_can_be():
    sheet = show.curves(
        [1, 10],
        {"probe": [0.9, 0.99]},
        {"probe": [0.2, 0.1]},
        "labels",
        "accuracy",
        "t",
        highest=1,
    )
    assert sheet.axes[0].collections[0].get_paths()[0].vertices[:, 1].max() == 1


def test_a_learning_curve_is_drawn_in_percent_by_the_number_of_all_labels():
    axes = show.learning_curve(CURVE, "Few labels").axes[0]
    assert list(axes.lines[0].get_xdata()) == [2, 20]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [60, 95])
    assert axes.get_title() == "Few labels" and "%" in axes.get_ylabel()


def test_the_axis_of_curves_is_logarithmic_with_a_tick_where_was_measured():
    axes = curves().axes[0]
    assert axes.get_xscale() == "log" and numbers(axes.get_xticklabels()) == [
        "1",
        "10",
        "100",
    ]


def test_curves_have_their_labels_and_title():
    axes = curves().axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == (
        "labels",
        "accuracy",
        "Learning",
    )


def test_several_curves_have_a_legend():
    assert numbers(curves().axes[0].get_legend().get_texts()) == list(LINES)


def test_a_single_curve_needs_no_legend():
    assert (
        show.curves([1], {"a": [1]}, {"a": [0]}, "x", "y", "t").axes[0].get_legend()
        is None
    )


def test_curves_may_have_an_even_axis():
    axes = show.curves(
        [0, 1, 2], LINES, SPREADS, "depth", "accuracy", "t", logarithmic=False
    ).axes[0]
    assert axes.get_xscale() == "linear" and numbers(axes.get_xticklabels()) == [
        "0",
        "1",
        "2",
    ]


# bars


def test_attention_has_a_row_for_each_token_that_takes_and_says_from_which_it_took_most():
    weights = np.array([[0.1, 0.9], [0.7, 0.3]])
    sheet = show.attention(["good", "film"], weights, "One head")
    image = sheet.axes[0].images[0]
    assert np.array_equal(image.get_array(), weights)
    assert [label.get_text() for label in sheet.axes[0].get_yticklabels()] == [
        "good",
        "film",
    ]
    assert "good from film 0.90" in sheet.alt and "film from good 0.70" in sheet.alt


def test_bars_are_as_long_as_their_values():
    bars = (
        show.bars(["a", "b", "c"], [3, 1234.5, 0.25], "seconds", "Cost").axes[0].patches
    )
    assert [bar.get_width() for bar in bars] == [3, 1234.5, 0.25]


def test_each_bar_bears_its_value():
    axes = show.bars(["a", "b", "c"], [3, 1234.5, 0.25], "seconds", "Cost").axes[0]
    assert numbers(axes.texts) == ["3", "1,234", "0.25"]


def test_bars_are_named_from_top_to_bottom():
    axes = show.bars(["a", "b"], [2, 1], "seconds", "Cost").axes[0]
    assert numbers(axes.get_yticklabels()) == ["a", "b"] and axes.yaxis_inverted()


def test_bars_with_a_spread_show_it_as_a_line_and_in_words():
    sheet = show.bars(["a", "b"], [11.3, -2], "points", "Cost", [3.52, 1])
    (line,) = [
        found for found in sheet.axes[0].collections if len(found.get_segments()) == 2
    ]
    np.testing.assert_allclose(
        [segment[:, 0] for segment in line.get_segments()], [[7.78, 14.82], [-3, -1]]
    )
    assert [text.get_text() for text in sheet.axes[0].texts] == [
        "11.3 ± 3.5",
        "-2.0 ± 1.0",
    ]
    assert sheet.alt == "Cost. Bars, points: a 11.3 ± 3.5; b -2.0 ± 1.0."


def test_bars_have_their_label_and_title():
    axes = show.bars(["a"], [1], "seconds", "Cost").axes[0]
    assert (axes.get_xlabel(), axes.get_title()) == ("seconds", "Cost")


# channels


def test_each_layer_is_a_row_of_its_channels_that_vary_most():
    found = drawn(show.channels(ACTIVATIONS, ["early", "late"], count=3))
    expected = []
    for activation in ACTIVATIONS:
        spread = activation.std(axis=(0, 1)).tolist()
        expected += [
            activation[..., spread.index(value)]
            for value in sorted(spread, reverse=True)[:3]
        ]
    np.testing.assert_equal(found, expected)


def test_each_row_of_channels_bears_its_layers_name():
    axes = show.channels(ACTIVATIONS, ["early", "late"], count=2).axes
    assert [one.get_ylabel() for one in axes] == ["early", "", "late", ""]


def test_a_row_holds_no_more_channels_than_the_narrowest_layer_has():
    assert len(show.channels(ACTIVATIONS, ["early", "late"], count=20).axes) == 2 * 5


# labelled_points


def test_each_point_is_where_it_belongs_and_bears_its_name():
    axes = show.labelled_points(
        ["a", "b"], [1, 10], [2, 3], "cost", "accuracy", "Networks"
    ).axes[0]
    assert axes.collections[0].get_offsets().tolist() == [[1, 2], [10, 3]]
    assert {text.get_text(): text.xy for text in axes.texts} == {
        "a": (1, 2),
        "b": (10, 3),
    }


def test_the_cost_axis_of_labelled_points_is_logarithmic():
    assert (
        show.labelled_points(["a"], [5], [2], "x", "y", "t").axes[0].get_xscale()
        == "log"
    )


def test_labelled_points_have_their_labels_and_title():
    axes = show.labelled_points(["a"], [1], [2], "cost", "accuracy", "Networks").axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title()) == (
        "cost",
        "accuracy",
        "Networks",
    )


# trials


def test_the_halves_of_a_search_are_told_apart_and_the_default_is_a_line():
    axes = show.trials(
        [1e-3, 1e-1, 1e-2], [0.5, 0.75, 0.625], 0.6, "strength", "A search"
    ).axes[0]
    first, second = (points.get_offsets().tolist() for points in axes.collections)
    assert (first, second) == ([[1e-3, 50], [1e-1, 75]], [[1e-2, 62.5]])
    assert axes.lines[0].get_ydata()[0] == 60 and axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.get_legend().texts] == [
        "first half",
        "second half",
        "default",
    ]


# What is refused


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (
            lambda: show.trials([1, 2], [0.5], 0.5, "", ""),
            "Lengths differ: values 2, scores 1",
        ),
        (lambda: show.pictures(COLOUR, ["a"]), "Lengths differ: pictures 5, titles 1"),
        (
            lambda: show.predictions(COLOUR, [[("pug", 1)]]),
            "Lengths differ: pictures 5, guesses 1",
        ),
        (
            lambda: right_and_wrong(TRUTH[:6]),
            "Lengths differ: images 7, labels 6, probabilities 7",
        ),
        (
            lambda: show.neighbours(COLOUR[0], "asked", COLOUR, ["a"]),
            "Lengths differ: pictures 5, titles 1",
        ),
        (
            lambda: show.feature_map(POINTS, [0], ["a"]),
            "Lengths differ: points 6, labels 1",
        ),
        (
            lambda: show.curves([1], {"a": [1, 2]}, {"a": [1]}, "", "", ""),
            "x 1, mean of a 2, spread of a 1",
        ),
        (
            lambda: show.curves([1], {"a": [1]}, {}, "", "", ""),
            "x 1, mean of a 1, spread of a 0",
        ),
        (lambda: show.bars(["a"], [1, 2], "", ""), "Lengths differ: names 1, values 2"),
        (
            lambda: show.bars(["a"], [1], "", "", [1, 2]),
            "Lengths differ: names 1, values 1, spreads 2",
        ),
        (
            lambda: show.attention(["a"], np.ones((6, 12, 1, 1))),
            "choose a layer and a head",
        ),
        (
            lambda: show.channels(ACTIVATIONS, ["early"]),
            "Lengths differ: activations 2, titles 1",
        ),
        (
            lambda: show.labelled_points(["a"], [1, 2], [1], "", "", ""),
            "Lengths differ: names 1, x 2, y 1",
        ),
    ],
)
def test_lengths_that_differ_get_a_sentence(draw, sentence):
    assert sentence in refusal(draw)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: show.pictures([]),
        lambda: show.pictures(Pictures([])),
        lambda: show.predictions([], []),
        lambda: show.right_and_wrong([], [], [], NAMES),
        lambda: show.neighbours(COLOUR[0], "asked", [], []),
        lambda: show.feature_map([], [], ["a"]),
        lambda: show.curves([], {"a": []}, {"a": []}, "", "", ""),
        lambda: show.curves([1], {}, {}, "", "", ""),
        lambda: show.bars([], [], "", ""),
        lambda: show.channels([], []),
        lambda: show.labelled_points([], [], [], "", "", ""),
        lambda: show.trials([], [], 0.5, "", ""),
    ],
)
def test_where_there_is_nothing_to_show_a_sentence_says_so(draw):
    assert " to show" in refusal(draw)


@pytest.mark.parametrize(
    "picture", [COLOUR[0], COLOUR[0, ..., 0]], ids=["colour", "grey"]
)
def test_one_picture_in_place_of_several_gets_the_way_to_show_it(picture):
    assert "is one picture; to show it, put it in a list" in refusal(
        show.pictures, picture
    )


@pytest.mark.parametrize(
    ("picture", "sentence"),
    [
        ("dog.png", "A picture has shape () and type <U7"),
        (np.zeros(9), "A picture has shape (9,) and type float64"),
        (
            np.zeros((4, 4, 2)),
            "expected numbers in [0, 255] in shape (h, w) or (h, w, 3)",
        ),
        (np.array([[1.0, np.nan]]), "A picture holds NaN"),
    ],
)
def test_what_is_no_picture_gets_a_sentence(picture, sentence):
    assert sentence in refusal(show.pictures, [picture])


@pytest.mark.parametrize("columns", [0, -1])
def test_less_than_one_column_gets_a_sentence(columns):
    assert f"columns is {columns}; it must be a whole number from 1" in refusal(
        show.pictures, COLOUR, columns=columns
    )


@pytest.mark.parametrize(
    "labels",
    [["pug"] * 7, [0, 1, 2, 0, 0, 0, 0], [-1] * 7, [[0, 1]] * 7],
    ids=["text", "2", "-1", "one-hot"],
)
def test_labels_that_are_no_places_in_class_names_get_a_sentence(labels):
    assert "a whole number from 0 to 1" in refusal(right_and_wrong, labels)
    assert "a whole number from 0 to 1" in refusal(
        show.feature_map, np.zeros((7, 2)), labels, NAMES
    )


@pytest.mark.parametrize(
    "probabilities",
    [PROBABILITIES[:, 0], np.zeros((7, 3))],
    ids=["one column", "too many"],
)
def test_probabilities_without_a_column_for_each_name_get_a_sentence(probabilities):
    sentence = refusal(show.right_and_wrong, SEVEN, TRUTH, probabilities, NAMES)
    assert "expected a column for each of the 2 class names" in sentence


def test_points_that_are_not_in_two_dimensions_get_a_sentence():
    assert "Points have shape (6, 3)" in refusal(
        show.feature_map, np.zeros((6, 3)), [0] * 6, ["a"]
    )


@pytest.mark.parametrize("activation", [np.zeros((4, 4)), np.zeros((1, 4, 4, 9))])
def test_activations_that_are_not_height_width_channels_get_a_sentence(activation):
    assert "expected (h, w, channels) a layer" in refusal(
        show.channels, [activation], ["early"]
    )


def test_a_picture_scaled_to_fractions_is_refused_as_it_would_be_black():
    assert "scaled to [0, 1]" in refusal(show.pictures, COLOUR / 255)


def test_a_single_picture_does_not_fill_the_page():
    assert show.pictures(COLOUR[:1]).get_size_inches().tolist() == [4, 4]


# training


def lines_of(sheet):
    return [
        {line.get_label(): list(line.get_ydata()) for line in axes.lines}
        for axes in sheet.axes
    ]


def test_a_training_is_drawn_with_losses_and_with_accuracy_in_percent():
    losses, accuracy = lines_of(show.training(EPOCHS))
    assert losses == {
        "learned from": [1, 1 / 2, 1 / 3],
        "held out": [1.2, 0.6, 1.2 / 3],
    }
    assert accuracy == {"held out": pytest.approx([75, 80, 85])}


def test_a_training_without_held_out_pictures_has_its_loss_alone():
    assert lines_of(show.training([{"epoch": 1, "loss": 0.5}])) == [
        {"learned from": [0.5]}
    ]


def test_the_picture_of_a_training_that_goes_on_is_as_wide_as_the_whole_of_it():
    assert show.training(EPOCHS, total=10).axes[0].get_xlim() == (0.5, 10.5)


def test_what_the_probe_had_reached_is_a_level_in_both_panels():
    losses, accuracy = lines_of(
        show.training(
            EPOCHS, probe={"validation_loss": 0.7, "validation_accuracy": 0.6}
        )
    )
    assert (losses["probe, held out"], accuracy["probe, held out"]) == (
        [0.7, 0.7],
        [60, 60],
    )


def test_a_training_without_epochs_is_refused():
    with pytest.raises(UserInputError, match="no epochs to show"):
        show.training([])


# heat_maps


def test_a_heat_map_lies_over_its_picture_in_grey():
    sheet = show.heat_maps(COLOUR[:2], HEAT[:2, ::2, ::3], ["a", "b"])
    for axes, picture, heat in zip(sheet.axes, COLOUR, HEAT, strict=False):
        below, above = axes.images
        np.testing.assert_array_equal(
            below.get_array(), np.asarray(Image.fromarray(picture).convert("L"))
        )
        np.testing.assert_array_equal(
            above.get_array(), heat[::2, ::3].astype(np.float32)
        )
        assert tuple(above.get_extent()) == tuple(below.get_extent())
    assert titles(sheet) == ["a", "b"]


def test_where_a_heat_map_is_low_the_picture_is_left_as_it_is():
    above = show.heat_maps(COLOUR[:1], np.array([[[0.0, 1.0]]])).axes[0].images[1]
    assert above.get_alpha().tolist() == [[0.0, pytest.approx(0.6)]]


@pytest.mark.parametrize(
    "heat", [np.full((1, 2, 2), 1.5), np.full((1, 2, 2), -0.1), np.zeros((1, 2, 2, 3))]
)
def test_what_is_no_heat_map_is_refused(heat):
    assert "as tl.grad_cam gives it" in refusal(show.heat_maps, COLOUR[:1], heat)


# The numbers as a table, and colour never the only signal

CHARTS = {
    "confusion": (
        ["true class", "predicted sound", "predicted defect"],
        ["sound", "8", "2"],
    ),
    "feature_map": (
        ["class", "points", "mean, first direction", "mean, second direction"],
        None,
    ),
    "curves": (["labels", "probe", "scratch"], ["1", "0.5 ± 0.1", "0.2 ± 0"]),
    "learning_curve": (["Labels in all", "probe"], ["2", "60 ± 14"]),
    "training": (
        ["epoch", "loss", "held-out loss", "held-out accuracy"],
        ["1", "1", "1.2", "0.75"],
    ),
    "attention": (
        ["token", "from [CLS]", "from a", "from [SEP]"],
        ["[CLS]", "0.33", "0.33", "0.33"],
    ),
    "bars": (["bar", "seconds"], ["a", "1"]),
    "labelled_points": (["point", "cost", "accuracy"], ["a", "1", "2"]),
    "trials": (["trial", "strength", "validation accuracy (%)"], ["1", "0.001", "50"]),
}


def test_every_chart_has_a_table_and_grids_of_pictures_have_none():
    assert {
        name
        for name, function in EVERY_FUNCTION.items()
        if function().table is not None
    } == set(CHARTS)


@pytest.mark.parametrize("name", CHARTS)
def test_the_table_holds_what_was_drawn(name):
    columns, first = CHARTS[name]
    head, row, *_ = EVERY_FUNCTION[name]().table.texts()
    assert head == columns and (first is None or row == first)


@pytest.mark.parametrize("name", CHARTS)
def test_a_notebook_keeps_the_table_beside_the_picture(name):
    sheet = EVERY_FUNCTION[name]()
    stored = sheet._repr_mimebundle_()[1]["image/png"]["table"]
    assert [stored["columns"], *stored["rows"]] == sheet.table.texts()


def test_a_bar_with_a_spread_has_it_in_the_table():
    sheet = show.bars(["a"], [80.0], "accuracy", "Ways", spreads=[1.5])
    assert sheet.table.rows == [("a", "80.0 ± 1.5")]


def test_lines_differ_in_marker_and_dash_as_well_as_in_colour():
    lines = (
        show.curves(
            [1, 2],
            {name: [0, 1] for name in "abcd"},
            {name: [0, 0] for name in "abcd"},
            "",
            "",
            "",
        )
        .axes[0]
        .lines
    )
    assert (
        len({line.get_linestyle() for line in lines})
        == len({line.get_marker() for line in lines})
        == 4
    )


def test_of_twenty_five_classes_no_two_have_the_same_colour_and_marker_and_colours_do_not_share_one():
    names = [str(number) for number in range(25)]
    axes = show.feature_map(np.zeros((25, 2)), range(25), names).axes[0]
    looks = [
        (points.get_facecolor()[0].tobytes(), points.get_paths()[0].vertices.tobytes())
        for points in axes.collections
    ]
    assert len(set(looks)) == 25 and len({marker for _, marker in looks[:8]}) == 8
