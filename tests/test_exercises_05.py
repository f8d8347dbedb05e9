"""The checks of lesson 05: with the right answer, and with the wrong ones that people really give."""

import copy

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

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
        (72, "in one of its augmentations, and not in both"),
        (1200, "A step takes thirty-two of them at once"),
        (35, "Full batches in an epoch, times epochs"),
        ("many", "you gave 'many'; expected a whole number of steps"),
        (36.9, "Full batches in an epoch, times epochs"),
        (35.1, "Full batches in an epoch, times epochs"),
        (-36, "Full batches in an epoch, times epochs"),
        ([6] * 6, "an array of shape (6,)"),
    ],
)
def test_5_1_wrong(answer, words):
    assert_wrong(check("5.1", answer), words)


@pytest.mark.parametrize("answer", [36.0, np.int32(36), np.array(36.0)])
def test_5_1_right_in_other_forms(answer):
    assert_right(check("5.1", answer))


def test_5_1_odd_answers():
    assert_odd_answers_are_refused(
        "5.1", others=[36 + 0.9, 0.36, 1_321_994, "36", {"steps": 36}]
    )


@pytest.fixture(scope="module")
def trained(bundled_model):
    """A network that learned quickly, with the record of one that did what exercise 5.2 asks for."""
    cells = tl.load_dataset("solar").train.sample(per_class=20)
    settings = {
        "from_block": "block6c",
        "augmentations": 1,
        "validation": 0,
        "epochs": 1,
        "learning_rate": 2e-2,
    }
    tuned = tl.fine_tune(bundled_model, cells.images, cells.labels, **settings)
    return changed(tuned, settings={"epochs": 2}, rows={"training": 200})


def changed(tuned, **parts):
    """The same network with another record: dictionaries in it are joined, other entries replaced."""
    found = copy.copy(tuned)
    found.record = dict(tuned.record)
    for name, value in parts.items():
        found.record[name] = (
            tuned.record[name] | value if isinstance(value, dict) else value
        )
    return found


def test_5_2_right(trained):
    cells = tl.load_dataset("solar").validation.sample(per_class=80)
    accuracy = trained.score(cells.images, cells.labels)
    assert_right(
        check("5.2", trained, 0.8),
        f"{accuracy:.1%}, the probe 80.0%: {100 * (accuracy - 0.8):+.1f} points",
    )


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            {"from": "block7a"},
            "trained from block7a on; the exercise asks for from_block='block6c'",
        ),
        ({"from": None}, "trained from its pixels on"),
        ({"settings": {"learning_rate": 2e-4}}, "Its learning rate was 0.0002"),
        ({"settings": {"epochs": 6}}, "trained for 6 epochs"),
        (
            {"rows": {"validation": 20}},
            "20 cells were held out and the best epoch was kept",
        ),
        ({"rows": {"training": 1476}}, "trained on 1476 cells"),
    ],
)
def test_5_2_wrong(trained, parts, words):
    assert_wrong(check("5.2", changed(trained, **parts), 0.8), words)


def test_5_2_something_else(trained):
    assert_wrong(
        check("5.2", trained.record, 0.8), "You gave a dict; expected the network"
    )
    assert_wrong(check("5.2", 0.7, 0.8), "You gave a float; expected the network")
    assert_wrong(
        check("5.2", trained.model, 0.8),
        "expected the network that tl.fine_tune returned",
    )
    assert_wrong(
        check("5.2", changed(trained, settings={"learning_rate": np.nan}), 0.8),
        "Its learning rate was nan",
    )
    for accuracy, words in (
        (80.0, "As a percentage"),
        (np.nan, "expected a share"),
        (None, "probe_accuracy"),
    ):
        assert_wrong(check("5.2", trained, accuracy), words)


def test_5_2_odd_answers(trained):
    empty = copy.copy(trained)
    empty.record = {}
    assert_odd_answers_are_refused(
        "5.2", 0.8, others=[empty, type(trained), [trained], trained.record]
    )


MAPS = np.random.default_rng(0).random((5, 224, 224)) ** 3 * np.hanning(224)


def inside(maps):
    return maps[:, 28:-28, 28:-28]


def test_5_3_right():
    share = 1 - inside(MAPS).sum() / MAPS.sum()
    assert_right(
        check("5.3", share, MAPS),
        f"{share:.0%} of the brightness, on 44% of the area: less than",
    )


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
        (lambda m: 0.0, "is not it"),
        (lambda m: 1.02 - inside(m).sum() / m.sum(), "is not it"),
        (lambda m: 1 - m[:, 28:-28].sum() / m.sum() - 0.2, ""),
        (lambda m: 28 / 224, "is not it"),
    ],
)
def test_5_3_wrong(answer, words):
    assert_wrong(check("5.3", answer(MAPS), MAPS), words)


@pytest.mark.parametrize(
    "maps",
    [
        None,
        "maps",
        MAPS[0],
        MAPS[:, :20],
        np.zeros_like(MAPS),
        np.full_like(MAPS, np.nan),
        MAPS[:0],
        0.5,
    ],
)
def test_5_3_other_maps(maps):
    for answer in (0.44, 0.0, 1.0):
        assert_wrong(check("5.3", answer, maps), "maps_of_defects")


def test_5_3_odd_answers():
    right = 1 - inside(MAPS).sum() / MAPS.sum()
    assert_right(check("5.3", np.float32(right), MAPS.tolist()))
    assert_odd_answers_are_refused(
        "5.3", MAPS, others=[right + 0.9, right - 0.01, [right], {"share": right}]
    )
