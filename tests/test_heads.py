"""The linear probe: labels come out as they went in, what is trained is what the docstring says, and what cannot be
trained on gets a sentence."""

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info, threadpool_limits

from tlcourse.errors import UserInputError
from tlcourse.training.heads import (
    DEFAULT_STRENGTH,
    STEADY_ROWS,
    STRENGTHS,
    train_classifier,
)

FEATURES = 6


def clusters(rows: int, classes: int, distance: float = 3.0):
    """Features float32 (rows, 6) of normally distributed clusters, labels 0 … classes - 1 by turns."""
    chance = np.random.default_rng(classes)
    labels = np.arange(rows) % classes
    centres = chance.normal(size=(classes, FEATURES)) * distance
    return (centres[labels] + chance.normal(size=(rows, FEATURES))).astype(
        np.float32
    ), labels


@pytest.fixture(params=[2, 3, 5], ids=["two classes", "three classes", "five classes"])
def some_data(request):
    """Clusters that overlap a little, of two and of more classes."""
    return clusters(120, request.param, distance=1.0)


THREE, LABELS = clusters(90, 3)
OVERLAPPING, OVERLAPPING_LABELS = clusters(120, 3, distance=0.7)
TEXT = np.array(["pug", "beagle", "collie"])[LABELS]


def quick(features, labels, *arguments, **options):
    """A classifier without the search for the strength, for what does not depend on it."""
    return train_classifier(features, labels, *arguments, strengths=[0.1], **options)


def refusal(action, *arguments, **options) -> str:
    with pytest.raises(UserInputError) as caught:
        action(*arguments, **options)
    return str(caught.value)


# Labels of every kind


@pytest.mark.parametrize(
    "labels",
    [
        LABELS,
        LABELS.astype(np.uint8),
        np.array([7, 30, -2])[LABELS],
        TEXT,
        TEXT.astype(object),
    ],
    ids=["0 to 2", "uint8", "7, 30 and -2", "text", "text as objects"],
)
def test_the_labels_of_separable_rows_come_out_as_they_went_in(labels):
    np.testing.assert_array_equal(quick(THREE, labels).predict(THREE), labels)


@pytest.mark.parametrize(
    "labels",
    [LABELS.tolist(), TEXT.tolist(), tuple(LABELS)],
    ids=["list", "text", "tuple"],
)
def test_labels_need_not_be_an_array(labels):
    assert quick(THREE, labels).predict(THREE).tolist() == list(labels)


def test_features_need_not_be_an_array():
    numbers = THREE.astype(np.float64)
    expected = quick(numbers, LABELS).predict_proba(numbers)
    np.testing.assert_array_equal(
        quick(THREE.tolist(), LABELS).predict_proba(THREE.tolist()), expected
    )


def test_text_labels_stay_text():
    assert quick(THREE, TEXT).predict(THREE[:1]).dtype.kind == "U"


def test_bool_labels_stay_bool():
    found = quick(THREE, LABELS == 1).predict(THREE)
    assert found.dtype == bool and found.tolist() == (LABELS == 1).tolist()


def test_whole_numbers_kept_as_floats_are_taken_as_whole_numbers():
    assert quick(THREE, LABELS.astype(float)).predict(THREE).dtype == np.int64


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (LABELS, ["0", "1", "2"]),
        (np.array([7, 30, -2])[LABELS], ["-2", "7", "30"]),
        (TEXT, ["beagle", "collie", "pug"]),
        (LABELS == 1, ["False", "True"]),
    ],
    ids=["0 to 2", "7, 30 and -2", "text", "bool"],
)
def test_without_class_names_the_sorted_labels_are_their_own_names(labels, names):
    assert quick(THREE, labels).class_names == names


@pytest.mark.parametrize(
    ("labels", "given", "names"),
    [
        (LABELS, ["pug", "beagle", "collie"], ["pug", "beagle", "collie"]),
        (np.array([0, 2, 4])[LABELS], ["a", "b", "c", "d", "e"], ["a", "c", "e"]),
        (LABELS == 1, ["sound", "defect"], ["sound", "defect"]),
        (LABELS, np.array(["pug", "beagle", "collie"]), ["pug", "beagle", "collie"]),
    ],
    ids=["one a class", "some classes without labels", "bool", "as an array"],
)
def test_class_names_name_the_labels_by_their_number(labels, given, names):
    assert quick(THREE, labels, given).class_names == names


