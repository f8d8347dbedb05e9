"""The checks of lesson 09: with the right answer, and with the wrong ones that people really give."""

import numpy as np
import pytest
from answers import assert_odd_answers_are_refused, assert_right, assert_wrong, check
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

import tlcourse as tl

RIGHT = np.random.default_rng(0).binomial(197, 0.75, size=(10_000, 40))


def test_9_1_right():
    assert_right(
        check("9.1", RIGHT.max(axis=1).mean() / 197),
        "81.5% on average",
        "6.5 points of luck",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (0.75, "the mean of all forty"),
        (RIGHT.mean() / 197, "the mean of all forty"),
        (RIGHT.max() / 197, "the best of all repetitions"),
        (RIGHT.max(axis=0).mean() / 197, "over the wrong axis"),
        (RIGHT.min(axis=1).mean() / 197, "below what each of them is worth"),
        (RIGHT.max(axis=1).mean(), "divide by 197"),
        (81.5, "As a percentage that may be right"),
        (0.75 + np.sqrt(0.75 * 0.25 / 197), "One repetition alone may give that"),
        (RIGHT.max(axis=1) / 197, "an array of shape (10000,)"),
        (0.0, "below what each of them is worth"),
        (1.0, "the best of all repetitions"),
        (RIGHT.max(axis=1).mean() / 197 + 0.9, "As a percentage"),
        (RIGHT.max(axis=1).mean() / 197 - 0.02, "is not it"),
        (0.815 - 0.75, "below what each of them is worth"),
    ],
)
def test_9_1_wrong(answer, words):
    assert_wrong(check("9.1", answer), words)


def test_9_1_odd_answers():
    assert_right(check("9.1", np.array(np.float32(0.815))))
    assert_odd_answers_are_refused(
        "9.1", others=[[0.815], "0.815", {"best": 0.815}, 197, 40]
    )


LITE0, LITE2 = slice(0, 1280), slice(1280, 2560)


@pytest.fixture(scope="module")
def rows():
    """In place of the features of 200 learned and 197 judged cells: rows that tell the classes apart a little."""
    solar, rng = tl.load_dataset("solar"), np.random.default_rng(0)

    def wide(labels):
        found = rng.normal(size=(len(labels), 2560)).astype(np.float32)
        found[:, :40] += 0.35 * labels[:, None]
        found[:, 1280:1300] += 0.35 * labels[:, None]
        return found

    learned = solar.train.sample(per_class=100).labels
    return (
        wide(learned),
        learned,
        wide(solar.validation.labels),
        solar.validation.labels,
    )


@pytest.fixture(scope="module")
def both(rows):
    return tl.train_classifier(rows[0], rows[1])


def mixed(judged_wide, columns):
    found, order = (
        judged_wide.copy(),
        np.random.default_rng(0).permutation(len(judged_wide)),
    )
    found[:, columns] = judged_wide[order, columns]
    return found


@pytest.fixture(scope="module")
def mixed_up(rows, both):
    return {
        name: both.score(mixed(rows[2], columns), rows[3])
        for name, columns in (("lite0", LITE0), ("lite2", LITE2))
    }


def test_9_2_right(rows, both, mixed_up):
    assert_right(
        check("9.2", mixed_up, both, rows[2]),
        f"Untouched {both.score(rows[2], rows[3]):.1%}",
        "without lite0",
    )


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda right, both, rows: {
                "lite0": right["lite2"],
                "lite2": right["lite0"],
            },
            "The two are exchanged",
        ),
        (lambda right, both, rows: right | {"lite2": None}, "'lite2' is still None"),
        (
            lambda right, both, rows: right | {"lite0": both.score(rows[2], rows[3])},
            "nothing mixed up",
        ),
        (
            lambda right, both, rows: (
                right | {"lite2": both.score(mixed(rows[2], slice(None)), rows[3])}
            ),
            "'lite2': there all columns are mixed up",
        ),
        (
            lambda right, both, rows: right | {"lite0": right["lite0"] - 0.2},
            "Not so for 'lite0'",
        ),
        (
            lambda right, both, rows: {"lite0": 0.5},
            "expected a dictionary with 'lite0' and 'lite2'",
        ),
        (lambda right, both, rows: 0.5, "You gave a float"),
    ],
)
def test_9_2_wrong(rows, both, mixed_up, answer, words):
    assert_wrong(check("9.2", answer(mixed_up, both, rows), both, rows[2]), words)


def test_9_2_without_the_classifier_or_its_rows(rows, both, mixed_up):
    assert_wrong(check("9.2", mixed_up, None, rows[2]), "expected `both`")
    for wide, words in (
        (None, "judged_wide"),
        (np.full_like(rows[2], np.nan), "judged_wide"),
        (rows[2][:9], "cannot read"),
    ):
        assert_wrong(check("9.2", mixed_up, both, wide), words)


