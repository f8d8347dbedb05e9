"""Draw a Kanji: what two networks read in it, side by side, while it is being drawn."""

import time
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np

from ..datasets import kanji_meanings
from ..datasets.core import Dataset
from ..errors import UserInputError, printable
from ..foreign_text import escape_mathtext
from ..plots.figure import COLOURS, WIDTH, Figure
from .answer import Answer, as_page, as_table
from .live import Live, has_canvas, image, let_colab_show_canvases, spoken
from .near import thumbnail
from .strokes import SIDE, as_sign

if TYPE_CHECKING:
    import ipycanvas
    import ipywidgets

TOP = 5
ZOOM = 10  # dots of the canvas for a pixel of the sign
WITHOUT_CANVAS = "To draw, run %pip install ipycanvas==0.14.3, load this page again, and run the cells from the top."
OWN = -1  # in the list of signs: what is drawn; None would leave the list empty
PAUSE = 0.1  # seconds between two answers while the pen moves


def draw_a_kanji(networks: dict, dataset: Dataset) -> "DrawAKanji":
    """A canvas to draw on with mouse, finger or pen, and the five best guesses of each network.

    By keyboard, signs of the test hands can be taken from a list in place of drawing.

    Args:
        networks: name → something with `predict_proba(images)`, or a network of Keras that takes uint8 (n, 28, 28).
        dataset: what they were trained on: `load_dataset("kanji")`, or some of its classes.

    Raises:
        UserInputError: no network, or one with other classes than the data set's.
    """
    return DrawAKanji(networks, dataset)


def read_kanji(
    drawing: "Sequence | np.ndarray", networks: dict, dataset: Dataset
) -> Answer:
    """What `draw_a_kanji` says of one drawing.

    Args:
        drawing: a list of strokes, each a list of points (x, y), y downwards, at any size; or a sign, uint8 (28, 28).
        networks, dataset: as for `draw_a_kanji`.

    Raises:
        UserInputError: as `draw_a_kanji`; nothing drawn, strokes that are none, a picture of another size.
    """
    return DrawAKanji(networks, dataset).read(drawing)


