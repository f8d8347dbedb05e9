"""Figures, one call each: `tl.show.…`. Each function returns the figure, which a notebook shows where it is returned.

In a script: `tl.show.pictures(images).savefig("pictures.png")`.
"""

from ..silence import quiet_matplotlib

quiet_matplotlib()  # before it is imported

from .charts import (  # noqa: E402
    attention,
    bars,
    confusion,
    curves,
    feature_map,
    labelled_points,
    learning_curve,
    training,
)
from .grids import (  # noqa: E402
    channels,
    heat_maps,
    neighbours,
    pictures,
    predictions,
    right_and_wrong,
)
from .searches import trials  # noqa: E402

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
