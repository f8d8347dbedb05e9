"""What all figures share: one width, one palette, and a description in words."""

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from matplotlib import figure
from matplotlib.axes import Axes
from numpy.typing import ArrayLike
from PIL import Image

from ..errors import UserInputError, printable
from ..features.decoding import open_image
from ..foreign_text import escape_html, escape_mathtext
from ..tables import Table, as_html

# Okabe and Ito (2008): told apart by colour-blind readers and in grey print.
COLOURS = "#0072B2 #E69F00 #009E73 #CC79A7 #D55E00 #56B4E9 #F0E442 #000000".split()
MARKERS = "osD^vP*X"
IN_WORDS = '<details class="figure-in-words">'
WIDTH = 8.0  # inches, of a notebook's page
DPI = 120  # pixels per inch, as a page shows a figure
SHARPNESS = (
    2  # pixels of the stored picture for each of these, for screens that have them
)
SMALL = 8  # points: 13 pixels where a figure has its full width


class Figure(figure.Figure):
    """A Matplotlib figure that a notebook shows once, without pyplot.

    Attributes
    ----------
    alt : str
        What the figure shows, in words. A notebook keeps it beside the picture and
        shows it folded away below, as JupyterLab's pictures have no alternative text.
    table : Table or None
        The numbers of a chart, kept and shown in the same way.
    """

    alt = ""
    table: Table | None = None

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        """Save as Matplotlib does; letters that the font lacks become boxes."""
        with _boxes_for_missing_letters():
            super().savefig(*args, **kwargs)

    def draw_without_rendering(self) -> None:
        """Lay the figure out, so that its texts have their places."""
        with _boxes_for_missing_letters():
            super().draw_without_rendering()

    def _ipython_display_(self) -> None:
        from IPython.display import display

        for data, metadata in self._outputs():
            display(data, metadata=metadata, raw=True)

    def _outputs(self) -> list[tuple[dict, dict]]:
        """Data and metadata of what a notebook shows: the picture, and its words."""
        data, metadata = self._repr_mimebundle_()
        about = metadata["image/png"]
        words = in_words(about["alt"], about.get("table"))
        return [(data, metadata), ({"text/html": words}, {})]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple:
        about: dict[str, object] = {"alt": self.alt}
        if self.table is not None:
            columns, *rows = self.table.texts()
            about["table"] = {"columns": columns, "rows": rows}
        png = self._repr_png_(SHARPNESS)
        size = open_image(png).size
        about |= {
            side: round(pixels / SHARPNESS)
            for side, pixels in zip(("width", "height"), size, strict=True)
        }
        return {"image/png": png, "text/plain": repr(self)}, {"image/png": about}

    def _repr_png_(self, sharpness: int = 1) -> bytes:
        large, small = io.BytesIO(), io.BytesIO()
        self.savefig(large, format="png", dpi=sharpness * DPI, bbox_inches="tight")
        picture = open_image(large.getvalue()).convert("RGB")
        # 256 colours are a third of the size and look the same.
        picture = picture.quantize(256, dither=Image.Dither.NONE)
        picture.save(small, "png", optimize=True)
        return small.getvalue()


@contextmanager
def _boxes_for_missing_letters() -> Iterator[None]:
    """No warning of Matplotlib's about letters that its font lacks."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
        yield


class LiveFigure:
    """A figure in a notebook's output, which the next one replaces.

    `display(figure, display_id=True)` cannot do that: IPython does not pass the
    identifier on to `_ipython_display_`.
    """

    def __init__(self) -> None:
        self._handles: list[Any] = []

    def show(self, figure: Figure) -> None:
        """Show a figure in the place of the one before it."""
        from IPython.display import display

        if not self._handles:
            self._handles = [
                display(data, metadata=metadata, raw=True, display_id=True)
                for data, metadata in figure._outputs()
            ]
            return
        for handle, output in zip(self._handles, figure._outputs(), strict=True):
            data, metadata = output
            handle.update(data, metadata=metadata, raw=True)


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """A figure with one axes; its sides are shares of a page's width."""
    sheet = Figure(figsize=(width * WIDTH, height * WIDTH), layout="constrained")
    return sheet, sheet.subplots()


def name_legend(axes: Axes, names: Sequence[str]) -> None:
    """A legend beside the axes, where it hides nothing.

    Its names replace the artists' numbers: Matplotlib leaves out labels such as "_b".
    """
    outside: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1, 1)}
    legend = axes.legend(fontsize=SMALL, **outside)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(escape_mathtext(name))


def describe(
    sheet: Figure, title: str, columns: Sequence[str], rows: Iterable[Sequence]
) -> Figure:
    """Keep a chart's numbers as its table and, behind its title, in its words."""
    sheet.table = Table(columns, [tuple(row) for row in rows])
    _, *texts = sheet.table.texts()
    lines = (
        f"{name}: " + ", ".join(map(" ".join, zip(columns[1:], values, strict=True)))
        for name, *values in texts
    )
    sheet.alt = f"{sentence(title)} {listed(lines)}."
    return sheet


def sentence(title: str) -> str:
    """A title as the first sentence of a description."""
    return title if title.endswith((".", "?", "!")) else f"{title}."


def listed(texts: Iterable[object], most: int = 24) -> str:
    """Join texts for a description; of very many, the first ones."""
    lines = [printable(" ".join(str(text).split())) for text in texts]
    more = f"; and {len(lines) - most} more" if len(lines) > most else ""
    return "; ".join(lines[:most]) + more


def in_words(alt: str, table: dict | None = None) -> str:
    """A figure's words and its table of texts, as folded HTML."""
    title, numbers = "This figure in words", ""
    if table is not None:
        title += " and numbers"
        numbers = as_html([table["columns"], *table["rows"]], scrolls=True)
    return (
        f"{IN_WORDS}<summary>{title}</summary><p>{escape_html(alt)}</p>"
        f"{numbers}</details>"
    )


def check_lengths(**values: Any) -> None:
    """Refuse arguments that differ in length, or are empty; None was not given."""
    passed = {name: value for name, value in values.items() if value is not None}
    lengths = {name: len(value) for name, value in passed.items()}
    if len(set(lengths.values())) > 1:
        each = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserInputError(f"Lengths differ: {each}. Each entry needs one of each.")
    if 0 in lengths.values():
        raise UserInputError(f"There is nothing to show: {', '.join(lengths)} empty.")


def as_labels(labels: ArrayLike, class_names: Sequence[str]) -> np.ndarray:
    """Labels as indices into `class_names`, int (n,)."""
    array, last = np.asarray(labels), len(class_names) - 1
    if not set(array.ravel().tolist()) <= set(range(last + 1)):
        raise UserInputError(
            f"labels are no indices into class_names, whole numbers from 0 to {last}."
        )
    return array.astype(int)
