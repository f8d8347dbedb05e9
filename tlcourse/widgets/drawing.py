"""Draw a Kanji: what networks predict for it, side by side, after each stroke."""

import io
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from ..datasets import kanji_meanings
from ..datasets.core import Dataset
from ..errors import UserInputError, printable
from ..foreign_text import escape_mathtext
from ..plots.figure import WIDTH, Figure
from ..training.evaluation import keras_outputs
from ..validation import as_array
from .base import Answer, Widget, bars, image, label_bars
from .own import has_canvas

SIDE, BOX = 28, 20  # MNIST's picture, and the box that the strokes are scaled into
PEN = 1.9  # pixels, as most pens of the data set
FINE = 8  # drawn so many times larger, so that edges become grey
ZOOM = 10  # canvas pixels for a pixel of the picture
TOP = 5  # classes that are shown
OWN = -1  # in the list of characters; None would leave the list empty
SIDE_BY_SIDE = "display: flex; flex-wrap: wrap; gap: 8px 24px"
INVITATION = (
    "Draw a character in the black square, or choose one from the list below it."
)
WITHOUT_CANVAS = (
    "To draw, run %pip install ipycanvas==0.14.3, load this page again, and run the "
    "cells from the top."
)


class DrawAKanji(Widget):
    """A canvas for mouse, finger or pen, and the best five classes of each network.

    By keyboard, characters of the test set can be chosen from a list instead.

    Parameters
    ----------
    networks : mapping of str to keras.Model
        Name -> a `keras.Model` from pixels (28, 28) in [0, 255] to probabilities.
    dataset : Dataset
        What they were trained on: `tl.load_dataset("kanji")`, or some of its classes.
    """

    def __init__(self, networks: Mapping[str, Any], dataset: Dataset) -> None:
        if not networks:
            raise UserInputError("networks is empty; expected {name: network}.")
        self._networks, self._dataset = networks, dataset
        self._names = dataset.class_names
        self._meanings = [kanji_meanings().get(name, "") for name in self._names]
        self._strokes: list[list[tuple[float, float]]] = []
        self._is_drawing = False
        self.canvas: Any = None  # of ipycanvas, if there is one
        for name, network in networks.items():
            self._check(name, network)
        texts = map(" ".join, zip(self._names, self._meanings, strict=True))
        options = [("my drawing", OWN)]
        options += [(printable(text), label) for label, text in enumerate(texts)]
        self.options = {"options": options, "value": OWN, "description": "or"}

    def _check(self, name: str, network: Any) -> None:
        """Refuse what is no network from these pictures to these classes."""
        _, *size = getattr(network, "input_shape", (None,))
        _, *classes = getattr(network, "output_shape", (None,))
        if size not in ([SIDE, SIDE], [SIDE, SIDE, 1]) or classes != [len(self._names)]:
            raise UserInputError(
                f"{name!r} takes {size or 'nothing'} and returns {classes or 'nothing'}; "
                f"expected a Keras network from pictures ({SIDE}, {SIDE}) to the "
                f"{len(self._names)} classes of {self._dataset.name}."
            )

    @property
    def default(self) -> Answer:
        return self._answer_to(0)

    def _answer_to(self, value: int) -> Answer:
        return self.answer(self._example(value))

    def _example(self, label: int) -> np.ndarray:
        """The first test picture of a class."""
        test = self._dataset.test
        return test.images[np.flatnonzero(test.labels == label)[0]]

    def answer(self, drawing: Sequence | np.ndarray) -> Answer:
        """Answer for one drawing.

        Parameters
        ----------
        drawing : sequence of strokes, or array of shape (28, 28)
            A stroke is a sequence of points (x, y), y downwards, at any scale; an array
            is a picture, uint8, white on black.
        """
        picture, likely, lines = as_picture(drawing), {}, []
        for name, network in self._networks.items():
            pixels = picture.reshape(-1, *network.input_shape[1:])
            values = keras_outputs(network, pixels.astype(np.float32))[0]
            best = np.argsort(-values, kind="stable")[:TOP].tolist()
            likely[name] = dict(zip(best, values[best].tolist(), strict=True))
            texts = (
                f"{self._names[label]} ({self._meanings[label]}) {values[label]:.0%}"
                for label in best
            )
            lines.append(f"{name}: {', '.join(texts)}")
        draw = partial(self._draw, picture, likely)
        return Answer("\n".join(lines), draw, self._as_html(picture, likely))

    def _as_html(self, picture: np.ndarray, likely: dict[str, dict]) -> str:
        """The input and each network's classes, with the characters: browsers can."""
        content = io.BytesIO()
        Image.fromarray(picture).resize((2 * SIDE, 2 * SIDE), 0).save(content, "png")
        parts = [f"<div>Input of the networks<br>{image(content.getvalue(), '')}</div>"]
        for name, classes in likely.items():
            names = [f"{self._names[k]} {self._meanings[k]}" for k in classes]
            parts.append(bars(name, names, [*classes.values()]))
        return f'<div role="status" style="{SIDE_BY_SIDE}">{"".join(parts)}</div>'

    def _draw(self, picture: np.ndarray, likely: dict[str, dict]) -> Figure:
        """The input and each network's classes, in English: every font can write it."""
        sheet = Figure(figsize=(WIDTH, 2), layout="constrained")
        first, *others = sheet.subplots(1, 1 + len(likely))
        first.imshow(picture, cmap="gray", vmin=0, vmax=255)
        first.set(xticks=[], yticks=[])
        first.set_title("input of the networks", fontsize=9)
        for axes, (name, classes) in zip(others, likely.items(), strict=True):
            axes.set_title(escape_mathtext(name), fontsize=9)
            names = [self._meanings[label] for label in classes]
            label_bars(axes, names, [*classes.values()])
        return sheet

    def _arrange(self, ipywidgets: Any) -> list:
        self.undo = ipywidgets.Button(description="Undo a stroke")
        self.clear = ipywidgets.Button(description="Clear")
        self.undo.on_click(lambda _: self._set_strokes(self._strokes[:-1]))
        self.clear.on_click(lambda _: self._set_strokes([]))
        if not has_canvas():
            note = Answer(WITHOUT_CANVAS).words
            return [ipywidgets.HTML(note), self.control, self.words]
        from ipycanvas import Canvas

        self.canvas = canvas = Canvas(width=SIDE * ZOOM, height=SIDE * ZOOM)
        canvas.layout.width = canvas.layout.height = f"{SIDE * ZOOM}px"
        canvas.on_mouse_down(self._begin)
        canvas.on_mouse_move(self._move)
        canvas.on_mouse_up(self._end)
        canvas.on_mouse_out(self._end)
        canvas.on_touch_start(lambda fingers: self._begin(*fingers[0][:2]))
        canvas.on_touch_move(lambda fingers: self._move(*fingers[0][:2]))
        canvas.on_touch_end(self._end)
        canvas.on_touch_cancel(self._end)
        canvas.on_client_ready(self._paint)
        for part in (self.undo, self.clear):
            part.layout.width = "138px"
        self.control.layout.width = f"{SIDE * ZOOM}px"
        buttons = ipywidgets.HBox([self.undo, self.clear])
        left = ipywidgets.VBox([canvas, buttons, self.control])
        self.words.layout.flex, self.words.layout.min_width = "1 1 0", "250px"
        wraps = {"flex_flow": "row wrap", "grid_gap": "0 24px"}
        return [ipywidgets.HBox([left, self.words], layout=wraps)]

    def _begin(self, x: float, y: float) -> None:
        self.control.value = OWN
        self._is_drawing = True
        self._strokes.append([(x, y)])
        if len(self._strokes) == 1:
            self._paint()  # without the invitation

    def _move(self, x: float, y: float) -> None:
        if self._is_drawing:
            self.canvas.stroke_line(*self._strokes[-1][-1], x, y)
            self._strokes[-1].append((x, y))

    def _end(self, *_: object) -> None:
        if self._is_drawing:
            self._is_drawing = False
            self._set_strokes(self._strokes)

    def _set_strokes(self, strokes: list) -> None:
        self.control.value = OWN  # which clears all strokes
        self._strokes = strokes
        self._paint()
        self._show(self.answer(strokes) if strokes else Answer(INVITATION))

    def _update(self, value: int) -> None:
        self._strokes = []
        self._paint()
        self._show(Answer(INVITATION) if value == OWN else self._answer_to(value))

    def _paint(self) -> None:
        """Paint the whole canvas, also for a browser that was opened later."""
        if self.canvas is None:
            return
        from ipycanvas import hold_canvas

        canvas, label = self.canvas, self.control.value
        with hold_canvas():
            canvas.fill_style, canvas.stroke_style = "black", "white"
            canvas.line_width, canvas.line_cap, canvas.line_join = 20, "round", "round"
            canvas.fill_rect(0, 0, SIDE * ZOOM, SIDE * ZOOM)
            if label != OWN:
                large = np.kron(self._example(label), np.ones((ZOOM, ZOOM), np.uint8))
                canvas.put_image_data(np.repeat(large[..., None], 3, axis=-1))
            elif not self._strokes:
                canvas.fill_style, canvas.font = "silver", "20px sans-serif"
                canvas.text_align = "center"
                canvas.fill_text("Draw here", SIDE * ZOOM / 2, SIDE * ZOOM / 2)
            for stroke in self._strokes:
                canvas.stroke_lines(stroke if len(stroke) > 1 else stroke * 2)


