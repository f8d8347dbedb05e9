"""What `fine_tune` and `train_classifier` return: predictions, and their evaluation."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from .. import validation
from ..errors import UserInputError
from .evaluation import ConfusionMatrix

if TYPE_CHECKING:
    import keras


class Classifier:
    """Base of everything here that has `predict_proba`: what follows from it."""

    classes_: np.ndarray  # the sorted labels: the columns of `predict_proba`
    _class_names: list[str] | None = None

    @property
    def class_names(self) -> list[str]:
        """The names of the classes, in the order of `classes_`."""
        return self._class_names or [str(label) for label in self.classes_]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class: (n, n_classes), each row sums to 1."""
        raise NotImplementedError

    def predict(self, X: Any) -> np.ndarray:
        """The most probable label of each row, (n,), of the type it was trained on."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def score(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> float:
        """Accuracy in [0, 1]: the (weighted) share of rows whose label is predicted."""
        predicted = self.predict(X)
        labels = validation.labels(y, len(predicted))
        if (labels.dtype.kind == "U") != (self.classes_.dtype.kind in "UO"):
            self.positions(labels, len(labels))  # refuses them
        weights = validation.weights(sample_weight, len(labels))
        return float(np.average(predicted == labels, weights=weights))

    def confusion(self, X: Any, y: ArrayLike) -> ConfusionMatrix:
        """Count how often each class was predicted as which, a `ConfusionMatrix`."""
        predicted = self.predict_proba(X).argmax(axis=1)
        return ConfusionMatrix.of(
            self.positions(y, len(predicted)), predicted, self.class_names
        )

    def positions(self, labels: ArrayLike, count: int) -> np.ndarray:
        """The positions of these `count` labels in `classes_`: int64 (count,)."""
        return positions_among(self.classes_, labels, count)


def positions_among(classes: np.ndarray, labels: ArrayLike, count: int) -> np.ndarray:
    """The positions of these `count` labels among sorted classes: int64 (count,)."""
    labels = validation.labels(labels, count)
    known = set(classes.tolist())
    unknown = [label for label in labels.tolist() if label not in known]
    if unknown:
        raise UserInputError(
            f"The labels hold {validation.shown(unknown[0])}, which is not among the "
            "classes that the classifier was trained on."
        )
    return np.searchsorted(classes, labels)


class FineTuned(Classifier):
    """A fine-tuned network. Made by `fine_tune`.

    Attributes
    ----------
    model : keras.Model
        Pixels in [0, 255], float32 (n, height, width, 3), or token ids, int32
        (n, length), → probabilities (n, n_classes). An ordinary network of Keras:
        `model.save("name.keras")` saves it, and Keras alone loads it.
    history : dict
        "loss", "accuracy" and, with validation rows, "val_loss" and "val_accuracy":
        a list with the value of each epoch, as in Keras' `History.history`.
    record : dict
        What happened, ready for JSON: "from_block", "augmentations", "resize"
        (of pictures), "rows", "settings", "seconds" of each stage, "probe",
        "best_epoch" (0: no epoch was better than the probe), "resumed_after" (epochs),
        "moved" (block → how far, see `tl.checks.moved`) and "changed" (paths of the
        weights that training changed).
    """

    def __init__(
        self,
        build: Callable[[], "keras.Model"],
        classes: np.ndarray,
        class_names: list[str] | None,
        history: dict[str, list[float]],
        record: dict[str, Any],
        predict_with: Callable,
    ) -> None:
        self.history, self.record = history, record
        self.classes_, self._class_names = classes, class_names
        self._build, self._predict_with = build, predict_with

    @cached_property
    def model(self) -> "keras.Model":
        """The network, which is built when it is first asked for."""
        network = self._build()
        del self._build  # it holds the weights, too
        return network

    def __repr__(self) -> str:
        epochs = len(self.history["loss"])
        seconds = sum(self.record["seconds"].values())
        return f"<FineTuned: {len(self.classes_)} classes, {epochs} epochs, {seconds:.0f} s>"

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(height, width) in pixels; None of sentences."""
        shape = self.model.input_shape
        return tuple(shape[1:3]) if len(shape) == 4 else None

    @property
    def resize(self) -> str:
        """How pictures are resized, see `load_pretrained_model`."""
        return self.record.get("resize") or "squash"

    @property
    def best(self) -> dict[str, float]:
        """The metrics of the epoch whose weights were kept, or of the probe."""
        epoch = self.record["best_epoch"]
        if not epoch:
            return self.record["probe"]
        return {name: values[epoch - 1] for name, values in self.history.items()}

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probability of each class, float32 (n, n_classes); `X` as for `fine_tune`."""
        return self._predict_with(self.model, X)