def test_with_class_names_the_predictions_stay_numbers():
    found = quick(THREE, LABELS, ["pug", "beagle", "collie"]).predict(THREE)
    np.testing.assert_array_equal(found, LABELS)


# What is trained


def by_scikit_learn(features, labels, strength, rows=None):
    """scikit-learn's own standardisation and regression; variances drawn to their mean if `rows` is given."""
    scaler = StandardScaler().fit(features.astype(np.float64))
    if rows is not None:
        weight = rows / (rows + STEADY_ROWS)
        scaler.scale_ = np.sqrt(
            weight * scaler.var_ + (1 - weight) * scaler.var_.mean()
        )
    regression = LogisticRegression(C=strength, max_iter=1000)
    return regression.fit(scaler.transform(features.astype(np.float64)), labels), scaler


def test_a_classifier_is_scikit_learns_regression_on_features_with_variances_drawn_to_their_mean(
    some_data,
):
    features, labels = some_data[0] * np.float32([1, 2, 5, 10, 0.1, 1]), some_data[1]
    classifier = train_classifier(features, labels)
    regression, scaler = by_scikit_learn(
        features, labels, classifier.strength, rows=len(features)
    )
    expected = regression.predict_proba(scaler.transform(features.astype(np.float64)))
    np.testing.assert_allclose(classifier.predict_proba(features), expected, atol=1e-4)


def test_with_many_rows_it_is_plain_standardisation_and_regression():
    features, labels = clusters(9000, 2, distance=0.5)
    classifier = quick(features, labels)
    regression, scaler = by_scikit_learn(features, labels, 0.1)
    expected = regression.predict_proba(scaler.transform(features.astype(np.float64)))
    np.testing.assert_allclose(classifier.predict_proba(features), expected, atol=1e-3)


@pytest.mark.parametrize("factor", [1e-4, 1e4])
def test_the_unit_of_the_features_does_not_matter(factor):
    expected = quick(OVERLAPPING, OVERLAPPING_LABELS).predict_proba(OVERLAPPING)
    scaled = OVERLAPPING * np.float32(factor) + np.float32(factor)
    np.testing.assert_allclose(
        quick(scaled, OVERLAPPING_LABELS).predict_proba(scaled), expected, atol=1e-3
    )


def test_separable_classes_are_told_apart_on_rows_never_seen():
    features, labels = clusters(300, 3)
    assert (
        train_classifier(features[:90], labels[:90]).score(features[90:], labels[90:])
        > 0.97
    )


def noise():
    """Features that know nothing of the labels: float (200, 20)."""
    return np.random.default_rng(1).normal(size=(200, 20)), np.arange(200) % 2


def test_for_features_that_are_noise_the_strictest_penalty_is_chosen():
    assert train_classifier(*noise()).strength == min(STRENGTHS)


def test_for_clean_features_with_many_rows_a_weak_penalty_is_chosen():
    assert train_classifier(*clusters(900, 3)).strength >= 1


def test_the_strength_is_chosen_from_those_given():
    assert train_classifier(*clusters(900, 3), strengths=[1e-3, 0.5]).strength == 0.5


def test_the_order_of_the_strengths_does_not_matter():
    features, labels = OVERLAPPING, OVERLAPPING_LABELS
    orders = (1e-4, 1e-3, 1e-2, 1e-1), (1e-3, 1e-4, 1e-1, 1e-2)
    assert {
        train_classifier(features, labels, strengths=order).strength for order in orders
    } == {1e-1}


def test_a_single_strength_is_taken_without_cross_validation():
    classifier = quick(THREE, LABELS)
    assert (classifier.strength, classifier.cross_validated) == (0.1, None)


