"""The checks of lesson 02: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_right, assert_wrong, check

import tlcourse as tl


@pytest.fixture(scope="module")
def camera():
    return np.asarray(tl.load_dataset("samples").test.images[1])


def painted(camera, where, value=127):
    covered = camera.copy()
    covered[where] = value
    return covered


@pytest.mark.parametrize("side", ["left", "right"])
def test_2_1_right(camera, side):
    columns = {"left": np.s_[:, :256], "right": np.s_[:, 256:]}[side]
    assert_right(check("2.1", painted(camera, columns)), f"With the {side} half covered it says")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda c: c.copy(), "Nothing is covered yet"),
        (lambda c: painted(c, np.s_[:256]), "the upper or the lower half"),
        (lambda c: painted(c, np.s_[:, :, :]), "Both halves have changed"),
        (lambda c: painted(c, np.s_[:, :256], 0), "should be 127"),
        (lambda c: painted(c, np.s_[:, :256, 0]), "only some of the colours or columns are"),
        (lambda c: c[:, :256], "Paint in a copy of it; do not cut it"),
        (lambda c: "left", "Your picture has the shape ()"),
    ],
)
def test_2_1_wrong(camera, answer, words):
    assert_wrong(check("2.1", answer(camera)), words)


def prepare(pixels):
    """As in the lesson."""
    right = (pixels - 127) / 128
    return np.stack(
        [
            right,
            pixels / 127.5 - 1,
            pixels / 255,
            right[..., ::-1],
            pixels[..., ::-1] / 255,
            pixels[..., ::-1] - np.float32([103.939, 116.779, 123.68]),
            pixels,
            (right - 127) / 128,
        ]
    )


@pytest.fixture(scope="module")
def plain(bundled_model):
    """Answers of the plain network to the eight preparations of a sample, by its place."""
    from tlcourse.efficientnet_lite import EfficientNetLite

    network = EfficientNetLite()
    six = [tl.pictures.resize(np.asarray(one), (224, 224)) for one in tl.load_dataset("samples").test.images]
    return {place: network.predict(prepare(six[place].astype("float32")), verbose=0) for place in (1, 3)}


def test_2_2_right(plain):
    assert_right(check("2.2", plain[1]), "Rows 0, 3 are the same", "in a grey photograph")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p: p[3], "the answers to another photograph"),
        (lambda p: p[1][0], "That is one answer. There are eight preparations"),
        (lambda p: p[1][:, :10], "expected (8, 1000)"),
        (lambda p: np.log(p[1]), "do not sum to 1"),
        (lambda p: p[1][::-1], "Was the photograph prepared twice"),
    ],
)
def test_2_2_wrong(plain, answer, words):
    assert_wrong(check("2.2", answer(plain)), words)


@pytest.fixture(scope="module")
def head(bundled_model):
    """What exercise 2.3 works with: the last block's maps of two samples, and the classifier's kernel."""
    import keras

    model = bundled_model
    maps = keras.Model(model.network.inputs, model.network.get_layer(model.blocks["head"][-1]).output)
    six = [tl.pictures.resize(np.asarray(one), (224, 224)) for one in tl.load_dataset("samples").test.images]
    kernel, _ = model.classifier.get_layer("classifier").get_weights()
    return maps.predict(np.stack(six[:4]).astype("float32"), verbose=0), kernel, model.labels.index("tripod")


def test_2_3_right(head):
    maps, kernel, tripod = head
    assert_right(check("2.3", maps[1] @ kernel[:, tripod]), "It is brightest in row")
    assert_right(check("2.3", (maps[1] @ kernel[:, [tripod]])))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda m, k, t: m[1].mean(axis=(0, 1)) @ k[:, t], "one number for the whole photograph"),
        (lambda m, k, t: m[1] @ k, "maps of all 1,000 classes"),
        (lambda m, k, t: m[1] * k[:, t], "still side by side"),
        (lambda m, k, t: m[3] @ k[:, t], "not tripod's map of the photographer"),
        (lambda m, k, t: m[1] @ k[:, 0], "not tripod's map of the photographer"),
        (lambda m, k, t: m[:, :, :, 0], "Your map has the shape (4, 7, 7)"),
    ],
)
def test_2_3_wrong(head, answer, words):
    assert_wrong(check("2.3", answer(*head)), words)
