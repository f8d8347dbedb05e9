"""Widgets answer with and without a browser, and a notebook keeps nothing of them."""

import base64
import datetime
import io
import re
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import tlcourse as tl
from tlcourse import server
from tlcourse.datasets.core import Split
from tlcourse.errors import PictureError, UserInputError
from tlcourse.plots.figure import Figure
from tlcourse.widgets import (
    Answer,
    DrawAKanji,
    MistakeBrowser,
    RecordAWord,
    TryYourOwn,
    Widget,
    base,
)
from tlcourse.widgets.drawing import as_picture
from tlcourse.widgets.uploads import take_file


class Counter(Widget):
    """A widget of three positions."""

    def __init__(self):
        self.options = {"value": 1, "options": [0, 1, 2]}

    def _answer_to(self, value):
        return Answer(f"at {value}")


# Every widget


def test_a_notebook_is_given_the_widget_and_its_static_answer():
    counter = Counter()
    data, metadata = counter._repr_mimebundle_()
    assert data[server.VIEW]["model_id"] == counter.box.model_id
    assert data["text/plain"] == "at 1" and data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == "at 1."


def test_without_ipywidgets_there_is_the_static_answer(monkeypatch):
    monkeypatch.setattr(base, "find_spec", lambda name: None)
    assert set(Counter()._repr_mimebundle_()[0]) == {"image/png", "text/plain"}


def test_a_moved_control_changes_words_and_picture():
    counter = Counter()
    assert counter.box.children == (counter.control, counter.words, counter.picture)
    counter.control.value = 2
    assert "<p>at 2</p>" in counter.words.value and counter.picture.value == ""


def test_of_an_answer_with_a_picture_the_words_are_heard_alone():
    counter = Counter()
    assert counter.box
    counter._show(Answer("at 3", Figure))
    assert '<img alt="at 3."' in counter.picture.value
    assert base.HEARD_ALONE in counter.words.value
    assert "<p>at 3</p>" in counter.words.value


# The mistake browser


def split(labels, names=("cat", "dog")):
    pictures = np.arange(len(labels), dtype=np.uint8)[:, None, None]
    pictures = pictures.repeat(4, axis=1).repeat(5, axis=2)
    return Split(pictures, np.array(labels), list(names))


@pytest.fixture(scope="module")
def predicted():
    """Of three cats, two are predicted as dogs; with features of two numbers."""
    cats = np.array([0.9, 0.4, 0.1, 0.2, 0.3, 0.8])
    features = np.array([[1, 0], [1, 0.1], [0, 1], [0, 1], [0.1, 1], [1, 0]], float)
    return split([0, 0, 0, 1, 1, 0]), np.stack([cats, 1 - cats], axis=1), features


TRAIN = (split([0, 1, 0, 1]), np.array([[1, 0], [0, 1], [1, 0.2], [0.5, 0.5]]))


def test_each_picture_has_probabilities_and_neighbours(predicted):
    answer = MistakeBrowser(*predicted, *TRAIN).answer("cat", "dog")
    first = "picture 2: dog 90%, cat 10%; nearest training pictures: dog, dog, cat"
    assert answer.text.splitlines()[1] == first
    assert len(answer.figure.axes) == 2 * (1 + 1 + 3)
    titles = [axes.get_title() for axes in answer.figure.axes[2:5]]
    assert [title.split()[-1] for title in titles] == ["1.00", "0.71", "0.20"]


@pytest.mark.parametrize("cell", [("cat", "dog"), ("dog", "cat")])
def test_the_confusion_matrix_is_a_heat_map_with_a_frame_around_the_cell(
    predicted, cell
):
    answer = MistakeBrowser(*predicted, *TRAIN).answer(*cell)
    matrix = answer.figure.axes[0]
    np.testing.assert_allclose(matrix.images[0].get_array(), [[0.5, 0.5], [0, 1]])
    (frame,) = matrix.patches
    centre = frame.get_x() + 0.5, frame.get_y() + 0.5
    assert centre == (["cat", "dog"].index(cell[1]), ["cat", "dog"].index(cell[0]))
    names = [label.get_text() for label in matrix.get_yticklabels()]
    assert names == ["cat", "dog"]
    answer.figure._repr_png_()


# Try your own


