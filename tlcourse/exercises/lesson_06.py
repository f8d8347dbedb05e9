"""The exercises of lesson 06, Digits to Kanji."""

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import load_dataset
from ..training.small_networks import CHANNELS, SmallNetwork, train_network
from .core import NotYet, exercise
from .reading import instance, near, share, shares, whole_number

if TYPE_CHECKING:
    from ..datasets.core import Dataset

SIGNS, FOUR, FEWER, STEPS = (
    60,
    4,
    2,
    300,
)  # STEPS: of every training in the lesson but the sources'
WAYS = ("from scratch", "carried, frozen")
FURTHER = "carried, trained further"


@exercise(
    "6.1",
    "how much was carried?",
    "a whole number",
    "Each channel of a convolution looks at a window over all channels below it. What does a channel have besides?",
    "height * width * channels_in * channels_out + channels_out, for each of the two: the last term is the biases.",
    "(3 * 3 * 3 * 16 + 16) + (3 * 3 * 16 * 32 + 32).",
)
def numbers_carried(answer: "Any") -> str:
    first, second, third = (
        9 * channels_in * channels
        for channels_in, channels in zip((3, *CHANNELS), CHANNELS, strict=False)
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
    if number == right - 2 * first // 3:
        raise NotYet(
            "That counts one colour. The network looks at three, even where they are all the same grey."
        )
    if number in (first + CHANNELS[0], second + CHANNELS[1]):
        raise NotYet("That is one of the two convolutions.")
    if number == 9 * biases + biases:
        raise NotYet(
            "A channel's window goes over all channels below it: 3 colours for the first, 16 for the second."
        )
    raise NotYet(
        f"{number:,} is not what the two hold. For each: 3 * 3 * channels below * channels + channels."
    )


def _sixty() -> "Dataset":
    kanji = load_dataset("kanji")
    return kanji.with_classes(kanji.class_names[:SIGNS])


@lru_cache(maxsize=8)  # each takes seconds, and a learner tries more than once
def _accuracies(
    source: SmallNetwork | None, way: str, per_class: int
) -> tuple[float, float]:
    """On the judged signs, and on those learned from."""
    sixty = _sixty()
    part = sixty.train.sample(per_class)
    start = None if way == "from scratch" else source
    frozen = start is not None and way != FURTHER
    network = train_network(
        part.images, part.labels, steps=STEPS, start=start, frozen=frozen
    )
    return network.score(sixty.test.images, sixty.test.labels), network.score(
        part.images, part.labels
    )


@exercise(
    "6.2",
    "change the experiment",
    "a dictionary with the accuracies of 'from scratch' and 'carried, frozen'",
    "Nothing is new but the pictures that are learned from. What is judged stays the same.",
    "tl.train_network(fewer.images, fewer.labels, steps=300, **ways[name]) for both names, and its score on judged.",
    "For both names: accuracy_of_ways[name] = network.score(judged.images, judged.labels).",
)
def two_ways(answer: "Any", source: "Any") -> str:
    values = shares(answer, tuple(WAYS))
    instance(
        source, SmallNetwork, "`source`, as tl.train_network made it, after the answer"
    )
    right = {way: _accuracies(source, way, FEWER) for way in WAYS}
    if all(near(values[way], right[way][0]) for way in WAYS):
        best = max(WAYS, key=values.__getitem__)
        return f"{best!r} wins this draw, with {values[best]:.0%}. Compare with the curve of five draws above."
    if all(near(values[way], right[way][1]) for way in WAYS):
        raise NotYet(
            "These are the accuracies on the training rows: the networks have seen their labels. Judge them."
        )
    if all(near(values[way], _accuracies(source, way, FOUR)[0]) for way in WAYS):
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
            "Both are the same. Are the options of each way given to train_network, as **ways[name]?"
        )
    if near(values[frozen], _accuracies(source, FURTHER, FEWER)[0]):
        raise NotYet(
            f"That is {FURTHER!r}. Its layers have to stay frozen: **ways['carried, frozen']."
        )
    wrong = [way for way in WAYS if not near(values[way], right[way][0])]
    raise NotYet(
        f"Not so for {' and '.join(map(repr, wrong))}: 300 steps on `fewer` with seed 0, judged on `judged`?"
    )


@lru_cache(maxsize=8)
def _trained_from(inverted: SmallNetwork, turned: bool, frozen: bool) -> SmallNetwork:
    part = _sixty().train.sample(FOUR)
    images = 255 - np.asarray(part.images) if turned else part.images
    return train_network(
        images, part.labels, start=inverted, frozen=frozen, steps=STEPS
    )


def _rescued(
    inverted: SmallNetwork,
    turned: bool,
    judged_turned: bool,
    frozen: bool = True,
    learned: bool = False,
) -> float:
    """Accuracy of what a learner may have trained, on what they may have judged it on."""
    part = _sixty().train.sample(FOUR) if learned else _sixty().test
    images = 255 - np.asarray(part.images) if judged_turned else part.images
    return _trained_from(inverted, turned, frozen).score(images, part.labels)


@exercise(
    "6.3",
    "rescue a transfer",
    "a share between 0 and 1, as score() gives it",
    "The network cannot be changed. What else takes part in a prediction?",
    "255 - images turns light strokes on black into dark strokes on white: what this network was trained on.",
    "rescued = tl.train_network(255 - learned.images, learned.labels, start=inverted, frozen=True, steps=300), and "
    "score it on 255 - judged.images.",
)
def rescued_transfer(answer: "Any", inverted: "Any") -> str:
    value = share(answer)
    instance(
        inverted,
        SmallNetwork,
        "`inverted`, as tl.train_network made it, after the answer",
    )
    before = _rescued(inverted, turned=False, judged_turned=False)
    if near(value, _rescued(inverted, turned=True, judged_turned=True)):
        return f"{value:.0%} instead of {before:.0%}, and no weight of a convolution was touched."
    if near(value, before):
        raise NotYet(
            "That is what the frozen network gave before. What does it expect of a picture?"
        )
    if near(value, _rescued(inverted, turned=True, judged_turned=False)):
        raise NotYet(
            "The signs to learn from were inverted, those to be judged by were not. Both have to be."
        )
    if near(value, _rescued(inverted, turned=False, judged_turned=True)):
        raise NotYet(
            "The signs to be judged by were inverted, those to learn from were not. Both have to be."
        )
    if near(value, _rescued(inverted, turned=True, judged_turned=True, learned=True)):
        raise NotYet(
            "That is the accuracy on the training rows. Judge it on the judged signs, inverted as well."
        )
    if near(value, _rescued(inverted, turned=False, judged_turned=False, frozen=False)):
        raise NotYet(
            "There the convolutions were trained further. They have to stay frozen: frozen=True."
        )
    raise NotYet(
        f"{value:.0%} is not what `inverted`, frozen, gives on pictures of its own polarity. Learned from `learned`, "
        "four labels a sign, start=inverted, 300 steps?"
    )
