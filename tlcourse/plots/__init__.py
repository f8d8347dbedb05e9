"""Figures, one call each: `tl.show.…`.

Each function returns a `Figure`, which a notebook shows where it is a cell's last
line; in a script call `tl.show.pictures(images).savefig("pictures.png")`. Each raises
`UserInputError` where arguments differ in length, are empty or have another shape.
"""

from ..native import silence_logger

silence_logger("matplotlib")  # before it is imported

from .charts import (  # noqa: E402
    attention,
    bars,
    confusion,
    feature_map,
    points,
)
from .grids import (  # noqa: E402
    channels,
    heat_maps,
    pictures,
    right_and_wrong,
)
from .lines import curves, learning_curve, training  # noqa: E402
from .sounds import spectrograms  # noqa: E402

__all__ = [
    "attention",
    "bars",
    "channels",
    "confusion",
    "curves",
    "feature_map",
    "heat_maps",
    "learning_curve",
    "pictures",
    "points",
    "right_and_wrong",
    "spectrograms",
    "training",
]
