"""Checks say why an answer is wrong, hints come one by one, and progress is kept, carried over and never in the way."""

import numpy as np
import pytest

from tlcourse.errors import UserInputError
from tlcourse.exercises import checking
from tlcourse.exercises.core import EXERCISES, NotYet, exercise
from tlcourse.exercises.progress import Progress
from tlcourse.exercises.reading import share, shares

ALL = list(checking._all())


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
    assert len(hints) == 3 == len(set(hints)) and all(hint.endswith((".", "?")) for hint in hints)
    assert "(" not in hints[0]  # a nudge names no call


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize("answer", [None, {}, [], "", ...], ids=repr)
def test_a_stub_is_not_attempted(check, number, answer):
    verdict = check(number, answer, None)
    assert repr(verdict) == f"Exercise {number}: not attempted yet."


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize(
    "answer", ["the answer", object(), {"a": 1}, [[1], [2, 3]]], ids=["text", "object", "dict", "ragged"]
)
def test_an_answer_of_another_kind_gets_a_sentence(check, own_progress, number, answer):
    verdict = check(number, answer, None)
    assert verdict.state == "not yet" and len(verdict.reason) > 20


# --- verdicts ---


def test_right_and_wrong_answers_are_answered_with_the_judges_words(check, own_progress, sum_exercise):
    assert repr(check("99.1", 4)) == "Exercise 99.1: right. Four it is."
    assert repr(check("99.1", 5)) == "Exercise 99.1: not yet. 5 is not the sum."


def test_what_a_judge_cannot_read_is_answered_with_what_is_expected(check, own_progress, sum_exercise):
    reason = check("99.1", "four").reason
    assert (
        reason.startswith("The check cannot read an answer of type str (TypeError") and "Expected a number." in reason
    )


def test_an_unknown_exercise_is_answered_with_the_known_ones(check):
    with pytest.raises(UserInputError, match="There is no exercise '7.7'. There are 0.1, 0.2, 0.3"):
        check("7.7", 1)
    with pytest.raises(UserInputError, match="no exercise"):
        check.hint("7.7")


# --- hints ---


def test_hints_come_one_by_one_and_the_last_one_stays(check, sum_exercise):
    said = [repr(check.hint("99.1")) for _ in range(4)]
    assert said[0] == "Hint 1 of 3: Add. Ask again for more."
    assert said[1].startswith("Hint 2 of 3: Use +.")
    assert said[2] == said[3] == "Hint 3 of 3: 2 + 2. The solution is folded away below the exercise."


# --- progress ---


def test_progress_counts_tries_and_hints_until_the_answer_is_right(check, own_progress, sum_exercise):
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
    "content", [None, b"", b"{}", b"[1, 2]", b"\xff\xfe", b'{"format": "tlcourse progress 1", "right": 3}']
)
def test_a_file_that_is_no_progress_is_refused_and_ours_stays(check, own_progress, tmp_path, content):
    Progress({"0.1": 1}, {"0.1"}, {}).write()
    before, other = own_progress.read_bytes(), tmp_path / "other.json"
    if content is not None:
        other.write_bytes(content)
    with pytest.raises(UserInputError, match="holds no progress of this course"):
        check.restore(other)
    assert own_progress.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"{}", b"not json", b'{"format": "another"}'])
def test_a_damaged_progress_file_does_not_stop_a_check_and_is_kept_aside(check, own_progress, sum_exercise, content):
    own_progress.write_bytes(content)
    with pytest.warns(UserWarning, match="It is now called progress.json.damaged, and a new one is begun"):
        assert check("99.1", 4).state == "right"
    assert Progress.read().right == {"99.1"}
    assert own_progress.with_name("progress.json.damaged").read_bytes() == content


def test_a_second_damaged_progress_file_does_not_replace_the_first(check, own_progress, sum_exercise):
    for content in (b"first", b"second"):
        own_progress.write_bytes(content)
        with pytest.warns(UserWarning, match="It is now called"):
            check("99.1", 4)
    kept = [path.read_bytes() for path in own_progress.parent.glob("progress.json.damaged*")]
    assert sorted(kept) == [b"first", b"second"]


def test_where_progress_cannot_be_kept_the_check_answers_and_says_so(check, tmp_path, monkeypatch, sum_exercise):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    with pytest.warns(UserWarning, match="Your progress could not be kept in"):
        assert check("99.1", 4).state == "right"


def test_progress_lies_beside_the_lessons_if_nothing_else_is_said(tmp_path, monkeypatch):
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
    "answer", [{"mono": 0.5}, {"mono": 0.5, "Poly": 0.5}, 0.5, {"mono": 0.5, "poly": 0.5, "all": 1}]
)
def test_other_names_than_asked_for_get_a_sentence(answer):
    with pytest.raises(NotYet, match="expected a dictionary with 'mono' and 'poly'"):
        shares(answer, ("mono", "poly"))
