"""What a widget answers, and a widget with its static answer beside it."""

import base64
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ..datasets.core import Split
from ..errors import TLCourseError, printable
from ..features.decoding import open_image
from ..foreign_text import escape_attribute, escape_html, escape_mathtext
from ..plots.figure import Figure, sentence
from ..server import VIEW

EXAMPLES = 5  # of each class, in a list
NOTHING_YET = "There is nothing of your own yet: use the button, or choose an example."
NO_MEMORY = "This machine does not have enough memory for it."
# Words that a picture shows, too: for screen readers, which read them when they change.
HEARD_ALONE = "position: absolute; width: 1px; height: 1px; overflow: hidden"


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """What a widget answers to one position. A notebook shows its figure.

    Attributes
    ----------
    text : str
        All of it in words; also the figure's description.
    draw : callable, optional
        Draws the figure.
    html : str
        What a widget shows in the place of words and figure, where it is not empty.
    """

    text: str
    draw: Callable[[], Figure] | None = None
    html: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text, lines=True))

    @cached_property
    def figure(self) -> Figure:
        """The figure, drawn when it is first used."""
        figure = self.draw() if self.draw else Figure()
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
    """A list of ipywidgets with the answer to what is chosen, and a static answer.

    `ipywidgets.interactive_output` would write into an Output widget, for which an
    executed notebook can wait for ever.
    """

    options: dict[str, Any]  # of the list; "value" is the first position

    @abstractmethod
    def _answer_to(self, value: Any) -> Answer:
        """The answer to a value of the list."""

    @property
    def default(self) -> Answer:
        """The answer to the first position."""
        return self._answer_to(self.options["value"])

    @cached_property
    def box(self) -> Any:
        """List and answer, an `ipywidgets.Widget`, made when it is first used."""
        import ipywidgets

        style = {"description_width": "initial"}
        self.control = ipywidgets.Dropdown(style=style, **self.options)
        self.words, self.picture = ipywidgets.HTML(), ipywidgets.HTML()
        self.control.observe(lambda change: self._update(change["new"]), "value")
        parts = self._arrange(ipywidgets)
        self._update(self.options["value"])
        return ipywidgets.VBox(parts)

    def _arrange(self, ipywidgets: Any) -> list:
        """The parts of the widget, from top to bottom."""
        return [self.control, self.words, self.picture]

    def _update(self, value: Any) -> None:
        self._show(self._answer_to(value))

    def _show(self, answer: Answer) -> None:
        """Show an answer: its HTML, or its picture, or its words."""
        has_picture = answer.draw is not None and not answer.html
        png = answer.figure._repr_png_() if has_picture else b""
        self._show_picture(png, sentence(answer.text))
        self.words.value = answer.html or answer.words
        if png and self.picture is not None:
            self.words.value = f'<div style="{HEARD_ALONE}">{answer.words}</div>'

    def _show_picture(self, png: bytes, alt: str) -> None:
        self.picture.value = image(png, alt) if png else ""

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

    own = -1  # in the list of examples; None would leave the list empty

    def _list_examples(self, split: Split) -> None:
        """Offer some rows of a split of each class, after what is a learner's own."""
        seen: Counter = Counter()
        options = [("my own", self.own)]
        for row, name in enumerate(map(printable, split.label_names)):
            seen[name] += 1
            if seen[name] <= EXAMPLES:
                options.append((f"{name} {seen[name]}", row))
        self.options = {"options": options, "value": 0, "description": "or"}

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


def label_bars(axes: Axes, names: Sequence[str], shares: Sequence[float]) -> None:
    """Draw shares as bars from top to bottom, each with its name and its percentage."""
    axes.axis("off")
    axes.set(xlim=(0, 1), ylim=(len(names) - 0.4, -0.6))
    axes.barh(range(len(names)), shares, color="#9ecae1")
    for row, (name, share) in enumerate(zip(names, shares, strict=True)):
        text = f"{escape_mathtext(name)} {share:.0%}"
        axes.text(0.02, row, text, va="center", fontsize=8)


def bars(title: str, names: Sequence[str], shares: Sequence[float]) -> str:
    """The same as HTML."""
    rows = "".join(
        f"<tr><td>{escape_html(name)}</td><td>"
        f'<progress value="{share:.3f}"></progress></td><td>{share:.0%}</td></tr>'
        for name, share in zip(names, shares, strict=True)
    )
    return f"<table><caption><b>{escape_html(title)}</b></caption>{rows}</table>"


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
