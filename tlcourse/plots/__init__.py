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
    labelled_points,
)
from .grids import (  # noqa: E402
    channels,
    heat_maps,
    neighbours,
    pictures,
    predictions,
    right_and_wrong,
)
from .lines import curves, learning_curve, training, trials  # noqa: E402

__all__ = [
    "attention",
    "bars",
    "channels",
    "confusion",
    "curves",
    "feature_map",
    "heat_maps",
    "labelled_points",
    "learning_curve",
    "neighbours",
    "pictures",
    "predictions",
    "right_and_wrong",
    "training",
    "trials",
]
