"""What fine-tuning gives: a network with a head, and a record of what happened."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from .predictor import Predictor

if TYPE_CHECKING:
    import keras

    from ..features.inputs import Images
    from ..models.wordpiece import Sentences


class FineTuned(Predictor["Images | Sentences"]):
    """A fine-tuned network. Made by `fine_tune`. `predict`, `score`, `confusion` and `report` take what it reads.

    Attributes:
        name: of the network.
        record: what happened, ready for JSON: "from", "views", "rows" (learned from and held out), "settings",
            "seconds" of each stage, "probe" (its validation_accuracy and validation_loss, if rows were held out),
            "epochs" (of each: loss, learning_rate, validation_accuracy, validation_loss, seconds), "best_epoch" (0: the
            probe's head was not improved on), "moved" (block's name → how far, see `tl.checks.moved`) and "changed"
            (names of the weights that are not what they were); of `fine_tune` also "estimated_seconds" of the last
            stage and "resumed_after" (epochs).
    """

    def __init__(
        self,
        make: Callable,
        name: str,
        classes: np.ndarray,
        class_names: list[str] | None,
        read: Callable,
        record: dict,
    ) -> None:
        super().__init__(classes, class_names)
        self.name, self.record = name, record
        self._read = read
        self._make = make

    def __repr__(self) -> str:
        epochs, seconds = (
            len(self.record["epochs"]),
            sum(self.record["seconds"].values()),
        )
        return f"<{self.name}: {len(self.classes)} classes, {epochs} epochs, {seconds:.0f} s>"

    @cached_property
    def network(self) -> "keras.Model":
        """An ordinary `keras.Model`, pixels [0, 255] float32 (n, height, width, 3), or token ids int32 (n, length), →
        probabilities (n, classes). `network.save("name.keras")` saves it; Keras alone loads it.
        """
        network = self._make()
        del self._make  # what it was made of may go
        return network

    @property
    def input_size(self) -> tuple[int, int] | None:
        """(height, width) in pixels; of sentences None."""
        shape = self.network.input_shape
        return tuple(shape[1:3]) if len(shape) == 4 else None

    @property
    def best(self) -> dict:
        """Of the epoch whose weights were kept, its row of the record; the probe's where no epoch was better."""
        number = self.record["best_epoch"]
        return self.record["epochs"][number - 1] if number else self.record["probe"]

    def predict_proba(self, inputs: "Images | Sentences") -> np.ndarray:
        """Probability of each class: float32 (n, classes); pictures or sentences as for `extract_features`."""
        return self._read(self.network, inputs)
