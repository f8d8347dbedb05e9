"""A figure of which little moves: the rest is drawn once, and a move costs a few milliseconds."""

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from ..plots.figure import Figure, boxes_for_missing_letters
from .live import image

_DOTS = 80  # an inch, as in a stored figure


class Moving:
    """A figure, and those of its artists that move.

    Args:
        figure: drawn as a whole when it is saved.
        artists: left out of what is drawn once; `page` draws them on top of it, where they are now.
    """

    def __init__(self, figure: Figure, artists: Sequence) -> None:
        self.figure, self._artists, self._still = figure, artists, None
        for artist in artists:
            artist.set_animated(True)

    def page(self) -> str:
        """The figure as it is now, as an HTML image with its description."""
        from matplotlib.backends.backend_agg import FigureCanvasAgg

        if self._still is None:
            self._canvas = FigureCanvasAgg(self.figure)
            self.figure.set(
                dpi=_DOTS, layout_engine="tight"
            )  # a stored figure grows around a long title; this cannot
            for axes in self.figure.axes:
                axes.title.set_wrap(True)
            with boxes_for_missing_letters():
                self._canvas.draw()
            self._still = self._canvas.copy_from_bbox(self.figure.bbox)
        self._canvas.restore_region(self._still)
        for artist in self._artists:
            artist.axes.draw_artist(artist)
        content = io.BytesIO()
        dots = Image.fromarray(np.asarray(self._canvas.buffer_rgba())[..., :3])
        dots.save(content, "png", compress_level=1)
        return image(content.getvalue(), self.figure.alt, style="max-width: 100%")
