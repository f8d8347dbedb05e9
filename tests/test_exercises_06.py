"""The checks of lesson 06: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

import tlcourse as tl
from tlcourse.exercises.lesson_06 import WAYS
from tlcourse.tensorflow_start import import_tensorflow

pytestmark = pytest.mark.slow


def test_6_1_right():
    assert_right(check("6.1", 4_800), "4,800", "97 % of them")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (4_752, "the kernels alone"),
        (23_296, "all three convolutions"),
        (5_088, "That counts three colours"),
        (160, "one of the two"),
        (4_640, "one of the two"),
        (480, "over all channels below it"),
        (20_000, "20,000 is not what the two hold"),
        ("many", "you gave 'many'; expected a whole number"),
        (4_800.9, "expected a whole number"),
        (4_801, "4,801 is not what the two hold"),
        (-4_800, "is not what the two hold"),
        ([160, 4_640], "an array of shape (2,)"),
    ],
)
def test_6_1_wrong(answer, words):
    assert_wrong(check("6.1", answer), words)


def test_6_1_odd_answers():
    assert_right(check("6.1", np.float64(4_800)))
    assert_odd_answers_are_refused(
        "6.1", others=[0.5, 36, 1_321_994, "5088", {"numbers": 5088}]
    )


def train(images, labels, start=None, layers=3, frozen=False, steps=100, seed=0):
    """The lesson's function, with fewer steps."""
    tf = import_tensorflow()
    import keras

    keras.utils.set_random_seed(seed)
    convolution = {"padding": "same", "activation": "relu"}
    network = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Reshape((28, 28, 1)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Conv2D(16, 3, strides=2, name="conv_1", **convolution),
            keras.layers.Conv2D(32, 3, name="conv_2", **convolution),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, name="conv_3", **convolution),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(labels.max() + 1, activation="softmax"),
        ]
    )
    for number in range(1, layers + 1 if start else 1):
        layer = network.get_layer(f"conv_{number}")
        layer.set_weights(start.get_layer(layer.name).get_weights())
        layer.trainable = not frozen
    rate = keras.optimizers.schedules.CosineDecay(5e-3, decay_steps=steps)
    network.compile(
        keras.optimizers.Adam(rate),
        "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    pictures = tf.data.Dataset.from_tensor_slices((np.asarray(images), labels))
    batches = pictures.shuffle(len(labels)).repeat().batch(32)
    network.fit(batches, steps_per_epoch=steps, verbose=0)
    return network


@pytest.fixture(scope="module")
def lesson():
    """The names of the lesson; the two sources saw fewer steps than there."""

    class Names:
        digits = tl.load_dataset("digits").train
        source = train(digits.images, digits.labels, steps=150)
        inverted = train(255 - digits.images, digits.labels, steps=150)
        sixty = tl.load_dataset("kanji").with_classes(
            tl.load_dataset("kanji").class_names[:60]
        )
        judged = sixty.test

    return Names


def trained(lesson, per_class, **options):
    part = lesson.sixty.train.sample(per_class=per_class)
    return train(part.images, part.labels, **options), part


def accuracy(network, images, labels):
    return network.evaluate(images, labels, verbose=0)[1]


@pytest.fixture(scope="module")
def ways(lesson):
    """Exercise 6.2's accuracies: labels a sign and where judged → each way's."""
    options = dict(
        zip(WAYS, [{}, {"start": lesson.source, "frozen": True}], strict=True)
    )
    further, _ = trained(lesson, 2, start=lesson.source)
    judged = lesson.judged
    found = {(2, "further"): accuracy(further, judged.images, judged.labels)}
    for per_class in (4, 2):
        networks = {
            name: trained(lesson, per_class, **chosen)
            for name, chosen in options.items()
        }
        for name, (network, part) in networks.items():
            for where, split in (("judged", lesson.judged), ("learned", part)):
                found.setdefault((per_class, where), {})[name] = accuracy(
                    network, split.images, split.labels
                )
    return found


def test_6_2_right(lesson, ways):
    best = max(ways[2, "judged"], key=ways[2, "judged"].get)
    assert_right(
        check("6.2", ways[2, "judged"], train, lesson.source),
        f"{best!r} wins this draw",
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
    assert_wrong(check("6.2", answer(ways), train, lesson.source), words)


def test_6_2_without_the_source(ways):
    """From scratch twice is no comparison."""
    same = dict.fromkeys(WAYS, ways[2, "judged"]["from scratch"])
    for source in (None, "digits", 0.5):
        assert_wrong(check("6.2", same, train, source), "`source`")


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
    assert_odd_answers_are_refused("6.2", train, lesson.source, others=others)


@pytest.fixture(scope="module")
def rescue(lesson):
    """Exercise 6.3's network, what it learned from, and what a learner may have trained instead."""
    part = lesson.sixty.train.sample(per_class=4)

    class Names:
        learned, judged = part, lesson.judged
        rescued = train(
            255 - part.images, part.labels, start=lesson.inverted, frozen=True
        )
        before = train(part.images, part.labels, start=lesson.inverted, frozen=True)
        further = train(part.images, part.labels, start=lesson.inverted)

    return Names


def test_6_3_right(lesson, rescue):
    rescued = accuracy(rescue.rescued, 255 - rescue.judged.images, rescue.judged.labels)
    assert_right(
        check("6.3", rescued, train, lesson.inverted),
        f"{rescued:.0%} instead of",
        "no weight of a convolution",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda r: accuracy(r.before, r.judged.images, r.judged.labels),
            "what the frozen network gave before",
        ),
        (
            lambda r: accuracy(r.rescued, r.judged.images, r.judged.labels),
            "those to be judged by were not",
        ),
        (
            lambda r: accuracy(r.before, 255 - r.judged.images, r.judged.labels),
            "those to learn from were not",
        ),
        (
            lambda r: accuracy(r.rescued, 255 - r.learned.images, r.learned.labels),
            "on the training rows",
        ),
        (
            lambda r: accuracy(r.further, r.judged.images, r.judged.labels),
            "They have to stay frozen",
        ),
        (lambda r: 0.987, "is not what `inverted`, frozen, gives"),
        (lambda r: r.rescued, "expected one number between 0 and 1"),
    ],
)
def test_6_3_wrong(lesson, rescue, answer, words):
    assert_wrong(check("6.3", answer(rescue), train, lesson.inverted), words)


def test_6_3_odd_answers(lesson, rescue):
    right = accuracy(rescue.rescued, 255 - rescue.judged.images, rescue.judged.labels)
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
    assert_odd_answers_are_refused("6.3", train, lesson.inverted, others=others)
    assert_wrong(check("6.3", right, train, None), "`inverted`")
