"""The exercises of lesson 06, Digits to Kanji."""

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import load_dataset
from .core import NotYet, exercise
from .reading import near, share, shares, whole_number

if TYPE_CHECKING:
    import keras

    from ..datasets.core import Dataset

CHANNELS = (16, 32, 64)  # of the three convolutions
SIGNS, FOUR, FEWER = 60, 4, 2
WAYS = ("from scratch", "carried, frozen")
FURTHER = "carried, trained further"


@exercise(
    "6.1",
    "how much was carried?",
    "a whole number",
    "Each channel of a convolution looks at a window over all channels below it. What does a channel have besides?",
    "height * width * channels_in * channels_out + channels_out, for each of the two: the last term is the biases.",
    "(3 * 3 * 1 * 16 + 16) + (3 * 3 * 16 * 32 + 32).",
)
def numbers_carried(answer: "Any") -> str:
    first, second, third = (
        9 * channels_in * channels
        for channels_in, channels in zip((1, *CHANNELS), CHANNELS, strict=False)
    )
    biases, number = CHANNELS[0] + CHANNELS[1], whole_number(answer)
    right = first + second + biases
    if number == right:
        return f"{right:,}: the second convolution alone has {100 * (second + CHANNELS[1]) / right:.0f} % of them."
    if number == first + second:
        raise NotYet("These are the kernels alone. Each channel has a bias besides.")
    if number == right + third + CHANNELS[2]:
        raise NotYet(
            "That is all three convolutions. The exercise carries the first two."
        )
    if number == right + 2 * first:
        raise NotYet("That counts three colours. These pictures have one, grey.")
    if number in (first + CHANNELS[0], second + CHANNELS[1]):
        raise NotYet("That is one of the two convolutions.")
    if number == 9 * biases + biases:
        raise NotYet(
            "A channel's window goes over all channels below it: 1 for the first, 16 for the second."
        )
    raise NotYet(
        f"{number:,} is not what the two hold. For each: 3 * 3 * channels below * channels + channels."
    )


def _sixty() -> "Dataset":
    kanji = load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:SIGNS])


def _check_names(train: "Any", source: "Any", name: str) -> None:
    if not callable(train) or not hasattr(source, "get_layer"):
        raise NotYet(
            f"After the answer give the function `train` and the network `{name}` of this lesson."
        )


def _accuracy(network: "keras.Model", images: np.ndarray, labels: np.ndarray) -> float:
    return network.evaluate(images, labels, verbose=0)[1]


@lru_cache(maxsize=8)  # each takes seconds, and a learner tries more than once
def _accuracies(
    train: Callable, source: "keras.Model", way: str, per_class: int
) -> tuple[float, float]:
    """On the test characters, and on the training ones."""
    sixty = _sixty()
    part = sixty.train.sample(per_class)
    options = {} if way == "from scratch" else {"start": source}
    network = train(part.images, part.labels, frozen=way == WAYS[1], **options)
    return (
        _accuracy(network, sixty.test.images, sixty.test.labels),
        _accuracy(network, part.images, part.labels),
    )


