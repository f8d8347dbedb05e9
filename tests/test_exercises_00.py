"""The checks of lesson 00: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_right, assert_wrong, check

import tlcourse as tl


@pytest.fixture(scope="module")
def solar(bundled_model):
    """The names that lesson 00 has when its exercises begin; the classifier saw 100 cells of each class."""

    class Names:
        data = tl.load_dataset("solar")
        few = data.train.sample(per_class=10)
        test, validation = (bundled_model.extract_features(part.images) for part in (data.test, data.validation))
        few_features = bundled_model.extract_features(few.images)
        few_classifier = tl.train_classifier(few_features, few.labels)
        rows = data.train.sample_rows(per_class=100)
        sample = data.train.select(rows)
        sample_features = bundled_model.extract_features(sample.images)
        classifier = tl.train_classifier(sample_features, sample.labels)

    return Names


def test_0_1_right(solar):
    accuracy = solar.few_classifier.score(solar.test, solar.data.test.labels)
    assert_right(check("0.1", accuracy, solar.few), f"{accuracy:.1%} with 20 labels", "always says 'functional'")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s: 100 * s.few_classifier.score(s.test, s.data.test.labels), "As a percentage that may be right"),
        (lambda s: s.few_classifier.score(s.few_features, s.few.labels), "accuracy on the training rows"),
        (lambda s: s.few_classifier.score(s.test, s.data.test.labels, s.data.test.weights), "by their weights"),
        (lambda s: s.few_classifier.score(s.validation, s.data.validation.labels), "on the validation cells"),
        (lambda s: s.classifier.score(s.test, s.data.test.labels), "trained on them alone"),
        (lambda s: np.mean(s.data.test.labels == 0), "somebody gets who does not look"),
        (lambda s: 0.31, "Do features and labels belong to the same cells?"),
        (lambda s: s.few_classifier, "expected one number between 0 and 1"),
    ],
)
def test_0_1_wrong(solar, answer, words):
    assert_wrong(check("0.1", answer(solar), solar.few), words)


def by_kind(solar, score):
    kinds, labels = solar.data.test.groups, solar.data.test.labels
    return {kind: score(solar.test[kinds == kind], labels[kinds == kind]) for kind in ("mono", "poly")}


def test_0_2_right(solar):
    assert_right(check("0.2", by_kind(solar, solar.classifier.score), solar.classifier), "is harder here")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s: {"mono": 0.8}, "expected a dictionary with 'mono' and 'poly'"),
        (lambda s: 0.8, "You gave a float; expected a dictionary"),
        (lambda s: dict(zip(("poly", "mono"), by_kind(s, s.classifier.score).values(), strict=True)), "exchanged"),
        (
            lambda s: dict.fromkeys(("mono", "poly"), s.classifier.score(s.test, s.data.test.labels)),
            "Both are the same",
        ),
        (
            lambda s: by_kind(s, lambda x, y: np.sum(s.classifier.predict(x) == y) / len(s.data.test)),
            "You divided by all test cells",
        ),
        (lambda s: by_kind(s, lambda x, y: len(y) / len(s.data.test)), "shares of the two kinds among the cells"),
        (lambda s: by_kind(s, s.classifier.score) | {"poly": 0.2}, "Not so for poly"),
        (lambda s: by_kind(s, lambda x, y: 100 * s.classifier.score(x, y)), "As a percentage"),
    ],
)
def test_0_2_wrong(solar, answer, words):
    assert_wrong(check("0.2", answer(solar), solar.classifier), words)


@pytest.fixture(scope="module")
def blocks(solar, bundled_model):
    """Accuracies of exercise 0.3: where judged → {"last block", "three blocks"}."""
    names = ["block5c", "block6d", "head"]
    parts = {"sample": solar.sample, "validation": solar.data.validation, "test": solar.data.test}
    features = {name: bundled_model.extract_features(part.images, names) for name, part in parts.items()}
    three = tl.train_classifier(features["sample"], solar.sample.labels)
    last = {"sample": solar.sample_features, "validation": solar.validation, "test": solar.test}
    return {
        name: {
            "last block": solar.classifier.score(last[name], part.labels),
            "three blocks": three.score(features[name], part.labels),
        }
        for name, part in parts.items()
    }


def test_0_3_right(solar, blocks):
    assert_right(
        check("0.3", blocks["validation"], solar.sample), f"points on {len(tl.load_dataset('solar').validation)} cells"
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda b: dict.fromkeys(b["sample"], 1.0), "the cells that the classifiers learned from"),
        (lambda b: b["test"], "was judged on the test cells"),
        (lambda b: dict.fromkeys(b["test"], b["validation"]["last block"]), "Both are the same"),
        (lambda b: b["validation"] | {"three blocks": 0.42}, "is not what 'three blocks' gives"),
        (lambda b: {"last block": b["validation"]["last block"]}, "expected a dictionary with 'last block' and"),
    ],
)
def test_0_3_wrong(solar, blocks, answer, words):
    assert_wrong(check("0.3", answer(blocks), solar.sample), words)