class DrawAKanji(Live):
    """A canvas and what networks read on it. Made by `draw_a_kanji`.

    What is drawn stays in the kernel, as points; the canvas is no part of what a notebook could save.
    """

    def __init__(self, networks: dict, dataset: Dataset) -> None:
        if not networks:
            raise UserInputError(
                "networks is empty; expected a name and a network, at least one of each."
            )
        self._readers = {
            name: _reader(name, network, dataset) for name, network in networks.items()
        }
        self._dataset, self._meanings = dataset, kanji_meanings()
        self._drawing, self._said_at = False, 0.0
        self._strokes: list[list[tuple[float, float]]] = []

    @property
    def default(self) -> Answer:
        return self.read(self._example(0))

    def _example(self, label: int) -> np.ndarray:
        """The first test sign of a class."""
        return self._dataset.test.images[
            np.flatnonzero(self._dataset.test.labels == label)[0]
        ]

    def read(self, drawing: "Sequence | np.ndarray") -> Answer:
        """What the networks say of a drawing, as `read_kanji`."""
        sign = as_sign(drawing)
        guesses = {
            name: self._best(reader(sign)) for name, reader in self._readers.items()
        }
        lines = (f"{name}: " + ", ".join(f"{g['sign']} ({g['meaning']}) {g['probability']:.0%}" for g in best)
                 for name, best in guesses.items())  # fmt: skip
        text = "\n".join(lines)
        return Answer(
            text,
            {"guesses": guesses},
            lambda: _drawn(sign, guesses),
            lambda: _page(sign, guesses),
        )

    def _best(self, probabilities: np.ndarray) -> list[dict]:
        names = self._dataset.class_names
        return [
            {
                "sign": names[place],
                "meaning": self._meanings.get(names[place], ""),
                "probability": round(float(probabilities[place]), 4),
            }
            for place in np.argsort(-probabilities, kind="stable")[:TOP]
        ]

    def _make(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        names = self._dataset.class_names
        options = [
            (printable(f"{name} {self._meanings.get(name, '')}"), label)
            for label, name in enumerate(names)
        ]
        self.signs = widgets.Dropdown(
            options=[("what I draw", OWN), *options],
            value=0,
            description="Read",
            layout=widgets.Layout(width="18em"),
        )
        self.undo = widgets.Button(
            description="Undo a stroke", tooltip="Take the last stroke away"
        )
        self.clear = widgets.Button(
            description="Clear", tooltip="Take all strokes away"
        )
        self.page = widgets.HTML(self.default.page)
        self.signs.observe(lambda change: self._take(change["new"]), "value")
        self.undo.on_click(lambda _: self._keep(self._strokes[:-1]))
        self.clear.on_click(lambda _: self._keep([]))
        if not has_canvas():
            self.note = widgets.HTML(as_page(WITHOUT_CANVAS))
            return widgets.VBox([self.note, self.signs, self.page])
        controls = widgets.VBox([self.signs, self.undo, self.clear])
        return widgets.VBox([widgets.HBox([self._make_canvas(), controls]), self.page])

    def _make_canvas(self) -> "ipycanvas.Canvas":
        from ipycanvas import Canvas

        let_colab_show_canvases()
        self.canvas = Canvas(width=SIDE * ZOOM, height=SIDE * ZOOM)
        self.canvas.layout.width = self.canvas.layout.height = f"{SIDE * ZOOM}px"
        self.canvas.layout.border = "1px solid gray"
        self.canvas.on_mouse_down(self._begin)
        self.canvas.on_mouse_move(self._move)
        self.canvas.on_mouse_up(self._end)
        self.canvas.on_mouse_out(self._end)
        self.canvas.on_touch_start(lambda fingers: self._begin(*fingers[0][:2]))
        self.canvas.on_touch_move(lambda fingers: self._move(*fingers[0][:2]))
        self.canvas.on_touch_end(lambda fingers: self._end(None, None))
        self.canvas.on_touch_cancel(lambda fingers: self._end(None, None))
        self.canvas.on_client_ready(self._paint)
        self._paint()
        return self.canvas

    def _begin(self, x: float, y: float) -> None:
        if self.signs.value != OWN:
            self.signs.value = OWN  # which wipes the canvas
        self._drawing = True
        self._strokes.append([(x, y)])

    def _move(self, x: float, y: float) -> None:
        if not self._drawing:
            return
        stroke = self._strokes[-1]
        self.canvas.stroke_line(*stroke[-1], x, y)
        stroke.append((x, y))
        if time.perf_counter() - self._said_at > PAUSE:
            self._say()

    def _end(self, x: float | None, y: float | None) -> None:
        if self._drawing:
            self._drawing = False
            self._keep(self._strokes)

    def _keep(self, strokes: list) -> None:
        """These are the strokes now."""
        self._strokes = strokes
        if self.signs.value != OWN:
            self.signs.value = OWN
        else:
            self._show()

    def _take(self, label: int) -> None:
        """A sign was chosen from the list, or what is drawn."""
        if label != OWN:
            self._strokes = []
        self._show()

    def _show(self) -> None:
        self._paint()
        self._say()

    def _say(self) -> None:
        if self.signs.value != OWN:
            self.page.value = self.read(self._example(self.signs.value)).page
        elif self._strokes:
            self.page.value = self.read(self._strokes).page
        else:
            self.page.value = spoken("<p>Draw a sign, or choose one from the list.</p>")
        self._said_at = time.perf_counter()

    def _paint(self, *_: object) -> None:
        """All that is to be seen on the canvas, anew: also for a browser that was opened later."""
        if not has_canvas():
            return
        from ipycanvas import hold_canvas

        canvas, side = self.canvas, SIDE * ZOOM
        with hold_canvas():
            canvas.fill_style, canvas.stroke_style = "black", "white"
            canvas.line_width, canvas.line_cap, canvas.line_join = (
                2 * ZOOM,
                "round",
                "round",
            )
            canvas.fill_rect(0, 0, side, side)
            if self.signs.value != OWN:
                large = (
                    self._example(self.signs.value)
                    .repeat(ZOOM, axis=0)
                    .repeat(ZOOM, axis=1)
                )
                canvas.put_image_data(np.repeat(large[..., None], 3, axis=-1), 0, 0)
            for stroke in self._strokes:
                canvas.stroke_lines(stroke if len(stroke) > 1 else stroke * 2)


def _reader(
    name: str, network: object, dataset: Dataset
) -> "Callable[[np.ndarray], np.ndarray]":
    """A sign, uint8 (28, 28) → probabilities (classes,)."""
    predict = getattr(network, "predict_proba", network)
    if not callable(predict):
        raise UserInputError(
            f"{name!r} is a {type(network).__name__}; expected something with "
            "predict_proba(images), or a network of Keras."
        )

    def read(sign: np.ndarray) -> np.ndarray:
        return np.asarray(predict(sign[None]))[0]

    classes = len(read(dataset.test.images[0]))
    if classes != len(dataset.class_names):
        raise UserInputError(
            f"{name!r} knows {classes} classes and {dataset.name} has "
            f"{len(dataset.class_names)}; expected the classes that it was trained on."
        )
    return read


def _drawn(sign: np.ndarray, guesses: dict) -> Figure:
    """The sign, and beside it bars for each network; in English, which every font can write."""
    sheet = Figure(figsize=(WIDTH, 2.2), layout="constrained")
    first, *others = sheet.subplots(1, 1 + len(guesses))
    first.imshow(sign, cmap="gray", vmin=0, vmax=255)
    first.set(title="what the networks see", xticks=[], yticks=[])
    for number, (axes, (name, best)) in enumerate(
        zip(others, guesses.items(), strict=True)
    ):
        shares = [100 * guess["probability"] for guess in best]
        axes.barh(range(len(best)), shares, color=COLOURS[number % len(COLOURS)])
        axes.set_yticks(
            range(len(best)), [guess["meaning"] for guess in best], fontsize=8
        )
        axes.invert_yaxis()
        axes.set(title=escape_mathtext(name), xlabel="probability (%)", xlim=(0, 100))
        axes.title.set_fontsize(9)
    first.title.set_fontsize(9)
    return sheet


def _page(sign: np.ndarray, guesses: dict) -> str:
    tables = "".join(
        as_table(
            ["sign", "meaning", "probability"],
            [
                [guess["sign"], guess["meaning"], f"{guess['probability']:.0%}"]
                for guess in best
            ],
            name,
        )
        for name, best in guesses.items()
    )
    seen = image(
        thumbnail(sign),
        "The sign as the networks see it, 28 by 28 pixels, white on black",
    )
    seen = f"<figure style='margin: 0'>{seen}<figcaption>what the networks see</figcaption></figure>"
    row = "<div style='display: flex; gap: 2em; flex-wrap: wrap; align-items: flex-start'>"
    return f"{row}{seen}{spoken(f'{row}{tables}</div>')}</div>"
