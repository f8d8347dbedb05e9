"""Checks say why an answer is wrong, hints come one by one, and progress is kept, carried over and never in the way."""

import inspect

import numpy as np
import pytest
from answers import ODD
from hypothesis import given, settings
from hypothesis import strategies as st

from tlcourse.errors import DatasetUnavailable, UserInputError
from tlcourse.exercises import checking
from tlcourse.exercises.core import EXERCISES, NotYet, exercise
from tlcourse.exercises.progress import Progress
from tlcourse.exercises.reading import share, shares

ALL = sorted(checking._all(), key=lambda number: tuple(map(int, number.split("."))))
HEAD = b'{"format": "tlcourse progress 1", '


@pytest.fixture
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


@pytest.fixture
def check():
    return checking.Check()


@pytest.fixture
def sum_exercise(monkeypatch):
    """An exercise 99.1 that asks for a sum."""
    monkeypatch.setitem(EXERCISES, "99.1", None)

    @exercise("99.1", "A sum", "a number", "Add.", "Use +.", "2 + 2.")
    def judge(answer, *more):
        if answer + 0 != 4:
            raise NotYet(f"{answer} is not the sum.")
        return "Four it is."


# --- what every exercise has ---


@pytest.mark.parametrize("number", ALL)
def test_an_exercise_has_three_hints_that_say_more_and_more(number):
    hints = EXERCISES[number].hints
    assert len(hints) == 3 == len(set(hints)) and all(
        hint.endswith((".", "?")) for hint in hints
    )
    assert "(" not in hints[0]  # a nudge names no call


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("answer", [None, {}, [], "", ...], ids=repr)
def test_a_stub_is_not_attempted(check, number, answer):
    verdict = check(number, answer, None)
    assert repr(verdict) == f"Exercise {number}: not attempted yet."


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize(
    "answer",
    ["the answer", object(), {"a": 1}, [[1], [2, 3]]],
    ids=["text", "object", "dict", "ragged"],
)
def test_an_answer_of_another_kind_gets_a_sentence(check, own_progress, number, answer):
    context = [None] * (len(inspect.signature(EXERCISES[number].judge).parameters) - 1)
    verdict = check(number, answer, *context)
    assert verdict.state == "not yet" and len(verdict.reason) > 20


@pytest.mark.parametrize("number", ALL)
def test_a_check_without_what_the_stub_gives_says_what_is_missing(
    check, own_progress, number
):
    names = list(inspect.signature(EXERCISES[number].judge).parameters)[1:]
    for context in ([], [None] * (len(names) + 1)):
        if len(context) != len(names):
            reason = check(number, 0.5, *context).reason
            assert (
                ", ".join([f'Call tl.check("{number}"', "your_answer", *names])
                in reason
            )


# --- verdicts ---


def test_right_and_wrong_answers_are_answered_with_the_judges_words(
    check, own_progress, sum_exercise
):
    assert repr(check("99.1", 4)) == "Exercise 99.1: right. Four it is."
    assert repr(check("99.1", 5)) == "Exercise 99.1: not yet. 5 is not the sum."


def test_what_a_judge_cannot_read_is_answered_with_what_is_expected(
    check, own_progress, sum_exercise
):
    reason = check("99.1", "four").reason
    assert (
        reason.startswith("The check cannot read an answer of type str (TypeError")
        and "Expected a number." in reason
    )


class WithoutMessage(Exception):
    def __str__(self):
        raise RecursionError


@pytest.mark.parametrize(
    "error",
    [
        OverflowError("large"),
        RecursionError(),
        MemoryError(),
        ZeroDivisionError("0"),
        OSError(5, "no"),
        NotImplementedError(),
        AssertionError("a"),
        WithoutMessage(),
        StopIteration(),
        UserInputError("\x1b[31m"),
    ],
)
def test_no_exception_of_a_judge_reaches_a_learner(
    check, own_progress, monkeypatch, error
):
    monkeypatch.setitem(EXERCISES, "99.1", None)

    @exercise("99.1", "A failure", "a number", "Add.", "Use +.", "2 + 2.")
    def judge(answer):
        raise error

    verdict = check("99.1", 1)
    assert (
        verdict.state == "not yet"
        and "Expected a number." in verdict.reason
        and verdict.reason.isprintable()
    )


def test_where_data_are_missing_an_answer_is_not_counted_as_wrong(
    check, own_progress, monkeypatch
):
    monkeypatch.setitem(EXERCISES, "99.1", None)

    @exercise("99.1", "A failure", "a number", "Add.", "Use +.", "2 + 2.")
    def judge(answer):
        raise DatasetUnavailable("The dogs are not here. Run: tlcourse fetch dogs.")

    assert (
        repr(check("99.1", 1))
        == "Exercise 99.1: not checked. The dogs are not here. Run: tlcourse fetch dogs."
    )
    assert not own_progress.exists()