def striped(shade, size=64):
    """A picture with stripes in its left half."""
    picture = np.full((size, size, 3), shade, np.uint8)
    picture[::8, : size // 2] = 255 - shade
    return picture


def plain(shade, size=64):
    return np.full((size, size, 3), shade, np.uint8)


@pytest.fixture(scope="module")
def arguments(bundled_model):
    """Everything that `TryYourOwn` takes."""
    shades, names = (20, 60, 90, 200), ["striped", "plain"]
    pictures = np.stack([make(shade) for make in (striped, plain) for shade in shades])
    train = Split(pictures, np.repeat([0, 1], len(shades)), names)
    features = bundled_model.extract_features(train.images, cache=False)
    classifier = tl.train_classifier(features, train.labels, names)
    return bundled_model, classifier, train, features


@pytest.fixture(scope="module")
def own(arguments):
    return TryYourOwn(*arguments)


@pytest.fixture
def widget(arguments):
    pytest.importorskip("ipycanvas")
    widget = TryYourOwn(*arguments)
    assert widget.box
    return widget


def file(picture, kind="png", **options):
    content = io.BytesIO()
    Image.fromarray(picture).save(content, kind, **options)
    return content.getvalue()


def upload(widget, content, name="mine.png"):
    about = {"name": name, "type": "image/png", "size": len(content)}
    when = datetime.datetime(2026, 1, 1)
    widget.upload.value = (
        {**about, "last_modified": when, "content": memoryview(content)},
    )


def test_probabilities_are_those_of_the_classifier_and_neighbours_are_near(
    own, arguments
):
    model, classifier, *_ = arguments
    answer = own.answer(striped(60))
    features = model.extract_features([striped(60)], cache=False)
    expected = classifier.predict_proba(features)[0, 0]
    assert f"striped {expected:.0%}" in answer.text
    assert "Nearest training pictures: striped (cosine 1.00)" in answer.text
    last = answer.text.splitlines()[-1]
    assert last.startswith("The strongest evidence for striped is ") and "left" in last
    assert len(answer.figure.axes) == 6 and answer.figure.alt == answer.text
    texts = [text.get_text() for text in answer.figure.axes[0].texts]
    assert texts[0] == f"striped {expected:.0%}" and len(texts) == 2


def test_five_examples_of_each_class_are_offered(arguments):
    *others, train, features = arguments
    many = train.select([*range(8), *range(8)])
    widget = TryYourOwn(*others, train, features, examples=many)
    texts, rows = zip(*widget.options["options"][1:], strict=True)
    kinds = ("striped", "plain")
    assert sorted(texts) == sorted(f"{kind} {n}" for kind in kinds for n in range(1, 6))
    assert [many.label_names[row] for row in rows] == [text[:-2] for text in texts]


def test_a_picture_is_resized_as_the_model_does_it(arguments):
    model = tl.load_pretrained_model(resize="crop")
    wide = np.concatenate([plain(0), striped(60), plain(0)], axis=1)
    answer = TryYourOwn(model, *arguments[1:]).answer(file(wide))
    features = model.extract_features([wide], cache=False)
    expected = arguments[1].predict_proba(features)[0].max()
    squashed = arguments[0].extract_features([wide], cache=False)
    assert f"{expected:.0%}" in answer.text
    assert np.abs(features - squashed).max() > 0.1


def test_uploads_are_answered_one_after_the_other_also_under_one_name(widget, own):
    for picture in (plain(130), striped(40)):
        upload(widget, file(picture))
        assert own.answer(picture).words in widget.words.value
    assert widget.control.label == "my own"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Dear diary, this is a text.", "cannot be read as a picture"),
        (b"", "mine.jpg is empty"),
        (file(striped(40), "jpeg", quality=95)[:-800], "cannot be read as a picture"),
    ],
)
def test_what_is_no_picture_gets_a_sentence_and_the_next_one_an_answer(
    widget, own, content, words
):
    upload(widget, content, "mine.jpg")
    assert words in widget.words.value and widget.picture.layout.display == "none"
    upload(widget, file(plain(130)))
    assert own.answer(plain(130)).words in widget.words.value
    assert widget.picture.layout.display is None


def test_pictures_and_files_that_are_too_large_are_refused(widget, monkeypatch):
    monkeypatch.setattr("tlcourse.features.decoding.MAX_PIXELS", 1000)
    upload(widget, file(plain(130)))
    assert "at most" in widget.words.value
    monkeypatch.setattr("tlcourse.widgets.uploads.MEGABYTES", 0.0001)
    monkeypatch.setattr("tlcourse.widgets.uploads.prepare", None)
    upload(widget, file(striped(40), "bmp"), "scan.bmp")
    assert "scan.bmp has 0.0 MB" in widget.words.value


