"""The mistake browser: click a field of the confusion matrix and see the pictures that it counts."""

from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ..datasets.core import Split
from ..errors import UserInputError, printable
from ..foreign_text import escape_html, escape_mathtext
from ..plots import pictures as draw_pictures
from ..plots.figure import Figure, as_places, equally_long
from ..training.evaluation import ConfusionMatrix
from .answer import Answer, as_page
from .live import Live, spoken
from .near import Near, Thumbnails

if TYPE_CHECKING:
    import ipywidgets

SHOWN, NEIGHBOURS = (
    4,
    3,
)  # pictures of a field, and of each the nearest training pictures
MOST_BUTTONS = (
    12  # classes; of more, a list of the fields takes the place of the matrix
)
MOST_LISTED = 200


def mistake_browser(
    split: Split,
    probabilities: np.ndarray,
    features: np.ndarray | None = None,
    train: Split | None = None,
    train_features: np.ndarray | None = None,
) -> "MistakeBrowser":
    """A confusion matrix to click: each field shows its pictures, with probabilities and nearest training neighbours.

    Args:
        split: the pictures that were predicted, labelled.
        probabilities: float (n, classes), of the same pictures, as `predict_proba` gives them.
        features: float (n, d), of the same pictures; None: without neighbours.
        train, train_features: the pictures that were learned from, and their features, float (m, d).

    Raises:
        UserInputError: lengths differ; neighbours are asked for, and one of the three is missing.
    """
    return MistakeBrowser(split, probabilities, features, train, train_features)


def mistakes_of(
    split: Split,
    probabilities: np.ndarray,
    true: str | None = None,
    predicted: str | None = None,
    features: np.ndarray | None = None,
    train: Split | None = None,
    train_features: np.ndarray | None = None,
) -> Answer:
    """What the mistake browser shows for one field of the confusion matrix: the surest pictures in it first.

    Args:
        true, predicted: names of classes; None: the most frequent mistake.
        split, probabilities, features, train, train_features: as for `mistake_browser`.

    Raises:
        UserInputError: as `mistake_browser`; a class that there is not.
    """
    browser = MistakeBrowser(split, probabilities, features, train, train_features)
    return browser.at(true, predicted)


