"""Figures: what they show, that they are described in words, and what is refused."""

import html
import io
import itertools

import numpy as np
import pytest
from matplotlib.legend import Legend
from matplotlib.text import Text
from matplotlib.transforms import Bbox
from PIL import Image

from tlcourse import plots as show
from tlcourse.errors import UserInputError
from tlcourse.plots.figure import DPI, LiveFigure
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
    "confusion": lambda: show.confusion(MATRIX),
    "right_and_wrong": lambda: right_and_wrong(count=3),
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
    "bars": lambda: show.bars(["a", "b"], [80, 6], "accuracy", "Ways", [1.5, 2]),
    "channels": lambda: show.channels(ACTIVATIONS, ["early", "late"]),
    "spectrograms": lambda: show.spectrograms(
        [RANDOM.random((40, 32)), RANDOM.random((70, 32))], ["sette", "otto"]
    ),
    "points": lambda: show.points(
        [1, 10], [2, 3], "cost", "accuracy", "Networks", ["a", "b"], level=2.5
    ),
}


WORDS = {
    "confusion": "sound: predicted sound 8, predicted defect 2",
    "curves": "1: probe 0.5 ± 0.1, scratch 0.2 ± 0",
    "learning_curve": "2: probe 60 ± 14; 20: probe 95 ± 7.1",
    "training": "2: loss 0.5, val_loss 0.6, val_accuracy 0.75",
    "bars": "a: accuracy 80.0 ± 1.5; b: accuracy 6.0 ± 2.0",
    "points": "default, 2.5). a: cost 1, accuracy 2; b: cost 10, accuracy 3",
    "attention": "[CLS]: to [CLS] 0.25, to a 0.75",
    "feature_map": "a: points 3",
    "spectrograms": "Log-mel spectrograms. sette: 0.40 s; otto: 0.70 s.",
    "pictures": "5 pictures: a; b; c; d; e.",
    "heat_maps": "each beside its heat map (5 in all): a; b",
    "channels": "each of early; late",
    "right_and_wrong": "RIGHT pug, 99% sure",
}


@pytest.fixture(scope="module")
def figures():
    """Each figure by its function's name, drawn once."""
    return {name: function() for name, function in FIGURES.items()}


def test_only_the_grey_copy_of_a_picture_is_under_its_map():
    sheet = show.heat_maps(COLOUR, HEAT)
    layers = [len(axes.images) for axes in sheet.axes[: 2 * len(COLOUR)]]
    assert layers == [1, 2] * len(COLOUR)
    grey = sheet.axes[1].images[0].get_array()
    assert np.ptp(np.asarray(grey, int), axis=-1).max() == 0


def test_points_have_error_bars_and_both_axes_show_their_zero():
    costs, gains, errors = [20, 65], [2.0, 1.0], [0.5, 0.7]
    plain = {"logarithmic": False, "deviations": errors}
    sheet = show.points(costs, gains, "ms", "gain", "Cost", ["a", "b"], **plain)
    (axes,) = sheet.axes
    assert axes.get_xlim()[0] == 0 and axes.get_ylim()[0] <= 0
    (bars,) = axes.containers[0].lines[2]
    lowest = [segment[:, 1].min() for segment in bars.get_segments()]
    assert lowest == [1.5, pytest.approx(0.3)]
    assert "a: ms 20, gain 2 ± 0.5; b: ms 65, gain 1 ± 0.7" in sheet.alt


def texts_of(artists):
    return [artist.get_text() for artist in artists]


# Every figure


@pytest.mark.parametrize("name", show.__all__)
def test_a_notebook_stores_a_small_png_with_its_description(name, figures):
    data, metadata = figures[name]._repr_mimebundle_()
    alt = metadata["image/png"]["alt"]
    assert WORDS[name] in alt
    assert 20 <= len(alt) <= 1500 and alt.endswith(".") and "\n" not in alt
    with Image.open(io.BytesIO(data["image/png"])) as picture:
        assert picture.format == "PNG" and len(picture.getcolors(256)) > 10
        shown = [metadata["image/png"][side] for side in ("width", "height")]
        assert 60 < min(shown) and max(shown) < 1000
        assert picture.size == pytest.approx([2 * pixels for pixels in shown], abs=1)
    assert len(data["image/png"]) < 50_000


def test_a_notebook_shows_the_words_folded_away_below_the_picture(monkeypatch, figures):
    displayed = []
    show_it = lambda data, **_: displayed.append(data)  # noqa: E731
    monkeypatch.setattr("IPython.display.display", show_it)
    figures["bars"]._ipython_display_()
    picture, words = displayed
    assert "image/png" in picture and words["text/html"].startswith("<details")
    assert f"<p>{html.escape(figures['bars'].alt)}</p>" in words["text/html"]