def test_an_upload_is_kept_neither_in_the_widget_nor_on_disk(widget, own_cache):
    def files():
        return {path: path.stat().st_mtime_ns for path in own_cache.rglob("*")}

    before = files()
    upload(widget, file(plain(131)))
    parts, state = [widget.box], ""
    while parts:
        part = parts.pop()
        parts += getattr(part, "children", ())
        state += str(part.get_state())
    assert "data:image" not in state and "PNG" not in state
    assert widget.picture.image_data is None and widget.upload.value == ()
    assert files() == before


def test_files_of_ipywidgets_7_are_read_and_forgotten_as_well():
    button = SimpleNamespace(
        value={"mine.png": {"metadata": {"name": "mine.png"}, "content": b"bytes"}},
        data=[b"bytes"],
        metadata=[{"name": "mine.png"}],
        _counter=1,
    )
    assert take_file(button) == ("mine.png", b"bytes")
    assert (button.data, button.metadata, button._counter) == ([], [], 0)


# Record a word


@pytest.fixture(scope="module")
def spoken():
    """Everything that `RecordAWord` takes."""
    words = tl.load_dataset("words")
    model = tl.load_pretrained_model("speech_embedding")
    features = model.extract_features(words.train.recordings)
    return model, words.train, features, words.test


@pytest.fixture
def recorder(spoken):
    pytest.importorskip("ipycanvas")
    recorder = RecordAWord(*spoken)
    assert recorder.box
    return recorder


def test_the_nearest_recording_is_named_and_drawn_beside_the_own_one(recorder, spoken):
    model, train, features, test = spoken
    row = test.class_names.index("sette")
    answer = recorder.answer(test.recordings[row])
    name, cosine = re.match(r"Nearest: (\S+) \(cosine (.+?)\)", answer.text).groups()
    own = model.extract_features(test.recordings[row])[0]
    lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(own)
    cosines = features @ own / lengths
    assert name == train.class_names[cosines.argmax()] == "sette"
    assert float(cosine) == pytest.approx(cosines.max(), abs=0.02)  # margins are cut
    titles = [axes.get_title() for axes in answer.figure.axes]
    assert titles == ["this recording", "nearest: sette"]


def test_silence_an_offset_and_a_click_around_a_word_change_little(recorder, spoken):
    *_, test = spoken
    rng = np.random.default_rng(0)
    click = 0.9 * (-1.0) ** np.arange(32)  # 2 ms
    right = dict.fromkeys(("alone", "in silence", "with an offset", "with a click"), 0)
    for row in range(0, len(test), 2):
        word = tl.audio.read_audio(test.recordings[row])
        quiet = rng.normal(0, 1e-3, len(word) + 21_000)
        around = np.pad(word, (9_000, 12_000))
        clicked = 0.3 * around + quiet / 10
        clicked[1_000:1_032] = click
        recordings = (word, around + quiet, around / 2 + quiet + 0.01, clicked)
        for kind, recording in zip(right, recordings, strict=True):
            text = recorder.answer(recording, sample_rate=16_000).text
            right[kind] += text.startswith(f"Nearest: {test.label_names[row]} (")
    assert right["alone"] >= 28 and min(right.values()) >= right["alone"] - 5, right


def sent(waveform):
    """What the browser sends: 16-bit samples in base64."""
    return base64.b64encode((32767 * waveform).astype("<i2").tobytes()).decode()


def test_what_the_browser_sends_is_answered_and_not_kept(recorder, spoken, own_cache):
    *_, test = spoken
    waveform = tl.audio.read_audio(test.recordings[3])
    before = {path: path.stat().st_mtime_ns for path in own_cache.rglob("*")}
    for _ in range(2):  # the same word twice is two recordings
        recorder.words.value = ""
        recorder.received.value = sent(waveform)
        expected = recorder.answer(test.recordings[3]).text.split(" (")[0]
        assert expected in recorder.words.value
        assert recorder.received.value == "" and recorder.control.label == "my own"
    assert {path: path.stat().st_mtime_ns for path in own_cache.rglob("*")} == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("!Permission denied", "recorded nothing: Permission denied. Allow"),
        ("!<img onerror=alert(1)>", "nothing: &lt;img onerror"),
        ("abcde", "recorded nothing"),
        ("YWJj", "recorded nothing"),
        (sent(np.full(80, 0.1) * np.arange(80)), "lasts 0.005 seconds"),
        (sent(np.zeros(16_000)), "is silent"),
        (sent(np.zeros(1)), "is silent"),
    ],
)
def test_what_holds_no_word_gets_a_sentence_and_the_next_one_an_answer(
    recorder, spoken, text, words
):
    recorder.received.value = text
    assert words in recorder.words.value
    assert recorder.picture.layout.display == "none"
    recorder.received.value = sent(tl.audio.read_audio(spoken[3].recordings[3]))
    assert "Nearest: " in recorder.words.value