def test_the_cross_validated_accuracy_is_that_of_rows_held_out():
    """On noise a weak penalty learns the rows by heart; held-out rows show it."""
    features, labels = (
        np.random.default_rng(2).normal(size=(100, 90)),
        np.arange(100) % 2,
    )
    classifier = train_classifier(features, labels, strengths=[10, 100])
    assert classifier.score(features, labels) == 1 and classifier.cross_validated < 0.7


# Few labels


def test_with_one_label_a_class_the_documented_strength_is_taken():
    classifier = train_classifier(THREE[:3], LABELS[:3])
    assert (classifier.strength, classifier.cross_validated) == (DEFAULT_STRENGTH, None)


def test_one_label_a_class_suffices_for_separable_classes():
    assert train_classifier(THREE[:3], LABELS[:3]).score(THREE, LABELS) > 0.9


def test_with_one_label_a_class_a_single_strength_is_still_taken():
    assert quick(THREE[:3], LABELS[:3]).strength == 0.1


def test_two_labels_a_class_are_cross_validated():
    assert train_classifier(THREE[:6], LABELS[:6]).cross_validated is not None


def test_a_class_with_one_row_among_large_ones_is_no_obstacle():
    labels = np.r_[3, LABELS[1:]]
    classifier = train_classifier(THREE, labels)
    assert classifier.strength == DEFAULT_STRENGTH and len(classifier.class_names) == 4


# Weights


def confident(classifier):
    return classifier.predict_proba(OVERLAPPING)


@pytest.mark.parametrize("weight", [1e-6, 1, 50])
def test_weights_that_are_all_alike_are_as_good_as_none(weight):
    features, labels = OVERLAPPING, OVERLAPPING_LABELS
    np.testing.assert_allclose(
        confident(
            train_classifier(features, labels, sample_weight=np.full(120, weight))
        ),
        confident(train_classifier(features, labels)),
        atol=1e-6,
    )


def test_a_weight_of_two_is_as_good_as_the_row_twice_at_the_penalty_of_as_many_rows():
    features, labels = OVERLAPPING * np.float32([1, 1, 1, 1, 1, 3]), OVERLAPPING_LABELS
    weights = 1 + (np.arange(120) < 60)
    twice = train_classifier(
        np.r_[features[:60], features], np.r_[labels[:60], labels], strengths=[0.1]
    )
    weighted = train_classifier(
        features, labels, sample_weight=weights, strengths=[0.1 * weights.mean()]
    )
    # 10 rows of the mean variance weigh less beside more rows, so only nearly.
    np.testing.assert_allclose(confident(weighted), confident(twice), atol=0.02)


def test_weights_favour_the_class_that_has_them():
    favoured = confident(
        quick(
            OVERLAPPING,
            OVERLAPPING_LABELS,
            sample_weight=np.where(OVERLAPPING_LABELS == 1, 5.0, 1.0),
        )
    )
    assert (
        favoured[:, 1].mean()
        > 1.2 * confident(quick(OVERLAPPING, OVERLAPPING_LABELS))[:, 1].mean()
    )


def test_rows_that_count_nothing_are_as_good_as_left_out():
    counts = np.arange(120) < 30
    np.testing.assert_array_equal(
        confident(
            train_classifier(OVERLAPPING, OVERLAPPING_LABELS, sample_weight=counts)
        ),
        confident(train_classifier(OVERLAPPING[:30], OVERLAPPING_LABELS[:30])),
    )


def test_when_one_row_of_each_class_counts_there_is_nothing_to_cross_validate():
    assert (
        train_classifier(THREE, LABELS, sample_weight=np.arange(90) < 3).cross_validated
        is None
    )


BAD_WEIGHTS = {
    "too few": np.ones(89),
    "one for all": 1.0,
    "a column": np.ones((90, 1)),
    "negative": np.r_[-1, np.ones(89)],
    "NaN": np.r_[np.nan, np.ones(89)],
    "infinite": np.r_[np.inf, np.ones(89)],
    "all 0": np.zeros(90),
    "text": ["much"] * 90,
}


