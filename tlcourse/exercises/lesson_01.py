"""Lesson 01, Why transfer?: what the answers are compared with."""

from functools import lru_cache

import numpy as np

import tlcourse as tl

from .answers import Anything, Number, having
from .table import rows

MINUTES = 0.5  # that a label takes
COUNTS, SPLITS = [1, 5], 3
SIMILAR = 0.02  # accuracies of one probe on two processors, on two hundred pictures
CLASSES = 10


@rows("1.1", Number(absolute=0.01, relative=0.01))
def minutes_saved(answer):
    curve = tl.LearningCurve.of(tl.results("curves.kanji"))
    scratch, probe = curve.points["scratch"][-1], curve.points["probe"][-1]
    needed = curve.labels_for("probe", scratch.mean) or float("inf")
    saved, all_minutes = scratch.rows - needed, scratch.rows * MINUTES
    yield "right", saved * MINUTES, {"all_minutes": all_minutes}
    yield "labels", saved
    yield "two minutes", 2 * saved
    yield "probe's labels", needed * MINUTES
    yield "all labels", all_minutes
    yield "same number", (scratch.rows - probe.rows) * MINUTES


@rows("1.2", Number(minimum=-np.inf))
def splits_won(answer, live):
    having(live, "live", "points")
    few, many = (_wins(live.points, index) for index in (0, -1))
    splits = len(few)
    yield "right", sum(few), {"splits": splits}
    is_count = answer.is_integer() and 0 <= answer <= splits
    yield "no number of splits", not is_count, {"splits": splits}
    yield "scratch's wins", splits - sum(few)
    yield "five labels", answer in (sum(many), sum(few) + sum(many))


def _wins(points, index):
    """Whether the probe was better, for each split."""
    pairs = (points[method][index].accuracies for method in ("probe", "scratch"))
    return [probe > scratch for probe, scratch in zip(*pairs, strict=True)]


@rows("1.3", Anything())
def harder_characters(answer, live):
    for curve, name in ((answer, "your curve"), (live, "live")):
        having(curve, name, "points", "seeds")
    points, seeds = answer.points, tuple(answer.seeds)
    others = set(points) != {"scratch", "probe"}
    yield "methods", others, {"methods": ", ".join(points)}
    yield "seeds", len(seeds) < SPLITS, {"seeds": len(seeds)}
    labels = [point.labels for point in points["probe"]]
    yield "labels", labels != COUNTS, {"labels": labels}
    first = points["probe"][0]
    yield "classes", first.rows != CLASSES, {"classes": first.rows}
    yield "numerals", first.accuracies == live.points["probe"][0].accuracies
    both = [*points["probe"], *points["scratch"]]
    accuracies = np.array([point.accuracies for point in both])
    shaped = accuracies.shape == (2 * len(COUNTS), len(seeds))
    are_accuracies = shaped and np.all((accuracies >= 0) & (accuracies <= 1))
    yield "no accuracies", not are_accuracies
    differences = np.abs(accuracies[0] - _probe_on_last_classes(seeds))
    yield "other classes", differences.max() > SIMILAR
    yield "right", True, {"gain": _gain(answer), "before": _gain(live)}


@lru_cache(maxsize=4)
def _probe_on_last_classes(seeds):
    """The probe's accuracies with one label each; all else would take far longer."""
    kanji = tl.load_dataset("kanji")
    last = kanji.with_classes(kanji.class_names[-CLASSES:])
    curve = tl.learning_curve(last, COUNTS[:1], methods=["probe"], seeds=seeds)
    return np.array(curve.points["probe"][0].accuracies)


def _gain(curve):
    probe, scratch = (curve.points[method][0].mean for method in ("probe", "scratch"))
    return 100 * (probe - scratch)
