"""The linear probe: regularised logistic regression on standardised features."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data
from threadpoolctl import threadpool_limits

from .. import validation
from ..errors import UserInputError
from .classifiers import Classifier
from .folds import folds_for

if TYPE_CHECKING:
    import keras

CANDIDATES = tuple(10.0**power for power in range(-5, 2))
DEFAULT_C = 1e-2  # where there are too few labels for cross-validation
PRIOR_ROWS = 10  # how many rows the mean variance counts for


class LinearProbe(Classifier, ClassifierMixin, BaseEstimator):
    """Multinomial logistic regression on standardised features.

    With few rows the variance of a single feature is mostly noise, and dividing by it
    would amplify noise. So each variance is shrunk towards the mean variance, as if
    `PRIOR_ROWS` rows had that one; with hundreds of rows nothing of it is left.

    Parameters
    ----------
    C : float or sequence of float
        Inverse regularisation strength, as in scikit-learn. Of several values the one
        with the best log-likelihood in stratified cross-validation is used, tried from
        the smallest on until it falls: up to five folds, as many as the rarest class
        has labels. With one label per class `DEFAULT_C` is used.
    common_scale : bool
        Divide all features by one number instead of each by its own. A little less
        accurate, and the better initialisation for fine-tuning: no feature that hardly
        varies gets a large weight.
    random_state : int
        Of the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, in the order of the columns of `predict_proba`.
    C_ : float
        The value of `C` that was used.
    cross_validated_accuracy_ : float or None
        Accuracy in [0, 1] on the held-out folds with that `C`; None without folds.
    regression_ : LogisticRegression
        Fitted on (features - `mean_`) / `scale_`.

    Examples
    --------
    >>> import numpy as np
    >>> features = np.array([[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.2]])
    >>> probe = LinearProbe(C=1.0).fit(features, ["cat", "cat", "dog", "dog"])
    >>> probe.predict([[1.0, 0.1]]).tolist()
    ['dog']
    """

    def __init__(
        self,
        C: float | Sequence[float] = CANDIDATES,
        common_scale: bool = False,
        random_state: int = 0,
    ) -> None:
        self.C = C
        self.common_scale = common_scale
        self.random_state = random_state

    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> "LinearProbe":
        """Fit on features (n, d) and labels (n,), whole numbers or text.

        `sample_weight` (n,) is how much each row counts in relation to the others; rows
        of weight 0 are left out. `groups` (n,), if given, says which rows belong
        together, such as copies of one picture: `C` is chosen with these in one fold.
        """
        self._class_names = None  # those of an earlier fit
        several = validation.elements(self.C) if np.iterable(self.C) else (self.C,)
        if not several:
            raise UserInputError("C is empty; expected a number above 0, or several.")
        candidates = sorted(
            validation.number("C", each, 0, above=True) for each in several
        )
        seed = validation.seed(self.random_state)
        common_scale = validation.flag("common_scale", self.common_scale)
        features, labels = self._validated(X, y, ensure_min_samples=2, dtype=np.float64)
        weights = validation.weights(sample_weight, len(features))
        groups = validation.groups(groups, len(features))
        used = weights > 0
        features, labels = features[used], labels[used]
        weights, groups = weights[used], groups[used]
        weights = weights / weights.mean()  # scikit-learn multiplies C by them
        self.classes_, targets = np.unique(labels, return_inverse=True)
        if len(self.classes_) < 2:
            raise UserInputError(
                f"All {len(labels)} labels are {self.classes_[0].item()!r}; a "
                "classifier needs examples of at least two classes."
            )
        scaler = StandardScaler().fit(features, sample_weight=weights)
        rows = 0 if common_scale else len(features)
        shrunk = rows * scaler.var_ + PRIOR_ROWS * scaler.var_.mean()
        shrunk /= rows + PRIOR_ROWS
        self.mean_, self.scale_ = scaler.mean_, np.sqrt(np.where(shrunk > 0, shrunk, 1))
        features = (features - self.mean_) / self.scale_
        folds = folds_for(targets, groups, seed)
        self.C_, self.cross_validated_accuracy_ = DEFAULT_C, None
        # The solver's products are small: on a busy machine, OpenBLAS' threads wait for
        # each other 20 times as long as they compute.
        with threadpool_limits(1), _warnings_ignored():
            if len(candidates) == 1:
                self.C_ = candidates[0]
            elif folds:
                self.C_, self.cross_validated_accuracy_ = _cross_validate(
                    features, targets, weights, candidates, folds
                )
            self.regression_ = LogisticRegression(C=self.C_, max_iter=500)
            self.regression_.fit(features, targets, sample_weight=weights)
        return self

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Probability of each class: float64 (n, n_classes), each row sums to 1."""
        check_is_fitted(self)
        features = self._validated(X, reset=False, dtype=np.float64)
        return self.regression_.predict_proba((features - self.mean_) / self.scale_)

    def kernel_and_bias(self) -> tuple[np.ndarray, np.ndarray]:
        """Kernel (d, n_classes) and bias of softmax(features @ kernel + bias)."""
        check_is_fitted(self)
        kernel, bias = self.regression_.coef_.T, self.regression_.intercept_
        if kernel.shape[1] == 1:  # two classes: scikit-learn keeps one column
            kernel = np.hstack([-kernel, kernel]) / 2
            bias = np.hstack([-bias, bias]) / 2
        kernel = kernel / self.scale_[:, None]
        return kernel, bias - self.mean_ @ kernel

    def as_head(self) -> "keras.layers.Dense":
        """The probe as a built Dense layer with softmax: (n, d) → (n, n_classes)."""
        from ..native import import_tensorflow

        import_tensorflow()
        import keras

        kernel, bias = self.kernel_and_bias()
        head = keras.layers.Dense(len(bias), activation="softmax", name="head")
        head.build((None, len(kernel)))
        head.set_weights([kernel.astype("float32"), bias.astype("float32")])
        return head

    def _validated(self, *data: Any, **options: Any) -> Any:
        """As scikit-learn's `validate_data`, with errors of the course's own class."""
        with _warnings_ignored():
            try:
                data = validate_data(self, *data, **options)
                if isinstance(data, tuple):
                    check_classification_targets(data[1])
            except ValueError as error:
                raise UserInputError(str(error)) from error
        return data


