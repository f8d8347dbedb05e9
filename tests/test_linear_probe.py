"""`LinearProbe` is `train_classifier` for scikit-learn's tools, and keeps scikit-learn's own rules."""

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

import tlcourse as tl
from tlcourse import LinearProbe
from tlcourse.errors import UserInputError

WEIGHTS_ARE_RELATIVE = "weights say how much a row counts beside the others; doubling all of them changes nothing"


@parametrize_with_checks(
    [LinearProbe(strengths=(0.1,))],
    expected_failed_checks=lambda _: {
        "check_sample_weight_equivalence_on_dense_data": WEIGHTS_ARE_RELATIVE
    },
)
def test_it_keeps_the_rules_of_a_scikit_learn_classifier(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def rows():
    """Two classes that differ in two of six features: float32 (80, 6), labels as text."""
    rng = np.random.default_rng(0)
    labels = np.array(["dull", "bright"])[np.arange(80) % 2]
    features = rng.normal(size=(80, 6)).astype(np.float32)
    features[labels == "bright", :2] += 1.5
    return features, labels


@pytest.mark.parametrize(
    "options", [{}, {"strengths": (0.5,), "common_scale": True}, {"seed": 3}]
)
def test_it_decides_as_train_classifier_does(rows, options):
    found, expected = (
        LinearProbe(**options).fit(*rows),
        tl.train_classifier(*rows, **options),
    )
    np.testing.assert_array_equal(
        found.predict_proba(rows[0]), expected.predict_proba(rows[0])
    )
    assert found.predict(rows[0]).tolist() == expected.predict(rows[0]).tolist()
    assert found.classifier_.strength == expected.strength and found.score(
        *rows
    ) == expected.score(*rows)


def test_weights_count(rows):
    weights = np.linspace(0, 1, 80)
    found = LinearProbe().fit(*rows, sample_weight=weights)
    expected = tl.train_classifier(*rows, sample_weight=weights)
    np.testing.assert_array_equal(
        found.predict_proba(rows[0]), expected.predict_proba(rows[0])
    )


def test_it_can_be_cross_validated_and_searched(rows):
    assert cross_val_score(LinearProbe(), *rows).mean() > 0.7
    grid = {"strengths": [(1e-5,), (0.1,)], "common_scale": [True, False]}
    found = GridSearchCV(LinearProbe(), grid, scoring="neg_log_loss").fit(*rows)
    assert found.best_params_["strengths"] == (0.1,)


def test_it_can_be_stacked_on_columns_of_its_own(rows):
    def on(columns):
        return make_pipeline(
            ColumnTransformer([("columns", "passthrough", columns)]), LinearProbe()
        )

    stack = StackingClassifier(
        [("telling", on(slice(0, 2))), ("noise", on(slice(2, 6)))], LogisticRegression()
    )
    stack.fit(*rows)
    assert stack.score(*rows) > 0.8
    telling, noise = np.abs(stack.final_estimator_.coef_[0])
    assert telling > noise


def test_what_train_classifier_refuses_gets_its_sentence(rows):
    with pytest.raises(
        UserInputError, match="expected at least one number, all above 0"
    ):
        LinearProbe(strengths=(-1,)).fit(*rows)
