"""The checks of lesson 00: with the right answer, and with the wrong ones that people really give."""

from dataclasses import replace

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check

import tlcourse as tl


@pytest.fixture(scope="module")
def solar(bundled_model):
    """The names that lesson 00 has when its exercises begin; the classifier saw 100 cells of each class."""

    class Names:
        data = tl.load_dataset("solar")
        few = data.train.sample(per_class=10)
        test, validation = (
            bundled_model.extract_features(part.images)
            for part in (data.test, data.validation)
        )
        few_features = bundled_model.extract_features(few.images)
        few_classifier = tl.train_classifier(few_features, few.labels)
        rows = data.train.sample_rows(per_class=100)
        sample = data.train.select(rows)
        sample_features = bundled_model.extract_features(sample.images)
        classifier = tl.train_classifier(sample_features, sample.labels)

    return Names


def test_0_1_right(solar):
    accuracy = solar.few_classifier.score(solar.test, solar.data.test.labels)
    assert_right(
        check("0.1", accuracy, solar.few),
        f"{accuracy:.1%} with 20 labels",
        "always says 'functional'",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda s: 100 * s.few_classifier.score(s.test, s.data.test.labels),
            "As a percentage that may be right",
        ),
        (
            lambda s: s.few_classifier.score(s.few_features, s.few.labels),
            "accuracy on the training rows",
        ),
        (
            lambda s: s.few_classifier.score(
                s.test, s.data.test.labels, s.data.test.weights
            ),
            "by their weights",
        ),
        (
            lambda s: s.few_classifier.score(s.validation, s.data.validation.labels),
            "on the validation cells",
        ),
        (
            lambda s: s.classifier.score(s.test, s.data.test.labels),
            "trained on them alone",
        ),
        (lambda s: np.mean(s.data.test.labels == 0), "the majority-class baseline"),
        (lambda s: 0.31, "Do features and labels belong to the same cells?"),
        (lambda s: s.few_classifier, "expected one number between 0 and 1"),
    ],
)
def test_0_1_wrong(solar, answer, words):
    assert_wrong(check("0.1", answer(solar), solar.few), words)


@pytest.mark.parametrize(
    "form", [np.float32, np.array, float], ids=["float32", "array", "float"]
)
def test_0_1_right_in_other_forms(solar, form):
    assert_right(
        check(
            "0.1",
            form(solar.few_classifier.score(solar.test, solar.data.test.labels)),
            solar.few,
        )
    )


@pytest.mark.parametrize(
    ("few_cells", "words"),
    [
        (
            lambda s: s.data.test.sample(per_class=10),
            "20 of the 20 cells in few_cells are not cells of solar.train",
        ),
        (lambda s: s.data.test, "are not cells of solar.train"),
        (
            lambda s: s.data.validation.sample(per_class=10),
            "are not cells of solar.train",
        ),
        (lambda s: replace(s.few, labels=1 - s.few.labels), "with their own labels"),
        (
            lambda s: s.data.train.sample(per_class=20),
            "20 and 20 cells of the two classes; expected 10",
        ),
        (
            lambda s: s.data.train.select(
                [0] * 10
                + [int(np.argmax(s.data.train.labels != s.data.train.labels[0]))] * 10
            ),
            "expected 10 different cells",
        ),
        (lambda s: s.few.images, "expected in few_cells a sample of solar.train"),
        (lambda s: None, "expected in few_cells a sample of solar.train"),
    ],
)
def test_0_1_cells_that_the_stub_does_not_take(solar, few_cells, words):
    """What a classifier gets that was trained on the test cells, or on others than the twenty, is no answer."""
    trained_on_test = tl.train_classifier(solar.test, solar.data.test.labels)
    for classifier in (trained_on_test, solar.few_classifier):
        accuracy = classifier.score(solar.test, solar.data.test.labels)
        assert_wrong(check("0.1", accuracy, few_cells(solar)), words)


def test_0_1_trained_on_the_test_cells(solar):
    accuracy = tl.train_classifier(solar.test, solar.data.test.labels).score(
        solar.test, solar.data.test.labels
    )
    assert_wrong(check("0.1", accuracy, solar.few), "is more than these 20 cells give")


def test_0_1_other_cells_are_right_with_their_own_accuracy(solar, bundled_model):
    cells = solar.data.train.sample(per_class=10, seed=1)
    classifier = tl.train_classifier(
        bundled_model.extract_features(cells.images), cells.labels
    )
    assert_right(
        check("0.1", classifier.score(solar.test, solar.data.test.labels), cells),
        "20 labels",
    )


def test_0_1_odd_answers(solar):
    right = solar.few_classifier.score(solar.test, solar.data.test.labels)
    others = [
        right + 0.9,
        right - 0.9,
        1 - right,
        0.0,
        1.0,
        0.5,
        right + 0.01,
        [right],
        {"accuracy": right},
        36,
        20,
    ]
    assert_odd_answers_are_refused("0.1", solar.few, others=others)


def by_kind(solar, score):
    kinds, labels = solar.data.test.groups, solar.data.test.labels
    return {
        kind: score(solar.test[kinds == kind], labels[kinds == kind])
        for kind in ("mono", "poly")
    }


