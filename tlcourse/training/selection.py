"""Model selection: a linear probe, or fine-tuning where it is clearly better."""

import warnings
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserInputError
from .evaluation import paired_gain
from .probe import train_classifier

FEW = 300  # rows below which half of them would be too few to train on


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
    than one standard error of the paired differences (`paired_gain`).

    `predict_fine_tuned` takes training rows and held-out rows, and returns the labels
    predicted for the latter; None: the probe is the only candidate. It is not called
    where it could not be better by more than one standard error, whatever it predicts.

    Raises
    ------
    UserInputError
        All rows of each class are in one group.
    """
    folds = group_folds(labels, groups, number_of_folds(len(labels)), seed)
    if not folds:
        raise UserInputError(
            "The pictures of each class are copies of one picture. Add different ones: "
            "a network is chosen on pictures that it was not trained on."
        )

    def predict_probe(train: np.ndarray, held: np.ndarray) -> np.ndarray:
        probe = train_classifier(features[train], labels[train], seed=seed)
        return probe.predict(features[held])

    def is_right(predict: Callable) -> np.ndarray:
        """Of the held-out rows of all folds."""
        return np.concatenate(
            [predict(train, held) == labels[held] for train, held in folds]
        )

    before = is_right(predict_probe)
    probe, tuned, is_better = float(np.mean(before)), None, False
    say(
        f"Linear probe: {probe:.1%} of {len(before):,} pictures are right, by "
        f"{len(folds)}-fold cross-validation on training and validation pictures."
    )
    most = paired_gain(before, np.ones_like(before))
    if predict_fine_tuned is None:
        choice = "Only the linear probe was trained."
    elif not most.exceeds_one_standard_error:
        choice = (
            f"The probe is wrong for {most.net}: fine-tuning could not be better by "
            "more than one standard error. The probe, the simpler model, is kept."
        )
    else:
        after = is_right(predict_fine_tuned)
        tuned, gain = float(np.mean(after)), paired_gain(before, after)
        is_better = gain.exceeds_one_standard_error
        kept = "fine-tuned one" if is_better else "probe, the simpler model,"
        choice = (
            f"Fine-tuned: {tuned:.1%} of the same pictures are right, {gain.net:+} of "
            f"{gain.rows:,}; one standard error is {gain.standard_error:.1f}. "
            f"The {kept} is kept."
        )
    say(choice)
    return Selection(is_better, choice, len(folds), probe, tuned)


def number_of_folds(rows: int) -> int:
    """Three, or two where half of the rows are enough to train on and take longer."""
    return 3 if rows < FEW else 2


def group_folds(
    labels: np.ndarray, groups: ArrayLike, count: int, seed: int = 0
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training rows and held-out rows of each fold of a stratified cross-validation.

    `labels` and `groups` are int (n,): the rows of a group, such as the copies of one
    picture, stay together. A class that is one group is never held out, and a fold
    without held-out rows is left out.

    Examples
    --------
    >>> labels, groups = np.array([0, 0, 0, 1, 1, 1]), [0, 0, 2, 3, 4, 5]
    >>> [len(held) for _, held in group_folds(labels, groups, 2)]
    [3, 3]
    """
    from sklearn.model_selection import StratifiedGroupKFold

    groups = np.asarray(groups)
    count = min(count, int(np.bincount(labels).max()), len(np.unique(groups)))
    if count < 2:
        return []
    folding = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    folds = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of rare classes
        for train, held in folding.split(labels, labels, groups):
            only_here = groups[held][~np.isin(labels[held], labels[train])]
            is_kept = np.isin(groups[held], only_here)
            train, held = np.append(train, held[is_kept]), held[~is_kept]
            folds.append((np.sort(train), held))
    return [(train, held) for train, held in folds if len(held)]
