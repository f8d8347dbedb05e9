"""The exercises of lesson 00, Start here."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from ..datasets import load_dataset
from ..models.load import load_pretrained_model
from ..training.probe import LinearProbe, train_classifier
from .core import NotYet, exercise
from .reading import instance, near, rows_of_solar_train, share, shares

FEW, SAMPLED = 10, 100  # cells of each class in 0.1 and in 0.3
BLOCKS = ("block5c", "block6d", "head")
SEEN = 0.1  # how much better than on validation a classifier is on test cells only if it has seen their labels


@lru_cache(maxsize=4)
def _features(part: str, blocks: Sequence[str] | None = None) -> np.ndarray:
    """Of the cells of solar's "validation" or "test"."""
    return load_pretrained_model().extract_features(
        getattr(load_dataset("solar"), part).images, blocks
    )


@lru_cache(maxsize=16)
def _trained(
    rows: tuple[int, ...], blocks: Sequence[str] | None = None
) -> tuple[LinearProbe, float]:
    """A classifier trained on these cells of solar.train, and its accuracy on them."""
    cells = load_dataset("solar").train.select(list(rows))
    features = load_pretrained_model().extract_features(cells.images, blocks)
    classifier = train_classifier(features, cells.labels)
    return classifier, classifier.score(features, cells.labels)


@exercise(
    "0.1",
    "how few labels are enough?",
    "a share between 0 and 1, as score() gives it",
    "The pictures have changed, the method has not: it is the three calls again, with fewer cells.",
    "model.extract_features(few_cells.images), then tl.train_classifier with few_cells.labels, then score on the test.",
    "few_classifier = tl.train_classifier(few_features, few_cells.labels); "
    "few_classifier.score(test_features, solar.test.labels).",
)
def few_labels(answer: "Any", few_cells: "Any") -> str:
    value = share(answer)
    rows = rows_of_solar_train(few_cells, FEW, "few_cells")
    solar, test = load_dataset("solar"), _features("test")
    probe, on_training = _trained(rows)
    right = probe.score(test, solar.test.labels)
    counts = np.bincount(solar.test.labels)
    always = counts.max() / counts.sum()
    if near(value, right):
        name = solar.class_names[counts.argmax()]
        return f"{value:.1%} with {len(rows)} labels; a classifier that always says {name!r} gets {always:.1%}."
    if near(value, on_training):
        raise NotYet(
            "That is the accuracy on the training rows: the classifier has seen their labels. Score it on cells that "
            "it has never seen, the test cells."
        )
    if near(value, probe.score(test, solar.test.labels, solar.test.weights)):
        raise NotYet(
            "That counts the test cells by their weights, as published. Here each cell counts the same."
        )
    if near(value, probe.score(_features("validation"), solar.validation.labels)):
        raise NotYet(
            "That is the accuracy on the validation cells; the exercise asks for the test cells."
        )
    if near(value, always):
        raise NotYet(
            "That is the majority-class baseline. What does the new classifier get?"
        )
    if value > right + 0.03:
        raise NotYet(
            f"{value:.1%} is more than these {len(rows)} cells give. Was the classifier trained on them alone, or "
            "is it the one of the lesson, which saw all labels?"
        )
    raise NotYet(
        f"A classifier trained on features of few_cells.images does better than {value:.1%} on the test cells. Do "
        "features and labels belong to the same cells?"
    )


