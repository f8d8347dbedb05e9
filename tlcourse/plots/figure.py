"""What all figures share: one width, one palette, one way to be shown."""

import io
import warnings
from collections.abc import Iterable, Iterator, Sequence, Sized
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import figure
from PIL import Image

from ..errors import UserInputError, printable
from ..features.decoding import open_image
from ..foreign_text import escape_html, escape_mathtext
from ..tables import Table, as_html
from ..validation import as_array
from ..validation import class_names as checked_names

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from numpy.typing import ArrayLike

# Okabe and Ito (2008): colour-blind readers tell them apart, and grey print keeps them apart.
COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#D55E00",
    "#56B4E9",
    "#F0E442",
    "#000000",
)
MARKERS = "osD^vP*X"
DASHES = ("-", "--", "-.", ":")
IN_WORDS = '<details class="figure-in-words">'
WIDTH = 8.0  # inches: the width of a notebook's page


@contextmanager
def boxes_for_missing_letters() -> "Iterator[None]":
    """A letter that the font lacks is drawn as a box, without a warning for each: the figure's `alt` has it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", r"Glyph \d+ .*missing from", UserWarning)
        yield


class Figure(figure.Figure):
    """A Matplotlib figure that a notebook can show without pyplot, so that it is shown once and closed by itself.

    Attributes:
        alt: what is seen, in words, for those who cannot see it; a notebook keeps it beside the picture, and shows it
            folded away below, because JupyterLab gives its pictures no alternative text.
        table: the numbers of a chart as a `Table`, kept and shown there too; None where pictures are shown.
    """

    alt = ""
    table: Table | None = None

    def savefig(self, *arguments: "Any", **options: "Any") -> None:
        """As Matplotlib's, see `boxes_for_missing_letters`."""
        with boxes_for_missing_letters():
            super().savefig(*arguments, **options)

    def _ipython_display_(self) -> None:
        from IPython.display import display

        data, metadata = self._repr_mimebundle_()
        display(data, metadata=metadata, raw=True)
        display({"text/html": in_words(**metadata["image/png"])}, raw=True)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict, dict]:
        about: dict[str, object] = {"alt": self.alt}
        if self.table is not None:
            columns, *rows = self.table.texts()
            about["table"] = {"columns": columns, "rows": rows}
        return {"image/png": self._repr_png_(), "text/plain": repr(self)}, {
            "image/png": about
        }

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=80, bbox_inches="tight")
        small = io.BytesIO()  # 256 colours are a third of the size and look the same
        open_image(buffer.getvalue()).convert("RGB").quantize(
            256, dither=Image.Dither.NONE
        ).save(small, "png", optimize=True)
        return small.getvalue()


def in_words(alt: str, table: dict | None = None) -> str:
    """What a figure shows, as folded HTML: its words and, `{"columns": […], "rows": [[…], …]}`, its numbers."""
    title, numbers = "This figure in words", ""
    if table is not None:
        title += " and numbers"
        numbers = as_html([table["columns"], *table["rows"]], scrolls=True)
    return f"{IN_WORDS}<summary>{title}</summary><p>{escape_html(alt)}</p>{numbers}</details>"


def listed(texts: Iterable, most: int = 24) -> str:
    """Texts in a row, for `alt`; of very many the first ones."""
    texts = [printable(" ".join(str(text).split())) for text in texts]
    return "; ".join(texts[:most]) + (
        f"; and {len(texts) - most} more" if len(texts) > most else ""
    )


def sentence(title: str) -> str:
    """A title as the first sentence of `alt`."""
    return title if title.endswith((".", "?", "!")) else f"{title}."


def add_legend(
    axes: "Axes", drawn: "Sequence[Artist]", names: Iterable[str], **options: "Any"
) -> None:
    """A legend with any names: Matplotlib itself leaves out those that begin with an underscore."""
    legend = axes.legend(drawn, ["name"] * len(drawn), **options)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(escape_mathtext(name))


def equally_long(**values: "Sized") -> None:
    """Refuse arguments that belong together and have different lengths, or none."""
    lengths = {name: len(value) for name, value in values.items()}
    if len(set(lengths.values())) > 1:
        given = ", ".join(f"{name} {length}" for name, length in lengths.items())
        raise UserInputError(f"Lengths differ: {given}. Each entry needs one of each.")
    if 0 in lengths.values():
        raise UserInputError(
            f"There is nothing to show: {', '.join(lengths)} are empty."
        )


def as_places(labels: "ArrayLike", class_names: Sequence[str]) -> np.ndarray:
    """Labels as an array of places in `class_names`, int (n,), or a sentence."""
    class_names = checked_names(class_names)
    labels = as_array(labels, "labels")
    if (
        labels.ndim != 1
        or labels.dtype.kind not in "uib"
        or not labels.size
        or labels.min() < 0
        or labels.max() >= len(class_names)
    ):
        raise UserInputError(
            f"Labels were given with shape {labels.shape} and type {labels.dtype}; expected one place in class_names "
            f"for each entry, a whole number from 0 to {len(class_names) - 1}."
        )
    return labels.astype(int)