def test_a_recording_and_its_picture_are_no_part_of_the_widgets_state(recorder, spoken):
    recorder.received.value = sent(tl.audio.read_audio(spoken[3].recordings[3]))
    parts, state = [recorder.box], ""
    while parts:
        part = parts.pop()
        parts += getattr(part, "children", ())
        state += str(part.get_state())
    assert "Nearest: " in state and recorder.picture.image_data is None
    assert "data:image" not in state and "PNG" not in state


def test_my_own_chosen_by_hand_says_that_there_is_nothing_yet(recorder):
    recorder.control.value = recorder.own
    assert "There is nothing of your own yet" in recorder.words.value


def test_a_model_for_pictures_and_foreign_features_are_refused(spoken, bundled_model):
    model, train, features, _ = spoken
    with pytest.raises(UserInputError, match="examples is .*expected a split"):
        RecordAWord(model, train, features, list(train.recordings))
    with pytest.raises(UserInputError, match="speech_embedding"):
        RecordAWord(bundled_model, train, features)
    with pytest.raises(UserInputError, match="rows of 95 numbers; expected 96"):
        RecordAWord(model, train, features[:, 1:])


# Draw a Kanji

ONE = [[(0, 50), (50, 48), (100, 50)]]
THREE = [[(10, 0), (90, 0)], [(20, 50), (80, 50)], [(0, 100), (100, 100)]]


@pytest.fixture(scope="module")
def numerals():
    kanji = tl.load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:3])


def nearest_mean(dataset, shape):
    """A Keras network that predicts the class whose mean training picture is nearest."""
    import keras

    pictures, labels = dataset.train.images.astype(float), dataset.train.labels
    means = [pictures[labels == label].mean(axis=0) for label in np.unique(labels)]
    means = np.stack(means).reshape(len(means), -1) / 1e3
    last = keras.layers.Dense(len(means), activation="softmax")
    layers = [keras.layers.Rescaling(1 / 1e3), keras.layers.Flatten(), last]
    network = keras.Sequential([keras.Input(shape), *layers])
    last.set_weights([100 * means.T, -50 * (means**2).sum(axis=1)])
    return network