def test_0_2_right(solar):
    assert_right(
        check("0.2", by_kind(solar, solar.classifier.score), solar.classifier),
        "is harder here",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda s: {"mono": 0.8}, "expected a dictionary with 'mono' and 'poly'"),
        (lambda s: 0.8, "You gave a float; expected a dictionary"),
        (
            lambda s: dict(
                zip(
                    ("poly", "mono"),
                    by_kind(s, s.classifier.score).values(),
                    strict=True,
                )
            ),
            "exchanged",
        ),
        (
            lambda s: dict.fromkeys(
                ("mono", "poly"), s.classifier.score(s.test, s.data.test.labels)
            ),
            "Both are the same",
        ),
        (
            lambda s: by_kind(
                s, lambda x, y: np.sum(s.classifier.predict(x) == y) / len(s.data.test)
            ),
            "You divided by all test cells",
        ),
        (
            lambda s: by_kind(s, lambda x, y: len(y) / len(s.data.test)),
            "shares of the two kinds among the cells",
        ),
        (lambda s: by_kind(s, s.classifier.score) | {"poly": 0.2}, "Not so for poly"),
        (
            lambda s: by_kind(s, lambda x, y: 100 * s.classifier.score(x, y)),
            "As a percentage",
        ),
    ],
)
def test_0_2_wrong(solar, answer, words):
    assert_wrong(check("0.2", answer(solar), solar.classifier), words)


def test_0_2_right_in_other_forms(solar):
    right = by_kind(solar, solar.classifier.score)
    forms = {"poly": np.float32(right["poly"]), "mono": np.array(right["mono"])}
    assert_right(check("0.2", forms, solar.classifier))


def test_0_2_a_classifier_trained_on_the_test_cells(solar):
    classifier = tl.train_classifier(solar.test, solar.data.test.labels)
    assert_wrong(
        check("0.2", by_kind(solar, classifier.score), classifier),
        "Has it been trained on the test cells?",
    )


@pytest.mark.parametrize(
    "classifier",
    [None, 0.8, object(), tl.train_classifier],
    ids=lambda one: type(one).__name__,
)
def test_0_2_without_a_classifier(solar, classifier):
    assert_wrong(
        check("0.2", by_kind(solar, solar.classifier.score), classifier),
        "expected new_classifier",
    )


def test_0_2_odd_answers(solar):
    right = by_kind(solar, solar.classifier.score)
    shifted = [
        {kind: value + step for kind, value in right.items()}
        for step in (0.9, -0.9, 0.01, -0.01)
    ]
    others = [
        *shifted,
        dict.fromkeys(right, np.nan),
        dict.fromkeys(right, True),
        list(right.values()),
        *right.values(),
    ]
    others += [
        right | {"all": 0.8},
        {"mono": right["mono"]},
        dict.fromkeys(right, 0.0),
        dict.fromkeys(right, 1.0),
    ]
    assert_odd_answers_are_refused("0.2", solar.classifier, others=others)


@pytest.fixture(scope="module")
def blocks(solar, bundled_model):
    """Accuracies of exercise 0.3: where judged → {"last block", "three blocks"}."""
    names = ["block5c", "block6d", "head"]
    parts = {
        "sample": solar.sample,
        "validation": solar.data.validation,
        "test": solar.data.test,
    }
    features = {
        name: bundled_model.extract_features(part.images, names)
        for name, part in parts.items()
    }
    three = tl.train_classifier(features["sample"], solar.sample.labels)
    last = {
        "sample": solar.sample_features,
        "validation": solar.validation,
        "test": solar.test,
    }
    return {
        name: {
            "last block": solar.classifier.score(last[name], part.labels),
            "three blocks": three.score(features[name], part.labels),
        }
        for name, part in parts.items()
    }


def test_0_3_right(solar, blocks):
    assert_right(
        check("0.3", blocks["validation"], solar.sample),
        f"points on {len(tl.load_dataset('solar').validation)} cells",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda b: dict.fromkeys(b["sample"], 1.0),
            "the training cells of the classifiers",
        ),
        (lambda b: b["test"], "was scored on the test cells"),
        (
            lambda b: dict.fromkeys(b["test"], b["validation"]["last block"]),
            "Both are the same",
        ),
        (
            lambda b: b["validation"] | {"three blocks": 0.42},
            "is not what 'three blocks' gives",
        ),
        (
            lambda b: {"last block": b["validation"]["last block"]},
            "expected a dictionary with 'last block' and",
        ),
    ],
)
def test_0_3_wrong(solar, blocks, answer, words):
    assert_wrong(check("0.3", answer(blocks), solar.sample), words)


def test_0_3_cells_that_the_stub_does_not_take(solar, blocks):
    for cells, words in (
        (solar.data.validation, "are not cells of solar.train"),
        (solar.data.test.sample(per_class=100), "are not cells of solar.train"),
        (solar.few, "10 and 10 cells of the two classes; expected 100"),
        (solar.rows, "expected in sample a sample of solar.train"),
    ):
        assert_wrong(check("0.3", blocks["validation"], cells), words)


def test_0_3_odd_answers(solar, blocks):
    right = blocks["validation"]
    shifted = [
        {name: value + step for name, value in right.items()}
        for step in (0.9, -0.9, 0.02)
    ]
    others = [
        *shifted,
        dict.fromkeys(right, np.nan),
        dict.fromkeys(right, 0.0),
        right | {"three blocks": np.nan},
    ]
    others += [
        dict(zip(right, reversed(right.values()), strict=True)),
        blocks["sample"],
        right | {"last block": True},
    ]
    assert_odd_answers_are_refused("0.3", solar.sample, others=others)
