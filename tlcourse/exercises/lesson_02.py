"""The exercises of lesson 02, Pretrained models."""

from functools import lru_cache
from typing import Any

import numpy as np

from ..datasets import load_dataset
from ..features.pictures import resize
from ..models.load import load_pretrained_model
from .core import NotYet, exercise
from .reading import array

GREY = 127
CAMERA = 1  # its index among the samples
ALIKE = (
    0.02  # probabilities, or parts of a map's range, that differ by less are the same
)
MEANS = np.array(
    [103.939, 116.779, 123.68], np.float32
)  # of ImageNet's blue, green and red, as VGG16 was trained


def _camera() -> np.ndarray:
    return np.asarray(load_dataset("samples").test.images[CAMERA])


@exercise(
    "2.1",
    "the man or the tripod?",
    "a copy of the photograph, uint8, with one half painted grey",
    "A photograph is an array of height, width and colours. Which of the three is left and right?",
    'Take photographs["camera"].copy() and write into a slice of its columns: covered[:, :256].',
    'covered = photographs["camera"].copy(); covered[:, :256] = 127 covers the left half.',
)
def covered_half(answer: "Any") -> str:
    covered, original = array(answer, "a copy of the photograph, uint8"), _camera()
    if covered.shape != original.shape:
        raise NotYet(
            f"Your picture has the shape {covered.shape}, the photograph {original.shape}. Paint in a copy of it; "
            "do not cut it."
        )
    changed = np.any(covered != original, axis=-1)
    half = original.shape[1] // 2
    halves = {"left": np.s_[:, :half], "right": np.s_[:, half:]}
    if not changed.any():
        raise NotYet("Nothing is covered yet: your picture is the photograph itself.")
    if (
        changed[: original.shape[0] // 2].any()
        != changed[original.shape[0] // 2 :].any()
    ):
        raise NotYet(
            "You covered the upper or the lower half. Rows come first in an array, columns second: [:, :256]."
        )
    touched = [side for side, part in halves.items() if changed[part].any()]
    if len(touched) == 2:
        raise NotYet(
            "Both halves have changed. Cover one and leave the other as it is, or you cannot tell them apart."
        )
    (side,) = touched
    painted = covered[halves[side]]
    if not np.all(painted == GREY):
        some = (
            "only some of the colours or columns are"
            if np.any(painted == GREY)
            else "it is not"
        )
        raise NotYet(
            f"The {side} half should be {GREY} in every column and all three colours; {some}."
        )
    (best, probability), *_ = load_pretrained_model().predict_labels(covered, top=1)[0]
    return f"With the {side} half covered it says {best!r}, {probability:.0%}. Now cover the other half."


@exercise(
    "2.2",
    "a mistake that costs nothing",
    "the plain network's answers, an array of shape (8, 1000)",
    "The experiment is the one with the espresso; only the photograph is another.",
    "prepare(six[1].astype('float32')) gives the eight preparations; stack them and call plain_network.predict.",
    "plain_network.predict(np.stack(list(prepare(six[1].astype('float32')).values())), verbose=0).",
)
def harmless_mistake(answer: "Any") -> str:
    answers = array(answer, "an array of shape (8, 1000)").astype(float)
    if answers.shape == (1000,) or answers.shape == (1, 1000):
        raise NotYet(
            "That is one answer. There are eight preparations; stack them, and each gets a row."
        )
    if answers.shape != (8, 1000):
        raise NotYet(
            f"Your array has the shape {answers.shape}; expected (8, 1000): one row per preparation."
        )
    if not np.allclose(answers.sum(axis=1), 1, atol=1e-3) or answers.min() < 0:
        raise NotYet(
            "The rows do not sum to 1, so they are no probabilities. plain_network.predict gives them."
        )
    model, (expected, others) = load_pretrained_model(), _answers()
    wrong = np.flatnonzero(~(np.abs(answers - expected).max(axis=1) <= ALIKE))
    another = [row for row in others if np.allclose(answers[0], row, atol=ALIKE)]
    if 0 in wrong and another:
        name = model.labels[another[0].argmax()]
        raise NotYet(
            f"These are the answers to another photograph, the one of {name!r}. The photographer is six[1]."
        )
    if 0 in wrong:
        raise NotYet(
            "The first row is not what the network says to the photographer, rightly prepared. Was the photograph "
            "prepared twice, or left as whole numbers?"
        )
    if len(wrong):
        raise NotYet(
            f"Rows {', '.join(map(str, wrong))} are not what the network says to these preparations. Each row belongs "
            "to one of the eight, in the order of prepare(…).values()."
        )
    tripod = model.labels.index("tripod")
    same = np.flatnonzero(np.abs(expected - expected[0]).max(axis=1) < 1e-5)
    return (
        f"Rows {', '.join(map(str, same))} are the same, {answers[0, tripod]:.0%} tripod: with blue and red exchanged "
        "nothing changes, because in a grey photograph the three colours are the same numbers."
    )


@lru_cache(maxsize=1)
def _answers() -> tuple[np.ndarray, np.ndarray]:
    """To the eight preparations of the photographer, (8, 1000), and to the other samples, rightly prepared."""
    model = load_pretrained_model()
    samples = load_dataset("samples").test.images
    resized = np.stack(
        [resize(np.asarray(picture), model.input_size) for picture in samples]
    ).astype("float32")
    others = np.delete(resized, CAMERA, axis=0)
    # The classifier prepares its pixels itself, by (pixels - 127) / 128: turned around, it is the plain network.
    inputs = np.concatenate([_preparations(resized[CAMERA]) * 128 + 127, others])
    answers = model.classifier.predict(inputs, verbose=0)
    return answers[:8], answers[8:]


def _preparations(pixels: np.ndarray) -> np.ndarray:
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


@exercise(
    "2.3",
    "where is the tripod?",
    "a map of shape (7, 7), one number for each position",
    "The network averages over positions and then weighs the channels. Leave the averaging out.",
    "maps['head'][1] is (7, 7, 1280); kernel[:, tripod] holds one weight for each of the 1,280 channels.",
    "maps['head'][1] @ kernel[:, tripod].",
)
def tripod_map(answer: "Any") -> str:
    found = array(answer, "a map of shape (7, 7)").astype(float).squeeze()
    if found.ndim == 0:
        raise NotYet(
            "That is one number for the whole photograph. Do not average over positions: each keeps its own."
        )
    if found.shape == (7, 7, 1000):
        raise NotYet(
            "You weighed with the whole kernel, and have maps of all 1,000 classes. Take tripod's column."
        )
    if found.shape == (7, 7, 1280):
        raise NotYet(
            "The 1,280 channels are still side by side. @ multiplies and adds them up; * does not add."
        )
    if found.shape != (7, 7):
        raise NotYet(
            f"Your map has the shape {found.shape}; the last block has 7 × 7 positions."
        )
    right = _tripod_map()
    if not np.allclose(found, right, rtol=0, atol=ALIKE * np.ptp(right)):
        alike = (
            np.ptp(found) > 0 and np.corrcoef(found.ravel(), right.ravel())[0, 1] > 0.99
        )
        if alike:
            raise NotYet(
                "The pattern is right, the numbers are not. Leave out the bias, and scale nothing."
            )
        raise NotYet(
            "This is not tripod's map of the photographer. Is it maps['head'][1], the second photograph, and the "
            "column kernel[:, tripod]?"
        )
    row, column = np.unravel_index(right.argmax(), right.shape)
    return f"It is brightest in row {row + 1}, column {column + 1} of 7: right of the man's back, on camera and tripod."


@lru_cache(maxsize=1)
def _tripod_map() -> np.ndarray:
    model = load_pretrained_model()
    kernel, _ = model.classifier.get_layer("classifier").get_weights()
    activations = model.activations(_camera(), "head", cache=False)[0].astype("float32")
    return np.asarray(activations @ kernel[:, model.labels.index("tripod")])