@pytest.fixture(scope="module")
def networks(numerals):
    """One that knows the characters, and one that was not trained."""
    import keras

    keras.utils.set_random_seed(0)
    layers = [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    untrained = keras.Sequential([keras.Input((28, 28, 1)), *layers])
    return {"nearest": nearest_mean(numerals, (28, 28)), "untrained": untrained}


@pytest.fixture
def canvas(networks, numerals):
    pytest.importorskip("ipycanvas")
    widget = DrawAKanji(networks, numerals)
    assert widget.box
    return widget


def draw(widget, strokes):
    for (x, y), *rest in strokes:
        widget._begin(x, y)
        for position in rest:
            widget._move(*position)
        widget._end(None, None)


def test_strokes_fill_the_box_whatever_their_size_and_position():
    picture = as_picture(ONE)
    assert picture.shape == (28, 28) and picture.dtype == np.uint8
    columns, rows = (np.flatnonzero(picture.max(axis=axis) > 60) for axis in (0, 1))
    assert 19 <= len(columns) <= 21 and set(rows) <= {12, 13, 14, 15}
    large = [[(3 * x + 70, 3 * y + 20) for x, y in stroke] for stroke in THREE]
    np.testing.assert_array_equal(as_picture(THREE), as_picture(large))
    assert 0 < np.count_nonzero(as_picture([[(140, 140)]])) < 16


def test_each_network_predicts_characters_in_words_and_in_a_figure(
    networks, numerals, recwarn
):
    answer = DrawAKanji(networks, numerals).answer(ONE)
    names = [line.split(":")[0] for line in answer.text.splitlines()]
    assert names == ["nearest", "untrained"]
    assert answer.text.startswith("nearest: 一 (one) ")
    answer.figure._repr_png_()
    assert not recwarn.list  # the figure is in letters that every font has


def test_an_empty_canvas_invites_and_the_first_stroke_takes_that_away(
    canvas, monkeypatch
):
    assert canvas.control.label == "my drawing"
    assert "Draw a character in the black square" in canvas.words.value
    written = []
    monkeypatch.setattr(
        canvas.canvas, "fill_text", lambda text, *_: written.append(text)
    )
    canvas._paint()
    assert written == ["Draw here"]
    canvas._begin(10, 10)
    assert written == ["Draw here"]


def test_guesses_are_bars_beside_the_canvas_with_character_and_meaning(canvas):
    draw(canvas, ONE)
    (row,) = canvas.box.children
    assert row.children[1] is canvas.words and row.layout.flex_flow == "row wrap"
    assert canvas.canvas in row.children[0].children
    tables = canvas.words.value.split("<table>")[1:]
    assert [table.count("<progress ") for table in tables] == [3, 3]
    assert "<b>nearest</b>" in tables[0] and ">一 one</td>" in tables[0]


def test_mouse_and_fingers_draw_and_strokes_can_be_taken_back(canvas):
    draw(canvas, THREE)
    assert canvas.words.value == canvas.answer(THREE).html
    canvas.undo.click()
    assert canvas.words.value == canvas.answer(THREE[:2]).html
    canvas.clear.click()
    assert "Draw a character" in canvas.words.value
    touches = {"start": [{"x": 0, "y": 50}], "move": [{"x": 100, "y": 50}], "end": []}
    for event, fingers in touches.items():
        message = {"event": f"touch_{event}", "touches": fingers}
        canvas.canvas._handle_frontend_event(None, message, None)
    assert canvas.words.value == canvas.answer([[(0, 50), (100, 50)]]).html


def test_a_character_is_chosen_from_the_list_and_drawing_takes_its_place(
    canvas, numerals
):
    canvas.control.value = 2
    first = numerals.test.images[np.flatnonzero(numerals.test.labels == 2)[0]]
    assert canvas.words.value == canvas.answer(first).html
    draw(canvas, ONE)
    assert canvas.control.label == "my drawing" and len(canvas._strokes) == 1
    assert canvas.canvas.image_data is None and not canvas.canvas.sync_image_data


def test_without_a_canvas_the_list_remains(networks, numerals, monkeypatch):
    monkeypatch.setattr("tlcourse.widgets.drawing.has_canvas", lambda: False)
    widget = DrawAKanji(networks, numerals)
    assert "pip install ipycanvas" in widget.box.children[0].value
    widget.control.value = 2
    assert "three" in widget.words.value


# What is refused


def rows(count):
    return np.ones((count, 2))


def dense(shape, classes):
    import keras

    layers = [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(classes)]
    return keras.Sequential(layers)


def drawing(networks):
    kanji = tl.load_dataset("kanji")
    return DrawAKanji(networks, kanji.with_classes(kanji.class_names[:3]))


def browser(pictures, probabilities, train=TRAIN[0]):
    return MistakeBrowser(pictures, probabilities, rows(1), train, TRAIN[1])


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: browser(split([0, 1]), rows(1)), "Lengths differ"),
        (lambda: browser(split([0]), np.ones((1, 3))), "columns 3"),
        (lambda: browser(split([0]), rows(1), None), "train is None"),
        (lambda: browser(split([0]), rows(1)).answer("fox", "dog"), "cat, dog"),
        (lambda: drawing({}), "networks is empty"),
        (lambda: drawing({"cat": object()}), "'cat' takes nothing"),
        (lambda: drawing({"large": dense((9, 9), 3)}), r"\[9, 9\] and returns \[3\]"),
        (lambda: drawing({"many": dense((28, 28), 4)}), "the 3 classes of kanji"),
        (lambda: as_picture([]), "drawing is empty"),
        (lambda: as_picture([[(0, float("nan"))]]), "list of points"),
        (lambda: as_picture(np.zeros((30, 30), np.uint8)), r"uint8 \(28, 28\)"),
    ],
)
def test_what_cannot_be_answered_is_refused(make, word):
    with pytest.raises(UserInputError, match=word):
        make()


def test_other_models_and_features_are_refused(arguments, own, small_bert):
    model, classifier, train, features = arguments
    few_features = tl.train_classifier(features[:, :50], train.labels)
    for wrong, word in (
        ((small_bert, classifier, train, features), "a vision model"),
        ((model, object(), train, features), "linear probe"),
        ((model, classifier, train, features[:, :50]), "50 numbers; expected 1,280"),
        ((model, few_features, train, features), "50 features; expected the 1,280"),
        ((model, classifier, object(), features), "expected a split"),
    ):
        with pytest.raises(UserInputError, match=word):
            TryYourOwn(*wrong)
    with pytest.raises(PictureError, match="does not exist"):
        own.answer("nowhere.jpg")