def test_9_2_odd_answers(rows, both, mixed_up):
    others = [
        {name: value + step for name, value in mixed_up.items()}
        for step in (0.9, -0.05, np.nan)
    ]
    others += [
        list(mixed_up.values()),
        dict.fromkeys(mixed_up, True),
        dict.fromkeys(mixed_up, 0.0),
        mixed_up["lite0"],
    ]
    assert_odd_answers_are_refused("9.2", both, rows[2], others=others)


def members():
    def on(classifier):
        return make_pipeline(
            ColumnTransformer([("columns", "passthrough", LITE0)]), classifier
        )

    return [
        ("probe", on(tl.LinearProbe(C=0.01))),
        ("neighbour", on(KNeighborsClassifier(1))),
    ]


def fitted(features, labels):
    return [(name, member.fit(features, labels)) for name, member in members()]


@pytest.fixture(scope="module")
def stacks(rows):
    known = StackingClassifier(
        fitted(*rows[:2]), LogisticRegression(), cv="prefit"
    ).fit(*rows[:2])
    return {
        "leaks": known,
        "does not leak": StackingClassifier(members(), LogisticRegression(), cv=5).fit(
            *rows[:2]
        ),
    }


def test_9_3_right(rows, stacks):
    said = check("9.3", stacks, rows[0], rows[2])
    assert_right(said, "'leaks' weighs probe and neighbour", "the neighbour alone on")
    leaks, sound = (
        stacks[name].final_estimator_.coef_[0] for name in ("leaks", "does not leak")
    )
    assert leaks[1] > 4 * sound[1]  # who leaks trusts the one that has learned by heart


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            lambda right, rows: {
                "leaks": right["does not leak"],
                "does not leak": right["leaks"],
            },
            "The two are exchanged",
        ),
        (
            lambda right, rows: dict.fromkeys(right, right["does not leak"]),
            "'leaks' trains its members on folds",
        ),
        (
            lambda right, rows: dict.fromkeys(right, right["leaks"]),
            "answer for cells that they have seen",
        ),
        (lambda right, rows: right | {"leaks": None}, "'leaks' is still None"),
        (
            lambda right, rows: right | {"leaks": 0.7},
            "'leaks' is a float; give the fitted StackingClassifier",
        ),
        (
            lambda right, rows: right | {"leaks": VotingClassifier(members())},
            "'leaks' is a VotingClassifier",
        ),
        (
            lambda right, rows: right | {"leaks": StackingClassifier(members())},
            "'leaks' is not fitted yet",
        ),
        (
            lambda right, rows: {"leaks": right["leaks"]},
            "a dictionary with 'leaks' and 'does not leak'",
        ),
        (
            lambda right, rows: (
                right | {"leaks": stack(fitted(*rows[:2]), "prefit", rows[2:])}
            ),
            "learned from other cells than its members",
        ),
        (
            lambda right, rows: (
                right | {"leaks": stack(fitted(*rows[2:]), "prefit", rows[:2])}
            ),
            "has not seen the cells of `wide`",
        ),
        (
            lambda right, rows: (
                right | {"does not leak": stack(members()[:1], 5, rows[:2])}
            ),
            "'does not leak' has other members",
        ),
        (
            lambda right, rows: (
                right
                | {
                    "does not leak": stack(
                        members(), 5, rows[:2], RandomForestClassifier(2)
                    )
                }
            ),
            "is not a LogisticRegression()",
        ),
    ],
)
def test_9_3_wrong(rows, stacks, answer, words):
    assert_wrong(check("9.3", answer(stacks, rows), rows[0], rows[2]), words)


def test_9_3_folds_that_overlap(rows, stacks):
    """Members that answer for rows they were fitted on leak, whatever cv is called."""
    every = np.arange(len(rows[0]))
    overlapping = stack(
        members(), [(every, every[:100]), (every, every[100:])], rows[:2]
    )
    assert_wrong(
        check("9.3", stacks | {"does not leak": overlapping}, rows[0], rows[2]),
        "overlap",
    )


def test_9_3_fitted_on_the_judged_rows_as_well(rows, stacks):
    all_rows = np.vstack([rows[0], rows[2]]), np.concatenate([rows[1], rows[3]])
    more = stack(members(), 5, all_rows)
    assert_wrong(
        check("9.3", stacks | {"does not leak": more}, rows[0], rows[2]),
        "of `wide` alone",
    )


def test_9_3_odd_answers(rows, stacks):
    names = dict(zip(stacks, [stack(members()[:1], 5, rows[:2])] * 2, strict=True))
    others = [
        list(stacks.values()),
        stacks["leaks"],
        dict.fromkeys(stacks, 0.8),
        dict.fromkeys(stacks, StackingClassifier),
    ]
    others += [
        {"leaks": stacks["leaks"], "sound": stacks["does not leak"]},
        names,
        dict.fromkeys(stacks, np.nan),
    ]
    assert_odd_answers_are_refused("9.3", rows[0], rows[2], others=others)


def stack(pair, cv, rows, last=None):
    return StackingClassifier(
        pair, LogisticRegression() if last is None else last, cv=cv
    ).fit(*rows)
