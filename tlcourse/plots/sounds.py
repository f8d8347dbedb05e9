"""Figures of sounds."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserInputError
from ..features.log_mel import BANDS, HOP, SAMPLE_RATE
from ..foreign_text import escape_mathtext
from .figure import WIDTH, Figure, check_lengths, listed

HEIGHT = 0.3  # share of a page's width


def spectrograms(images: Sequence[ArrayLike], titles: Sequence[str]) -> Figure:
    """Draw log-mel spectrograms side by side, on one scale: light is loud.

    Parameters
    ----------
    images : sequence of array_like of float, shape (frames, 32)
        From `tl.audio.log_mel`; their numbers of frames may differ.
    titles : sequence of str, as many

    Raises
    ------
    UserInputError
        Another shape, or not as many titles as spectrograms.

    Examples
    --------
    >>> import numpy as np
    >>> import tlcourse as tl
    >>> tl.show.spectrograms([np.zeros((50, 32))], ["silence"]).alt
    'Log-mel spectrograms. silence: 0.50 s.'
    """
    check_lengths(images=images, titles=titles)
    try:
        arrays = [np.asarray(image, float) for image in images]
    except (TypeError, ValueError):
        raise UserInputError(
            f"A spectrogram has to be numbers of shape (frames, {BANDS}), as "
            "tl.audio.log_mel returns."
        ) from None
    for array in arrays:
        if array.ndim != 2 or array.shape[1] != BANDS or not len(array):
            raise UserInputError(
                f"A spectrogram has the shape {array.shape}; expected (frames, {BANDS}), "
                "as tl.audio.log_mel returns."
            )
    sheet = Figure(figsize=(WIDTH, HEIGHT * WIDTH), layout="constrained")
    (every,) = sheet.subplots(1, len(arrays), sharey=True, squeeze=False)
    scale = {"vmin": min(x.min() for x in arrays), "vmax": max(x.max() for x in arrays)}
    seconds = [len(array) * HOP / SAMPLE_RATE for array in arrays]
    for axes, array, title, length in zip(every, arrays, titles, seconds, strict=True):
        extent = (0, length, 0, BANDS)
        axes.imshow(
            array.T, "magma", origin="lower", aspect="auto", extent=extent, **scale
        )
        axes.set(title=escape_mathtext(title), xlabel="seconds")
    every[0].set_ylabel("mel band, low to high")
    lengths = zip(titles, seconds, strict=True)
    each = listed(f"{title}: {length:.2f} s" for title, length in lengths)
    sheet.alt = f"Log-mel spectrograms. {each}."
    return sheet
