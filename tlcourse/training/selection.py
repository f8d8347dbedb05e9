"""Model selection: a linear probe, or fine-tuning where it is clearly better."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserInputError
from .evaluation import paired_gain
from .folds import group_folds
from .probe import train_classifier

ENOUGH = 100  # rows of a class; of more, half are enough to train on


class Selection(NamedTuple):
    """What `select` chose, and on what grounds."""

    is_fine_tuned: bool
    choice: str  # a sentence for the model card
    folds: int
    probe: float  # accuracy on the held-out rows of all folds
    fine_tuned: float | None  # the same; None: it was not tried


def select(
    features: np.ndarray,
    labels: np.ndarray,
    groups: ArrayLike,
    predict_fine_tuned: Callable[[np.ndarray, np.ndarray], np.ndarray] | None,
    seed: int = 0,
    say: Callable[[str], None] = print,
) -> Selection:
    """Compare a probe with fine-tuning by cross-validation on the folds of `group_folds`.

    The probe, which is the simpler model, is kept unless fine-tuning is better by more
    than one standard error of the paired differences (`paired_gain`). The rows of a
    group are copies of one picture: see `group_folds`.

    `predict_fine_tuned` takes training rows and held-out rows, and returns the labels
    predicted for the latter; None: the probe is the only candidate. It is not called
    where it could not be better by more than one standard error, whatever it predicts.

    Raises
    ------
    UserInputError
        All rows of each class are in one group.
    """
    groups = np.asarray(groups)
    folds = group_folds(labels, groups, number_of_folds(labels), seed)
    if not folds:
        raise UserInputError(
            "The pictures of each class are copies of one picture. Add different ones: "
            "a network is chosen on pictures that it was not trained on."
        )

    def predict_probe(train: np.ndarray, held: np.ndarray) -> np.ndarray:
        probe = train_classifier(
            features[train], labels[train], seed=seed, groups=groups[train]
        )
        return probe.predict(features[held])

    def is_right(predict: Callable) -> np.ndarray:
        """Of the held-out rows of all folds."""
        return np.concatenate(
            [predict(train, held) == labels[held] for train, held in folds]
        )

    before = is_right(predict_probe)
    copies = np.concatenate([groups[held] for _, held in folds])
    probe, tuned, is_better = float(np.mean(before)), None, False
    say(
        f"Linear probe: {probe:.1%} of {len(before):,} pictures are right, by "
        f"{len(folds)}-fold cross-validation on training and validation pictures."
    )
    most = paired_gain(before, np.ones_like(before), copies)
    if predict_fine_tuned is None:
        choice = "Only the linear probe was trained."
    elif not most.exceeds_one_standard_error:
        choice = (
            f"The probe is wrong for {most.net}: fine-tuning could not be better by "
            "more than one standard error. The probe, the simpler model, is kept."
        )
    else:
        after = is_right(predict_fine_tuned)
        tuned, gain = float(np.mean(after)), paired_gain(before, after, copies)
        is_better = gain.exceeds_one_standard_error
        kept = "fine-tuned one" if is_better else "probe, the simpler model,"
        choice = (
            f"Fine-tuned: {tuned:.1%} of the same pictures are right, {gain.net:+} of "
            f"{gain.rows:,}; if the two were equal, one standard error would be "
            f"{gain.standard_error:.1f}. "
            f"The {kept} is kept."
        )
    say(choice)
    return Selection(is_better, choice, len(folds), probe, tuned)


def number_of_folds(labels: np.ndarray) -> int:
    """Two where half the rows of each class are enough to train on, otherwise three."""
    rarest = np.unique(labels, return_counts=True)[1].min()
    return 2 if rarest > ENOUGH else 3