@exercise(
    "6.2",
    "change the experiment",
    "a dictionary with the accuracies of 'from scratch' and 'carried, frozen'",
    "Nothing is new but the pictures that are learned from. What is judged stays the same.",
    "train(fewer.images, fewer.labels, **ways[name]) for both names, and its accuracy on judged.",
    "For both names: accuracy_of_ways[name] = accuracy(network, judged.images, judged.labels).",
)
def two_ways(answer: "Any", train: "Any", source: "Any") -> str:
    values = shares(answer, tuple(WAYS))
    _check_names(train, source, "source")
    right = {way: _accuracies(train, source, way, FEWER) for way in WAYS}
    if all(near(values[way], right[way][0]) for way in WAYS):
        best = max(WAYS, key=values.__getitem__)
        return f"{best!r} wins this draw, with {values[best]:.0%}. Compare with the curve of five draws above."
    if all(near(values[way], right[way][1]) for way in WAYS):
        raise NotYet(
            "These are the accuracies on the training rows: the networks have seen their labels. Judge them."
        )
    if all(near(values[way], _accuracies(train, source, way, FOUR)[0]) for way in WAYS):
        raise NotYet(
            "These are the accuracies with four labels a sign. Train on fewer.images and fewer.labels."
        )
    scratch, frozen = WAYS
    if near(values[scratch], right[frozen][0]) and near(
        values[frozen], right[scratch][0]
    ):
        raise NotYet("The two are exchanged.")
    if values[scratch] == values[frozen]:
        raise NotYet(
            "Both are the same. Are the options of each way given to train, as **ways[name]?"
        )
    if near(values[frozen], _accuracies(train, source, FURTHER, FEWER)[0]):
        raise NotYet(
            f"That is {FURTHER!r}. Its layers have to stay frozen: **ways['carried, frozen']."
        )
    wrong = [way for way in WAYS if not near(values[way], right[way][0])]
    raise NotYet(
        f"Not so for {' and '.join(map(repr, wrong))}: 300 steps on `fewer` with seed 0, judged on `judged`?"
    )


@lru_cache(maxsize=8)
def _trained_from(
    train: Callable, inverted: "keras.Model", turned: bool, frozen: bool
) -> "keras.Model":
    part = _sixty().train.sample(FOUR)
    images = 255 - np.asarray(part.images) if turned else part.images
    return train(images, part.labels, start=inverted, frozen=frozen)


def _rescued(
    train: Callable,
    inverted: "keras.Model",
    turned: bool,
    judged_turned: bool,
    frozen: bool = True,
    learned: bool = False,
) -> float:
    """Accuracy of what a learner may have trained, on what they may have judged it on."""
    part = _sixty().train.sample(FOUR) if learned else _sixty().test
    images = 255 - np.asarray(part.images) if judged_turned else part.images
    network = _trained_from(train, inverted, turned, frozen)
    return _accuracy(network, images, part.labels)


@exercise(
    "6.3",
    "rescue a transfer",
    "a share between 0 and 1, as accuracy() returns it",
    "The network cannot be changed. What else takes part in a prediction?",
    "255 - images turns light strokes on black into dark strokes on white: what this network was trained on.",
    "rescued = train(255 - learned.images, learned.labels, start=inverted, frozen=True), and its accuracy on "
    "255 - judged.images.",
)
def rescued_transfer(answer: "Any", train: "Any", inverted: "Any") -> str:
    value = share(answer)
    _check_names(train, inverted, "inverted")
    before = _rescued(train, inverted, turned=False, judged_turned=False)
    if near(value, _rescued(train, inverted, turned=True, judged_turned=True)):
        return f"{value:.0%} instead of {before:.0%}, and no weight of a convolution was touched."
    if near(value, before):
        raise NotYet(
            "That is what the frozen network gave before. What does it expect of a picture?"
        )
    if near(value, _rescued(train, inverted, turned=True, judged_turned=False)):
        raise NotYet(
            "The signs to learn from were inverted, those to be judged by were not. Both have to be."
        )
    if near(value, _rescued(train, inverted, turned=False, judged_turned=True)):
        raise NotYet(
            "The signs to be judged by were inverted, those to learn from were not. Both have to be."
        )
    if near(
        value, _rescued(train, inverted, turned=True, judged_turned=True, learned=True)
    ):
        raise NotYet(
            "That is the accuracy on the training rows. Judge it on the judged signs, inverted as well."
        )
    if near(
        value,
        _rescued(train, inverted, turned=False, judged_turned=False, frozen=False),
    ):
        raise NotYet(
            "There the convolutions were trained further. They have to stay frozen: frozen=True."
        )
    raise NotYet(
        f"{value:.0%} is not what `inverted`, frozen, gives on pictures of its own polarity. Learned from `learned`, "
        "four labels a sign, start=inverted, 300 steps?"
    )
