"""Lesson 02, Pretrained models: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from .answers import Array
from .table import rows

GREY, HALF = 127, 256  # what the half is painted with; its columns
CAMERA = 1  # index of the photographer among the samples
SIMILAR = 0.02  # probabilities, or shares of a map's range, that differ by less
MEANS = np.array([103.939, 116.779, 123.68], np.float32)  # ImageNet's, BGR, for VGG16


def _photographs():
    return [np.asarray(image) for image in tl.load_dataset("samples").test.images]


@rows("2.1", Array())
def covered_half(covered):
    original = _photographs()[CAMERA]
    yield "shape", covered.shape != original.shape, {"expected": original.shape}
    changed = np.any(covered != original, axis=-1)
    upper, lower = np.array_split(changed.any(axis=1), 2)
    yield "unchanged", not changed.any()
    yield "rows", upper.any() != lower.any()
    left, right = changed[:, :HALF].any(), changed[:, HALF:].any()
    yield "both halves", left and right
    side = "left" if left else "right"
    half = covered[:, :HALF] if left else covered[:, HALF:]
    yield "another grey", not np.any(half == GREY), {"side": side}
    yield "partly grey", not np.all(half == GREY), {"side": side}
    label, probability = tl.load_pretrained_model().predict_labels(covered, top=1)[0][0]
    yield "right", True, {"side": side, "label": label, "probability": probability}


@rows("2.2", Array())
def harmless_mistake(answer):
    yield "one answer", answer.shape in ((1000,), (1, 1000))
    yield "shape", answer.shape != (8, 1000)
    yield "no probabilities", not _are_probabilities(answer)
    labels, (expected, others) = tl.load_pretrained_model().labels, _answers()
    wrong = np.flatnonzero(np.abs(answer - expected).max(axis=1) > SIMILAR)
    if 0 in wrong:
        distances = np.abs(others - answer[0]).max(axis=1)
        label = labels[others[distances.argmin()].argmax()]
        yield "another photograph", distances.min() <= SIMILAR, {"label": label}
        yield "first row", True
    yield "other rows", len(wrong) > 0, {"rows": ", ".join(map(str, wrong))}
    equal = np.flatnonzero(np.abs(expected - expected[0]).max(axis=1) < 1e-5)
    details = {"equal": ", ".join(map(str, equal))}
    yield "right", True, details | {"tripod": answer[0, labels.index("tripod")]}


def _are_probabilities(rows):
    return np.allclose(rows.sum(axis=1), 1, atol=1e-3) and rows.min() >= 0


@lru_cache(maxsize=1)
def _answers():
    """To the eight preparations of the photographer, and to the other photographs."""
    model = tl.load_pretrained_model()
    resized = np.stack(
        [tl.pictures.resize(image, model.input_size) for image in _photographs()]
    ).astype("float32")
    others = np.delete(resized, CAMERA, axis=0)
    # The classifier prepares its pixels itself, by (pixels - 127) / 128: turned around,
    # it is the plain network.
    inputs = np.concatenate([_preparations(resized[CAMERA]) * 128 + 127, others])
    answers = model.classifier.predict(inputs, verbose=0)
    return answers[:8], answers[8:]


def _preparations(pixels):
    """The lesson's prepare(pixels), stacked: float32 (8, height, width, 3)."""
    right = (pixels - 127) / 128
    return np.stack(
        [
            right,
            pixels / 127.5 - 1,
            pixels / 255,
            right[..., ::-1],
            pixels[..., ::-1] / 255,
            pixels[..., ::-1] - MEANS,
            pixels,
            (right - 127) / 128,
        ]
    )


@rows("2.3", Array())
def tripod_map(answer):
    answer = answer.squeeze()
    yield "one number", answer.ndim == 0
    yield "all classes", answer.shape == (7, 7, 1000)
    yield "channels", answer.shape == (7, 7, 1280)
    yield "shape", answer.shape != (7, 7)
    expected = _tripod_map()
    row, column = np.unravel_index(expected.argmax(), expected.shape)
    equal = np.abs(answer - expected).max() <= SIMILAR * np.ptp(expected)
    yield "right", equal, {"row": row + 1, "column": column + 1}
    correlation = np.corrcoef(answer.ravel(), expected.ravel())[0, 1]
    yield "scaled", correlation > 0.99


@lru_cache(maxsize=1)
def _tripod_map():
    model = tl.load_pretrained_model()
    kernel, _ = model.classifier.get_layer("classifier").get_weights()
    activations = model.activations(_photographs()[CAMERA], "head", cache=False)[0]
    return activations.astype("float32") @ kernel[:, model.labels.index("tripod")]
