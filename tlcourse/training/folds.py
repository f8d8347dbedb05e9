"""Folds for cross-validation, with the copies of a picture in one fold."""

import warnings

import numpy as np
from numpy.typing import ArrayLike
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

Folds = list[tuple[np.ndarray, np.ndarray]]  # training rows and held-out rows of each


def folds_for(
    labels: np.ndarray, groups: np.ndarray, seed: int, most: int = 5
) -> Folds:
    """Stratified folds, at most so many; none where a class is one row, or one group."""
    pairs = np.unique(np.stack([labels, groups]), axis=1)
    count = min(most, np.bincount(pairs[0]).min())
    if count < 2:
        return []
    if len(np.unique(groups)) < len(groups):
        return group_folds(labels, groups, count, seed)
    folding = StratifiedKFold(count, shuffle=True, random_state=seed)
    return list(folding.split(labels, labels))


def group_folds(
    labels: np.ndarray, groups: ArrayLike, count: int, seed: int = 0
) -> Folds:
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
