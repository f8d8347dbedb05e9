"""Lesson 11, Past one machine: what the answers are compared with."""

import numpy as np

from .answers import Array, Number
from .table import rows

PICTURES, MACHINES = 100e6, 50
IN_MEMORY = 1280 * 4  # bytes of a picture's features

positive = Number(minimum=-np.inf, relative=0.02)


@rows("11.1", positive)
def hours_on_fifty_machines(answer, measured):
    speed = measured["dask_2"]["pictures_per_second"]
    hours = PICTURES / (MACHINES * speed) / 3600
    yield "none", answer <= 0
    yield "right", hours, {"machine_hours": hours * MACHINES}
    yield "machine-hours", hours * MACHINES
    yield "seconds", hours * 3600
    yield "minutes", hours * 60
    yield "both workers", hours / 2
    yield "one worker", hours * speed / measured["dask_1"]["pictures_per_second"]
    yield "otherwise", True, {"speed": speed}


@rows("11.2", positive)
def terabytes_of_features(answer, measured):
    terabytes = PICTURES * measured["bytes_a_picture"] / 1e12
    files = PICTURES * measured["file_bytes_a_picture"] / 1e12
    yield "none", answer <= 0
    yield "right", terabytes, {"files": files}
    yield "files", files
    yield "in memory", PICTURES * IN_MEMORY / 1e12
    yield "unit", terabytes * 1000
    yield "unit", terabytes * 1e6


@rows("11.3", Array())
def usable_rows(mask, features):
    usable = np.isfinite(features).all(axis=1)
    is_index = mask.dtype.kind in "iu" and mask.ndim == 1
    yield "indices", is_index and np.array_equal(np.sort(mask), np.flatnonzero(usable))
    yield "numbers", mask.shape == np.shape(features)
    counts = {"rows": len(usable), "usable": usable.sum()}
    yield "shape", mask.dtype != bool or mask.shape != usable.shape, counts
    yield "no NaN", bool(usable.all())
    yield "right", np.array_equal(mask, usable), counts
    yield "inverted", np.array_equal(mask, ~usable)
    yield "all", mask.all()
    yield "otherwise", True, {"wrong": np.sum(mask != usable)}
