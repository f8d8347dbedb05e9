"""The exercises of lesson 09, Tune and stack."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ..datasets import load_dataset
from ..training.probe import LinearProbe
from .core import NotYet, exercise
from .reading import (
    array,
    describe_type,
    dictionary,
    instance,
    near,
    number,
    share,
    shares,
)

if TYPE_CHECKING:
    from sklearn.ensemble import StackingClassifier

CLASSIFIERS, PROBABILITY, CELLS = 40, 0.75, 197
COLUMNS = {"lite0": slice(0, 1280), "lite2": slice(1280, 2560)}
WIDE = 2560
LEAKS, SOUND = "leaks", "does not leak"


@exercise(
    "9.1",
    "the luck of the best",
    "a share between 0 and 1",
    "Play one repetition first: forty numbers of right answers out of 197. Which of them do you report?",
    "rng.binomial(197, 0.75, size=(10_000, 40)): a row is a repetition. Then the best of each row, and their mean.",
    "rng.binomial(197, 0.75, size=(10_000, 40)).max(axis=1).mean() / 197.",
)
def mean_of_the_best(answer: "Any") -> str:
    best = _mean_of_the_best()
    value = number(answer, "one number between 0 and 1")
    if CELLS / 2 < value <= CELLS:
        raise NotYet(
            f"{value:.1f} is a number of cells, or a percentage. Give a share: divide by {CELLS}."
        )
    value = share(answer)
    if near(value, best):
        luck = 100 * (best - PROBABILITY)
        return f"{best:.1%} on average, and {PROBABILITY:.0%} on the test: {luck:.1f} points of luck, and nothing else."
    if near(value, PROBABILITY):
        raise NotYet(
            "That is the mean of all forty. Of each repetition take the best, then the mean of those."
        )
    if value > best + 0.03:
        raise NotYet(
            "That is too good: the best of all repetitions, or over the wrong axis. Of each repetition, a row, take "
            "the best of its forty: max(axis=1)."
        )
    if value < PROBABILITY:
        raise NotYet(
            "That is below what each of them is worth. The best of forty is above it, not below."
        )
    raise NotYet(
        f"{value:.1%} is not it. One repetition alone may give that; take the mean over thousands of them, of the best "
        "of forty in each."
    )


def _mean_of_the_best() -> float:
    """The sum over k of the probability that the best has at least k right."""
    from scipy.stats import binom

    at_least = 1 - binom.cdf(np.arange(CELLS), CELLS, PROBABILITY) ** CLASSIFIERS
    return float(at_least.sum() / CELLS)


@exercise(
    "9.2",
    "whom does it listen to?",
    "a dictionary with two shares, 'lite0' and 'lite2'",
    "A copy of judged_wide, in which some columns are overwritten by themselves in another order of rows.",
    "rows = judged_wide.copy(), then rows[:, lite0] = judged_wide[order, lite0], then both.score(rows, judged.labels).",
    "The call above gives mixed_up['lite0']; with a fresh copy and lite2 in both places, the other one.",
)
def whom_it_listens_to(answer: "Any", both: "Any", judged_wide: "Any") -> str:
    values = shares(answer, tuple(COLUMNS))
    instance(
        both, LinearProbe, "`both`, as tl.train_classifier made it, after the answer"
    )
    judged_wide = array(judged_wide, f"{WIDE} features per row", "judged_wide")
    labels = load_dataset("solar").validation.labels
    right = {
        name: _mixed_up(both, judged_wide, labels, columns)
        for name, columns in COLUMNS.items()
    }
    untouched = both.score(judged_wide, labels)
    if all(near(values[name], right[name]) for name in COLUMNS):
        more = min(right, key=right.__getitem__)
        return (
            f"Untouched {untouched:.1%}; lite0 mixed up {right['lite0']:.1%}, lite2 mixed up {right['lite2']:.1%}. "
            f"It loses more without {more}."
        )
    if near(values["lite0"], right["lite2"]) and near(values["lite2"], right["lite0"]):
        raise NotYet(
            "The two are exchanged: columns 0 to 1,279 are lite0's, the others lite2's."
        )
    all_mixed = _mixed_up(both, judged_wide, labels, slice(None))
    wrong = [name for name in COLUMNS if not near(values[name], right[name])]
    for name in wrong:
        if near(values[name], untouched):
            raise NotYet(
                f"{name!r}: that is the accuracy with nothing mixed up. Were the columns overwritten?"
            )
        if near(values[name], all_mixed):
            raise NotYet(
                f"{name!r}: there all columns are mixed up, both networks'. Begin with a fresh copy."
            )
    raise NotYet(
        f"Not so for {' and '.join(map(repr, wrong))}. Take the rows of these columns in the order `order`, leave the "
        "other columns as they are, and do not train anew."
    )


def _mixed_up(
    both: LinearProbe, wide: np.ndarray, labels: np.ndarray, columns: slice
) -> float:
    rows, order = wide.copy(), np.random.default_rng(0).permutation(len(wide))
    rows[:, columns] = wide[order, columns]
    return both.score(rows, labels)


@exercise(
    "9.3",
    "a stack that leaks, and one that does not",
    "a dictionary with two fitted StackingClassifiers, 'leaks' and 'does not leak'",
    "The one that does not leak is the lesson's own stack with other members. What does the other one skip?",
    "StackingClassifier(pair, LogisticRegression(), cv=folds).fit(wide, learned.labels); and with cv='prefit', where "
    "every member of the pair was fitted on the same rows before.",
    "fitted = [(name, member.fit(wide, learned.labels)) for name, member in pair], then StackingClassifier(fitted, "
    "LogisticRegression(), cv='prefit').fit(wide, learned.labels) is the one that leaks.",
)
def two_stacks(answer: "Any", wide: np.ndarray, judged_wide: np.ndarray) -> str:
    leaks, sound = _stacks(answer)
    if leaks.cv != "prefit" and sound.cv == "prefit":
        raise NotYet(
            "The two are exchanged: with cv='prefit' nothing is held back from the members."
        )
    if leaks.cv != "prefit":
        raise NotYet(
            "'leaks' trains its members on folds, which is sound. Fit the members first, and say cv='prefit'."
        )
    if sound.cv == "prefit":
        raise NotYet(
            "'does not leak' has its members answer for cells that they have seen. Say cv=folds."
        )
    solar = load_dataset("solar")
    learned, judged = solar.train.sample(per_class=100), solar.validation
    for name, stack in ((LEAKS, leaks), (SOUND, sound)):
        if stack.named_estimators_["neighbour"].score(wide, learned.labels) < 1:
            raise NotYet(
                f"The neighbour in {name!r} has not seen the cells of `wide`. Fit on wide and learned.labels."
            )
        fitted = getattr(
            stack.named_estimators_["neighbour"][-1], "n_samples_fit_", len(wide)
        )
        if fitted != len(wide):
            raise NotYet(
                f"The neighbour in {name!r} has seen {fitted} cells; expected the {len(wide)} of `wide` alone."
            )
    if _folds_overlap(sound, wide, learned.labels):
        raise NotYet(
            "'does not leak' has folds whose training and test rows overlap, so it leaks. Say cv=folds."
        )
    if not _has_seen_what_its_members_know(leaks, wide, learned.labels):
        raise NotYet(
            "The last classifier of 'leaks' learned from other cells than its members. Fit it on wide, too."
        )
    parts = [
        f"'{name}' weighs probe and neighbour {_trust(stack)[0]:.1f} and {_trust(stack)[1]:.1f}, and is right on "
        f"{stack.score(judged_wide, judged.labels):.1%}"
        for name, stack in ((LEAKS, leaks), (SOUND, sound))
    ]
    neighbour = sound.named_estimators_["neighbour"].score(judged_wide, judged.labels)
    return f"{'; '.join(parts)}; the neighbour alone on {neighbour:.1%}."


def _trust(stack: "StackingClassifier") -> np.ndarray:
    """The last classifier's weight of each member."""
    return stack.final_estimator_.coef_[0]


