"""The check gives verdicts and hints, and keeps progress, whatever it is given."""

import numpy as np
import pytest
from answers import WithoutMessage

from tlcourse import server
from tlcourse.errors import CheckError, DatasetUnavailable, UserInputError
from tlcourse.exercises import Check, cards, table
from tlcourse.exercises.progress import Progress
from tlcourse.exercises.table import AnyAnswer, NotYet

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
        monkeypatch.setitem(table._CHECKS, "99.1", (AnyAnswer(), function))

    return add


@pytest.fixture
def sum_exercise(add_exercise):
    def rows(answer):
        yield "right", answer + 0 == 4

    add_exercise(rows)


# --- tables ---


def test_lessons_have_three_exercises_each_in_order():
    assert list(ALL) == [f"{lesson}.{n}" for lesson in range(13) for n in (1, 2, 3)]


def test_no_two_exercises_have_the_same_title():
    assert len({exercise.title for exercise in ALL.values()}) == len(ALL)


# --- verdicts ---


def test_verdicts_are_the_sentences_of_the_rows(check, sum_exercise):
    assert repr(check("99.1", 4)) == "Exercise 99.1: right. 4 it is."
    assert repr(check("99.1", 5)) == "Exercise 99.1: not yet. 5 is not the sum."
    reason = check("99.1", "four").reason
    assert "answer of type str (TypeError" in reason and "Expected a number" in reason


ERRORS = [OSError(5, "no"), WithoutMessage()]
ERRORS += [UserInputError("\x1b[31m")]


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


# --- cards ---


@pytest.fixture
def in_the_lab(monkeypatch):
    """As in a learner's JupyterLab."""
    monkeypatch.setattr(cards, "are_shown", lambda: True)


def test_elsewhere_a_verdict_is_its_words_alone(check, sum_exercise):
    assert check("99.1", 5)._repr_mimebundle_() == {}


@pytest.mark.parametrize(
    ("answer", "sign", "reason"),
    [
        (4, "✓ Right", "4 it is."),
        (5, "✗ Not yet", "5 is not the sum."),
        (None, "○ Not attempted yet", ""),
    ],
)
def test_a_card_has_sign_word_title_and_reason_and_keeps_the_words(
    check, sum_exercise, in_the_lab, answer, sign, reason
):
    verdict = check("99.1", answer)
    data = verdict._repr_mimebundle_()
    assert data["text/plain"] == repr(verdict)
    for text in (f"{sign}</span>", "Exercise 99.1: A sum", reason):
        assert text in data["text/html"]
    assert (server.VIEW in data) == (answer != 4)  # no hints where nothing is left


def test_what_an_answer_holds_is_text_on_a_card(check, add_exercise, in_the_lab):
    add_exercise(lambda answer: iter([("otherwise", True)]))
    html = check("99.1", "<script>alert(1)</script>")._repr_mimebundle_()["text/html"]
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_an_unknown_exercise_has_a_card_without_hints(check, in_the_lab):
    data = check("7.7", 1)._repr_mimebundle_()
    assert "! No such exercise" in data["text/html"] and server.VIEW not in data


def test_the_button_gives_one_hint_after_the_other_and_counts_them(
    check, own_progress, sum_exercise, in_the_lab
):
    box = cards.with_hints("", "99.1", lambda: check.hint("99.1"))
    (button, call), hints = box.children[1].children, box.children[2]
    assert "tl.check.hint(&quot;99.1&quot;)" in call.value
    for expected in ("Add.", "Use +.", "2 + 2."):
        assert not button.disabled and expected not in hints.value
        button.click()
        assert expected in hints.value
    assert button.disabled and hints.value.count("Hint ") == 3
    check("99.1", 5)
    assert Progress.read().hints == {"99.1": 3}


def test_a_saved_card_has_no_button_and_says_the_same(check, sum_exercise, in_the_lab):
    data = check("99.1", 5)._repr_mimebundle_()
    card = data["text/html"]
    cells = [{"outputs": [{"data": data}]}]
    server.without_views({"type": "notebook", "content": {"cells": cells}})
    assert data == {"text/plain": repr(check("99.1", 5)), "text/html": card}


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
        ("", "0.1 to 12.3"),
        (float("nan"), "0.1 to 12.3"),
    ],
)
def test_an_unknown_exercise_is_answered_with_the_near_ones(
    check, own_progress, number, near
):
    verdict = check(number, 0.5)
    assert verdict.state == "no such exercise" and near in verdict.reason
    assert near in check.hint(number) and not own_progress.exists()


# --- hints ---


def test_hints_come_one_by_one_and_the_last_one_stays(check, sum_exercise):
    texts = [repr(check.hint("99.1")) for _ in range(4)]
    assert texts[0] == "Hint 1 of 3: Add. Ask again for more."
    assert texts[1].startswith("Hint 2 of 3: Use +.")
    assert texts[2] == texts[3] and texts[2].startswith("Hint 3 of 3: 2 + 2. The solu")


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


def test_progress_in_a_notebook_is_a_bar_per_lesson_with_links(
    check, own_progress, tmp_path, monkeypatch
):
    monkeypatch.setattr("tlcourse.exercises.in_notebook", lambda: True)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "04_a_new_head.ipynb").write_bytes(b"")
    Progress({"4.1": 1, "4.2": 1, "99.1": 1}, {"4.1", "4.2", "99.1"}, {}).write()
    html = check.progress()._repr_html_()
    assert html.count("<progress ") == 13 and "2 of 39 exercises solved." in html
    row = next(row for row in html.split("<tr>") if "04 a new head" in row)
    assert '<a href="04_a_new_head.ipynb">' in row
    assert 'value="2" max="3"' in row and "2 of 3" in row
    assert "Lesson 05" in html and check.hint("4.1")._repr_html_() is None


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
    b"\xff\xfe",
    b'{"format": "another"}',
    b"[" * 100_000,
    HEAD + b'"right": "0.1", "tries": {}, "hints": {}}',
    HEAD + b'"right": [], "tries": {"0.1": 1e999}, "hints": {}}',
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
    with pytest.raises(UserInputError, match="is not a progress file of this course"):
        check.restore(other)
    assert own_progress.read_bytes() == before


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_progress_file_stops_no_check_and_is_kept(
    check, own_progress, sum_exercise, content
):
    own_progress.write_bytes(content)
    with pytest.warns(UserWarning, match="renamed to progress.json.damaged, and a new"):
        assert check("99.1", 4).state == "right"
    assert Progress.read().right == {"99.1"}
    assert own_progress.with_name("progress.json.damaged").read_bytes() == content


def test_a_second_damaged_progress_file_does_not_replace_the_first(
    check, own_progress, sum_exercise
):
    for content in (b"first", b"second"):
        own_progress.write_bytes(content)
        with pytest.warns(UserWarning, match="damaged"):
            check("99.1", 4)
    first, second = "progress.json.damaged", "progress.json.damaged-2"
    assert own_progress.with_name(first).read_bytes() == b"first"
    assert own_progress.with_name(second).read_bytes() == b"second"


@pytest.mark.parametrize("path", ["{}/file/x.json", "~nobody-has-this-name/x"])
def test_where_progress_cannot_be_kept_the_check_says_so(
    check, tmp_path, monkeypatch, sum_exercise, path
):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TLCOURSE_PROGRESS", path.format(tmp_path))
    with pytest.warns(UserWarning, match="not saved|could not be saved"):
        assert check("99.1", 4).state == "right"
