"""What a widget answers, and a widget with its static answer beside it."""

import base64
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np

from ..errors import TLCourseError, printable
from ..features.decoding import open_image
from ..foreign_text import escape_attribute, escape_html
from ..plots.figure import Figure, sentence
from ..server import VIEW


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """What a widget answers to one position. A notebook shows its figure.

    Attributes
    ----------
    text : str
        All of it in words; also the figure's description.
    """

    text: str
    draw: Callable[[], Figure] = Figure

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text, lines=True))

    @cached_property
    def figure(self) -> Figure:
        """The figure, drawn when it is first used."""
        figure = self.draw()
        figure.alt = sentence(self.text)
        return figure

    @property
    def words(self) -> str:
        """The text as HTML that a screen reader reads again when it changes."""
        lines = (f"<p>{escape_html(line)}</p>" for line in self.text.split("\n"))
        return f'<div role="status" aria-live="polite">{"".join(lines)}</div>'

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple:
        data, metadata = self.figure._repr_mimebundle_()
        return {**data, "text/plain": self.text}, metadata


class Widget(ABC):
    """A control of ipywidgets with the answer to its value, and a static answer.

    `ipywidgets.interactive_output` would write into an Output widget, for which an
    executed notebook can wait for ever.
    """

    control_class: str
    options: dict[str, Any]  # of the control; "value" is the first position

    @abstractmethod
    def _answer_to(self, value: Any) -> Answer:
        """The answer to a value of the control."""

    @property
    def default(self) -> Answer:
        """The answer to the first position."""
        return self._answer_to(self.options["value"])

    @cached_property
    def box(self) -> Any:
        """Control and answer, an `ipywidgets.Widget`, made when it is first used."""
        import ipywidgets

        style = {"description_width": "initial"}
        self.control = getattr(ipywidgets, self.control_class)(
            style=style, layout={"width": "95%"}, **self.options
        )
        self.words, self.picture = ipywidgets.HTML(), ipywidgets.HTML()
        self.control.observe(lambda change: self._update(change["new"]), "value")
        parts = self._arrange(ipywidgets)
        self._update(self.options["value"])
        return ipywidgets.VBox(parts)

    def _arrange(self, ipywidgets: Any) -> list:
        """The parts of the widget, from top to bottom."""
        return [self.control, self.words, self.picture]

    def _update(self, value: Any) -> None:
        self._display(self._answer_to(value))

    def _display(self, answer: Answer) -> None:
        self.words.value = answer.words
        self.picture.value = image(answer.figure._repr_png_(), answer.figure.alt)

    def __repr__(self) -> str:
        return self.default.text

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple:
        data, metadata = self.default._repr_mimebundle_()
        if find_spec("ipywidgets"):
            version = {"version_major": 2, "version_minor": 0}
            data[VIEW] = {**version, "model_id": self.box.model_id}
        return data, metadata


class OwnWidget(Widget):
    """A widget that answers to what is a learner's own, or to examples in a list.

    The answer's picture is painted on a canvas of ipycanvas: what is on it is no part
    of the state, which notebooks on Colab save. Without ipycanvas there are words only.
    """

    control_class = "Dropdown"
    own = -1  # in the list of examples; None would leave the list empty
    canvas: Any = None
    _png = b""

    def _arrange_beside(self, ipywidgets: Any, *others: Any) -> list:
        self.control.layout.width = "auto"
        parts = [ipywidgets.HBox([*others, self.control]), self.words]
        if has_canvas():
            from ipycanvas import Canvas

            self.canvas = Canvas()
            self.canvas.on_client_ready(self._paint)
            parts.append(self.canvas)
        return parts

    def _update(self, value: Any) -> None:
        nothing_yet = Answer("Nothing of your own is here yet.")
        self._show(lambda: nothing_yet if value == self.own else self._answer_to(value))

    def _show_own(self, answer: Callable[[], Answer]) -> None:
        self.control.value = self.own
        self._show(answer)

    def _show(self, answer: Callable[[], Answer]) -> None:
        """Show an answer, or in a sentence why there is none."""
        try:
            made = answer()
            self._png = made.figure._repr_png_() if made.draw is not Figure else b""
        except (TLCourseError, MemoryError) as error:
            sentence = str(error) or "It is too large for this machine's memory."
            made, self._png = Answer(sentence), b""
        self.words.value = made.words
        self._paint()

    def _paint(self) -> None:
        if self.canvas is None:
            return
        from ipycanvas import hold_canvas

        with hold_canvas():
            self.canvas.clear()
            self.canvas.layout.display = None if self._png else "none"
            if self._png:
                pixels = np.asarray(open_image(self._png).convert("RGB"))
                self.canvas.height, self.canvas.width = pixels.shape[:2]
                self.canvas.put_image_data(pixels)


def image(png: bytes, alt: str) -> str:
    """A PNG as an HTML image."""
    data = base64.b64encode(png).decode()
    source = f'style="max-width: 100%" src="data:image/png;base64,{data}"'
    return f'<img alt="{escape_attribute(alt)}" {source}>'


def has_canvas() -> bool:
    """Whether ipycanvas is installed; Colab is told that it may show a canvas."""
    if not find_spec("ipycanvas"):
        return False
    if find_spec("google") and find_spec("google.colab"):
        from google.colab import output

        output.enable_custom_widget_manager()
    return True