def test_a_live_figure_takes_the_place_of_the_one_before_it(monkeypatch, figures):
    shown = []

    class Handle:
        def __init__(self, data):
            self.place = len(shown)
            shown.append(data)

        def update(self, data, **_):
            shown[self.place] = data

    show_it = lambda data, **_: Handle(data)  # noqa: E731
    monkeypatch.setattr("IPython.display.display", show_it)
    live = LiveFigure()
    for name in ("points", "training", "bars"):
        live.show(figures[name])
    picture, words = shown
    assert picture == figures["bars"]._repr_mimebundle_()[0]
    assert html.escape(figures["bars"].alt) in words["text/html"]


# What a reader can read: with the longest names that the lessons have

COLUMN = 934  # pixels, of a cell's output in a window of 1366
KINDS = ["bird", "flower", "fruit", "mammal", "vegetable", "vehicle"]
WAYS = [
    "StandardScaler, LogisticRegression",
    "LinearProbe, the same C",
    "LinearProbe, C cross-validated",
]
COSTS = [20, 21.5, 45, 65, 67]
MANY = np.zeros((60, 4, 4), np.uint8)
CROWDED = {
    "thirty photographs": lambda: show.pictures(MANY[:30], KINDS * 5, columns=10),
    "fifteen in a row": lambda: show.pictures(MANY, KINDS[:4] * 15, columns=15),
    "a long title": lambda: show.pictures(MANY[:4], title="Four pictures " * 12),
    "six channels": lambda: show.pictures(MANY[:18], ["channel 42: 38.5"] * 18),
    "kinds of mistakes": lambda: show.right_and_wrong(
        MANY[:12],
        [0, 1] * 6,
        np.tile([0.99, 0.01], (12, 1)),
        ["functional", "defective"],
    ),
    "maps": lambda: show.heat_maps(
        MANY[:6], np.zeros((6, 4, 4)), ["is defective, answered functional"] * 6
    ),
    "labels": lambda: show.curves(
        [1, 2, 3, 5],
        {way: [0.8, 0.8, 0.8, 0.8 - 0.1 * row] for row, way in enumerate(WAYS)},
        {way: [0.1] * 4 for way in WAYS},
        "labelled pictures of each kind",
        "accuracy on the test set",
        "Stamps: few labels, five random splits",
    ),
    "mistakes": lambda: show.bars(
        ["learning rate 100 times too high", "wrong preprocessing"],
        [83.6, 2.7],
        "accuracy lost, in percentage points",
        "Six mistakes that lose accuracy",
        [2.4, 3.9],
    ),
    "words": lambda: show.bars(["thin,", "save"], [-0.3504, 0.2621], "adds", "Words"),
    "networks": lambda: show.points(
        COSTS,
        [0, 1.1, -0.9, 0.9, 1.3],
        "milliseconds per picture",
        "gain over lite0 (points)",
        "Solar cells: gain and cost, five splits",
        [
            "lite0",
            "lite0, four blocks",
            "lite2",
            "averaged",
            "averaged, with four blocks",
        ],
        deviations=[0, 1.05, 1.3, 0.7, 0.8],
        logarithmic=False,
    ),
    "training": lambda: show.training(
        {"loss": [1, 0.5], "accuracy": [0.5, 1], "val_accuracy": [0.6, 0.9]},
        "A large head on few solar cells (lowest validation loss: epoch 5)",
        baseline={"val_loss": 0.7, "val_accuracy": 0.6},
    ),
    "kinds": lambda: show.confusion(ConfusionMatrix(np.eye(6, dtype=int), KINDS)),
    "clusters": lambda: show.feature_map(
        RANDOM.normal(size=(99, 2)), [0, 1, 2] * 33, WAYS
    ),
}


@pytest.fixture(params=[*FIGURES, *CROWDED])
def drawn(request, monkeypatch):
    """A figure, and the texts that it draws with their places in pixels."""
    sheet = (FIGURES | CROWDED)[request.param]()
    texts, draw = set(), Text.draw

    def noted(text, *arguments, **options):
        if text.get_visible() and text.get_text().strip():
            texts.add(text)
        draw(text, *arguments, **options)

    monkeypatch.setattr(Text, "draw", noted)
    sheet.draw_without_rendering()
    return sheet, {text: text.get_window_extent() for text in texts}


