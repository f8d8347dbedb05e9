"""Try your own: what is said of one picture, and that nothing of it is kept."""

import datetime
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import tlcourse as tl
from tlcourse.datasets.core import Split
from tlcourse.errors import PictureError, UserInputError
from tlcourse.widgets import try_picture, try_your_own
from tlcourse.widgets.files import content_of, forget
from tlcourse.widgets.uploads import over

NAMES = ["striped", "plain"]


def striped(shade, size=64):
    """A picture with stripes in its left half."""
    picture = np.full((size, size, 3), shade, np.uint8)
    picture[::8, : size // 2] = 255 - shade
    return picture


def plain(shade, size=64):
    return np.full((size, size, 3), shade, np.uint8)


@pytest.fixture(scope="module")
def given(bundled_model):
    """Everything `try_your_own` is given."""
    shades = (20, 60, 90, 200)
    pictures = np.stack([make(shade) for make in (striped, plain) for shade in shades])
    train = Split(pictures, np.repeat([0, 1], len(shades)), NAMES)
    features = bundled_model.extract_features(train.images, cache=False)
    return (
        bundled_model,
        tl.train_classifier(features, train.labels, NAMES),
        train,
        features,
    )


@pytest.fixture
def widget(given):
    widget = try_your_own(*given)
    widget.box  # noqa: B018 - makes button and list
    return widget


def file(picture, kind="png", **options):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, kind, **options)
    return content.getvalue()


def upload(widget, content, name="mine.png"):
    widget.upload.value = (
        {
            "name": name,
            "type": "image/png",
            "size": len(content),
            "last_modified": datetime.datetime(2026, 1, 1),
            "content": memoryview(content),
        },
    )


# What is said


def test_probabilities_are_those_of_the_probe(given):
    model, classifier, *_ = given
    found = try_picture(striped(40), *given).data["probabilities"]
    expected = classifier.predict_proba(
        model.extract_features([striped(40)], cache=False)
    )[0]
    assert (
        found["striped"] == pytest.approx(expected[0], abs=1e-4)
        and found["striped"] > 0.5
    )


def test_the_nearest_training_pictures_are_named(given):
    found = try_picture(striped(60), *given).data["neighbours"]
    assert (
        found[0] == {"row": 1, "class": "striped", "cosine": pytest.approx(1, abs=1e-4)}
        and len(found) == 3
    )


def test_the_map_adds_up_to_what_the_probe_decides_by(given, bundled_model):
    """Averaged over all places, the evidence for a class is its score without the bias."""
    model, classifier, *_ = given
    grid = model.activations([striped(40)], "head", cache=False)[0].astype(np.float64)
    kernel, _ = classifier.weights()
    features = model.extract_features([striped(40)], cache=False)[0]
    np.testing.assert_allclose(
        (grid @ kernel).mean(axis=(0, 1)), features @ kernel, rtol=0.02, atol=0.02
    )


def test_where_the_network_looked_is_said_in_words(given):
    assert "left" in try_picture(striped(40), *given).data["where"]


def test_a_picture_without_evidence_is_said_to_have_none():
    pixels = plain(100)
    np.testing.assert_array_equal(over(pixels, np.zeros((7, 7), np.float32)), pixels)


def test_a_turned_photograph_is_turned_back_first(given):
    exif = Image.Exif()
    exif[0x0112] = 6  # as a telephone held upright writes it: to be turned by 90°
    turned = file(np.rot90(striped(40)).copy(), "jpeg", quality=95, exif=exif)
    upright = file(striped(40), "jpeg", quality=95)
    found, expected = (
        try_picture(content, *given).data["probabilities"]
        for content in (turned, upright)
    )
    assert found["striped"] == pytest.approx(expected["striped"], abs=0.05)


def test_the_figure_shows_picture_map_and_neighbours_and_says_so_in_words(given):
    answer = try_picture(striped(40), *given)
    assert len(answer.figure.axes) == 5 and answer.figure.alt == answer.text


def test_before_anything_is_given_an_example_is_looked_at(given):
    examples = Split(np.stack([plain(130)]), [1], NAMES)
    assert (
        try_your_own(*given, examples).default.text
        == try_picture(plain(130), *given).text
    )


# The button


def test_an_uploaded_picture_is_answered(widget, given):
    upload(widget, file(plain(130)))
    assert (
        widget.page.value == try_picture(plain(130), *given).page
        and widget.examples.label == "what I give"
    )


