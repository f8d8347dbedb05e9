"""Texts to look answers up in: Python's FAQ, and tables of facts."""

import csv
from dataclasses import dataclass

import numpy as np

from ..cards import Card, bundled_file, read_card
from ..errors import DamagedFile
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
    card : Card
        Sources, licences, and how the tables were built.
    """

    countries: list[dict[str, str]]
    elements: list[dict[str, str]]
    card: Card

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
    return Facts(_rows("countries.csv"), _rows("elements.csv"), read_card("facts"))


def _rows(name: str) -> list[dict[str, str]]:
    with bundled_file("facts", name).open(encoding="utf-8", newline="") as table:
        return list(csv.DictReader(table))