def test_the_smallest_letters_have_eleven_pixels_in_a_common_window(drawn):
    sheet, texts = drawn
    shrunk = min(1, COLUMN / (sheet.get_figwidth() * DPI))
    assert min(text.get_fontsize() / 72 * DPI * shrunk for text in texts) >= 11


def test_no_text_lies_over_another_or_across_a_frame(drawn):
    sheet, texts = drawn
    for (one, box), (other, second) in itertools.combinations(texts.items(), 2):
        assert not box.padded(-1).overlaps(second.padded(-1)), (one, other)
    for axes in sheet.axes:
        frame = axes.get_window_extent()
        for text, box in texts.items():
            inside = frame.containsx(box.x0 + 1) and frame.containsx(box.x1 - 1)
            inside &= frame.containsy(box.y0 + 1) and frame.containsy(box.y1 - 1)
            assert inside or not box.padded(-1).overlaps(frame), (text, axes)


@pytest.mark.parametrize("name", ["curves", "feature_map", "labels", "training"])
def test_a_legend_hides_nothing(name):
    sheet = (FIGURES | CROWDED)[name]()
    sheet.draw_without_rendering()
    (legend,) = sheet.findobj(Legend)
    for axes in sheet.axes:
        assert (
            not legend.get_window_extent().padded(-1).overlaps(axes.get_window_extent())
        )


def test_a_name_stands_on_no_other_point_and_no_error_bar():
    sheet = CROWDED["networks"]()
    sheet.draw_without_rendering()
    (axes,) = sheet.axes
    (bars,) = axes.containers[0].lines[2]
    for row, (text, cost) in enumerate(zip(axes.texts, COSTS, strict=True)):
        box = text.get_window_extent()
        for column, segment in enumerate(bars.get_segments()):
            drawn = Bbox(axes.transData.transform(segment)).padded(1)
            assert row == column or not box.overlaps(drawn), (text, cost)


# Pictures


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # The second of one class comes after the first of each.
        ({"count": 2}, [1, 3, 5, 4]),
        ({"count": 3}, [1, 0, 3, 5, 6, 4]),
        ({}, [1, 0, 2, 3, 5, 6, 4, None]),
        # Fewer right than wrong: the second row begins with the wrong ones.
        ({"labels": [1 - label for label in TRUE]}, [4, 5, 6, None, 3, 1, 0, 2]),
    ],
)
def test_right_and_wrong_shows_the_most_confident_of_each_class(options, expected):
    figure = right_and_wrong(**options)
    rows = [
        int(axes.images[0].get_array()[0, 0, 0]) // 4 if axes.images else None
        for axes in figure.axes
    ]
    assert rows == expected


# Charts


def test_a_confusion_has_counts_shades_and_names(figures):
    (axes,) = figures["confusion"].axes
    assert texts_of(axes.texts) == ["8", "2", "1", "4"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0.2, 0.8]])
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("true class", "predicted class")


def test_curves_go_through_their_means_with_bands_that_end_at_the_highest(figures):
    (axes,) = figures["curves"].axes
    np.testing.assert_array_equal(axes.lines[0].get_ydata(), MEANS["probe"])
    band = axes.collections[1].get_paths()[0].vertices[:, 1]
    assert band.min() == pytest.approx(0.2) and band.max() == pytest.approx(0.8)
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() <= 0.85
    assert texts_of(axes.get_legend().get_texts()) == ["probe", "scratch"]


# What is refused


@pytest.mark.parametrize(
    ("draw", "word"),
    [
        (lambda: show.pictures([]), "nothing to show"),
        (lambda: show.pictures(COLOUR, ["a"]), "Lengths differ"),
        (lambda: show.pictures(COLOUR[0]), "is one picture"),
        (lambda: right_and_wrong(labels=[2] * 7), "whole numbers from 0 to 1"),
        (lambda: show.channels([np.zeros((4, 4))], ["a"]), r"\(h, w, channels\)"),
        (lambda: show.heat_maps(COLOUR[:1], 2 + HEAT[:1]), r"in \[0, 1\]"),
        (lambda: show.feature_map(POINTS[:, :1], [0] * 6, ["a"]), r"\(n, 2\)"),
        (lambda: show.spectrograms([np.zeros((5, 3))], ["a"]), r"\(frames, 32\)"),
        (lambda: show.spectrograms([[["a"] * 32]], ["a"]), "numbers"),
        (lambda: show.training({}), "nothing to show"),
        (lambda: show.attention(["a"], [[1, 2]]), "one row and one column"),
        (lambda: show.bars(["a"], [1], "", "", [1, 2]), "deviations 2"),
    ],
)
def test_what_cannot_be_shown_is_refused(draw, word):
    with pytest.raises(UserInputError, match=word):
        draw()
