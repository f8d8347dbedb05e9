"""The linear probe as a scikit-learn estimator: for pipelines, cross-validation, searches and stacks."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from .heads import STRENGTHS, train_classifier

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class LinearProbe(ClassifierMixin, BaseEstimator):
    """`train_classifier` for whatever takes a scikit-learn classifier: `cross_val_score`, `StackingClassifier`, …

    Where nothing of scikit-learn is asked for, `train_classifier` is the shorter way to the same decision.

    Args:
        strengths, common_scale, seed: as for `train_classifier`.

    Attributes:
        classes_: the labels, (classes,), in the order of `predict_proba`'s columns.
        classifier_: the `Classifier` that `fit` has trained.
        n_features_in_: how many numbers describe one row.
    """

    def __init__(
        self,
        strengths: Sequence[float] = STRENGTHS,
        common_scale: bool = False,
        seed: int = 0,
    ) -> None:
        self.strengths, self.common_scale, self.seed = strengths, common_scale, seed

    def fit(
        self, X: "ArrayLike", y: "ArrayLike", sample_weight: "ArrayLike | None" = None
    ) -> "LinearProbe":
        """Train on features X (n, d) and labels y (n,).

        Raises:
            ValueError: as scikit-learn's classifiers; as `train_classifier`, whose errors are ValueErrors, too.
        """
        X, y = validate_data(self, X, y, ensure_min_samples=2)
        check_classification_targets(y)
        self.classes_, positions = np.unique(y, return_inverse=True)
        self.classifier_ = train_classifier(
            X,
            positions,
            sample_weight=sample_weight,
            strengths=self.strengths,
            common_scale=self.common_scale,
            seed=self.seed,
        )
        return self

    def predict_proba(self, X: "ArrayLike") -> np.ndarray:
        """Probability of each class: float64 (n, classes), rows sum to 1."""
        check_is_fitted(self)
        return self.classifier_.predict_proba(validate_data(self, X, reset=False))

    def predict(self, X: "ArrayLike") -> np.ndarray:
        """The most probable label of each row, (n,)."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]
