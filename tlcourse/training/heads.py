"""Features and labels → a classifier: the linear probe, and the same decision as a Keras layer."""

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .. import validation
from ..errors import UserInputError
from ..tensorflow_start import import_tensorflow
from .predictor import Predictor

if TYPE_CHECKING:
    import keras
    from numpy.typing import ArrayLike
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler

STRENGTHS = tuple(
    10.0**power for power in range(-5, 2)
)  # inverse of the penalty, scikit-learn's C
DEFAULT_STRENGTH = 1e-2  # where there are too few labels to cross-validate
STEADY_ROWS = 10


class Classifier(Predictor["ArrayLike"]):
    """A linear probe: standardised features → probabilities. Made by `train_classifier`.

    `predict`, `score`, `confusion` and `report` take features.

    Attributes:
        class_names: the classes, in the order of `predict_proba`'s columns.
        strength: the chosen C, inverse of the penalty: small is cautious.
        cross_validated: accuracy in [0, 1] by cross-validation at that strength, or None where labels were too few.
    """

    def __init__(
        self,
        pipeline: "tuple[StandardScaler, LogisticRegression]",
        classes: np.ndarray,
        class_names: list[str] | None,
        cross_validated: float | None,
    ) -> None:
        super().__init__(classes, class_names)
        self._scaler, self._regression = pipeline
        self.strength = self._regression.C
        self.cross_validated = cross_validated

    def __repr__(self) -> str:
        sure = (
            ""
            if self.cross_validated is None
            else f", cross-validated accuracy {self.cross_validated:.3f}"
        )
        return f"<linear probe, {len(self.classes)} classes from {self._scaler.n_features_in_} features{sure}>"

    def predict_proba(self, features: "ArrayLike") -> np.ndarray:
        """Probability of each class: float64 (n, classes), rows sum to 1."""
        return self._regression.predict_proba(
            self._scaler.transform(self._checked(features))
        )

    def as_head(self) -> "keras.layers.Layer":
        """The same decision as a built `keras.layers.Dense` with softmax: features (n, d) → (n, classes).

        The standardisation is folded into kernel and bias, so the layer takes raw features and can be put on the
        network and fine-tuned further.
        """
        import_tensorflow()
        import keras

        kernel, bias = self.weights()
        head = keras.layers.Dense(len(self.classes), activation="softmax", name="head")
        head.build((None, kernel.shape[0]))
        head.set_weights([kernel.astype("float32"), bias.astype("float32")])
        return head

    def weights(self) -> tuple[np.ndarray, np.ndarray]:
        """The same decision as numbers: softmax(features @ kernel + bias); float64 (d, classes) and (classes,)."""
        kernel, bias = self._regression.coef_.T, self._regression.intercept_
        if (
            kernel.shape[1] == 1
        ):  # two classes: scikit-learn keeps one row of scores, softmax needs two
            kernel, bias = (
                np.hstack([-kernel, kernel]) / 2,
                np.hstack([-bias, bias]) / 2,
            )
        kernel = kernel / self._scaler.scale_[:, None]
        return kernel, bias - self._scaler.mean_ @ kernel

    def _checked(self, features: "ArrayLike") -> np.ndarray:
        return check_features(features, expected=self._scaler.n_features_in_)


