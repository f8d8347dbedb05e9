"""The exercises of lesson 01, Why transfer?"""

from functools import lru_cache
from typing import Any

import numpy as np

from ..datasets import load_dataset
from ..evidence import results
from ..training.learning_curves import LearningCurve, learning_curve
from .core import NotYet, exercise
from .reading import describe_type, instance, number

MINUTES_A_LABEL = 0.5
COUNTS, DRAWS = [1, 5], 3
ALIKE = 0.02  # accuracies of one probe on another processor, on two hundred pictures
HARD_CLASSES = 10


@exercise(
    "1.1",
    "what is a label worth?",
    "a number of minutes",
    "Two numbers of labels for the same accuracy: how far are they apart?",
    "curve.points['scratch'][-1] has rows and mean; curve.labels_for('probe', mean) says what the probe needs.",
    "(scratch.rows - curve.labels_for('probe', scratch.mean)) / 2, with scratch = curve.points['scratch'][-1].",
)
def minutes_saved(answer: "Any") -> str:
    curve = LearningCurve.of(results("curves.kanji"))
    value, scratch = number(answer, "a number of minutes"), curve.points["scratch"][-1]
    needed = curve.labels_for("probe", scratch.mean) or float("inf")
    right = (scratch.rows - needed) * MINUTES_A_LABEL
    if _close(value, right):
        return f"{value:.0f} minutes of {scratch.rows * MINUTES_A_LABEL:.0f}. That is what labelling would have cost."
    if _close(value, scratch.rows - needed):
        raise NotYet("That is the number of labels saved. A label takes half a minute.")
    if _close(value, 2 * (scratch.rows - needed)):
        raise NotYet("You took two minutes for a label; it is half a minute.")
    if _close(value, needed * MINUTES_A_LABEL):
        raise NotYet(
            "That is what the probe's labels take. How much less is it than for the network from scratch?"
        )
    if _close(value, scratch.rows * MINUTES_A_LABEL):
        raise NotYet("That is what all labels take. The probe needs some, too.")
    if _close(value, (scratch.rows - curve.points["probe"][-1].rows) * MINUTES_A_LABEL):
        raise NotYet(
            "Both have all labels there. Where does the *probe* reach what scratch reaches with all of them?"
        )
    raise NotYet(
        f"{value:.4g} is not it. Labels from scratch, minus labels of the probe, times half a minute."
    )


def _close(one: float, other: float) -> bool:
    return abs(one - other) <= 0.01 * max(1, abs(other))


@exercise(
    "1.2",
    "is the difference real?",
    "a whole number from 0 to 3",
    "The means have lost which split was which. The lists behind them have not.",
    "live.points['probe'][0].accuracies and live.points['scratch'][0].accuracies, entry by entry.",
    "sum(probe > scratch for probe, scratch in zip(the two lists)).",
)
def draws_won(answer: "Any", curve: "Any") -> str:
    value = number(answer, f"a whole number from 0 to {DRAWS}")
    instance(
        curve, LearningCurve, "`live`, as tl.learning_curve made it, after the answer"
    )
    few, many = (
        [
            p > s
            for p, s in zip(
                *(curve.points[m][index].accuracies for m in ("probe", "scratch")),
                strict=True,
            )
        ]
        for index in (0, -1)
    )
    if value == sum(few):
        return f"{value:.0f} of {len(few)}. Three splits cannot prove much; that they agree, or not, is worth knowing."
    if not value.is_integer() or not 0 <= value <= len(few):
        raise NotYet(
            f"{value:g} is no number of splits out of {len(few)}. Count the splits that the probe won."
        )
    if value == len(few) - sum(few):
        raise NotYet("That is how often the network from scratch won.")
    if value == sum(few) + sum(many) or value == sum(many):
        raise NotYet(
            "That is with five labels, or counts them as well. One label is the first point: [0]."
        )
    raise NotYet(
        f"{value:.0f} is not it. Compare entry by entry, and count where the probe's is the larger."
    )


@exercise(
    "1.3",
    "change the experiment",
    "a curve, as tl.learning_curve returns it",
    "It is the lesson's own call, with other classes.",
    "kanji.with_classes(kanji.class_names[-10:]) chooses them; tl.learning_curve(…, seeds=3) takes three splits.",
    "my_curve = tl.learning_curve(others, labels_per_class=(1, 5), methods=methods, seeds=3).",
)
def harder_signs(answer: "Any", numerals: "Any") -> str:
    if not isinstance(answer, LearningCurve):
        raise NotYet(
            f"You gave {describe_type(answer)}; expected what tl.learning_curve returns."
        )
    instance(
        numerals,
        LearningCurve,
        "`live`, as tl.learning_curve made it, after the answer",
    )
    if set(answer.points) != {"scratch", "probe"}:
        raise NotYet(
            f"Your curve has {', '.join(answer.points)}; compare methods=methods."
        )
    if len(answer.seeds) < DRAWS:
        raise NotYet(
            f"Seeds of your curve: {len(answer.seeds)}. That gives no standard deviation worth its name; take seeds=3."
        )
    points = answer.points["probe"]
    if [point.labels for point in points] != COUNTS:
        raise NotYet(
            f"Your curve has {[point.labels for point in points]} labels of each class; expected {COUNTS}."
        )
    if points[0].rows != HARD_CLASSES:
        raise NotYet(
            f"With one label each you have {points[0].rows} classes. Take ten: kanji.class_names[-10:]."
        )
    if points[0].accuracies == numerals.points["probe"][0].accuracies:
        raise NotYet(
            "These are the numerals again. Take the last ten classes: kanji.class_names[-10:]."
        )
    accuracies = np.array(
        [
            [point.accuracies for point in answer.points[method]]
            for method in ("probe", "scratch")
        ]
    )
    if accuracies.shape != (2, len(COUNTS), len(answer.seeds)) or not np.all(
        (accuracies >= 0) & (accuracies <= 1)
    ):
        raise NotYet(
            "Your curve does not hold one accuracy per seed at each point. Give it as it was returned."
        )
    if not np.all(
        np.abs(accuracies[0, 0] - _probe_on_last_ten(tuple(answer.seeds))) <= ALIKE
    ):
        raise NotYet(
            "The probe's accuracies are not those of the last ten classes with these seeds. Is your curve that of "
            "kanji.with_classes(kanji.class_names[-10:]), as it was returned?"
        )
    gains = [_gain(curve) for curve in (answer, numerals)]
    return f"With one label the probe gains {gains[0]:+.0f} points here, {gains[1]:+.0f} on the numerals."


@lru_cache(maxsize=4)
def _probe_on_last_ten(seeds: tuple[int, ...]) -> np.ndarray:
    """The probe's accuracies with one label each, float (seeds,). All else on the curve would take far longer."""
    kanji = load_dataset("kanji")
    others = kanji.with_classes(kanji.class_names[-HARD_CLASSES:])
    curve = learning_curve(
        others, labels_per_class=COUNTS[:1], methods=["probe"], seeds=seeds
    )
    return np.array(curve.points["probe"][0].accuracies)


def _gain(curve: LearningCurve) -> float:
    return 100 * (curve.points["probe"][0].mean - curve.points["scratch"][0].mean)
