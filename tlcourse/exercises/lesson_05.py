"""Lesson 05, Fine-tuning: what the answers are compared with."""

import numpy as np

import tlcourse as tl

from .answers import Anything, Array, Number, Share, near, unexpected
from .table import rows

CELLS, EPOCHS, BATCH, AUGMENTATIONS = 200, 6, 32, 2
RIM = 28  # of 224 rows and columns


@rows("5.1", Number())
def number_of_steps(answer):
    in_epoch = CELLS // BATCH
    seen = CELLS * EPOCHS
    yield "right", in_epoch * EPOCHS
    yield "one epoch", in_epoch
    rounded_up = -(-CELLS // BATCH) * EPOCHS
    yield "partial batches", answer in (rounded_up, seen // BATCH, seen / BATCH)
    augmented = CELLS * AUGMENTATIONS // BATCH * EPOCHS
    yield "all augmentations", answer in (augmented, in_epoch * EPOCHS * AUGMENTATIONS)
    yield "cells", seen


@rows("5.2", Anything())
def too_large_a_rate(tuned, probe_accuracy):
    record = getattr(tuned, "record", None)
    if not isinstance(record, dict) or not hasattr(tuned, "score"):
        raise unexpected(tuned, "the network that tl.fine_tune returned")
    probe = Share().read(probe_accuracy, "a share between 0 and 1", "probe_accuracy")
    settings, used = record["settings"], record["rows"]
    block = {"block": record["from_block"] or "its pixels"}
    yield "another block", record["from_block"] != "block6c", block
    rate = settings["learning_rate"]
    yield "learning rate", not np.isclose(rate, 2e-2), {"rate": rate}
    yield "epochs", settings["epochs"] != 2, {"epochs": settings["epochs"]}
    yield "validation", used["validation"] > 0, {"cells": used["validation"]}
    cells = used["training"]
    yield "other cells", cells != CELLS, {"cells": cells}
    validation = tl.load_dataset("solar").validation.sample(per_class=80)
    accuracy = tuned.score(validation.images, validation.labels)
    details = {"accuracy": accuracy, "probe": probe}
    yield "right", True, details | {"difference": 100 * (accuracy - probe)}


@rows("5.3", Share())
def share_at_rim(answer, maps_of_defects):
    expected = "maps of shape (n, 224, 224)"
    maps = Array().read(maps_of_defects, expected, "maps_of_defects").astype(float)
    shaped = maps.ndim == 3 and min(maps.shape[1:]) > 2 * RIM and maps.sum() > 0
    yield "maps", not shaped, {"shape": maps.shape}
    inside = maps[:, RIM:-RIM, RIM:-RIM]
    rim, area = 1 - inside.sum() / maps.sum(), 1 - inside[0].size / maps[0].size
    less = "less than" if rim < area else "at least what"
    yield "right", rim, {"rim": rim, "area": area, "less": less}
    yield "inside", 1 - rim
    yield "area", area
    yield "two sides", 1 - maps[:, RIM:, RIM:].sum() / maps.sum()
    without_first = 1 - maps[RIM:-RIM].sum() / maps.sum()
    yield "first axis", near(answer, without_first) or answer == 1
    yield "means", 1 - inside.mean() / maps.mean()
