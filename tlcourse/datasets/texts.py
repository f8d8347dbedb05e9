"""Texts to look answers up in: Python's FAQ, and tables of facts."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .. import validation
from ..cards import Card, bundled_file, read_card
from ..errors import DamagedFile, UserInputError
from ..files import read_json


@dataclass(frozen=True, eq=False, repr=False)
class PythonFAQ:
    """Python's FAQ, as `load_python_faq` returns it.

    Attributes
    ----------
    sentences : list of str
        The first sentences of each answer, up to four, in the order of the FAQ.
    answers : ndarray of int64, shape (n_sentences,)
        Index in `questions` of the question that each sentence answers.
    questions : list of str
        Each of them has at least one sentence.
    card : Card
        Source, licence, and how it was built.
    """

    sentences: list[str]
    answers: np.ndarray
    questions: list[str]
    card: Card

    def __repr__(self) -> str:
        return (
            f"<python_faq: {len(self.questions):,} questions, "
            f"{len(self.sentences):,} sentences>"
        )


class Question(NamedTuple):
    """A question whose answer is a part of the context, and where it starts there."""

    question: str
    context: str
    answer: str
    start: int


@dataclass(frozen=True, eq=False, repr=False)
class Facts:
    """Tables of facts, as `load_facts` returns them.

    Attributes
    ----------
    countries : list of dict
        Each with name, capital, continent, currency, currency_code, area_km2 and
        population.
    elements : list of dict
        Each with name, symbol, atomic_number, atomic_weight, kind, period, group,
        melting_point_celsius and boiling_point_celsius. What is not known is "".
    templates : list of dict
        Each with use ("training", "held out" or "elements"), relation (a column of the
        tables), question and sentence, with gaps for {name} and {answer}.
    questions : list of Question
        Ten questions of other kinds, written by hand.
    card : Card
        Sources, licences, and how the tables were built.
    """

    countries: list[dict[str, str]]
    elements: list[dict[str, str]]
    templates: list[dict[str, str]]
    questions: list[Question]
    card: Card

    def make_questions(
        self,
        rows: Sequence[dict[str, str]],
        use: str = "training",
        count: int = 400,
        seed: int = 0,
    ) -> list[Question]:
        """Make questions about countries or elements, from templates.

        A context has three sentences in random order: the answer, the same about
        another row with another answer, and something else about the row that is asked
        for.

        Parameters
        ----------
        rows
            Two or more of `countries` or `elements`.
        use : {"training", "held out", "elements"}
            Which of the `templates`; "elements" for rows of `elements`.
        count : int
        seed : int

        Raises
        ------
        UserInputError
            The templates do not fit these rows, or there are fewer than two.

        Examples
        --------
        >>> import tlcourse as tl
        >>> facts = tl.datasets.load_facts()
        >>> (made,) = facts.make_questions(facts.countries, count=1)
        >>> made.context[made.start :].startswith(made.answer)
        True
        """
        count = validation.whole_number("count", count, 1)
        chosen = [template for template in self.templates if template["use"] == use]
        relations = {template["relation"] for template in chosen}
        is_fitting = chosen and all(relations <= row.keys() for row in rows)
        if not is_fitting or any(
            len({row[relation] for row in rows}) < 2 for relation in relations
        ):
            raise UserInputError(
                f"There are no questions of use {validation.shown(use)} about these "
                f"{len(rows)} rows; expected two or more of facts.countries that "
                "differ, with 'training' or 'held out', or of facts.elements with "
                "'elements'."
            )
        rng = np.random.default_rng(validation.seed(seed))
        return [_make_question(rows, chosen, rng) for _ in range(count)]

    def __repr__(self) -> str:
        return (
            f"<facts: {len(self.countries):,} countries, "
            f"{len(self.elements):,} elements>"
        )


def load_python_faq() -> PythonFAQ:
    """Questions of Python's FAQ, and the first sentences of their answers.

    Raises
    ------
    DamagedFile
        The bundled file is missing or altered.

    Examples
    --------
    >>> import tlcourse as tl
    >>> faq = tl.datasets.load_python_faq()
    >>> faq
    <python_faq: 170 questions, 541 sentences>
    >>> faq.questions[faq.answers[0]]
    'What is Python?'
    """
    path = bundled_file("python_faq", "python_faq.json")
    entries = read_json(path, error=DamagedFile)
    counts = [len(entry["answer"]) for entry in entries]
    return PythonFAQ(
        sentences=[text for entry in entries for text in entry["answer"]],
        answers=np.repeat(np.arange(len(entries), dtype=np.int64), counts),
        questions=[entry["question"] for entry in entries],
        card=read_card("python_faq"),
    )


def load_facts() -> Facts:
    """Member states of the United Nations, and the chemical elements.

    Raises
    ------
    DamagedFile
        A bundled file is missing or altered.

    Examples
    --------
    >>> import tlcourse as tl
    >>> facts = tl.datasets.load_facts()
    >>> capitals = {row["name"]: row["capital"] for row in facts.countries}
    >>> capitals["Kenya"]
    'Nairobi'
    """
    tables = ("countries", "elements", "templates")
    rows = {name: _rows(f"{name}.csv") for name in tables}
    questions = [
        Question(**row, start=row["context"].index(row["answer"]))
        for row in _rows("questions.csv")
    ]
    return Facts(**rows, questions=questions, card=read_card("facts"))


def _rows(name: str) -> list[dict[str, str]]:
    with bundled_file("facts", name).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))


def _make_question(
    rows: Sequence[dict[str, str]],
    templates: list[dict[str, str]],
    rng: np.random.Generator,
) -> Question:
    def template_of(relation: str) -> dict[str, str]:
        same = [each for each in templates if each["relation"] == relation]
        return same[rng.integers(len(same))]

    relations = list(dict.fromkeys(template["relation"] for template in templates))
    relation, another = rng.choice(relations, 2, replace=False)
    asked = rows[int(rng.integers(len(rows)))]
    differing = [row for row in rows if row[relation] != asked[relation]]
    other = differing[rng.integers(len(differing))]
    statements = [
        _statement(template_of(relation), asked),
        _statement(template_of(relation), other),
        _statement(template_of(another), asked),
    ]
    order = rng.permutation(3).tolist()
    before = order[: order.index(0)]
    return Question(
        template_of(relation)["question"].format(name=asked["name"]),
        " ".join(statements[index][0] for index in order),
        asked[relation],
        statements[0][1] + sum(len(statements[index][0]) + 1 for index in before),
    )


def _statement(template: dict[str, str], row: dict[str, str]) -> tuple[str, int]:
    """The sentence about a row, and where in it the answer starts."""
    before, after = (
        part.format(name=row["name"]) for part in template["sentence"].split("{answer}")
    )
    return before + row[template["relation"]] + after, len(before)
