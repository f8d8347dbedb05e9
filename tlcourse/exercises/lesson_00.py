"""Lesson 00, Start here: what the answers are compared with."""

import hashlib
from functools import lru_cache

import numpy as np

import tlcourse as tl

from .answers import NotYet, Share, Shares, having, near, unexpected
from .table import rows

FEW, SAMPLED = 10, 100  # cells of each class in 0.1 and in 0.3
BLOCKS = {"last block": None, "three blocks": ("block5c", "block6d", "head")}
SEEN = 0.1  # test accuracy above validation's by more: the test labels were seen


@lru_cache(maxsize=4)
def _features(part, blocks=None):
    images = getattr(tl.load_dataset("solar"), part).images
    return tl.load_pretrained_model().extract_features(images, blocks)


@lru_cache(maxsize=16)
def _trained(indices, blocks=None):
    """A classifier trained on these cells of solar.train, and its accuracy on them."""
    cells = tl.load_dataset("solar").train.select(list(indices))
    features = tl.load_pretrained_model().extract_features(cells.images, blocks)
    classifier = tl.train_classifier(features, cells.labels)
    return classifier, classifier.score(features, cells.labels)


def _indices_in_train(part, per_class, name):
    """Which cells of solar.train a sample holds, by picture and label, or NotYet."""
    if not hasattr(part, "images") or not hasattr(part, "labels"):
        raise unexpected(part, f"in {name} a sample of solar.train, as the stub has it")
    known = _indices_by_cell()
    indices = [known.get(cell, -1) for cell in _cells(part)]
    if -1 in indices:
        raise NotYet(
            f"{indices.count(-1)} of the {len(indices)} cells in {name} are not cells "
            "of solar.train with their own labels. A classifier may be trained on "
            "training cells only; run the stub as it stands."
        )
    counts = np.bincount(tl.load_dataset("solar").train.labels[indices], minlength=2)
    if set(counts) != {per_class} or len(set(indices)) < len(indices):
        raise NotYet(
            f"{name} holds {counts[0]} and {counts[1]} cells of the two classes; "
            f"expected {per_class} different cells of each, as the stub takes them."
        )
    return tuple(indices)


@lru_cache(maxsize=1)
def _indices_by_cell():
    cells = _cells(tl.load_dataset("solar").train)
    return {cell: index for index, cell in reversed(list(enumerate(cells)))}


def _cells(split):
    """A hash of each picture, with its label."""
    images = (np.ascontiguousarray(image).tobytes() for image in split.images)
    hashes = [hashlib.blake2b(image).digest() for image in images]
    return list(zip(hashes, map(int, split.labels), strict=True))


@rows("0.1", Share())
def few_labels(answer, few_cells):
    indices = _indices_in_train(few_cells, FEW, "few_cells")
    solar, test = tl.load_dataset("solar"), _features("test")
    labels, validation = solar.test.labels, _features("validation")
    probe, on_training = _trained(indices)
    right = probe.score(test, labels)
    counts = np.bincount(labels)
    details = {
        "labels": len(indices),
        "majority": solar.class_names[counts.argmax()],
        "baseline": counts.max() / counts.sum(),
    }
    yield "right", right, details
    yield "training rows", on_training
    yield "weighted", probe.score(test, labels, solar.test.weights)
    yield "validation", probe.score(validation, solar.validation.labels)
    yield "baseline", details["baseline"]
    yield "too good", answer > right + 0.03, details


@rows("0.2", Shares("mono", "poly"))
def harder_kind(answer, classifier):
    having(classifier, "new_classifier", "score", "predict")
    solar, features = tl.load_dataset("solar"), _features("test")
    labels, kinds = solar.test.labels, np.asarray(solar.test.groups)
    test = classifier.score(features, labels)
    validation = classifier.score(_features("validation"), solar.validation.labels)
    accuracies = {"test": test, "validation": validation}
    yield "trained on test", test > validation + SEEN, accuracies
    masks = {kind: kinds == kind for kind in answer}
    right = {
        kind: classifier.score(features[m], labels[m]) for kind, m in masks.items()
    }
    yield "right", right, {"harder": min(right, key=right.get)}
    yield "exchanged", {"mono": right["poly"], "poly": right["mono"]}
    correct = classifier.predict(features) == labels
    yield "of all cells", {kind: np.mean(correct & m) for kind, m in masks.items()}
    yield "frequencies", {kind: m.mean() for kind, m in masks.items()}
    yield "both the same", near(answer["mono"], answer["poly"])


@rows("0.3", Shares(*BLOCKS))
def three_blocks(answer, sample):
    indices = _indices_in_train(sample, SAMPLED, "sample")
    solar = tl.load_dataset("solar")
    yield "training rows", min(answer.values()) >= 0.97
    for name, blocks in BLOCKS.items():
        probe, on_training = _trained(indices, blocks)
        validation, test = (
            probe.score(_features(part, blocks), getattr(solar, part).labels)
            for part in ("validation", "test")
        )
        if near(answer[name], validation):
            continue
        details = {"name": name, "accuracy": answer[name], "labels": len(indices)}
        yield "both the same", len(set(answer.values())) == 1
        yield "training rows", near(answer[name], on_training)
        yield "test", near(answer[name], test), details
        yield "otherwise", True, details
    difference = 100 * (answer["three blocks"] - answer["last block"])
    yield "right", True, {"difference": difference, "cells": len(solar.validation)}
