"""The linear probe: scikit-learn's rules, its choice of C, its head, and refusals."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

import tlcourse as tl
from tlcourse import LinearProbe
from tlcourse.errors import UserInputError
from tlcourse.training.probe import DEFAULT_C, PRIOR_ROWS

WEIGHTS_ARE_RELATIVE = "a weight counts in relation to the mean of all weights"


def clusters(rows, classes, distance=3.0, seed=0):
    """Gaussian clusters: float32 (rows, 6), int64 (rows,)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(rows) % classes
    centres = distance * np.eye(classes, 6)
    features = rng.normal(size=(rows, 6)) + centres[labels]
    return features.astype(np.float32), labels


X, Y = clusters(90, 3)
NAMES = ["pug", "beagle", "collie"]


# scikit-learn


@parametrize_with_checks(
    [LinearProbe(C=0.1)],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS_ARE_RELATIVE
    },
)
def test_it_is_an_estimator_of_scikit_learn(estimator, check):
    check(estimator)


# What is fitted


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("common_scale", [False, True])
def test_it_is_logistic_regression_on_standardised_features(classes, common_scale):
    features, labels = clusters(60, classes)
    features = features * np.array([1, 10, 0.1, 5, 1, 1], np.float32)
    rows = 0 if common_scale else 60
    variances = features.astype(np.float64).var(axis=0)
    shrunk = (rows * variances + PRIOR_ROWS * variances.mean()) / (rows + PRIOR_ROWS)
    scaled = (features - features.mean(axis=0, dtype=np.float64)) / np.sqrt(shrunk)
    expected = LogisticRegression(C=0.1, max_iter=500).fit(scaled, labels)
    probe = tl.train_classifier(features, labels, C=0.1, common_scale=common_scale)
    np.testing.assert_allclose(
        probe.predict_proba(features), expected.predict_proba(scaled), atol=1e-4
    )


def test_with_one_label_per_class_the_default_C_is_used():
    probe = tl.train_classifier(X[:3], Y[:3])
    assert probe.C_ == DEFAULT_C and probe.cross_validated_accuracy_ is None
    assert probe.score(X, Y) > 0.7


# Labels, names and weights


@pytest.mark.parametrize(
    ("labels", "names", "expected"),
    [
        (Y, None, ["0", "1", "2"]),
        (Y, NAMES, NAMES),
        (np.array(NAMES)[Y], None, sorted(NAMES)),
        (Y == 0, None, ["False", "True"]),
        (Y.astype(float), None, ["0", "1", "2"]),
        ((Y + 5).tolist(), None, ["5", "6", "7"]),
    ],
)
def test_labels_come_out_as_they_went_in(labels, names, expected):
    probe = tl.train_classifier(X, labels, names)
    assert probe.class_names == expected
    labels = np.asarray(labels)
    assert probe.score(X, labels) > 0.8
    assert set(probe.predict(X).tolist()) == set(labels.tolist())
    np.testing.assert_array_equal(probe.classes_, np.unique(labels))


def test_rows_of_weight_0_are_left_out():
    weights = np.arange(90) >= 30
    expected = tl.train_classifier(X[30:], Y[30:]).predict_proba(X)
    probe = tl.train_classifier(X, Y, sample_weight=weights)
    np.testing.assert_allclose(probe.predict_proba(X), expected, atol=1e-6)


# The head


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("constant", [None, 0.0, 7.1])
def test_the_head_returns_the_probabilities_of_the_probe(classes, constant):
    features, labels = clusters(60, classes)
    if constant is not None:
        features[:, 2] = constant
    probe = tl.train_classifier(features, labels)
    head = probe.as_head()
    assert head.units == classes and head.activation.__name__ == "softmax"
    np.testing.assert_allclose(head(features), probe.predict_proba(features), atol=1e-5)


# Refusals


NOT_FINITE = np.where(np.arange(90)[:, None] == 7, np.nan, X)


@pytest.mark.parametrize(
    ("features", "labels", "options", "word"),
    [
        (X, np.zeros(90, int), {}, "All 90 labels are 0"),
        (X, ["pug"] * 90, {}, "'pug'"),
        (X, np.eye(3)[Y], {}, "argmax"),
        (NOT_FINITE, Y, {}, "row 7"),
        (np.zeros((90, 8, 8, 3)), Y, {}, "extract_features"),
        (X, Y, {"class_names": ["pug", "beagle"]}, "class_names"),
        (X, Y, {"sample_weight": Y == 1}, "All 30 labels"),
        (X, Y, {"C": 0}, "C is 0"),
        (X, Y, {"C": [0.1, -1.0]}, "C is -1"),
        (X, Y, {"common_scale": "no"}, "common_scale"),
    ],
)
def test_what_cannot_be_trained_on_is_refused(features, labels, options, word):
    with pytest.raises(UserInputError, match=word):
        tl.train_classifier(features, labels, **options)


def test_unknown_labels_are_refused_where_they_have_no_place():
    probe = tl.train_classifier(X, Y)
    with pytest.raises(UserInputError, match="3"):
        probe.confusion(X, Y + 1)
    assert 0 <= probe.score(X, Y + 1) < 1  # as scikit-learn: they count as wrong


def test_class_names_do_not_outlive_another_fit():
    features, labels = clusters(20, 2)
    probe = tl.train_classifier(features, labels, ["cat", "dog"])
    assert probe.class_names == ["cat", "dog"]
    assert probe.fit(features, labels + 5).class_names == ["5", "6"]
