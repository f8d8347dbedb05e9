"""The mistake browser: the pictures in each cell of a confusion matrix."""

from functools import partial

import numpy as np
from numpy.typing import ArrayLike

from .. import validation
from ..datasets.core import Split
from ..errors import UserInputError, printable
from ..foreign_text import escape_mathtext
from ..plots import pictures
from ..plots.figure import Figure, check_lengths
from ..training.evaluation import ConfusionMatrix
from .base import Answer, Widget

SHOWN = 4  # pictures of a cell
NEIGHBOURS = 3  # of each picture
MOST_LISTED = 200  # kinds of mistakes


class Neighbours:
    """The training pictures that are nearest to others, by cosine similarity."""

    def __init__(self, train: Split, features: ArrayLike) -> None:
        from sklearn.neighbors import NearestNeighbors

        if not isinstance(train, Split):
            raise UserInputError(
                f"train is {validation.shown(train)}; expected a split of a data set, "
                "such as solar.train."
            )
        rows = validation.features(features)
        check_lengths(train=train, train_features=rows)
        self.train, self.width = train, rows.shape[1]
        self._index = NearestNeighbors(metric="cosine", algorithm="brute").fit(rows)

    def of(self, features: np.ndarray) -> list[dict]:
        """Row, class and cosine of the nearest to one row of features."""
        count = min(NEIGHBOURS, len(self.train))
        distances, rows = self._index.kneighbors(features[None], count)
        return [
            {
                "row": int(row),
                "class": self.train.class_names[self.train.labels[row]],
                "cosine": round(1 - float(distance), 4),
            }
            for row, distance in zip(rows[0], distances[0], strict=True)
        ]

    def shown(self, neighbours: list[dict]) -> tuple[list, list[str]]:
        """Their pictures and titles."""
        return [self.train.images[each["row"]] for each in neighbours], [
            f"near: {printable(each['class'])}\ncosine {each['cosine']:.2f}"
            for each in neighbours
        ]


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

    control_class = "Dropdown"

    def __init__(
        self,
        split: Split,
        probabilities: ArrayLike,
        features: ArrayLike,
        train: Split,
        train_features: ArrayLike,
    ) -> None:
        check_lengths(pictures=split, probabilities=probabilities)
        self._split, self._names = split, split.class_names
        self._probabilities = np.asarray(probabilities)
        check_lengths(class_names=self._names, columns=self._probabilities.T)
        self._predicted = self._probabilities.argmax(axis=1)
        self._neighbours = Neighbours(train, train_features)
        self._features = validation.features(features)
        columns = np.transpose(train_features)
        check_lengths(columns=self._features.T, columns_in_training=columns)
        check_lengths(pictures=split, features=self._features)
        matrix = ConfusionMatrix.of(split.labels, self._predicted, self._names)
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
        cell = (self._split.labels == true) & (self._predicted == predicted)
        rows = np.flatnonzero(cell)
        rows = rows[np.argsort(-self._probabilities[rows, predicted], kind="stable")]
        title = f"{value[0]} predicted as {value[1]}: {len(rows) or 'none'}"
        if len(rows) > SHOWN:
            title += f", the {SHOWN} most confident of them"
        shown = [self._about(int(row)) for row in rows[:SHOWN]]
        lines = [f"{title}{':' if shown else '.'}"]
        for each in shown:
            near = ", ".join(one["class"] for one in each["neighbours"])
            shares = _percent(each, ", ")
            lines.append(
                f"picture {each['row']}: {shares}; nearest training pictures: {near}"
            )
        data = {"true": value[0], "predicted": value[1], "rows": rows.tolist()}
        draw = partial(self._draw, title, shown)
        return Answer("\n".join(lines), {**data, "shown": shown}, draw)

    def _about(self, row: int) -> dict:
        values = self._probabilities[row]
        best = np.argsort(-values, kind="stable")[:2]
        shares = {self._names[k]: round(float(values[k]), 4) for k in best}
        near = self._neighbours.of(self._features[row])
        return {"row": row, "probabilities": shares, "neighbours": near}

    def _draw(self, title: str, shown: list[dict]) -> Figure:
        """A row for each picture: itself, then its neighbours."""
        if not shown:
            return Figure(figsize=(4, 0.6))
        images, titles = [], []
        for each in shown:
            near, texts = self._neighbours.shown(each["neighbours"])
            images += [self._split.images[each["row"]], *near]
            titles += [_percent(each, "\n"), *texts]
        columns = len(images) // len(shown)
        return pictures(images, titles, columns, escape_mathtext(title, 100))


def _percent(picture: dict, separator: str) -> str:
    shares = picture["probabilities"].items()
    return separator.join(f"{printable(name)} {share:.0%}" for name, share in shares)
