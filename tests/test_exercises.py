"""The check gives verdicts and hints, and keeps progress, whatever it is given."""

import numpy as np
import pytest
from answers import ODD, WithoutMessage
from hypothesis import given, settings
from hypothesis import strategies as st

from tlcourse.errors import CheckError, DatasetUnavailable, UserInputError
from tlcourse.exercises import table
from tlcourse.exercises.answers import Anything, NotYet, Share, Shares
from tlcourse.exercises.checking import Check
from tlcourse.exercises.progress import Progress

ALL = table.exercises()


@pytest.fixture
def own_progress(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    return tmp_path / "progress.json"


@pytest.fixture
def check(own_progress):
    return Check()


@pytest.fixture
def add_exercise(monkeypatch):
    """Add an exercise 99.1 that asks for a sum, with these rows."""

    def add(function):
        sentences = {
            "right": "{answer} it is.",
            "otherwise": "{answer} is not the sum.",
        }
        sum_of_two = table.Exercise(
            "", "99.1", "A sum", "a number", ("Add.", "Use +.", "2 + 2."), sentences
        )
        monkeypatch.setitem(ALL, "99.1", sum_of_two)
        monkeypatch.setitem(table._CHECKS, "99.1", (Anything(), function))

    return add


@pytest.fixture
def sum_exercise(add_exercise):
    def rows(answer):
        yield "right", answer + 0 == 4

    add_exercise(rows)


# --- tables ---


def test_lessons_have_three_exercises_each_in_order():
    assert list(ALL) == [f"{lesson}.{n}" for lesson in range(12) for n in (1, 2, 3)]


# --- verdicts ---


@pytest.mark.parametrize("number", ALL)
@pytest.mark.parametrize(
    "answer", [None, {}, [], "", ..., {"a": None, "b": {}}], ids=repr
)
def test_a_stub_is_not_attempted(check, own_progress, number, answer):
    assert repr(check(number, answer)) == f"Exercise {number}: not attempted yet."
    assert not own_progress.exists()


def test_verdicts_are_the_sentences_of_the_rows(check, sum_exercise):
    assert repr(check("99.1", 4)) == "Exercise 99.1: right. 4 it is."
    assert repr(check("99.1", 5)) == "Exercise 99.1: not yet. 5 is not the sum."
    reason = check("99.1", "four").reason
    assert "answer of type str (TypeError" in reason and "Expected a number" in reason


ERRORS = [OverflowError("large"), RecursionError(), OSError(5, "no"), WithoutMessage()]
ERRORS += [StopIteration(), UserInputError("\x1b[31m"), KeyError()]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_no_exception_of_rows_reaches_a_learner(check, add_exercise, error):
    def rows(answer):
        raise error
        yield

    add_exercise(rows)
    verdict = check("99.1", 1)
    assert verdict.state == "not yet" and "Expected a number." in verdict.reason
    assert verdict.reason.isprintable()


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (NotYet("Look again."), "not yet"),
        (CheckError("Look again."), "not yet"),
        (DatasetUnavailable("Look again."), "not checked"),
    ],
)
def test_sentences_of_the_rows_own_errors_are_passed_on(
    check, add_exercise, own_progress, error, state
):
    def rows(answer):
        raise error
        yield

    add_exercise(rows)
    assert repr(check("99.1", 1)) == f"Exercise 99.1: {state}. Look again."
    assert own_progress.exists() == (state == "not yet")


# --- numbers of exercises ---


@pytest.mark.parametrize(
    ("number", "expected"),
    [(0.1, "0.1"), (10.1, "10.1"), (" 0.1 ", "0.1"), (np.float32(0.1), "0.1")],
)
def test_a_number_may_be_text_or_a_number(check, number, expected):
    assert check(number, None).number == expected
    assert check.hint(number).startswith("Hint 1 of 3")


@pytest.mark.parametrize(
    ("number", "near"),
    [
        ("7.7", "7.1, 7.2, 7.3"),
        ("0.10", "0.1, 0.2, 0.3"),
        (4, "4.1, 4.2, 4.3"),
        ("0,1", "0.1"),
        ("", "0.1 to 11.3"),
        (float("nan"), "0.1 to 11.3"),
    ],
)
def test_an_unknown_exercise_is_answered_with_the_near_ones(
    check, own_progress, number, near
):
    verdict = check(number, 0.5)
    assert verdict.state == "no such exercise" and near in verdict.reason
    assert near in check.hint(number) and not own_progress.exists()


@pytest.mark.parametrize("name", ODD)
def test_an_odd_number_is_no_exercise(check, name):
    verdict, hint = check(ODD[name](), 0.5), check.hint(ODD[name]())
    assert verdict.state == "no such exercise" and "no exercise" in hint
    for text in (repr(verdict), hint):
        assert text.isprintable() and len(text) < 500


plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
plain |= st.complex_numbers() | st.binary() | st.fractions() | st.dates()
objects = st.recursive(
    plain, lambda inner: st.lists(inner) | st.dictionaries(plain, inner)
)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(number=objects, answer=objects)
def test_whatever_is_checked_gets_a_sentence(number, answer):
    """4.1 stands for the exercises, since it computes nothing."""
    assert Check()(number, answer).state in ("no such exercise", "not attempted yet")
    verdict = Check()("4.1", answer)
    assert verdict.state != "right" or answer == 1_321_994
    assert len(repr(verdict)) < 500 and verdict.reason.isprintable()


# --- hints ---


