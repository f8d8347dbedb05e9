"""Lesson 06, Digits to Kanji: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from .answers import Share, Shares, WholeNumber, having, near
from .table import rows

CHANNELS = (1, 16, 32, 64)  # of the pictures, and of the three convolutions
CLASSES, LABELS, FEWER = 60, 4, 2  # labels of each class in the lesson, and in 6.2
SCRATCH, FROZEN = "from scratch", "carried, frozen"


@rows("6.1", WholeNumber())
def transferred_weights(answer):
    pairs = zip(CHANNELS, CHANNELS[1:], strict=False)
    kernels = [9 * below * channels for below, channels in pairs]
    first, second, third = map(sum, zip(kernels, CHANNELS[1:], strict=True))
    biases = CHANNELS[1] + CHANNELS[2]
    right = first + second
    yield "right", right, {"second": second / right}
    yield "kernels", right - biases
    yield "all three", right + third
    yield "three colours", right + 2 * kernels[0]
    yield "one of two", answer in (first, second)
    yield "one channel", 9 * biases + biases


@rows("6.2", Shares(SCRATCH, FROZEN))
def two_ways(answer, train, source):
    having(train, "train", "__call__")
    having(source, "source", "get_layer")
    test, few = _sixty().test, _sixty().train.sample(per_class=FEWER)

    def accuracies(split, per_class=FEWER):
        scratch = _trained(train, None, per_class)
        frozen = _trained(train, source, per_class)
        return {SCRATCH: _accuracy(scratch, split), FROZEN: _accuracy(frozen, split)}

    right = accuracies(test)
    best = max(right, key=right.get)
    yield "right", right, {"best": best, "accuracy": right[best]}
    yield "training rows", accuracies(few)
    yield "four labels", accuracies(test, LABELS)
    yield "exchanged", {SCRATCH: right[FROZEN], FROZEN: right[SCRATCH]}
    yield "both the same", answer[SCRATCH] == answer[FROZEN]
    fine_tuned = _trained(train, source, FEWER, frozen=False)
    yield "not frozen", near(answer[FROZEN], _accuracy(fine_tuned, test))


@rows("6.3", Share())
def rescued_transfer(answer, train, inverted):
    having(train, "train", "__call__")
    having(inverted, "inverted", "get_layer")
    test, few = _sixty().test, _sixty().train.sample(per_class=LABELS)
    before, rescued = (_trained(train, inverted, LABELS, inverted=i) for i in (0, 1))
    details = {"before": _accuracy(before, test)}
    yield "right", _accuracy(rescued, test, inverted=True), details
    yield "before", details["before"]
    yield "test not inverted", _accuracy(rescued, test)
    yield "training not inverted", _accuracy(before, test, inverted=True)
    yield "training rows", _accuracy(rescued, few, inverted=True)
    yield "not frozen", _accuracy(_trained(train, inverted, LABELS, frozen=False), test)


def _sixty():
    kanji = tl.load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:CLASSES])


@lru_cache(maxsize=16)  # each takes seconds, and a learner tries more than once
def _trained(train, start, per_class, frozen=True, inverted=False):
    """What the lesson's `train` makes of so many labels of each class."""
    part = _sixty().train.sample(per_class=per_class)
    options = {} if start is None else {"start": start, "frozen": frozen}
    return train(_pixels(part, inverted), part.labels, **options)


def _accuracy(network, split, inverted=False):
    outputs = network.predict(_pixels(split, inverted), verbose=0)
    return np.mean(outputs.argmax(axis=1) == split.labels)


def _pixels(split, inverted):
    return 255 - np.asarray(split.images) if inverted else np.asarray(split.images)