# --- numbers ---


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("0.1", "0.1"),
        (0.1, "0.1"),
        (10.1, "10.1"),
        (" 0.1 ", "0.1"),
        (np.float64(4.2), "4.2"),
        (np.float32(0.1), "0.1"),
        (np.str_("11.3"), "11.3"),
    ],
)
def test_a_number_may_be_text_or_a_number(check, number, expected):
    assert (
        check(number, None).number == expected
        and check(number, None).state == "not attempted yet"
    )
    assert check.hint(number).startswith("Hint 1 of 3")


@pytest.mark.parametrize(
    ("number", "near"),
    [
        ("7.7", "7.1, 7.2, 7.3"),
        ("9.9", "9.1, 9.2, 9.3"),
        ("0.10", "0.1, 0.2, 0.3"),
        (4, "4.1, 4.2, 4.3"),
        (4.0, "4.1"),
        ("0,1", "0.1"),
        ("", "0.1 to 11.3"),
        ("four", "0.1 to 11.3"),
        (float("nan"), "0.1 to 11.3"),
    ],
)
def test_an_unknown_exercise_is_answered_with_the_near_ones(
    check, own_progress, number, near
):
    verdict = check(number, 0.5)
    assert verdict.state == "no such exercise" and near in verdict.reason
    assert "no exercise" in check.hint(number) and near in check.hint(number)
    assert not own_progress.exists()


@pytest.mark.parametrize("name", ODD)
def test_an_odd_number_is_no_exercise(check, own_progress, name):
    verdict, hint = check(ODD[name](), 0.5), check.hint(ODD[name]())
    assert verdict.state == "no such exercise" and "no exercise" in hint
    assert (
        repr(verdict).isprintable()
        and hint.isprintable()
        and len(repr(verdict)) < 300 > len(hint)
    )
    assert not own_progress.exists()


plain = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.complex_numbers(),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.fractions(),
    st.dates(),
)
objects = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(plain, inner)
        | st.tuples(inner)
        | st.frozensets(plain)
    ),
)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(number=objects, answer=objects)
def test_whatever_is_checked_gets_a_sentence(number, answer):
    """With numbers and answers of Python's own types; 4.1 stands for the exercises, since it computes nothing."""
    one = checking.Check()
    assert one(number, answer).state in (
        "no such exercise",
        "not attempted yet",
        "not yet",
    )
    verdict = one("4.1", answer)
    if verdict.state == "right":
        assert answer == 1_321_994
    else:
        assert verdict.state == "not attempted yet" or (
            verdict.state == "not yet" and verdict.reason
        )
    assert len(repr(verdict)) < 1000 and verdict.reason.isprintable()


# --- hints ---


def test_hints_come_one_by_one_and_the_last_one_stays(check, sum_exercise):
    said = [repr(check.hint("99.1")) for _ in range(4)]
    assert said[0] == "Hint 1 of 3: Add. Ask again for more."
    assert said[1].startswith("Hint 2 of 3: Use +.")
    assert (
        said[2]
        == said[3]
        == "Hint 3 of 3: 2 + 2. The solution is folded away below the exercise."
    )


# --- progress ---


def test_progress_counts_tries_and_hints_until_the_answer_is_right(
    check, own_progress, sum_exercise
):
    check.hint("99.1")
    for answer in (5, 6, 4, 7):
        check("99.1", answer)
    kept = Progress.read()
    assert (kept.tries, kept.right, kept.hints) == ({"99.1": 3}, {"99.1"}, {"99.1": 1})
    assert "right, 3 tries, 1 hint" in repr(check.progress())


def test_a_stub_leaves_no_trace(check, own_progress, sum_exercise):
    check("99.1", None)
    assert not own_progress.exists()


def test_progress_lists_every_exercise_in_order(check, own_progress):
    lines = repr(check).splitlines()
    assert lines[0] == f"0 of {len(ALL)} exercises are right."
    assert [line.split()[0] for line in lines[1:-1]] == ALL
    assert str(own_progress) in lines[-1]


def test_progress_of_another_machine_is_joined(check, own_progress, tmp_path):
    Progress({"0.1": 4, "0.2": 1}, {"0.1"}, {"0.1": 2}).write()
    theirs = own_progress.rename(tmp_path / "theirs.json")
    Progress({"0.1": 1, "0.3": 2}, {"0.3"}, {}).write()
    assert repr(check.restore(theirs)).startswith("2 of ")
    kept = Progress.read()
    assert (kept.tries, kept.hints) == ({"0.1": 4, "0.2": 1, "0.3": 2}, {"0.1": 2})
    assert kept.right == {"0.1", "0.3"}


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"{}",
        b"[1, 2]",
        b"\xff\xfe",
        b'{"format": "tlcourse progress 1", "right": 3}',
        b"[" * 100_000,
        HEAD + b'"right": "0.1", "tries": {}, "hints": {}}',
        HEAD + b'"right": [], "tries": {"0.1": 1e999}, "hints": {}}',
        HEAD + b'"right": [], "tries": {"0.1": true}, "hints": {}}',
        HEAD + b'"right": [], "tries": [], "hints": {}}',
        HEAD + b'"right": [[]], "tries": {}, "hints": {}}',
        HEAD + b'"right": [], "tries": {"0.1": NaN}, "hints": {}}',
    ],
)
def test_a_file_that_is_no_progress_is_refused_and_ours_stays(
    check, own_progress, tmp_path, content
):
    Progress({"0.1": 1}, {"0.1"}, {}).write()
    before, other = own_progress.read_bytes(), tmp_path / "other.json"
    if content is not None:
        other.write_bytes(content)
    with pytest.raises(UserInputError, match="holds no progress of this course"):
        check.restore(other)
    assert own_progress.read_bytes() == before


