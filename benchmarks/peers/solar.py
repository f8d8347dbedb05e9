"""The solar cells as arrays, for contestants that train: the published 75/25 protocol, one draw a seed."""

import numpy as np

import tlcourse as tl
from tlcourse.features.pictures import resize


def cells(split, size: int) -> np.ndarray:
    """uint8 (n, size, size, 3)."""
    return np.stack(
        [
            resize(np.ascontiguousarray(picture), (size, size))
            for picture in split.images
        ]
    )


def draw(seed: int):
    """The data set whose test cells are this seed's quarter."""
    return tl.load_dataset("solar", seed=seed)


def weighted_accuracy(labels, predicted, weights) -> float:
    """Accuracy in [0, 1], each cell weighted by the experts' confidence, as published."""
    return float(np.average(np.asarray(predicted) == labels, weights=weights))
