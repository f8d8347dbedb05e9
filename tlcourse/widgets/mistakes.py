"""The mistake browser: the pictures in each cell of a confusion matrix."""

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import ArrayLike

from .. import validation
from ..datasets.core import Split
from ..errors import printable
from ..foreign_text import escape_mathtext
from ..plots import pictures
from ..plots.figure import Figure, check_lengths
from ..training.evaluation import ConfusionMatrix
from .base import Answer, Widget
from .own import Neighbours

SHOWN = 4  # pictures of a cell
MOST_NAMED = 8  # classes of a matrix with names
MOST_LISTED = 200  # kinds of mistakes


class MistakeBrowser(Widget):
    """A list of a confusion matrix's cells; each shows its most confident pictures.

    Parameters
    ----------
    split : Split
        The pictures that were predicted, labelled; n of them.
    probabilities : array_like of float, shape (n, classes)
        From `predict_proba`.
    features : array_like of float, shape (n, d)
        Of the same pictures.
    train, train_features : Split and array_like of float, shape (m, d)
        The training pictures, of which the nearest are shown, and their features.
    """

    def __init__(
        self,
        split: Split,
        probabilities: ArrayLike,
        features: ArrayLike,
        train: Split,
        train_features: ArrayLike,
    ) -> None:
        self._split, self._names = split, split.class_names
        self._probabilities = np.asarray(probabilities)
        self._features = validation.features(features)
        by_name = {"probabilities": probabilities, "features": self._features}
        check_lengths(pictures=split, **by_name)
        check_lengths(class_names=self._names, columns=self._probabilities.T)
        self._neighbours = Neighbours(train, train_features)
        columns = np.transpose(train_features)
        check_lengths(columns=self._features.T, columns_in_training=columns)
        self._predicted = self._probabilities.argmax(axis=1)
        matrix = ConfusionMatrix.of(split.labels, self._predicted, self._names)
        self._counts = matrix.counts
        cells, right = matrix.worst(MOST_LISTED), matrix.counts.diagonal().tolist()
        cells += [(*2 * (name,), n) for name, n in zip(self._names, right, strict=True)]
        texts = [f"{count} × {true} predicted as {as_}" for true, as_, count in cells]
        options = zip(map(printable, texts), (cell[:2] for cell in cells), strict=True)
        start = {"value": cells[0][:2], "description": "Show"}
        self.options = {"options": list(options), **start}

    def answer(self, true: str | None = None, predicted: str | None = None) -> Answer:
        """Answer for two classes; for the most frequent mistake, if none are given."""
        if true is None and predicted is None:
            return self.default
        true = validation.one_of("true", true, self._names)
        predicted = validation.one_of("predicted", predicted, self._names)
        return self._answer_to((true, predicted))

    def _answer_to(self, value: tuple[str, str]) -> Answer:
        true, predicted = map(self._names.index, value)
        cell = (true, predicted)
        in_cell = (self._split.labels == true) & (self._predicted == predicted)
        rows = np.flatnonzero(in_cell)
        rows = rows[np.argsort(-self._probabilities[rows, predicted], kind="stable")]
        title = f"{value[0]} predicted as {value[1]}: {len(rows) or 'none'}"
        if len(rows) > SHOWN:
            title += f", the {SHOWN} most confident of them"
        near = {row: self._neighbours.of(self._features[row]) for row in rows[:SHOWN]}
        lines = [f"{title}{':' if near else '.'}"]
        for row, neighbours in near.items():
            shares = ", ".join(self._best_two(row))
            names = ", ".join(name for _, name, _ in neighbours)
            lines.append(f"picture {row}: {shares}; nearest training pictures: {names}")
        return Answer("\n".join(lines), partial(self._draw, title, cell, near))

    def _best_two(self, row: int) -> list[str]:
        """The two most probable classes of a picture, with their probabilities."""
        values = self._probabilities[row]
        best = np.argsort(-values, kind="stable")[:2]
        return [f"{printable(self._names[k])} {values[k]:.0%}" for k in best]

    def _draw(
        self, title: str, cell: tuple[int, int], near: dict[int, list[tuple]]
    ) -> Figure:
        """The matrix with the cell; a row for each picture and its neighbours."""
        images: list = []
        titles: list[str] = []
        for row, neighbours in near.items():
            nearest, texts = self._neighbours.shown(neighbours)
            images += [None, self._split.images[row], *nearest]
            titles += ["", "\n".join(self._best_two(row)), *texts]
        columns = len(images) // max(len(near), 1)
        title = escape_mathtext(title, 100)
        sheet = pictures(images or [None], titles or [""], max(columns, 1), title)
        self._draw_matrix(sheet.axes[0], *cell)
        return sheet

    def _draw_matrix(self, axes: Axes, true: int, predicted: int) -> None:
        """The confusion matrix as a heat map, and a frame around one of its cells."""
        of_class = self._counts.sum(axis=1, keepdims=True)
        axes.axis("on")
        axes.imshow(self._counts / np.maximum(of_class, 1), "Blues", vmin=0, vmax=1)
        axes.set(xticks=[], yticks=[], ylabel="true class")
        axes.set_xlabel("predicted, in this order", fontsize=8)
        if len(self._names) <= MOST_NAMED:
            names = [escape_mathtext(name, 12) for name in self._names]
            axes.set_yticks(range(len(names)), names, fontsize=7)
        corner = (predicted - 0.5, true - 0.5)
        axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor="#D55E00", lw=3))
