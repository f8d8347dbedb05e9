"""Lesson 03, Feature extraction: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from .answers import Share, described
from .table import rows


def _features(split, blocks=None):
    return tl.load_pretrained_model().extract_features(split.images, blocks)


@rows("3.1", Share())
def five_neighbours(answer):
    one, five, each, some = _neighbours()
    yield "right", five, {"one": one, "five": five}
    yield "nearest alone", one
    yield "every neighbour", each
    yield "any neighbour", some


@lru_cache(maxsize=1)
def _neighbours():
    """Accuracies of the nearest and of a vote of five; of each neighbour; of any."""
    dogs = tl.load_dataset("dogs")
    train, test = (
        features / np.linalg.norm(features, axis=1, keepdims=True)
        for features in map(_features, (dogs.train, dogs.test))
    )
    nearest = np.argsort(-(test @ train.T), axis=1)[:, :5]
    labels = dogs.train.labels[nearest]
    votes = np.array([np.bincount(row).argmax() for row in labels])
    right = labels == dogs.test.labels[:, None]
    vote = np.mean(votes == dogs.test.labels)
    return right[:, 0].mean(), vote, right.mean(), right.any(axis=1).mean()


@rows("3.2", Share())
def named_right(answer):
    dogs, answers = tl.load_dataset("dogs"), _answers()
    best = [[label.lower().replace(" ", "_") for label, _ in five] for five in answers]
    pairs = list(zip(best, dogs.test.label_names, strict=True))
    right = np.mean([five[0] == name for five, name in pairs])
    yield "right", right, {"classes": len(dogs.class_names)}
    spellings = {"label": answers[0][0][0], "name": pairs[0][1]}
    yield "none", answer == 0, spellings
    yield "top five", np.mean([name in five for five, name in pairs])
    yield "probability", np.mean([five[0][1] for five in answers])


@lru_cache(maxsize=1)
def _answers():
    images = tl.load_dataset("dogs").test.images
    return tl.load_pretrained_model().predict_labels(images, top=5)


@rows("3.3", Share())
def another_block(answer, my_block):
    blocks = list(tl.load_pretrained_model().blocks)[:-1]
    known = isinstance(my_block, str) and my_block in blocks
    details = {"block": described(my_block), "blocks": ", ".join(blocks)}
    yield "block", not known, details
    test, train, validation, last = _accuracies(str(my_block))
    details = {"block": str(my_block), "last": last}
    yield "right", test, details
    yield "last block", last, details
    yield "training rows", train
    yield "validation", validation
    yield "otherwise", True, details


@lru_cache(maxsize=8)
def _accuracies(block):
    """Of a probe on a block: test, training, validation; on the last block: test."""
    dogs = tl.load_dataset("dogs")
    labels = dogs.train.labels
    probe = tl.train_classifier(_features(dogs.train, [block]), labels)
    last = tl.train_classifier(_features(dogs.train), labels)
    return (
        probe.score(_features(dogs.test, [block]), dogs.test.labels),
        probe.score(_features(dogs.train, [block]), labels),
        probe.score(_features(dogs.validation, [block]), dogs.validation.labels),
        last.score(_features(dogs.test), dogs.test.labels),
    )
