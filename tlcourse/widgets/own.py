"""What widgets share that answer to a learner's own: a picture, or a recording."""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .. import validation
from ..datasets.core import Split
from ..errors import TLCourseError, UserInputError, printable
from ..features.decoding import open_image
from ..plots.figure import check_lengths
from .base import Answer, Widget

EXAMPLES = 5  # of each class, in the list
NEAREST = 3
NOTHING_YET = "There is nothing of your own yet: use the button, or choose an example."
NO_MEMORY = "This machine does not have enough memory for it."


class Neighbours:
    """The training rows that are nearest to others, by cosine similarity."""

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

    def of(self, features: np.ndarray) -> list[tuple[int, str, float]]:
        """Row, class and cosine of the nearest to one row of features."""
        count = min(NEAREST, len(self.train))
        (distances,), (rows,) = self._index.kneighbors(features[None], count)
        names = (printable(name) for name in self.train.label_names[rows])
        return list(zip(rows.tolist(), names, 1 - distances, strict=True))

    def shown(self, neighbours: list[tuple]) -> tuple[list, list[str]]:
        """Their pictures and titles."""
        pictures = [self.train.images[row] for row, _, _ in neighbours]
        titles = [
            f"near: {name}\ncosine {cosine:.2f}" for _, name, cosine in neighbours
        ]
        return pictures, titles


def in_words(neighbours: list[tuple]) -> str:
    """Such as "bird (cosine 0.54), flower (cosine 0.43)"."""
    return ", ".join(f"{name} (cosine {cosine:.2f})" for _, name, cosine in neighbours)


class OwnWidget(Widget):
    """A widget that answers to what is a learner's own, or to examples in a list.

    The answer's picture is painted on a canvas of ipycanvas: what is on it is no part
    of the state, which notebooks on Colab save. Without ipycanvas there are words only.
    """

    own = -1  # in the list of examples; None would leave the list empty
    answer: Callable[..., Answer]

    def _begin(
        self, model: Any, train: Split, features: ArrayLike, examples: Split | None
    ) -> None:
        """Index the training rows, and list some examples of each class."""
        self._model, self._neighbours = model, Neighbours(train, features)
        if self._neighbours.width != model.feature_dim:
            raise UserInputError(
                f"train_features has rows of {self._neighbours.width:,} numbers; "
                f"expected {model.feature_dim:,}, of {model.name}.extract_features()."
            )
        examples = train if examples is None else examples
        if not isinstance(examples, Split) or not len(examples):
            raise UserInputError(
                f"examples is {validation.shown(examples)}; expected a split of a data "
                f"set with {train.kind}, such as its test set."
            )
        self._examples, seen = examples.inputs, Counter[str]()
        options = [("my own", self.own)]
        for row, name in enumerate(map(printable, examples.label_names)):
            seen[name] += 1
            if seen[name] <= EXAMPLES:
                options.append((f"{name} {seen[name]}", row))
        self.options = {"options": options, "value": 0, "description": "or"}

    def _answer_to(self, value: int) -> Answer:
        return self.answer(self._examples[value])

    def _arrange(self, ipywidgets: Any) -> list:
        self.picture, self._png = None, b""
        if has_canvas():
            from ipycanvas import Canvas

            self.picture = Canvas(layout={"max_width": "100%", "height": "auto"})
            self.picture.on_client_ready(self._paint)
        row = ipywidgets.HBox([*self._buttons(ipywidgets), self.control])
        return [row, self.words, *([self.picture] if self.picture else [])]

    @abstractmethod
    def _buttons(self, ipywidgets: Any) -> list:
        """What takes a learner's own; it stands before the list of examples."""

    def _update(self, value: Any) -> None:
        if value == self.own:
            self._show(Answer(NOTHING_YET))
        else:
            self._try(self._answer_to, value)

    def _show_own(self, answer: Callable, *arguments: Any) -> None:
        """Show the answer to a learner's own, and "my own" in the list."""
        self.control.value = self.own
        self._try(answer, *arguments)

    def _try(self, answer: Callable, *arguments: Any) -> None:
        """Show an answer, or in a sentence why there is none."""
        try:
            self._show(answer(*arguments))
        except (TLCourseError, MemoryError) as error:
            self._show(Answer(str(error) or NO_MEMORY))

    def _show_picture(self, png: bytes, alt: str) -> None:
        self._png = png
        self._paint()

    def _paint(self) -> None:
        """Paint the picture, also for a browser that was opened later."""
        if self.picture is None:
            return
        from ipycanvas import hold_canvas

        with hold_canvas():
            self.picture.clear()
            self.picture.layout.display = None if self._png else "none"
            if self._png:
                pixels = np.asarray(open_image(self._png).convert("RGB"))
                self.picture.height, self.picture.width = pixels.shape[:2]
                self.picture.put_image_data(pixels)


def has_canvas() -> bool:
    """Whether ipycanvas is installed; Colab is told that it may show a canvas."""
    if not find_spec("ipycanvas"):
        return False
    if find_spec("google") and find_spec("google.colab"):
        from google.colab import output

        output.enable_custom_widget_manager()
    return True
