"""A widget in a notebook, and beside it what stands in its place where there is no browser."""

import base64
import warnings
from abc import ABC, abstractmethod
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

from ..foreign_text import escape_attribute
from .answer import Answer

if TYPE_CHECKING:
    import ipywidgets

_VIEW = "application/vnd.jupyter.widget-view+json"


class Live(ABC):
    """Something to move, click or draw on.

    A notebook is given the widget and, beside it, the answer for the first position: whoever shows the notebook takes
    what it can. `notebooks/build.py` keeps the answer alone. Widgets are made when they are first shown; nothing is
    computed in another thread, and there are no Output widgets, which can wait for ever where nobody answers.
    """

    _box = None

    @property
    @abstractmethod
    def default(self) -> Answer:
        """What is said before anything has been moved."""

    @abstractmethod
    def _make(self, widgets: "ModuleType") -> "ipywidgets.Widget":
        """The widget itself, made with the module ipywidgets; `self` may keep its parts."""

    @property
    def box(self) -> "ipywidgets.Widget":
        """The widget, an `ipywidgets.Widget`."""
        if self._box is None:
            import ipywidgets

            self._box = self._make(ipywidgets)
        return self._box

    def __repr__(self) -> str:
        return self.default.text

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict, dict]:
        data, metadata = self.default._repr_mimebundle_()
        if find_spec("ipywidgets"):
            data[_VIEW] = {
                "version_major": 2,
                "version_minor": 0,
                "model_id": self.box.model_id,
            }
        return data, metadata


def let_colab_show_canvases() -> None:
    """Colab shows widgets that are not of ipywidgets itself only when it is told to."""
    if find_spec("google") and find_spec("google.colab"):
        from google.colab import output

        output.enable_custom_widget_manager()


def has_canvas() -> bool:
    """Whether ipycanvas is here, in a version that shows something."""
    if not find_spec("ipycanvas"):
        return False
    import ipycanvas

    if ipycanvas.__version__ == "0.14.0":
        warnings.warn(
            "ipycanvas 0.14.0 shows an empty place instead of a canvas. Run: pip install ipycanvas==0.14.3",
            stacklevel=2,
        )
        return False
    return True


def image(content: bytes, alt: str, style: str = "", kind: str = "png") -> str:
    """A picture file as an HTML image."""
    data = base64.b64encode(content).decode()
    return f'<img alt="{escape_attribute(alt)}" style="{style}" src="data:image/{kind};base64,{data}">'


def spoken(page: str) -> str:
    """HTML that a screen reader reads again when it changes."""
    return f"<div role='status' aria-live='polite'>{page}</div>"
