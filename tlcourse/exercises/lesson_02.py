"""The exercises of lesson 02, Pretrained models."""

from typing import Any

import numpy as np

from ..backbones import load_pretrained_model
from ..datasets import load_dataset
from ..pictures import resize
from .core import NotYet, exercise

GREY = 127
CAMERA = 1  # its place among the samples


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
    original, covered = _camera(), np.asarray(answer)
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
    if changed[: original.shape[0] // 2].any() != changed[original.shape[0] // 2 :].any():
        raise NotYet("You covered the upper or the lower half. Rows come first in an array, columns second: [:, :256].")
    touched = [side for side, part in halves.items() if changed[part].any()]
    if len(touched) == 2:
        raise NotYet("Both halves have changed. Cover one and leave the other as it is, or you cannot tell them apart.")
    (side,) = touched
    painted = covered[halves[side]]
    if not np.all(painted == GREY):
        some = "only some of the colours or columns are" if np.any(painted == GREY) else "it is not"
        raise NotYet(f"The {side} half should be {GREY} in every column and all three colours; {some}.")
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
    model, answers = load_pretrained_model(), np.asarray(answer, float)
    if answers.shape == (1000,) or answers.shape == (1, 1000):
        raise NotYet("That is one answer. There are eight preparations; stack them, and each gets a row.")
    if answers.shape != (8, 1000):
        raise NotYet(f"Your array has the shape {answers.shape}; expected (8, 1000): a row a preparation.")
    if not np.allclose(answers.sum(axis=1), 1, atol=1e-3):
        raise NotYet("The rows do not sum to 1, so they are no probabilities. plain_network.predict gives them.")
    samples = [resize(np.asarray(picture), model.input_size) for picture in load_dataset("samples").test.images]
    right = model.classifier.predict(np.stack(samples).astype("float32"), verbose=0)
    if not np.allclose(answers[0], right[CAMERA], atol=0.02):
        others = [place for place in range(len(right)) if np.allclose(answers[0], right[place], atol=0.02)]
        if others:
            name = model.labels[right[others[0]].argmax()]
            raise NotYet(
                f"These are the answers to another photograph, the one of {name!r}. The photographer is six[1]."
            )
        raise NotYet(
            "The first row is not what the network says to the photographer, rightly prepared. Was the photograph "
            "prepared twice, or left as whole numbers?"
        )
    tripod = model.labels.index("tripod")
    same = np.flatnonzero(np.abs(answers - answers[0]).max(axis=1) < 1e-5)
    return (
        f"Rows {', '.join(map(str, same))} are the same, {answers[0, tripod]:.0%} tripod: with blue and red exchanged "
        "nothing changes, because in a grey photograph the three colours are the same numbers."
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
    model, found = load_pretrained_model(), np.asarray(answer, float).squeeze()
    kernel, _ = model.classifier.get_layer("classifier").get_weights()
    activations = model.activations(_camera(), "head", cache=False)[0].astype("float32")
    right = activations @ kernel[:, model.labels.index("tripod")]
    if found.ndim == 0:
        raise NotYet("That is one number for the whole photograph. Do not average over positions: each keeps its own.")
    if found.shape == (7, 7, 1000):
        raise NotYet("You weighed with the whole kernel, and have maps of all 1,000 classes. Take tripod's column.")
    if found.shape == (7, 7, 1280):
        raise NotYet("The 1,280 channels are still side by side. @ multiplies and adds them up; * does not add.")
    if found.shape != (7, 7):
        raise NotYet(f"Your map has the shape {found.shape}; the last block has 7 × 7 positions.")
    if np.corrcoef(found.ravel(), right.ravel())[0, 1] < 0.99:
        raise NotYet(
            "This is not tripod's map of the photographer. Is it maps['head'][1], the second photograph, and the "
            "column kernel[:, tripod]?"
        )
    row, column = np.unravel_index(right.argmax(), right.shape)
    return f"It is brightest in row {row + 1}, column {column + 1} of 7: right of the man's back, on camera and tripod."