def train_classifier(
    features: "ArrayLike",
    labels: "ArrayLike",
    class_names: Sequence[str] | None = None,
    sample_weight: "ArrayLike | None" = None,
    strengths: Sequence[float] = STRENGTHS,
    seed: int = 0,
    common_scale: bool = False,
) -> Classifier:
    """Train a linear probe: standardise, then multinomial logistic regression (scikit-learn, lbfgs).

    With few rows a feature's own variance is mostly luck, and dividing by it makes noise loud. So each variance is
    pulled towards the mean of all, as if `STEADY_ROWS` rows had that one; with hundreds of rows nothing is left of it.

    The strength of the penalty is chosen by stratified cross-validation with up to five folds (as many as the rarest
    class has labels), by the log-likelihood of the held-out rows; with one label a class there is nothing to
    hold out and `DEFAULT_STRENGTH` is taken.

    Args:
        features: float (n, d), as `extract_features` gives.
        labels: (n,) whole numbers or text.
        class_names: names for whole-number labels 0, 1, …; without, the labels are their own names.
        sample_weight: float (n,), how much each row counts beside the others, or None. Rows that count 0
            are left out.
        strengths: the values of C to choose from.
        seed: of the folds.
        common_scale: divide all features by the same number, not each by its own. A little less accurate as it is, and
            the better start for fine-tuning: a feature that hardly varies gets no large weight, through which the
            first change of the network would overthrow the decision.

    Raises:
        UserInputError: lengths differ, fewer than two classes, NaN or infinite features, too few class names,
            negative weights, strengths that are not positive.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    features = check_features(features)
    labels = validation.labels(labels, len(features))
    weights = validation.weights(sample_weight, len(features))
    seed, common_scale = (
        validation.seed(seed),
        validation.flag("common_scale", common_scale),
    )
    given = None if class_names is None else validation.class_names(class_names)
    strengths = _check_strengths(strengths)
    if not weights.all():  # a fold in which nothing counts cannot be trained on
        features, labels, weights = (
            features[weights > 0],
            labels[weights > 0],
            weights[weights > 0],
        )
    weights = weights / weights.mean()  # scikit-learn multiplies the strength by them
    classes, positions, counts = np.unique(
        labels, return_inverse=True, return_counts=True
    )
    if len(classes) < 2:
        raise UserInputError(
            f"All {len(labels)} labels are {classes[0].item()!r}; a classifier needs examples of at least two classes."
        )
    names = validation.names_of(classes, given)
    # float64 from here on: the solver works in it, and beside float32 rows it would convert them at every step.
    scaled = features.astype(np.float64)
    scaler = StandardScaler(copy=False).fit(scaled, sample_weight=weights)
    scaler.scale_ = _steady_scale(scaler.var_, 0 if common_scale else len(features))
    scaled = scaler.transform(scaled)
    scaler.copy = True  # rows given later belong to the caller
    strength, cross_validated = DEFAULT_STRENGTH, None
    folds = min(5, counts.min())
    # Two classes make the solver multiply by vectors, where a second thread only waits for memory and for the first.
    with threadpool_limits(1 if len(classes) == 2 else None), warnings.catch_warnings():
        # With one label a class scikit-learn would ask whether this was meant to be a regression.
        warnings.filterwarnings(
            "ignore", "The number of unique classes is greater", UserWarning
        )
        warnings.filterwarnings(
            "ignore", ".*L-BFGS-B", DeprecationWarning
        )  # scikit-learn 1.6 beside SciPy 1.16
        if len(strengths) == 1:
            strength = strengths[0]
        elif folds >= 2:
            strength, cross_validated = _choose_strength(
                scaled, positions, weights, strengths, folds, seed
            )
        regression = LogisticRegression(C=strength, max_iter=500).fit(
            scaled, positions, sample_weight=weights
        )
    return Classifier((scaler, regression), classes, names, cross_validated)


def _check_strengths(strengths: Sequence[float]) -> list[float]:
    try:
        values = [
            validation.number("strength", value, 0, above=True)
            for value in validation.elements(strengths)
        ]
    except UserInputError:
        values = []
    if not values:
        raise UserInputError(
            f"The strengths are {validation.shown(strengths)}; expected at least one number, all above 0."
        )
    return values


def _steady_scale(variances: np.ndarray, rows: int) -> np.ndarray:
    """What each feature is divided by: the root of its variance, drawn towards the mean variance where rows are few."""
    steady = (rows * variances + STEADY_ROWS * variances.mean()) / (rows + STEADY_ROWS)
    return np.sqrt(np.where(steady > 0, steady, 1))


def _choose_strength(
    scaled: np.ndarray,
    positions: np.ndarray,
    weights: np.ndarray,
    strengths: Sequence[float],
    folds: int,
    seed: int,
) -> tuple[float, float]:
    """The C with the best log-likelihood on held-out folds, and the accuracy there.

    From the strictest penalty to the weakest, each fit goes on from the one before; the search ends where the
    likelihood falls, because from there on it goes on falling and the weakest penalties take longest to fit.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    splits = list(
        StratifiedKFold(folds, shuffle=True, random_state=seed).split(scaled, positions)
    )
    # The tolerance is coarse: neighbouring strengths differ far more than what finer steps would change.
    regressions = [
        LogisticRegression(max_iter=500, tol=1e-3, warm_start=True) for _ in splits
    ]
    best_likelihood = -np.inf
    for strength in sorted(strengths):
        likelihood = right = 0.0
        for (kept, held_out), regression in zip(splits, regressions, strict=True):
            regression.set_params(C=strength).fit(
                scaled[kept], positions[kept], sample_weight=weights[kept]
            )
            probability = regression.predict_proba(scaled[held_out])
            truth, weight = positions[held_out], weights[held_out]
            likelihood += np.sum(
                weight * np.log(probability[np.arange(len(truth)), truth] + 1e-12)
            )
            right += np.sum(weight * (probability.argmax(axis=1) == truth))
        if likelihood < best_likelihood:
            break
        best_likelihood, best_strength, accuracy = (
            likelihood,
            strength,
            right / weights.sum(),
        )
    return best_strength, float(accuracy)


def check_features(features: "ArrayLike", expected: int | None = None) -> np.ndarray:
    """Features as a finite float array (n, d), or a sentence."""
    array = validation.as_array(features, "features")
    if array.dtype.kind not in "uif" or array.ndim != 2:
        raise UserInputError(
            f"Features were given with shape {array.shape} and type {array.dtype}; expected numbers in shape (n, d), "
            "as model.extract_features(images) gives them."
        )
    if not array.size:
        raise UserInputError(
            f"There are no features: their shape is {array.shape}. At least one row is needed."
        )
    if expected is not None and array.shape[1] != expected:
        raise UserInputError(
            f"The rows have {array.shape[1]} features, the classifier was trained with {expected}. Use the same "
            "network for training and prediction."
        )
    if not np.isfinite(array).all():
        rows = np.flatnonzero(~np.isfinite(array).all(axis=1))
        raise UserInputError(
            f"{len(rows)} rows of the features hold NaN or infinite numbers, the first is row {rows[0]}. Leave these "
            "rows out, with their labels, and look at the pictures they come from."
        )
    return array