@pytest.mark.parametrize("weights", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_weights_that_cannot_be_used_get_a_sentence(weights):
    sentence = refusal(train_classifier, THREE, LABELS, sample_weight=weights)
    assert (
        f"sample_weight has shape {np.shape(weights)}" in sentence
        and "expected 90 finite numbers" in sentence
    )


@pytest.mark.parametrize("weights", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_a_score_with_weights_that_cannot_be_used_gets_a_sentence(weights):
    classifier = quick(THREE, LABELS)
    assert "expected 90 finite numbers" in refusal(
        classifier.score, THREE, LABELS, weights
    )


# Probabilities, predictions, scores


def test_probabilities_are_one_row_a_picture_and_sum_to_one(some_data):
    features, labels = some_data
    probability = quick(features, labels).predict_proba(features)
    assert probability.shape == (len(features), labels.max() + 1)
    np.testing.assert_allclose(probability.sum(axis=1), 1)


def test_columns_of_probabilities_are_in_the_order_of_class_names():
    classifier = quick(THREE, TEXT)
    columns = classifier.predict_proba(THREE).argmax(axis=1)
    assert [classifier.class_names[column] for column in columns] == TEXT.tolist()


def test_the_prediction_is_the_most_probable_label(some_data):
    classifier = quick(*some_data)
    most_probable = classifier.predict_proba(some_data[0]).argmax(axis=1)
    np.testing.assert_array_equal(classifier.predict(some_data[0]), most_probable)


def test_a_row_is_predicted_alone_as_among_others():
    classifier = quick(OVERLAPPING, OVERLAPPING_LABELS)
    alone = np.concatenate(
        [classifier.predict_proba(row[None]) for row in OVERLAPPING[:5]]
    )
    np.testing.assert_allclose(
        alone, classifier.predict_proba(OVERLAPPING)[:5], rtol=1e-9
    )


def test_the_score_is_the_share_of_right_predictions(some_data):
    features, labels = some_data
    classifier = quick(features, labels)
    accuracy = np.mean(classifier.predict(features) == labels)
    assert accuracy < 1 and classifier.score(features, labels) == pytest.approx(
        accuracy
    )


def test_the_score_of_text_is_the_share_of_right_predictions():
    labels = np.r_[TEXT[:30], np.roll(TEXT, 1)[30:]]
    assert quick(THREE, TEXT).score(THREE, labels) == pytest.approx(30 / 90)


def test_a_weighted_score_is_the_weight_of_the_right_predictions():
    weights = np.r_[3.0, 1.0, 1.0]
    assert quick(THREE, LABELS).score(THREE[:3], [0, 0, 2], weights) == pytest.approx(
        4 / 5
    )


def test_a_score_may_be_that_of_some_of_the_classes():
    assert quick(THREE, LABELS).score(THREE[2:3], [2]) == 1


def test_the_diagonal_of_the_confusion_is_the_score(some_data):
    classifier = quick(*some_data)
    assert classifier.confusion(*some_data).accuracy == pytest.approx(
        classifier.score(*some_data)
    )


def test_the_confusion_counts_every_row_once_in_the_row_of_its_class():
    classifier = quick(OVERLAPPING, OVERLAPPING_LABELS)
    counts = classifier.confusion(OVERLAPPING, OVERLAPPING_LABELS).counts
    assert counts.sum(axis=1).tolist() == np.bincount(OVERLAPPING_LABELS).tolist()


def test_the_confusion_of_text_is_in_the_order_of_the_sorted_names():
    assert quick(THREE, TEXT).confusion(THREE[:1], ["beagle"]).worst() == [
        ("beagle", "pug", 1)
    ]


def test_the_confusion_bears_the_class_names():
    names = ["pug", "beagle", "collie"]
    assert quick(THREE, LABELS, names).confusion(THREE, LABELS).class_names == names


@pytest.mark.parametrize("name", ["pug", "beagle", "collie"])
def test_the_report_has_a_line_for_each_class_name(name):
    report = quick(THREE, LABELS, ["pug", "beagle", "collie"]).report(THREE, LABELS)
    assert [line.split() for line in report.splitlines() if name in line] == [
        [name, "1.000", "1.000", "1.000", "30"]
    ]


def test_a_classifier_says_what_it_was_made_from():
    assert repr(quick(THREE, LABELS)) == "<linear probe, 3 classes from 6 features>"


def test_a_classifier_says_its_cross_validated_accuracy():
    assert "cross-validated accuracy 1.000" in repr(train_classifier(THREE, LABELS))


# The same decision as a layer


def as_network(classifier, width: int = FEATURES):
    import keras

    features = keras.Input((width,))
    return keras.Model(features, classifier.as_head()(features))


def test_the_head_gives_the_classifiers_probabilities(some_data):
    features, labels = (
        some_data[0] * np.float32([1, 2, 5, 10, 0.1, 1]) + np.float32(3),
        some_data[1],
    )
    classifier = quick(features, labels)
    np.testing.assert_allclose(
        classifier.as_head()(features), classifier.predict_proba(features), atol=1e-5
    )


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("value", [0, 0.1, 100])
def test_a_feature_that_never_varies_does_not_disturb_the_head(classes, value):
    features, labels = clusters(60, classes)
    features[:, 2] = value
    classifier = quick(features, labels)
    np.testing.assert_allclose(
        classifier.as_head()(features), classifier.predict_proba(features), atol=1e-5
    )


def test_features_of_which_none_varies_give_every_class_its_share():
    classifier = quick(np.full((9, 4), 7.0), [0] * 6 + [1] * 3)
    np.testing.assert_allclose(
        classifier.as_head()(np.full((1, 4), 7.0)), [[2 / 3, 1 / 3]], atol=1e-3
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_has_one_output_a_class(classes):
    assert quick(*clusters(60, classes)).as_head().units == classes


def test_the_head_of_a_saved_network_is_the_same_again(tmp_path, some_data):
    import keras

    network = as_network(quick(*some_data))
    network.save(tmp_path / "probe.keras")
    reloaded = keras.models.load_model(tmp_path / "probe.keras")
    np.testing.assert_array_equal(reloaded(some_data[0]), network(some_data[0]))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_head_can_be_trained_further(classes):
    features, labels = clusters(60, classes, distance=0.7)
    network = as_network(quick(features, labels))
    network.compile("sgd", "sparse_categorical_crossentropy")
    before = network.evaluate(features, labels, verbose=0)
    network.fit(features, labels, epochs=5, verbose=0)
    assert network.evaluate(features, labels, verbose=0) < before


def test_training_the_head_leaves_the_classifier_as_it_was():
    classifier = quick(OVERLAPPING, OVERLAPPING_LABELS)
    before = classifier.predict_proba(OVERLAPPING)
    network = as_network(classifier)
    network.compile("sgd", "sparse_categorical_crossentropy")
    network.fit(OVERLAPPING, OVERLAPPING_LABELS, verbose=0)
    np.testing.assert_array_equal(classifier.predict_proba(OVERLAPPING), before)


def test_the_head_fits_on_the_bundled_network(bundled_model, photographs):
    import keras

    features = bundled_model.extract_features(photographs)
    classifier = quick(features, ["one", "two", "one", "two"])
    on_top = keras.Model(
        bundled_model.network.inputs[0],
        classifier.as_head()(bundled_model.network.outputs[0]),
    )
    expected = classifier.predict_proba(features)
    np.testing.assert_allclose(
        on_top(photographs.astype("float32")), expected, atol=1e-3
    )


# What is left as it was


def test_the_same_seed_gives_identical_probabilities():
    twice = [
        confident(train_classifier(OVERLAPPING, OVERLAPPING_LABELS, seed=3))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*twice)


def test_the_seed_is_that_of_the_folds():
    features, labels = clusters(40, 2, distance=0.5)
    found = {
        train_classifier(
            features, labels, strengths=[0.01, 0.1], seed=seed
        ).cross_validated
        for seed in range(6)
    }
    assert len(found) > 1


def test_numpys_own_random_numbers_are_not_disturbed():
    np.random.seed(5)
    expected = np.random.random()
    np.random.seed(5)
    train_classifier(THREE, LABELS)
    assert np.random.random() == expected


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_callers_arrays_are_not_changed(kind):
    features, labels, weights = THREE.astype(kind), LABELS.copy(), np.linspace(0, 1, 90)
    classifier = train_classifier(features, labels, sample_weight=weights)
    classifier.score(features, labels, weights)
    classifier.confusion(features, labels)
    np.testing.assert_array_equal(features, THREE.astype(kind))
    np.testing.assert_array_equal(labels, LABELS)
    np.testing.assert_array_equal(weights, np.linspace(0, 1, 90))


def test_the_classifier_does_not_follow_later_changes_of_the_callers_arrays():
    features, labels = THREE.astype(np.float64), LABELS.copy()
    classifier = quick(features, labels)
    before = classifier.predict_proba(THREE)
    features *= 0
    np.testing.assert_array_equal(classifier.predict_proba(THREE), before)


def numbers_of_threads():
    return {pool["num_threads"] for pool in threadpool_info()}


@pytest.mark.parametrize("classes", [2, 3])
def test_the_number_of_threads_is_as_before(classes):
    with threadpool_limits(2):
        train_classifier(*clusters(60, classes))
        assert numbers_of_threads() == {2}


def test_the_number_of_threads_is_as_before_when_training_fails(monkeypatch):
    def fail(*arguments, **options):
        raise MemoryError

    monkeypatch.setattr(LogisticRegression, "fit", fail)
    with threadpool_limits(2):
        with pytest.raises(MemoryError):
            train_classifier(*clusters(60, 2))
        assert numbers_of_threads() == {2}


@pytest.mark.parametrize(
    ("features", "labels"),
    [
        (THREE, LABELS),
        (THREE[:3], LABELS[:3]),
        (np.eye(60, dtype=np.float32), np.arange(60)),
        (THREE * np.float32(1e6), LABELS),
        (np.full((60, 4), 7.1, np.float32), np.arange(60) % 2),
        noise(),
        (
            np.random.default_rng(0).normal(size=(40, 1280)).astype(np.float32),
            np.arange(40) % 4,
        ),
        ((THREE * 10).clip(0, 255).astype(np.uint8), LABELS),
    ],
    ids=[
        "separable",
        "one a class",
        "one of each of many classes",
        "large numbers",
        "nothing varies",
        "noise",
        "more columns than rows",
        "uint8",
    ],
)
def test_no_warning_escapes(features, labels):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier = train_classifier(features, labels)
        classifier.report(features, np.full(len(labels), labels[0]))


# What is refused


NOT_FINITE = np.where(np.arange(90)[:, None] == 7, np.nan, THREE)
PICTURES = np.zeros((90, 8, 8, 3), np.uint8)


@pytest.mark.parametrize(
    ("features", "labels", "sentence"),
    [
        (
            THREE,
            np.zeros(90, int),
            "All 90 labels are 0; a classifier needs examples of at least two classes",
        ),
        (THREE, ["pug"] * 90, "All 90 labels are 'pug'; a classifier needs"),
        (THREE, LABELS[:-1], "90 rows came with labels of shape (89,)"),
        (
            THREE,
            np.eye(3)[LABELS],
            "One-hot labels become numbers by labels.argmax(axis=1)",
        ),
        (
            THREE,
            LABELS[:, None],
            "labels of shape (90, 1); expected one label for each row",
        ),
        (THREE, LABELS + 0.5, "the label of row 0 is 0.5"),
        (
            THREE,
            np.where(LABELS, LABELS, np.nan),
            "Labels must be whole numbers or text",
        ),
        (
            THREE,
            [None] * 90,
            "Labels must be whole numbers or text, all of one kind; the label of row 0 is None",
        ),
        (THREE[:2], [[1, 2], [3]], "The rows of the labels differ in length"),
        (
            NOT_FINITE,
            LABELS,
            "1 rows of the features hold NaN or infinite numbers, the first is row 7",
        ),
        (np.where(np.isnan(NOT_FINITE), -np.inf, THREE), LABELS, "the first is row 7"),
        (
            PICTURES,
            LABELS,
            "shape (90, 8, 8, 3) and type uint8; expected numbers in shape (n, d), as model.extract",
        ),
        (THREE[:, 0], LABELS, "Features were given with shape (90,)"),
        (THREE[:0], [], "There are no features: their shape is (0, 6)"),
        (THREE[:, :0], LABELS, "There are no features: their shape is (90, 0)"),
        ([], [], "Features were given with shape (0,)"),
        (None, LABELS, "Features were given with shape ()"),
        (THREE.astype(str), LABELS, "expected numbers in shape (n, d)"),
        ([["nose", "ears"]] * 2, ["pug", "collie"], "expected numbers in shape (n, d)"),
        (
            [[1.0, 2.0], [3.0]],
            ["pug", "collie"],
            "The rows of the features differ in length",
        ),
        (THREE * 1j, LABELS, "type complex"),
        (LABELS, THREE, "Features were given with shape (90,) and type int64"),
    ],
)
def test_what_cannot_be_trained_on_gets_a_sentence(features, labels, sentence):
    assert sentence in refusal(train_classifier, features, labels)


@pytest.mark.parametrize(
    "labels", [LABELS, LABELS - 1], ids=["too few names", "negative labels"]
)
def test_labels_without_a_name_get_a_sentence(labels):
    sentence = refusal(train_classifier, THREE, labels, ["pug", "beagle"])
    assert (
        f"The labels run from {labels.min()} to {labels.max()}, but 2 class names were given"
        in sentence
    )


@pytest.mark.parametrize("strengths", [[], [0, 1], [-1.0]])
def test_strengths_that_cannot_be_used_get_a_sentence(strengths):
    assert f"The strengths are {strengths}; expected" in refusal(
        train_classifier, THREE, LABELS, strengths=strengths
    )


def test_weights_that_leave_one_class_get_a_sentence():
    sentence = refusal(train_classifier, THREE, LABELS, sample_weight=LABELS == 1)
    assert "All 30 labels are 1; a classifier needs" in sentence


def test_with_a_common_scale_all_features_are_divided_by_the_same_number():
    features = THREE * np.array([1, 1, 1, 1, 1, 1e-3])
    probe = train_classifier(features, LABELS, strengths=[1.0], common_scale=True)
    assert np.ptp(probe._scaler.scale_) == 0
    np.testing.assert_allclose(
        probe._scaler.scale_[0] ** 2, features.var(axis=0).mean(), rtol=1e-6
    )
    own = train_classifier(features, LABELS, strengths=[1.0]).as_head().kernel.numpy()
    assert np.abs(probe.as_head().kernel.numpy()[5]).max() < np.abs(own[5]).max() / 10


@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        (THREE[:, :3], "The rows have 3 features, the classifier was trained with 6"),
        (THREE[0], "Features were given with shape (6,)"),
        (PICTURES, "as model.extract_features(images) gives them"),
        (NOT_FINITE, "the first is row 7"),
        (THREE[:0], "There are no features"),
    ],
    ids=["columns", "one row", "pictures", "NaN", "empty"],
)
def test_what_cannot_be_predicted_gets_a_sentence(method, features, sentence):
    assert sentence in refusal(getattr(quick(THREE, LABELS), method), features)


@pytest.mark.parametrize("method", ["score", "confusion", "report"])
@pytest.mark.parametrize(
    ("labels", "sentence"),
    [
        (LABELS + 1, "The labels hold 3, which the classifier was never shown"),
        (TEXT, "The labels hold 'beagle', which the classifier was never shown"),
        (LABELS[:-1], "90 rows came with labels of shape (89,)"),
        (np.eye(3)[LABELS], "One-hot labels become numbers"),
    ],
    ids=["unknown number", "text", "too few", "one-hot"],
)
def test_labels_that_do_not_fit_the_classifier_get_a_sentence(method, labels, sentence):
    assert sentence in refusal(getattr(quick(THREE, LABELS), method), THREE, labels)