class MistakeBrowser(Live):
    """The mistake browser. Made by `mistake_browser`.

    Attributes:
        matrix: the confusion matrix that it opens.
    """

    def __init__(
        self,
        split: Split,
        probabilities: np.ndarray,
        features: np.ndarray | None = None,
        train: Split | None = None,
        train_features: np.ndarray | None = None,
    ) -> None:
        equally_long(pictures=split, probabilities=probabilities)
        self._split, self._probabilities = split, np.asarray(probabilities)
        names = split.class_names
        if self._probabilities.shape[1:] != (len(names),):
            raise UserInputError(
                f"Probabilities have shape {self._probabilities.shape}; expected a column for each of the {len(names)} "
                "classes of the split, as predict_proba gives them."
            )
        self._near: Near | None = None
        if features is not None and train is not None and train_features is not None:
            self._near, self._features = (
                Near(train, train_features),
                np.asarray(features),
            )
            self._train, self._train_thumbnails = train, Thumbnails(train)
            equally_long(pictures=split, features=features)
        elif any(given is not None for given in (features, train, train_features)):
            raise UserInputError(
                "For neighbours three things are needed: features of the pictures, train, and train_features."
            )
        self._predicted = self._probabilities.argmax(axis=1)
        self.matrix = ConfusionMatrix.of(
            as_places(split.labels, names), self._predicted, names
        )
        self._thumbnails = Thumbnails(split)

    @property
    def default(self) -> Answer:
        return self.at()

    def at(self, true: str | None = None, predicted: str | None = None) -> Answer:
        """What it shows for a field; without names, for the most frequent mistake."""
        if (true is None) != (predicted is None):
            raise UserInputError("Give both, true and predicted, or neither.")
        if true is None or predicted is None:
            first = self._split.class_names[0]
            true, predicted, _ = (self.matrix.worst(1) or [(first, first, 0)])[0]
        field = [self._place(name) for name in (true, predicted)]
        rows = np.flatnonzero(
            (self._split.labels == field[0]) & (self._predicted == field[1])
        )
        rows = rows[np.argsort(-self._probabilities[rows, field[1]], kind="stable")]
        shown = [self._about(int(row)) for row in rows[:SHOWN]]
        data = {
            "true": true,
            "predicted": predicted,
            "count": len(rows),
            "rows": rows.tolist(),
            "shown": shown,
        }
        text = "\n".join([_heading(data), *(_line(picture) for picture in shown)])
        return Answer(text, data, lambda: self._draw(data), lambda: self._write(data))

    def _place(self, name: str) -> int:
        if name not in self._split.class_names:
            raise UserInputError(
                f"There is no class {name!r}. There are {', '.join(self._split.class_names)}."
            )
        return self._split.class_names.index(name)

    def _about(self, row: int) -> dict:
        """A picture: its row, the two most probable classes, and its neighbours (row, class, cosine)."""
        names, probabilities = self._split.class_names, self._probabilities[row]
        best = np.argsort(-probabilities, kind="stable")[:2]
        return {
            "row": row,
            "probabilities": {
                names[place]: round(float(probabilities[place]), 4) for place in best
            },
            "neighbours": self._near.about(self._features[row], NEIGHBOURS)
            if self._near
            else [],
        }

    def _draw(self, data: dict) -> Figure:
        """A row a picture: itself, then its neighbours."""
        if not data["shown"]:
            figure = Figure(figsize=(4, 0.6))
            figure.text(
                0.5, 0.5, "No picture is in this field.", ha="center", va="center"
            )
            return figure
        shown, titles = [], []
        for picture in data["shown"]:
            shown.append(self._split.images[picture["row"]])
            titles.append(_said(picture))
            for near in picture["neighbours"]:
                shown.append(self._train.images[near["row"]])
                titles.append(
                    f"near: {printable(near['class'])}\ncosine {near['cosine']:.2f}"
                )
        columns = 1 + NEIGHBOURS if self._near else SHOWN
        return draw_pictures(
            shown, titles, columns, escape_mathtext(_heading(data).rstrip(":."), 100)
        )

    def _write(self, data: dict) -> str:
        rows = []
        for picture in data["shown"]:
            alt = f"Picture {picture['row']}, {data['true']}, taken for {data['predicted']}"
            cells = [
                _figure(self._thumbnails.image(picture["row"], alt), _said(picture))
            ]
            for near in picture["neighbours"]:
                alt = f"Training picture {near['row']}, {near['class']}"
                thumbnail = self._train_thumbnails.image(near["row"], alt)
                cells.append(
                    _figure(
                        thumbnail,
                        f"near: {printable(near['class'])}\ncosine {near['cosine']:.2f}",
                    )
                )
            rows.append(f"<div style='display: flex; gap: 1em'>{''.join(cells)}</div>")
        return spoken(as_page(_heading(data))) + "".join(rows)

    def _make(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        self.page = widgets.HTML(self.default.page)
        few = len(self._split.class_names) <= MOST_BUTTONS
        return widgets.VBox(
            [self._buttons(widgets) if few else self._list(widgets), self.page]
        )

    def _buttons(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        """The matrix as buttons: Tab goes from one to the next, Enter opens it."""
        names, size = self._split.class_names, len(self._split.class_names)
        self.buttons = {}

        def head(name: str) -> "ipywidgets.Widget":
            return widgets.HTML(f"<b>{escape_html(name)}</b>")

        cells = [widgets.HTML("<b>is ↓ taken for →</b>"), *map(head, names)]
        for true in names:
            cells.append(head(true))
            for predicted in names:
                count = int(
                    self.matrix.counts[names.index(true), names.index(predicted)]
                )
                about = printable(
                    f"{count} of true class {true} predicted as {predicted}"
                )
                button = widgets.Button(description=str(count), tooltip=about)
                button.layout.width = "auto"
                button.style.font_weight = "bold" if true == predicted else "normal"
                button.on_click(lambda _, field=(true, predicted): self._say(*field))
                self.buttons[true, predicted] = button
                cells.append(button)
        layout = widgets.Layout(
            grid_template_columns=f"repeat({size + 1}, max-content)", grid_gap="2px 6px"
        )
        return widgets.GridBox(cells, layout=layout)

    def _list(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        """The fields as a list, the most frequent mistakes first."""
        worst = self.matrix.worst(MOST_LISTED)
        options = [
            (printable(f"{count} × {true} taken for {taken}"), (true, taken))
            for true, taken, count in worst
        ]
        names, counts = self._split.class_names, self.matrix.counts
        options += [
            (printable(f"{counts[n, n]} × {name} recognised"), (name, name))
            for n, name in enumerate(names)
        ]
        self.list = widgets.Dropdown(
            options=options, description="Show", layout=widgets.Layout(width="60%")
        )
        self.list.observe(lambda change: self._say(*change["new"]), "value")
        return self.list

    def _say(self, true: str, predicted: str) -> None:
        self.page.value = self.at(true, predicted).page


def _heading(data: dict) -> str:
    count, shown = data["count"], len(data["shown"])
    what = (
        f"{data['true']} recognised"
        if data["true"] == data["predicted"]
        else f"{data['true']} taken for {data['predicted']}"
    )
    if not count:
        return f"{what}: none."
    return f"{what}: {count}" + (
        f", the {shown} surest of them:" if shown < count else ":"
    )


def _said(picture: dict) -> str:
    return "\n".join(
        f"{share:.0%} {printable(name)}"
        for name, share in picture["probabilities"].items()
    )


def _line(picture: dict) -> str:
    said = ", ".join(
        f"{name} {share:.0%}" for name, share in picture["probabilities"].items()
    )
    near = ", ".join(near["class"] for near in picture["neighbours"])
    return f"picture {picture['row']}: {said}" + (
        f"; nearest training pictures: {near}" if near else ""
    )


def _figure(picture: str, caption: str) -> str:
    lines = "<br>".join(escape_html(line) for line in caption.split("\n"))
    return f"<figure style='margin: 0.3em 0'>{picture}<figcaption>{lines}</figcaption></figure>"