def train_classifier(
    features: ArrayLike,
    labels: ArrayLike,
    class_names: Sequence[str] | None = None,
    sample_weight: ArrayLike | None = None,
    C: float | Sequence[float] = CANDIDATES,
    seed: int = 0,
    common_scale: bool = False,
    groups: ArrayLike | None = None,
) -> LinearProbe:
    """Train a linear probe on the features of a frozen network.

    Parameters
    ----------
    features, labels : array_like of shape (n, d), (n,)
        As `model.extract_features` returns them; whole numbers or text.
    class_names : sequence of str, optional
        Names for the labels 0, 1, …; without them the labels are their own names.
    sample_weight, C, seed, common_scale, groups
        See `LinearProbe` and its `fit`; `seed` is its `random_state`.

    Returns
    -------
    LinearProbe

    Raises
    ------
    UserInputError
        Features, labels, names or weights that cannot be used, or one class only.

    Examples
    --------
    >>> import tlcourse as tl
    >>> features = [[0.0, 1.0], [0.1, 0.9], [1.0, 0.0], [0.9, 0.2]]
    >>> probe = tl.train_classifier(features, [0, 0, 1, 1], ["cat", "dog"])
    >>> probe.class_names
    ['cat', 'dog']
    >>> probe.score(features, [0, 0, 1, 1])
    1.0
    """
    features = validation.features(features)
    labels = validation.labels(labels, len(features))
    weights = validation.weights(sample_weight, len(features))
    names = None if class_names is None else validation.class_names(class_names)
    names = validation.names_of(np.unique(labels[weights > 0]), names)
    probe = LinearProbe(C, common_scale, seed).fit(features, labels, weights, groups)
    probe._class_names = names
    return probe


def _cross_validate(
    X: np.ndarray,
    targets: np.ndarray,
    weights: np.ndarray,
    candidates: list[float],
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> tuple[float, float]:
    """The C with the best log-likelihood on held-out folds, and the accuracy there."""
    fits = [LogisticRegression(max_iter=500, tol=1e-3, warm_start=True) for _ in folds]
    held = sum(weights[test].sum() for _, test in folds)
    best = (-np.inf, DEFAULT_C, 0.0)
    for C in candidates:
        likelihood = right = 0.0
        for (train, test), fit in zip(folds, fits, strict=True):
            fit.set_params(C=C)
            fit.fit(X[train], targets[train], sample_weight=weights[train])
            probability = fit.predict_proba(X[test])
            of_label = probability[np.arange(len(test)), targets[test]]
            likelihood += np.sum(weights[test] * np.log(of_label + 1e-12))
            right += np.sum(weights[test] * (probability.argmax(1) == targets[test]))
        if likelihood < best[0]:  # of larger ones it falls further
            break
        best = (likelihood, C, right / held)
    return best[1], float(best[2])


@contextmanager
def _warnings_ignored() -> Iterator[None]:
    """Without warnings of scikit-learn that say nothing about a probe."""
    with warnings.catch_warnings():
        # It asks whether one label per class was meant for a regression.
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        # scikit-learn 1.6 with SciPy 1.16
        warnings.filterwarnings("ignore", ".*L-BFGS-B", DeprecationWarning)
        yield