@pytest.mark.parametrize(
    "file",
    [
        3,
        None,
        b"progress",
        0.5,
        [],
        "a\0b",
        "",
        ".",
        "~nobody-has-this-name/x",
        "x" * 5000,
    ],
)
def test_what_is_no_path_is_refused_in_one_sentence(check, own_progress, file):
    Progress({"0.1": 1}, {"0.1"}, {}).write()
    before = own_progress.read_bytes()
    with pytest.raises(UserInputError) as caught:
        check.restore(file)
    (line,) = (
        caught.value._render_traceback_()
    )  # what IPython shows in place of a traceback
    assert str(caught.value) in line
    assert own_progress.read_bytes() == before


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"not json",
        b'{"format": "another"}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        HEAD + b'"right": [], "tries": {"99.1": 1e999}, "hints": {}}',
        HEAD + b'"right": "99.1", "tries": {}, "hints": {}}',
    ],
    ids=range(8),
)
def test_a_damaged_progress_file_does_not_stop_a_check_and_is_kept_aside(
    check, own_progress, sum_exercise, content
):
    own_progress.write_bytes(content)
    with pytest.warns(
        UserWarning,
        match="It is now called progress.json.damaged, and a new one is begun",
    ):
        assert check("99.1", 4).state == "right"
    assert Progress.read().right == {"99.1"}
    assert own_progress.with_name("progress.json.damaged").read_bytes() == content


def test_a_second_damaged_progress_file_does_not_replace_the_first(
    check, own_progress, sum_exercise
):
    for content in (b"first", b"second"):
        own_progress.write_bytes(content)
        with pytest.warns(UserWarning, match="It is now called"):
            check("99.1", 4)
    kept = [
        path.read_bytes() for path in own_progress.parent.glob("progress.json.damaged*")
    ]
    assert sorted(kept) == [b"first", b"second"]


def test_where_progress_cannot_be_kept_the_check_answers_and_says_so(
    check, tmp_path, monkeypatch, sum_exercise
):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    with pytest.warns(UserWarning, match="Your progress could not be kept in"):
        assert check("99.1", 4).state == "right"


def test_a_working_folder_that_is_gone_stops_no_check(
    check, tmp_path, monkeypatch, sum_exercise
):
    (tmp_path / "gone").mkdir()
    monkeypatch.delenv("TLCOURSE_PROGRESS")
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    with pytest.warns(UserWarning, match="could not be kept"):
        assert check("99.1", 4).state == "right"
    assert repr(check.progress()).startswith("0 of")
    monkeypatch.chdir(tmp_path)


def test_progress_lies_beside_the_lessons_if_nothing_else_is_said(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("TLCOURSE_PROGRESS")
    monkeypatch.chdir(tmp_path)
    assert Progress.path() == tmp_path / "tlcourse-progress.json"


# --- reading answers ---


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.array(0.5)])
def test_a_share_is_a_number_from_0_to_1(value):
    assert share(value) == float(value)


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (85.3, "As a percentage that may be right"),
        (-0.1, "expected a share between 0 and 1"),
        (250, "expected a share between 0 and 1"),
        (float("nan"), "expected a share between 0 and 1"),
        (np.array([0.5, 0.6]), "an array of shape (2,)"),
        (True, "you gave True"),
        ("85 %", "you gave '85 %'"),
    ],
)
def test_what_is_no_share_gets_a_sentence(value, sentence):
    with pytest.raises(NotYet) as caught:
        share(value)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [
        {"mono": 0.5},
        {"mono": 0.5, "Poly": 0.5},
        0.5,
        {"mono": 0.5, "poly": 0.5, "all": 1},
    ],
)
def test_other_names_than_asked_for_get_a_sentence(answer):
    with pytest.raises(NotYet, match="expected a dictionary with 'mono' and 'poly'"):
        shares(answer, ("mono", "poly"))


def test_a_check_gives_its_verdict_where_the_progress_file_cannot_have_its_name(
    check, monkeypatch
):
    monkeypatch.setenv("TLCOURSE_PROGRESS", "~nobody-has-this-name/x")
    with pytest.warns(
        UserWarning, match="TLCOURSE_PROGRESS is ~nobody-has-this-name/x"
    ):
        assert check("0.1", "nothing").state == "not yet"