def as_picture(drawing: Sequence | np.ndarray) -> np.ndarray:
    """Strokes, or a picture, as networks are given it: uint8 (28, 28).

    As in MNIST, strokes are scaled into a box of 20 by 20 and moved until their centre
    of mass is in the middle.
    """
    if isinstance(drawing, np.ndarray):
        if drawing.shape != (SIDE, SIDE) or drawing.dtype != np.uint8:
            raise UserInputError(
                f"drawing has shape {drawing.shape} and type {drawing.dtype}; expected "
                f"uint8 ({SIDE}, {SIDE}), white on black, or a list of strokes."
            )
        return drawing
    strokes = [_points(stroke) for stroke in drawing]
    if not strokes:
        raise UserInputError("drawing is empty; expected at least one stroke.")
    points = np.concatenate(strokes)
    low, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = (BOX - PEN) / extent.max() if extent.max() else 1.0
    margin = (SIDE - extent * scale) / 2
    fine = Image.new("L", (SIDE * FINE, SIDE * FINE))
    pen, radius = ImageDraw.Draw(fine), PEN * FINE / 2
    for stroke in strokes:
        path = ((stroke - low) * scale + margin) * FINE
        pen.line([*map(tuple, path)], fill=255, width=round(2 * radius), joint="curve")
        for point in (path[0], path[-1]):  # round ends
            pen.ellipse([*(point - radius), *(point + radius)], fill=255)
    picture = np.asarray(fine.resize((SIDE, SIDE), Image.Resampling.BOX))
    for axis in (0, 1):
        weights = picture.sum(axis=1 - axis, dtype=float)
        used, centre = np.flatnonzero(weights), np.average(range(SIDE), weights=weights)
        shift = round((SIDE - 1) / 2 - centre)
        shift = int(np.clip(shift, -used[0], SIDE - 1 - used[-1]))
        picture = np.roll(picture, shift, axis)
    return picture


def _points(stroke: Sequence) -> np.ndarray:
    points = as_array(stroke, "points of a stroke")
    is_path = points.dtype.kind in "iuf" and points.ndim == 2 and points.shape[1] == 2
    if not is_path or not np.isfinite(points).all():
        raise UserInputError("A stroke must be a list of points, [(0, 5), (9, 5)].")
    return points.astype(float)