def test_hints_come_one_by_one_and_the_last_one_stays(check, sum_exercise):
    texts = [repr(check.hint("99.1")) for _ in range(4)]
    assert texts[0] == "Hint 1 of 3: Add. Ask again for more."
    assert texts[1].startswith("Hint 2 of 3: Use +.")
    assert texts[2] == texts[3] and texts[2].startswith("Hint 3 of 3: 2 + 2. The solu")


# --- answers ---


@pytest.mark.parametrize("value", [0, 1, 0.5, np.float32(0.5), np.array(0.5)])
def test_a_share_is_a_number_from_0_to_1(value):
    assert Share().read(value, "a share") == float(value)


@pytest.mark.parametrize(
    ("value", "word"),
    [(85.3, "percentage"), (-0.1, "-0.1"), (250, "250"), (np.nan, "nan")]
    + [(np.array([0.5, 0.6]), "shape (2,)"), (True, "True"), ("85 %", "'85 %'")],
)
def test_what_is_no_share_gets_a_sentence(value, word):
    with pytest.raises(NotYet) as caught:
        Share().read(value, "a share between 0 and 1")
    assert word in str(caught.value)


@pytest.mark.parametrize("answer", [{"mono": 0.5}, 0.5, {"mono": 1, "poly": 1, "x": 1}])
def test_other_names_than_asked_for_get_a_sentence(answer):
    with pytest.raises(NotYet, match="a dictionary with 'mono' and 'poly'"):
        Shares("mono", "poly").read(answer, "two shares")


# --- progress ---


def test_progress_counts_tries_and_hints_until_the_answer_is_right(
    check, own_progress, sum_exercise
):
    check.hint("99.1")
    for answer in (5, 6, 4, 7):
        check("99.1", answer)
    kept = Progress.read()
    assert (kept.tries, kept.right, kept.hints) == ({"99.1": 3}, {"99.1"}, {"99.1": 1})
    assert "right (tries: 3, hints: 1)" in repr(check.progress())


def test_progress_lists_every_exercise_in_order(check, own_progress):
    first, *lines, last = repr(check).splitlines()
    assert (
        first == f"0 of {len(ALL)} exercises are right." and str(own_progress) in last
    )
    assert [line.split()[0] for line in lines] == list(ALL)


def test_progress_of_another_machine_is_joined(check, own_progress, tmp_path):
    Progress({"0.1": 4, "0.2": 1}, {"0.1"}, {"0.1": 2}).write()
    other = own_progress.rename(tmp_path / "other.json")
    Progress({"0.1": 1, "0.3": 2}, {"0.3"}, {}).write()
    assert repr(check.restore(other)).startswith("2 of ")
    kept = Progress.read()
    assert (kept.tries, kept.hints) == ({"0.1": 4, "0.2": 1, "0.3": 2}, {"0.1": 2})
    assert kept.right == {"0.1", "0.3"}


HEAD = b'{"format": "tlcourse progress 1", '
DAMAGED = [
    b"",
    b"[1, 2]",
    b"\xff\xfe",
    b'{"format": "another"}',
    b"[" * 100_000,
    HEAD + b'"right": "0.1", "tries": {}, "hints": {}}',
    HEAD + b'"right": [], "tries": {"0.1": 1e999}, "hints": {}}',
    HEAD + b'"right": [], "tries": [], "hints": {}}',
    HEAD + b'"right": [[]], "tries": {}, "hints": {}}',
    HEAD + b'"right": [], "tries": {"0.1": -1}, "hints": {}}',
]


@pytest.mark.parametrize("content", [None, *DAMAGED], ids=range(len(DAMAGED) + 1))
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


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_progress_file_stops_no_check_and_is_kept(
    check, own_progress, sum_exercise, content
):
    own_progress.write_bytes(content)
    with pytest.warns(UserWarning, match="now called progress.json.damaged, and a new"):
        assert check("99.1", 4).state == "right"
    assert Progress.read().right == {"99.1"}
    assert own_progress.with_name("progress.json.damaged").read_bytes() == content


def test_a_second_damaged_file_does_not_replace_the_first(
    check, own_progress, sum_exercise
):
    for content in (b"first", b"second"):
        own_progress.write_bytes(content)
        with pytest.warns(UserWarning, match="It is now called"):
            check("99.1", 4)
    kept = own_progress.parent.glob("progress.json.damaged*")
    assert {path.read_bytes() for path in kept} == {b"first", b"second"}


@pytest.mark.parametrize(
    "file", [3, None, b"x", [], "a\0b", "", ".", "~nobody-has-this-name/x", "x" * 5000]
)
def test_what_is_no_path_is_refused_in_one_sentence(check, own_progress, file):
    Progress({"0.1": 1}, {"0.1"}, {}).write()
    before = own_progress.read_bytes()
    with pytest.raises(UserInputError):
        check.restore(file)
    assert own_progress.read_bytes() == before


@pytest.mark.parametrize("path", ["file/progress.json", "~nobody-has-this-name/x"])
def test_where_progress_cannot_be_kept_the_check_says_so(
    check, tmp_path, monkeypatch, sum_exercise, path
):
    (tmp_path / "file").write_bytes(b"")
    path = path if path.startswith("~") else str(tmp_path / path)
    monkeypatch.setenv("TLCOURSE_PROGRESS", path)
    with pytest.warns(UserWarning, match="could not be kept"):
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


def test_progress_is_beside_the_lessons_unless_another_file_is_named(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("TLCOURSE_PROGRESS")
    monkeypatch.chdir(tmp_path)
    assert Progress.path() == tmp_path / "tlcourse-progress.json"