def _has_seen_what_its_members_know(
    leaks: "StackingClassifier", wide: np.ndarray, labels: np.ndarray
) -> bool:
    from sklearn.base import clone
    from sklearn.ensemble import StackingClassifier

    members, last = list(leaks.named_estimators_.items()), clone(leaks.final_estimator_)
    same = StackingClassifier(members, last, cv="prefit").fit(wide, labels)
    return bool(np.allclose(_trust(same), _trust(leaks), rtol=1e-2))


def _folds_overlap(
    sound: "StackingClassifier", wide: np.ndarray, labels: np.ndarray
) -> bool:
    from sklearn.model_selection import check_cv

    folds = check_cv(sound.cv, labels, classifier=True).split(wide, labels)
    return any(len(np.intersect1d(train, test)) for train, test in folds)


def _stacks(answer: "Any") -> tuple:
    """The two stacks, each fitted and with the two members, or what is odd about them."""
    from sklearn.ensemble import StackingClassifier

    for name, stack in dictionary(answer, (LEAKS, SOUND)).items():
        if not isinstance(stack, StackingClassifier):
            raise NotYet(
                f"'{name}' is {describe_type(stack)}; give the fitted StackingClassifier itself."
            )
        if not hasattr(stack, "final_estimator_"):
            raise NotYet(f"'{name}' is not fitted yet: .fit(wide, learned.labels).")
        if set(stack.named_estimators_) != {"probe", "neighbour"}:
            raise NotYet(f"'{name}' has other members than those of `pair`.")
        if not hasattr(stack.final_estimator_, "coef_"):
            raise NotYet(
                f"The last classifier of '{name}' is not a LogisticRegression()."
            )
    return answer[LEAKS], answer[SOUND]
