"""The checks of lesson 05: with the right answer, and with the wrong ones that people really give."""

import copy

import numpy as np
import pytest
from answers import assert_right, assert_wrong, check

import tlcourse as tl


def test_5_1_right():
    assert_right(check("5.1", 36), "36 steps")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (6, "That is one epoch"),
        (42, "A batch that is not full is left out"),
        (37, "A batch that is not full is left out"),
        (37.5, "A batch that is not full is left out"),
        (72, "in one of its views, and not in both"),
        (1200, "A step takes thirty-two of them at once"),
        (35, "Full batches in an epoch, times epochs"),
        ("many", "cannot read an answer of type str"),
    ],
)
def test_5_1_wrong(answer, words):
    assert_wrong(check("5.1", answer), words)


@pytest.fixture(scope="module")
def trained(bundled_model):
    """A network that learned quickly, with the record of one that did what exercise 5.2 asks for."""
    cells = tl.load_dataset("solar").train.sample(per_class=20)
    settings = {"from_": "block6c", "views": 1, "validation": 0, "epochs": 1, "learning_rate": 2e-2}
    tuned = tl.fine_tune(bundled_model, cells.images, cells.labels, **settings)
    return changed(tuned, settings={"epochs": 2}, rows={"learned_from": 200})


def changed(tuned, **parts):
    """The same network with another record: dictionaries in it are joined, other entries replaced."""
    found = copy.copy(tuned)
    found.record = dict(tuned.record)
    for name, value in parts.items():
        found.record[name] = tuned.record[name] | value if isinstance(value, dict) else value
    return found


def test_5_2_right(trained):
    cells = tl.load_dataset("solar").validation.sample(per_class=80)
    accuracy = trained.score(cells.images, cells.labels)
    assert_right(check("5.2", trained, 0.8), f"{accuracy:.1%}, the probe 80.0%: {100 * (accuracy - 0.8):+.1f} points")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"from": "block7a"}, "learned from block7a on; the exercise asks for from_='block6c'"),
        ({"from": None}, "learned from its pixels on"),
        ({"settings": {"learning_rate": 2e-4}}, "Its learning rate was 0.0002"),
        ({"settings": {"epochs": 6}}, "trained for 6 epochs"),
        ({"rows": {"held_out": 20}}, "20 cells were held out and the best epoch was kept"),
        ({"rows": {"learned_from": 1476}}, "learned from 1476 cells"),
    ],
)
def test_5_2_wrong(trained, parts, words):
    assert_wrong(check("5.2", changed(trained, **parts), 0.8), words)


def test_5_2_something_else(trained):
    assert_wrong(check("5.2", trained.record, 0.8), "You gave a dict; expected the network")
    assert_wrong(check("5.2", 0.7, 0.8), "You gave a float; expected the network")


MAPS = np.random.default_rng(0).random((5, 224, 224)) ** 3 * np.hanning(224)


def inside(maps):
    return maps[:, 28:-28, 28:-28]


def test_5_3_right():
    share = 1 - inside(MAPS).sum() / MAPS.sum()
    assert_right(check("5.3", share, MAPS), f"{share:.0%} of the brightness, on 44% of the area: less than")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda m: inside(m).sum() / m.sum(), "That is the share inside"),
        (lambda m: 7 / 16, "the rim's share of the area"),
        (lambda m: 1 - m[:, 28:, 28:].sum() / m.sum(), "the rim on two sides"),
        (lambda m: 1.0, "The first axis counts pictures"),
        (lambda m: 1 - m.mean() / inside(m).mean(), "is not it"),
        (lambda m: 100 * (1 - inside(m).sum() / m.sum()), "As a percentage"),
        (lambda m: m[0], "you gave an array of shape (224, 224); expected one number"),
    ],
)
def test_5_3_wrong(answer, words):
    assert_wrong(check("5.3", answer(MAPS), MAPS), words)
