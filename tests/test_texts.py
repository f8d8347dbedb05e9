"""Texts to look answers up in: Python's FAQ, and tables of facts."""

import re
import shutil

import numpy as np
import pytest

import tlcourse as tl
from tlcourse import cards
from tlcourse.errors import DamagedFile, UserInputError


@pytest.fixture(scope="module")
def faq():
    return tl.datasets.load_python_faq()


@pytest.fixture(scope="module")
def facts():
    return tl.datasets.load_facts()


def column(rows, name):
    return [row[name] for row in rows]


# Python's FAQ


def test_each_question_is_answered_by_one_to_four_sentences_in_its_order(faq):
    assert faq.answers.dtype == np.int64 and len(faq.answers) == len(faq.sentences)
    counts = np.bincount(faq.answers, minlength=len(faq.questions))
    assert counts.min() == 1 and counts.max() == 4
    assert (np.diff(faq.answers) >= 0).all()


def test_questions_and_sentences_are_there_once_and_in_one_line_each(faq):
    for texts in (faq.questions, faq.sentences):
        assert len(set(texts)) == len(texts)
        assert [" ".join(text.split()) for text in texts] == texts
        assert not re.search("[¶’“”\ue000]", "".join(texts))


@pytest.mark.parametrize(
    "pattern",
    [
        r".*[.?!][\"')\]]*",
        r"(?!See |\(See ).*",
        r"(\S+ ){3}.*",
        r"(?!.*(e\.g|i\.e)\.$).*",
    ],
    ids=["ends as one", "no link", "four words", "no abbreviation ends it"],
)
def test_sentences_are_whole_and_say_something(faq, pattern):
    assert [text for text in faq.sentences if not re.fullmatch(pattern, text)] == []


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        (
            "How do I find the current module name?",
            [
                "A module can find out its own module name by looking at the "
                "predefined global variable __name__.",
                "If this has the value '__main__', the program is running as a script.",
            ],
        ),
        (
            "How do I use Py_BuildValue() to create a tuple of arbitrary length?",
            ["You can't. Use PyTuple_Pack() instead."],
        ),
    ],
    ids=["a full stop in code or an abbreviation", "a short reply"],
)
def test_an_answer_is_cut_into_sentences_at_their_ends(faq, question, answer):
    rows = np.flatnonzero(faq.answers == faq.questions.index(question))
    assert [faq.sentences[row] for row in rows] == answer


# Facts


def test_countries_have_all_their_facts(facts):
    names, capitals = (
        column(facts.countries, "name"),
        column(facts.countries, "capital"),
    )
    assert len(set(names)) == len(set(capitals)) == len(names) == 193
    assert names == sorted(names)
    for row in facts.countries:
        assert all(text and text == text.strip() for text in row.values())
        assert re.fullmatch("[A-Z]{3}", row["currency_code"])
        assert int(row["area_km2"]) > 0 and int(row["population"]) > 0
    continents = "Africa, Asia, Europe, North America, Oceania, South America"
    assert set(column(facts.countries, "continent")) == set(continents.split(", "))


@pytest.mark.parametrize(
    ("country", "expected"),
    [
        ("Japan", "Tokyo, Asia, yen, JPY"),
        ("Kazakhstan", "Astana, Asia, tenge, KZT"),
        ("Bulgaria", "Sofia, Europe, euro, EUR"),
        ("Netherlands", "Amsterdam, Europe, euro, EUR"),
    ],
)
def test_a_country(facts, country, expected):
    (row,) = (row for row in facts.countries if row["name"] == country)
    columns = "capital continent currency currency_code".split()
    assert ", ".join(row[name] for name in columns) == expected


def test_one_currency_code_is_one_currency(facts):
    pairs = {(row["currency_code"], row["currency"]) for row in facts.countries}
    assert len(pairs) == len({code for code, _ in pairs})


def test_elements_are_numbered_without_gaps_and_named_once(facts):
    numbers = column(facts.elements, "atomic_number")
    assert numbers == [str(number) for number in range(1, 119)]
    for name in ("name", "symbol"):
        assert len(set(column(facts.elements, name))) == 118
    assert all(row["name"].islower() for row in facts.elements)


def test_numbers_of_elements_are_numbers_and_boiling_is_hotter_than_melting(facts):
    for row in facts.elements:
        assert float(row["atomic_weight"]) >= 1 and 1 <= int(row["period"]) <= 7
        assert row["group"] == "" or 1 <= int(row["group"]) <= 18
        melting = row["melting_point_celsius"]
        boiling = row["boiling_point_celsius"]
        if melting and boiling:
            assert -274 < int(melting) < int(boiling)


