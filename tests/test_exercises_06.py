"""The checks of lesson 06: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

import tlcourse as tl
from tlcourse.exercises.lesson_06 import STEPS, WAYS

pytestmark = pytest.mark.slow


def test_6_1_right():
    assert_right(check("6.1", 5_088), "5,088", "91 % of them")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (5_040, "the kernels alone"),
        (23_584, "all three convolutions"),
        (4_800, "That counts one colour"),
        (448, "one of the two"),
        (4_640, "one of the two"),
        (480, "over all channels below it"),
        (20_000, "20,000 is not what the two hold"),
        ("many", "you gave 'many'; expected a whole number"),
        (5_088.9, "expected a whole number"),
        (5_089, "5,089 is not what the two hold"),
        (-5_088, "is not what the two hold"),
        ([448, 4_640], "an array of shape (2,)"),
    ],
)
def test_6_1_wrong(answer, words):
    assert_wrong(check("6.1", answer), words)


def test_6_1_odd_answers():
    assert_right(check("6.1", np.float64(5_088)))
    assert_odd_answers_are_refused(
        "6.1", others=[0.5, 36, 1_321_994, "5088", {"numbers": 5088}]
    )


@pytest.fixture(scope="module")
def lesson():
    """The names of the lesson; the two sources saw fewer steps than there."""

    class Names:
        digits = tl.load_dataset("digits").train
        source = tl.train_network(digits.images, digits.labels, steps=150)
        inverted = tl.train_network(255 - digits.images, digits.labels, steps=150)
        sixty = tl.load_dataset("kanji").with_classes(
            tl.load_dataset("kanji").class_names[:60]
        )
        judged = sixty.test

    return Names


def trained(lesson, per_class, **options):
    part = lesson.sixty.train.sample(per_class=per_class)
    return tl.train_network(part.images, part.labels, steps=STEPS, **options), part


@pytest.fixture(scope="module")
def ways(lesson):
    """Exercise 6.2's accuracies: labels a sign and where judged → each way's."""
    options = dict(
        zip(WAYS, [{}, {"start": lesson.source, "frozen": True}], strict=True)
    )
    further, _ = trained(lesson, 2, start=lesson.source)
    found = {(2, "further"): further.score(lesson.judged.images, lesson.judged.labels)}
    for per_class in (4, 2):
        networks = {
            name: trained(lesson, per_class, **chosen)
            for name, chosen in options.items()
        }
        for name, (network, part) in networks.items():
            for where, split in (("judged", lesson.judged), ("learned", part)):
                found.setdefault((per_class, where), {})[name] = network.score(
                    split.images, split.labels
                )
    return found


def test_6_2_right(lesson, ways):
    best = max(ways[2, "judged"], key=ways[2, "judged"].get)
    assert_right(
        check("6.2", ways[2, "judged"], lesson.source), f"{best!r} wins this draw"
    )


def exchanged(values):
    return dict(zip(WAYS, [values[way] for way in reversed(WAYS)], strict=True))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda w: w[2, "learned"], "accuracies on the training rows"),
        (lambda w: w[4, "judged"], "with four labels a sign"),
        (lambda w: exchanged(w[2, "judged"]), "The two are exchanged"),
        (
            lambda w: dict.fromkeys(WAYS, w[2, "judged"]["from scratch"]),
            "Both are the same",
        ),
        (
            lambda w: w[2, "judged"] | {"carried, frozen": w[2, "further"]},
            "layers have to stay frozen",
        ),
        (
            lambda w: w[2, "judged"] | {"from scratch": 0.99},
            "Not so for 'from scratch'",
        ),
        (
            lambda w: {name: 100 * value for name, value in w[2, "judged"].items()},
            "As a percentage",
        ),
        (lambda w: {"from scratch": 0.5}, "expected a dictionary with"),
    ],
)
def test_6_2_wrong(lesson, ways, answer, words):
    assert_wrong(check("6.2", answer(ways), lesson.source), words)


def test_6_2_without_the_source(ways):
    """From scratch twice is no comparison."""
    same = dict.fromkeys(WAYS, ways[2, "judged"]["from scratch"])
    for source in (None, "digits", 0.5):
        assert_wrong(check("6.2", same, source), "expected `source`")


def test_6_2_odd_answers(lesson, ways):
    right = ways[2, "judged"]
    others = [
        {name: value + step for name, value in right.items()}
        for step in (0.9, -0.05, np.nan)
    ]
    others += [
        list(right.values()),
        right | {"further": 0.5},
        dict.fromkeys(right, True),
        dict.fromkeys(right, 0.0),
    ]
    assert_odd_answers_are_refused("6.2", lesson.source, others=others)


@pytest.fixture(scope="module")
def rescue(lesson):
    """Exercise 6.3's network, what it learned from, and what a learner may have trained instead."""
    part = lesson.sixty.train.sample(per_class=4)

    class Names:
        learned, judged = part, lesson.judged
        rescued = tl.train_network(
            255 - part.images,
            part.labels,
            start=lesson.inverted,
            frozen=True,
            steps=STEPS,
        )
        before = tl.train_network(
            part.images, part.labels, start=lesson.inverted, frozen=True, steps=STEPS
        )
        further = tl.train_network(
            part.images, part.labels, start=lesson.inverted, steps=STEPS
        )

    return Names


def test_6_3_right(lesson, rescue):
    accuracy = rescue.rescued.score(255 - rescue.judged.images, rescue.judged.labels)
    assert_right(
        check("6.3", accuracy, lesson.inverted),
        f"{accuracy:.0%} instead of",
        "no weight of a convolution",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda r: r.before.score(r.judged.images, r.judged.labels),
            "what the frozen network gave before",
        ),
        (
            lambda r: r.rescued.score(r.judged.images, r.judged.labels),
            "those to be judged by were not",
        ),
        (
            lambda r: r.before.score(255 - r.judged.images, r.judged.labels),
            "those to learn from were not",
        ),
        (
            lambda r: r.rescued.score(255 - r.learned.images, r.learned.labels),
            "on the training rows",
        ),
        (
            lambda r: r.further.score(r.judged.images, r.judged.labels),
            "They have to stay frozen",
        ),
        (lambda r: 0.987, "is not what `inverted`, frozen, gives"),
        (lambda r: r.rescued, "expected one number between 0 and 1"),
    ],
)
def test_6_3_wrong(lesson, rescue, answer, words):
    assert_wrong(check("6.3", answer(rescue), lesson.inverted), words)


def test_6_3_odd_answers(lesson, rescue):
    right = rescue.rescued.score(255 - rescue.judged.images, rescue.judged.labels)
    others = [
        right + 0.9,
        right + 0.02,
        right - 0.02,
        100 * right,
        1 / 60,
        0.0,
        1.0,
        [right],
        {"accuracy": right},
    ]
    assert_odd_answers_are_refused("6.3", lesson.inverted, others=others)
    assert_wrong(check("6.3", right, None), "expected `inverted`")