def test_a_second_picture_of_the_same_name_is_answered_too(widget, given):
    upload(widget, file(plain(130)))
    upload(widget, file(striped(40)))
    assert widget.page.value == try_picture(striped(40), *given).page


def test_an_example_is_chosen_by_keyboard(widget, given):
    widget.examples.value = 2
    assert widget.page.value == try_picture(striped(90), *given).page


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            b"Dear diary, this is a text.",
            "mine.jpg cannot be read as a picture: its content is in no picture format",
        ),
        (b"", "mine.jpg cannot be read as a picture"),
        (
            file(striped(40), "jpeg", quality=95)[:-800],
            "mine.jpg cannot be read as a picture: it was cut short",
        ),
    ],
)
def test_what_is_no_picture_gets_a_sentence_and_the_next_one_an_answer(
    widget, content, said, given
):
    upload(widget, content, "mine.jpg")
    assert said in widget.page.value
    upload(widget, file(plain(130)))
    assert widget.page.value == try_picture(plain(130), *given).page


def test_where_no_picture_is_seen_no_room_is_kept_for_one(widget):
    upload(widget, b"Dear diary, this is no photograph.")
    assert widget.canvas.layout.display == "none"
    upload(widget, file(plain(130)))
    assert widget.canvas.layout.display is None


def test_a_picture_that_would_be_too_large_is_refused(widget, monkeypatch):
    monkeypatch.setattr("tlcourse.features.decoding.MAX_PIXELS", 1000)
    upload(widget, file(plain(130)))
    assert (
        "at most" in widget.page.value and "Make it smaller first." in widget.page.value
    )


def test_a_file_that_is_too_large_is_refused_before_it_is_opened(widget, monkeypatch):
    monkeypatch.setattr("tlcourse.widgets.uploads.MOST_MEGABYTES", 0.0001)
    upload(widget, file(striped(40), "bmp"), "scan.bmp")
    assert (
        "scan.bmp has 0.0 MB; up to 0.0001 MB are taken here. Make it smaller first"
        in widget.page.value
    )


# Nothing is kept


def everything_kept(widget):
    """What a notebook that saves its widgets' state would hold of this one."""
    parts, found = [widget.box], []
    while parts:
        part = parts.pop()
        parts += getattr(part, "children", ())
        found.append(str(part.get_state()))
    return " ".join(found)


def test_what_was_uploaded_is_forgotten_at_once(widget):
    upload(widget, file(plain(130)))
    assert widget.upload.value == ()


def test_no_part_of_the_widget_holds_the_picture(widget):
    before = everything_kept(widget).count("data:image/png")
    upload(widget, file(plain(130)))
    assert (
        everything_kept(widget).count("data:image/png") == before == 3
    )  # the neighbours
    assert widget.canvas.image_data is None


def test_nothing_is_written_to_disk(widget, own_cache):
    before = {path: path.stat().st_mtime_ns for path in own_cache.rglob("*")}
    upload(widget, file(plain(131)))
    assert {path: path.stat().st_mtime_ns for path in own_cache.rglob("*")} == before


def test_files_of_ipywidgets_7_are_read_and_forgotten_as_well():
    value = {"mine.png": {"metadata": {"name": "mine.png"}, "content": b"bytes"}}
    assert content_of(value) == ("mine.png", b"bytes")
    upload = SimpleNamespace(
        value=value, data=[b"bytes"], metadata=[{"name": "mine.png"}], _counter=1
    )
    forget(upload)
    assert (upload.data, upload.metadata, upload._counter) == ([], [], 0)


def test_no_file_is_no_file():
    assert content_of(()) is None and content_of({}) is None


# What cannot be


def test_a_path_that_leads_nowhere_is_said_to(given):
    with pytest.raises(PictureError, match="does not exist"):
        try_picture("nowhere.jpg", *given)


def test_a_text_model_is_refused(given, small_bert):
    with pytest.raises(UserInputError, match="expected one that sees"):
        try_your_own(small_bert, *given[1:])


def test_another_kind_of_classifier_is_refused(given):
    with pytest.raises(
        UserInputError, match="expected the linear probe that tl.train_classifier gives"
    ):
        try_your_own(given[0], object(), *given[2:])


def test_features_of_another_network_are_refused(given):
    model, classifier, train, features = given
    with pytest.raises(UserInputError, match="gives 1,280 features"):
        try_your_own(model, classifier, train, features[:, :50])