def test_an_element(facts):
    assert facts.elements[78] == {
        "name": "gold",
        "symbol": "Au",
        "atomic_number": "79",
        "atomic_weight": "196.967",
        "kind": "transition metal",
        "period": "6",
        "group": "11",
        "melting_point_celsius": "1064",
        "boiling_point_celsius": "2836",
    }


# Both


def test_cards_name_the_licence_and_count_what_there_is(faq, facts):
    assert "PSF" in faq.card.licence and "CC BY 4.0" in facts.card.licence
    for count in (f"{len(faq.questions)} questions", f"{len(faq.sentences)} sentences"):
        assert count in faq.card.text and count in repr(faq)
    for count in ("193 countries", "118 elements"):
        assert count in facts.card.text and count in repr(facts)


@pytest.mark.parametrize(
    ("load", "path"),
    [
        (tl.datasets.load_python_faq, "python_faq/python_faq.json"),
        (tl.datasets.load_facts, "facts/countries.csv"),
        (tl.datasets.load_facts, "facts/elements.csv"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, monkeypatch, load, path):
    for name in ("python_faq", "facts"):
        shutil.copytree(cards.data_folder() / name, tmp_path / name)
    (tmp_path / path).write_text("Is that so?\n", encoding="utf-8")
    monkeypatch.setattr(cards, "data_folder", lambda: tmp_path)
    with pytest.raises(
        DamagedFile, match=f"{path.split('/')[1]} is missing or altered"
    ):
        load()


# Questions about facts


@pytest.mark.parametrize(
    ("table", "use"),
    [("countries", "training"), ("countries", "held out"), ("elements", "elements")],
)
def test_an_answer_stands_in_its_context_where_the_question_says(facts, table, use):
    rows = getattr(facts, table)
    made = facts.make_questions(rows, use, count=300)
    names = column(rows, "name")
    for question, context, answer, start in made:
        assert context[start : start + len(answer)] == answer
        assert any(name in question and name in context for name in names)
        assert "{" not in question + context
    assert len(set(made)) > 250


def test_a_context_says_the_same_about_another_country(facts):
    capitals = dict(
        zip(*(column(facts.countries, n) for n in ("name", "capital")), strict=True)
    )
    for question, context, answer, _ in facts.make_questions(facts.countries):
        if answer in capitals.values() and "capital" in question:
            others = [capital for capital in capitals.values() if capital in context]
            assert len(set(others)) >= 2


def test_questions_are_the_same_for_a_seed_and_differ_between_seeds(facts):
    first, again, other = (
        facts.make_questions(facts.countries, count=20, seed=seed) for seed in (0, 0, 1)
    )
    assert first == again and not set(first) & set(other)


def test_held_out_templates_share_no_sentence_with_those_for_training(facts):
    for part in ("question", "sentence"):
        uses = [
            {row[part] for row in facts.templates if row["use"] == use}
            for use in ("training", "held out", "elements")
        ]
        assert not uses[0] & uses[1] and not uses[0] & uses[2]


@pytest.mark.parametrize(
    ("rows", "use"),
    [("countries", "elements"), ("elements", "training"), ("countries", "test")],
)
def test_templates_that_do_not_fit_the_rows_get_a_sentence(facts, rows, use):
    with pytest.raises(UserInputError, match="expected two or more"):
        facts.make_questions(getattr(facts, rows), use)


def test_one_row_is_not_enough(facts):
    with pytest.raises(UserInputError, match="these 1 rows"):
        facts.make_questions(facts.countries[:1])


def test_the_ten_questions_have_their_answers_in_their_contexts(facts):
    assert len(facts.questions) == 10
    for question, context, answer, start in facts.questions:
        assert context[start : start + len(answer)] == answer and question.endswith("?")


@pytest.mark.parametrize(
    ("table", "use"),
    [("countries", "training"), ("countries", "held out"), ("elements", "elements")],
)
def test_an_answer_begins_and_ends_where_words_do(facts, table, use):
    """So that its tokens are its own, and the other candidate is another answer."""
    for _, context, answer, start in facts.make_questions(
        getattr(facts, table), use, count=300
    ):
        around = context[start - 1 : start] + context[start + len(answer) :][:1]
        assert not re.search(r"\w", around)
        if answer not in column(facts.countries, "name"):  # Singapore, Singapore
            assert len(re.findall(rf"(?<![\w-]){re.escape(answer)}\b", context)) == 1, (
                context
            )


def test_a_seed_that_is_none_gets_a_sentence(facts):
    with pytest.raises(UserInputError, match="seed"):
        facts.make_questions(facts.countries, seed=-1)