@exercise(
    "0.2",
    "is one kind of cell harder?",
    "a dictionary with the accuracies of 'mono' and 'poly'",
    "Nothing is trained again. The same classifier is asked about two parts of the test cells.",
    "mask = kinds == 'mono' chooses the rows: test_features[mask] and solar.test.labels[mask] belong together.",
    "accuracy_by_kind['mono'] = new_classifier.score(test_features[mask], solar.test.labels[mask]); then 'poly'.",
)
def harder_kind(answer: "Any", classifier: "Any") -> str:
    values = shares(answer, ("mono", "poly"))
    instance(
        classifier,
        LinearProbe,
        "new_classifier, as tl.train_classifier made it, after the answer",
    )
    solar, features = load_dataset("solar"), _features("test")
    labels = solar.test.labels
    on_validation = classifier.score(_features("validation"), solar.validation.labels)
    if classifier.score(features, labels) > on_validation + SEEN:
        raise NotYet(
            f"This classifier is right on {classifier.score(features, labels):.0%} of the test cells and on "
            f"{on_validation:.0%} of the validation cells. Has it been trained on the test cells? Take new_classifier."
        )
    kinds = np.asarray(solar.test.groups)
    masks = {kind: kinds == kind for kind in values}
    right = {
        kind: classifier.score(features[mask], labels[mask])
        for kind, mask in masks.items()
    }
    if all(near(values[kind], right[kind]) for kind in values):
        harder = min(right, key=right.__getitem__)
        return f"{right['mono']:.1%} of the mono and {right['poly']:.1%} of the poly cells: {harder} is harder here."
    if near(values["mono"], right["poly"]) and near(values["poly"], right["mono"]):
        raise NotYet(
            "The two are exchanged: what stands under 'mono' is the accuracy of the poly cells."
        )
    correct = classifier.predict(features) == labels
    if all(
        near(values[kind], np.sum(correct & masks[kind]) / len(labels))
        for kind in values
    ):
        raise NotYet(
            "You divided by all test cells. Of each kind, divide by the number of cells of that kind; score() does it "
            "when it is given these rows alone."
        )
    if all(near(values[kind], masks[kind].mean()) for kind in values):
        raise NotYet(
            "These are the shares of the two kinds among the cells. How many of each kind are answered right?"
        )
    if near(values["mono"], values["poly"]):
        raise NotYet(
            "Both are the same. Are features and labels both masked, test_features[mask] and solar.test.labels[mask]?"
        )
    wrong = " and ".join(kind for kind in values if not near(values[kind], right[kind]))
    raise NotYet(
        f"Not so for {wrong}. Choose the rows by kinds == 'mono' in features and labels alike, then score."
    )


@exercise(
    "0.3",
    "change the experiment",
    "a dictionary with the accuracies of 'last block' and 'three blocks'",
    "Two classifiers, the same cells. Only what describes the cells differs.",
    "features[rows] are the sample's last-block features; model.extract_features(sample.images, my_blocks) the others.",
    "Train both with sample.labels; score the first on features[len(solar.train):] and the second on "
    "model.extract_features(solar.validation.images, my_blocks), both with solar.validation.labels.",
)
def three_blocks(answer: "Any", sample: "Any") -> str:
    values = shares(answer, ("last block", "three blocks"))
    rows, solar = rows_of_solar_train(sample, SAMPLED, "sample"), load_dataset("solar")
    if min(values.values()) >= 0.97:
        raise NotYet(
            "Nearly all right: these are the training cells of the classifiers. Score both on the validation cells."
        )
    for name, blocks in (("last block", None), ("three blocks", BLOCKS)):
        probe, _ = _trained(rows, blocks)
        if near(
            values[name],
            probe.score(_features("validation", blocks), solar.validation.labels),
        ):
            continue
        if values["last block"] == values["three blocks"]:
            raise NotYet(
                "Both are the same. The second classifier needs features of my_blocks, for sample and validation."
            )
        if near(
            values[name], probe.score(_features("test", blocks), solar.test.labels)
        ):
            raise NotYet(
                f"{name!r} was scored on the test cells. This is a choice, and choosing is done on validation."
            )
        raise NotYet(
            f"{values[name]:.1%} is not what {name!r} gives. Is it trained on the sample's {len(rows)} cells, and "
            "scored on features of the same blocks of the validation cells?"
        )
    difference = 100 * (values["three blocks"] - values["last block"])
    return (
        f"{values['last block']:.1%} against {values['three blocks']:.1%}: {difference:+.1f} points on "
        f"{len(solar.validation)} cells. Another sample may turn a point or two around."
    )
