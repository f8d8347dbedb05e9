"""The exercises of lesson 03, Feature extraction."""

from functools import lru_cache
from typing import Any

import numpy as np

from ..datasets import load_dataset
from ..models.load import load_pretrained_model
from ..training.probe import train_classifier
from .core import NotYet, exercise
from .reading import describe, near, share


@lru_cache(maxsize=1)
def _features() -> tuple:
    """The dogs, and the features of their training and test photographs."""
    dogs, model = load_dataset("dogs"), load_pretrained_model()
    return (
        dogs,
        model.extract_features(dogs.train.images),
        model.extract_features(dogs.test.images),
    )


@exercise(
    "3.1",
    "which neighbours count?",
    "a share between 0 and 1",
    "Each test photograph has five neighbours, each neighbour has a label. Let them vote.",
    "dogs.train.labels[five_nearest] has five labels for each test photograph; np.bincount(row).argmax() counts.",
    "votes = [np.bincount(row).argmax() for row in dogs.train.labels[five_nearest]]; "
    "np.mean(np.array(votes) == dogs.test.labels).",
)
def five_neighbours(answer: "Any") -> str:
    value = share(answer)
    one, five, each, hit = _neighbours()
    if near(value, five):
        return f"{five:.1%} by five neighbours, {one:.1%} by one. How many test photographs does the difference make?"
    if near(value, one):
        raise NotYet(
            "That is the nearest neighbour alone, as in the lesson. Let all five vote."
        )
    if near(value, each):
        raise NotYet(
            "That counts every neighbour by itself. First let the five of a photograph agree on one answer."
        )
    if near(value, hit):
        raise NotYet(
            "That counts a photograph as right if any of the five is. The most frequent label has to be."
        )
    raise NotYet(
        f"{value:.1%} is not what the vote gives. Are the votes compared with dogs.test.labels, row by row?"
    )


@lru_cache(maxsize=1)
def _neighbours() -> tuple[float, ...]:
    """Accuracy of the nearest and of the vote of five; share of all neighbours, and of the fives with one, that fit."""
    dogs, train, test = _features()
    lengths = np.linalg.norm(test, axis=1, keepdims=True), np.linalg.norm(train, axis=1)
    similarity = test @ train.T / lengths[0] / lengths[1]
    labels = dogs.train.labels[np.argsort(-similarity, axis=1)[:, :5]]
    votes = np.array([np.bincount(row).argmax() for row in labels])
    truth = dogs.test.labels
    one, five = np.mean(labels[:, 0] == truth), np.mean(votes == truth)
    each, hit = (
        np.mean(labels == truth[:, None]),
        np.mean((labels == truth[:, None]).any(axis=1)),
    )
    return float(one), float(five), float(each), float(hit)


@exercise(
    "3.2",
    "ask the network itself",
    "a share between 0 and 1",
    "No training at all: the network names one of its thousand classes. Compare names, not numbers.",
    "model.predict_labels(dogs.test.images, top=1) gives a list with one (label, probability) for each photograph.",
    'named = [best[0][0].lower().replace(" ", "_") for best in answers]; np.mean(np.array(named) == '
    "dogs.test.label_names).",
)
def named_right(answer: "Any") -> str:
    value = share(answer)
    dogs, answers = load_dataset("dogs"), _answers()
    names = [[label.lower().replace(" ", "_") for label, _ in best] for best in answers]
    truth = dogs.test.label_names
    right = np.mean([best[0] == name for best, name in zip(names, truth, strict=True)])
    among = np.mean([name in best for best, name in zip(names, truth, strict=True)])
    if near(value, right):
        return f"It names {right:.1%} word for word, out of 1,000 classes; the probe chose among {len(dogs.class_names)}."
    if value == 0:
        raise NotYet(
            f"None at all: the network writes {answers[0][0][0]!r}, our names look like {truth[0]!r}. Make them look "
            "alike before you compare."
        )
    if near(value, float(among)):
        raise NotYet(
            "That counts the five best answers. The exercise asks for the first one: top=1."
        )
    probabilities = [best[0][1] for best in answers]
    if near(value, float(np.mean(probabilities))):
        raise NotYet(
            "That is how sure the network is on average, not how often it is right."
        )
    raise NotYet(
        f"Not {value:.1%}. Compare each photograph's best label with dogs.test.label_names, in the same order."
    )


@lru_cache(maxsize=1)
def _answers() -> list:
    return load_pretrained_model().predict_labels(
        load_dataset("dogs").test.images, top=5
    )


@exercise(
    "3.3",
    "change the experiment",
    "a share between 0 and 1",
    "The probe stays; what describes the photographs comes from another place in the network.",
    "model.extract_features(images, blocks=[my_block]) for training and test photographs alike.",
    "tl.train_classifier(block_train, dogs.train.labels).score(block_test, dogs.test.labels).",
)
def another_block(answer: "Any", block: "Any") -> str:
    value = share(answer)
    earlier = list(load_pretrained_model().blocks)[:-1]
    if not isinstance(block, str) or block not in earlier:
        raise NotYet(
            f"my_block is {describe(block)}; expected the name of a block before the last: {', '.join(earlier)}."
        )
    right, on_training, on_validation, last = _accuracies(str(block))
    if near(value, right):
        return f"{block}: {right:.1%}, the last block: {last:.1%}."
    if near(value, last):
        raise NotYet(
            f"That is the last block's accuracy. Were both features taken with blocks=[{block!r}]?"
        )
    if near(value, on_training):
        raise NotYet(
            "That is the accuracy on the training photographs. Score the probe on the test photographs."
        )
    if near(value, on_validation):
        raise NotYet(
            "That is the accuracy on the validation photographs; the exercise asks for the test photographs."
        )
    raise NotYet(
        f"{value:.1%} is not what a probe on {block!r} gives. Same block for training and test photographs?"
    )


@lru_cache(maxsize=8)
def _accuracies(block: str) -> tuple[float, float, float, float]:
    """Of a probe on a block: on test, training and validation; and of one on the last block, on test."""
    dogs, train, test = _features()
    last = train_classifier(train, dogs.train.labels).score(test, dogs.test.labels)
    splits, model = (dogs.test, dogs.train, dogs.validation), load_pretrained_model()
    rows = [model.extract_features(split.images, blocks=[block]) for split in splits]
    probe = train_classifier(rows[1], dogs.train.labels)
    right, on_training, on_validation = (
        probe.score(features, split.labels)
        for features, split in zip(rows, splits, strict=True)
    )
    return right, on_training, on_validation, last
