"""The checks of lesson 02: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

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
    assert_right(
        check("2.1", painted(camera, columns)), f"With the {side} half covered it says"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda c: c.copy(), "Nothing is covered yet"),
        (lambda c: painted(c, np.s_[:256]), "the upper or the lower half"),
        (lambda c: painted(c, np.s_[:, :, :]), "Both halves have changed"),
        (lambda c: painted(c, np.s_[:, :256], 0), "should be 127"),
        (
            lambda c: painted(c, np.s_[:, :256, 0]),
            "only some of the colours or columns are",
        ),
        (lambda c: c[:, :256], "Paint in a copy of it; do not cut it"),
        (lambda c: "left", "you gave 'left'; expected a copy of the photograph"),
        (lambda c: np.full_like(c, 127), "Both halves have changed"),
        (
            lambda c: painted(c, np.s_[:, :255]),
            "only some of the colours or columns are",
        ),
        (lambda c: painted(c, np.s_[:, 255:]), "Both halves have changed"),
        (lambda c: painted(c / 255, np.s_[:, :256]), "Both halves have changed"),
        (
            lambda c: painted(c.astype(float), np.s_[:, :256], np.nan),
            "NaN or infinite numbers",
        ),
        (
            lambda c: painted(c, np.s_[:, :256]).astype(object),
            "expected a copy of the photograph",
        ),
        (lambda c: painted(c, np.s_[:, :256]).transpose(1, 0, 2), "changed"),
    ],
)
def test_2_1_wrong(camera, answer, words):
    assert_wrong(check("2.1", answer(camera)), words)


def test_2_1_right_in_other_forms(camera):
    covered = painted(camera, np.s_[:, :256])
    assert_right(check("2.1", covered.astype(np.float32)))
    assert_right(check("2.1", covered.tolist()))


def test_2_1_odd_answers(camera):
    assert_odd_answers_are_refused(
        "2.1", others=[camera[None], np.zeros_like(camera), camera[..., 0]]
    )


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
    from tlcourse.models.efficientnet_lite import EfficientNetLite

    network = EfficientNetLite()
    six = [
        tl.pictures.resize(np.asarray(one), (224, 224))
        for one in tl.load_dataset("samples").test.images
    ]
    return {
        place: network.predict(prepare(six[place].astype("float32")), verbose=0)
        for place in (1, 3)
    }


def test_2_2_right(plain):
    assert_right(
        check("2.2", plain[1]), "Rows 0, 3 are the same", "in a grey photograph"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda p: p[3], "the answers to another photograph"),
        (lambda p: p[1][0], "That is one answer. There are eight preparations"),
        (lambda p: p[1][:, :10], "expected (8, 1000)"),
        (lambda p: np.log(p[1]), "do not sum to 1"),
        (lambda p: p[1][::-1], "Was the photograph prepared twice"),
        (
            lambda p: np.repeat(p[1][:1], 8, axis=0),
            "are not what the network says to these preparations",
        ),
        (lambda p: p[1][[0, 1, 2, 3, 4, 6, 5, 7]], "Rows 5, 6 are not"),
        (
            lambda p: np.vstack([p[1][:1], p[3][1:]]),
            "are not what the network says to these preparations",
        ),
        (
            lambda p: np.where(np.arange(8)[:, None] == 7, np.nan, p[1]),
            "NaN or infinite numbers",
        ),
        (lambda p: np.where(np.arange(8)[:, None] == 7, 1e-3, p[1]), "Rows 7 are not"),
        (lambda p: p[1][:, ::-1], "The first row is not what the network says"),
        (lambda p: p[1].T, "expected (8, 1000)"),
        (lambda p: 100 * p[1], "do not sum to 1"),
        (lambda p: p[1].argmax(axis=1), "expected (8, 1000)"),
    ],
)
def test_2_2_wrong(plain, answer, words):
    assert_wrong(check("2.2", answer(plain)), words)


def test_2_2_right_in_other_forms(plain):
    assert_right(check("2.2", plain[1].astype(np.float64)))
    assert_right(check("2.2", plain[1].tolist()))


def test_2_2_odd_answers(plain):
    assert_odd_answers_are_refused(
        "2.2", others=[plain[1] + 0.9, np.zeros((8, 1000)), np.eye(8, 1000), plain[3]]
    )


@pytest.fixture(scope="module")
def head(bundled_model):
    """What exercise 2.3 works with: the last block's maps of two samples, and the classifier's kernel."""
    import keras

    model = bundled_model
    maps = keras.Model(
        model.network.inputs, model.network.get_layer(model.blocks["head"][-1]).output
    )
    six = [
        tl.pictures.resize(np.asarray(one), (224, 224))
        for one in tl.load_dataset("samples").test.images
    ]
    kernel, _ = model.classifier.get_layer("classifier").get_weights()
    return (
        maps.predict(np.stack(six[:4]).astype("float32"), verbose=0),
        kernel,
        model.labels.index("tripod"),
    )


def test_2_3_right(head):
    maps, kernel, tripod = head
    assert_right(check("2.3", maps[1] @ kernel[:, tripod]), "It is brightest in row")
    assert_right(check("2.3", (maps[1] @ kernel[:, [tripod]])))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda m, k, t: m[1].mean(axis=(0, 1)) @ k[:, t],
            "one number for the whole photograph",
        ),
        (lambda m, k, t: m[1] @ k, "maps of all 1,000 classes"),
        (lambda m, k, t: m[1] * k[:, t], "still side by side"),
        (lambda m, k, t: m[3] @ k[:, t], "not tripod's map of the photographer"),
        (lambda m, k, t: m[1] @ k[:, 0], "not tripod's map of the photographer"),
        (lambda m, k, t: m[:, :, :, 0], "Your map has the shape (4, 7, 7)"),
        (lambda m, k, t: np.zeros((7, 7)), "not tripod's map of the photographer"),
        (lambda m, k, t: np.full((7, 7), np.nan), "NaN or infinite numbers"),
        (lambda m, k, t: m[1] @ k[:, t] + 0.9, "Leave out the bias, and scale nothing"),
        (
            lambda m, k, t: (m[1] @ k[:, t]) / 49,
            "Leave out the bias, and scale nothing",
        ),
        (lambda m, k, t: (m[1] @ k[:, t]).T, "not tripod's map of the photographer"),
        (lambda m, k, t: -(m[1] @ k[:, t]), "not tripod's map of the photographer"),
        (lambda m, k, t: np.where(np.eye(7, dtype=bool), 0, m[1] @ k[:, t]), ""),
        (
            lambda m, k, t: (m[1] @ k[:, t]).argmax(),
            "one number for the whole photograph",
        ),
    ],
)
def test_2_3_wrong(head, answer, words):
    assert_wrong(check("2.3", answer(*head)), words)


def test_2_3_right_in_other_forms(head):
    maps, kernel, tripod = head
    right = maps[1] @ kernel[:, tripod]
    for form in (right.tolist(), right.astype(np.float16), right[None]):
        assert_right(check("2.3", form))


def test_2_3_odd_answers():
    assert_odd_answers_are_refused(
        "2.3", others=[np.ones((7, 7)), np.eye(7), np.zeros((14, 14)), "tripod"]
    )
