"""The checks of lesson 03: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dogs(bundled_model):
    try:
        data = tl.load_dataset("dogs")
    except DatasetUnavailable as absent:
        pytest.skip(str(absent))

    class Names:
        names, labels, train_labels = (
            data.class_names,
            data.test.labels,
            data.train.labels,
        )
        label_names = data.test.label_names
        test_images, train_images = data.test.images, data.train.images
        validation = data.validation
        train, test = (
            bundled_model.extract_features(part.images)
            for part in (data.train, data.test)
        )
        unit_train, unit_test = (
            part / np.linalg.norm(part, axis=1, keepdims=True) for part in (train, test)
        )
        nearest = train_labels[np.argsort(-(unit_test @ unit_train.T), axis=1)[:, :5]]

    return Names


def vote(dogs):
    return np.mean([np.bincount(row).argmax() for row in dogs.nearest] == dogs.labels)


def test_3_1_right(dogs):
    assert_right(check("3.1", vote(dogs)), "by five neighbours")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda d: 100 * vote(d), "As a percentage"),
        (
            lambda d: np.mean(d.nearest[:, ::-1] == 2 - d.labels[:, None]),
            "is not what the vote gives",
        ),
        (lambda d: [0.9, 0.8], "an array of shape (2,)"),
        (lambda d: 0.5, "compared with dogs.test.labels, row by row"),
        (
            lambda d: np.bincount(d.labels).max() / len(d.labels),
            "is not what the vote gives",
        ),
        (lambda d: 1 - vote(d), "is not what the vote gives"),
        (lambda d: vote(d) + 0.9, "As a percentage"),
    ],
)
def test_3_1_wrong(dogs, answer, words):
    assert_wrong(check("3.1", answer(dogs)), words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.8, "the nearest neighbour alone"),
        (0.95, "counts a photograph as right if any"),
    ],
)
def test_3_1_other_measures_are_named(dogs, monkeypatch, answer, words):
    """By their values on other data: of the pack's few photographs all of these measures are 100 %."""
    monkeypatch.setattr(
        "tlcourse.exercises.lesson_03._neighbours", lambda: (0.8, 0.9, 0.7, 0.95)
    )
    assert_wrong(check("3.1", answer), words)


def test_3_1_odd_answers(dogs):
    assert_right(check("3.1", np.array(np.float32(vote(dogs)))))
    assert_odd_answers_are_refused(
        "3.1", others=[vote(dogs) - 0.05, len(dogs.labels), dogs.nearest, dogs.labels]
    )


def named(dogs, model, top):
    answers = model.predict_labels(dogs.test_images, top=top)
    return [[label.lower().replace(" ", "_") for label, _ in best] for best in answers]


def test_3_2_right(dogs, bundled_model):
    right = np.mean(
        [
            best[0] == name
            for best, name in zip(
                named(dogs, bundled_model, 1), dogs.label_names, strict=True
            )
        ]
    )
    assert_right(check("3.2", right), "out of 1,000 classes")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda d, m: 0.0, "Make them look alike"),
        (
            lambda d, m: np.mean(
                [
                    n in best
                    for best, n in zip(named(d, m, 5), d.label_names, strict=True)
                ]
            ),
            "That counts the five best answers",
        ),
        (
            lambda d, m: np.mean(
                [best[0][1] for best in m.predict_labels(d.test_images, top=1)]
            ),
            "how sure the network",
        ),
        (lambda d, m: 0.123, "in the same order"),
        (lambda d, m: 93.0, "As a percentage"),
        (lambda d, m: 1.0, "in the same order"),
        (lambda d, m: 1 / 1000, "in the same order"),
        (
            lambda d, m: [
                best[0][0] for best in m.predict_labels(d.test_images, top=1)
            ],
            "between 0 and 1",
        ),
    ],
)
def test_3_2_wrong(dogs, bundled_model, answer, words):
    assert_wrong(check("3.2", answer(dogs, bundled_model)), words)


def test_3_2_odd_answers(dogs):
    assert_odd_answers_are_refused("3.2", others=[1.9, 0.5, {"named": 0.9}, [0.9]])


@pytest.fixture(scope="module")
def early(dogs, bundled_model):
    """The features of block2a, an early one, so that its accuracy is another than the last block's."""
    train, test = (
        bundled_model.extract_features(images, ["block2a"])
        for images in (dogs.train_images, dogs.test_images)
    )
    return tl.train_classifier(train, dogs.train_labels), train, test


def test_3_3_right(dogs, early):
    probe, _, test = early
    assert_right(
        check("3.3", probe.score(test, dogs.labels), "block2a"),
        "block2a: ",
        "the last block: ",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda d, probe, train: tl.train_classifier(d.train, d.train_labels).score(
                d.test, d.labels
            ),
            "the last block's",
        ),
        (
            lambda d, probe, train: probe.score(train, d.train_labels),
            "on the training photographs",
        ),
        (lambda d, probe, train: 0.011, "is not what a probe on 'block2a' gives"),
        (lambda d, probe, train: "block2a", "you gave 'block2a'"),
        (lambda d, probe, train: probe, "expected one number between 0 and 1"),
        (lambda d, probe, train: train, "an array of shape"),
        (
            lambda d, probe, train: 1 / len(d.names),
            "is not what a probe on 'block2a' gives",
        ),
    ],
)
def test_3_3_wrong(dogs, early, answer, words):
    probe, train, _ = early
    assert_wrong(check("3.3", answer(dogs, probe, train), "block2a"), words)


@pytest.mark.parametrize(
    "block",
    ["head", "block99", "", None, 4, ["block2a"], np.array(["block2a", "block2b"])],
    ids=str,
)
def test_3_3_no_earlier_block(dogs, block):
    """With the last block for my_block, its accuracy would be the right answer."""
    last = tl.train_classifier(dogs.train, dogs.train_labels).score(
        dogs.test, dogs.labels
    )
    assert_wrong(
        check("3.3", last, block), "expected the name of a block before the last"
    )


def test_3_3_odd_answers(dogs, early):
    probe, _, test = early
    right = probe.score(test, dogs.labels)
    assert_odd_answers_are_refused(
        "3.3", "block2a", others=[right + 0.9, right - 0.05, 100 * right, {"a": right}]
    )
