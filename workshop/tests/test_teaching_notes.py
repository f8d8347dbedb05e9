"""What the teaching notes expect is what the stored lessons show.

After each "Predict first" of a lesson, its section's note has a paragraph of this form,
and two wrong answers with the reply to each::

    **Predict first: how many of a hundred?** Expected: 85 % (79 to 91)
    <!-- Five random splits: 85% ± 6% -->.

    - "A third": …
    - "All": …

Before a comment stands a claim; in the comment, what one cell of the stored lesson
printed, or a figure's words. The claim's numbers, rounded, are in that quotation. The
band is what is quoted as ±; without one, what `make test` allows on other processors.
"""

import math
import re

import pytest

from authoring import bands
from workshop.lessons import find_lessons
from workshop.notes import COMMENT, read_notes

LESSONS = {lesson.name: lesson for lesson in find_lessons()}
every_lesson = pytest.mark.parametrize("name", LESSONS)

QUESTION = re.compile(r"\*\*Predict first: [^*]+\?\*\*\sExpected: ")
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
BAND = re.compile(rf"({NUMBER.pattern})[^\d()]*\(({NUMBER.pattern}) to ([\d.]+)\)")
MEASURED = re.compile(r"\d ?%|\d\S* (?:percentage )?points?\b|± ?\d")
SPOKEN = re.compile(r'"[^"]*"')


def predictions(text):
    """Of each question in a note: what to expect, and what follows."""
    for part in QUESTION.split(text)[1:]:
        expected, _, rest = part.partition("\n\n")
        yield " ".join(expected.split()), rest


def claims(expected):
    """Pairs of a claim and the quotation behind it."""
    pieces = COMMENT.split(expected)
    return list(zip(pieces[::2], [*pieces[1::2], ""], strict=True))


def shown(cell):
    """What a stored cell printed, and the words of its figures."""
    texts = []
    for output in cell.get("outputs", []):
        texts += [output.get("text", ""), output.get("data", {}).get("text/plain", "")]
        texts += [output.get("metadata", {}).get("image/png", {}).get("alt", "")]
    return " ".join(" ".join(texts).split())


def value(number):
    return float(number.replace(",", ""))


def is_rounded(number, exact):
    """Whether a number is this value, rounded to the decimals that it has."""
    decimals = len(number.partition(".")[2])
    return abs(value(number) - exact) <= 0.5 * 10**-decimals + 1e-9


def band_around(number, quotation, points):
    """The lowest and the highest value, by what is quoted."""
    found = re.findall(
        rf"({NUMBER.pattern}) ?%?(?: ?± ?({NUMBER.pattern}))?", quotation
    )
    for exact, spread in found:
        if is_rounded(number, value(exact)):
            width = value(spread) if spread else points
            return max(0, value(exact) - width), min(100, value(exact) + width)
    return math.nan, math.nan


def faults(expected, lesson):
    """A sentence for each claim that the stored lesson does not bear out."""
    for claim, quotation in claims(expected):
        cells = [cell for cell in lesson.notebook.cells if quotation in shown(cell)]
        if quotation and len(cells) != 1:
            yield f"{quotation!r} is shown by {len(cells)} cells, expected 1."
            continue
        claim = re.sub("`[^`]*`", "", claim)
        bands_in_claim = BAND.findall(claim)
        exact = [value(number) for number in NUMBER.findall(quotation)]
        for number in NUMBER.findall(re.sub(r"\([\d.]+ to [\d.]+\)", "", claim)):
            if not any(is_rounded(number, one) for one in exact):
                yield f"{number} is not in {quotation!r}."
        for number, low, high in bands_in_claim:
            tags = cells[0].metadata.get("tags", [])
            points = bands.Banded("", tags).points
            lowest, highest = band_around(number, quotation, points)
            if not (is_rounded(low, lowest) and is_rounded(high, highest)):
                yield f"({low} to {high}) is not {lowest:g} to {highest:g}."


@every_lesson
def test_every_question_has_an_expected_answer_and_two_wrong_ones(name):
    lesson = LESSONS[name]
    for section, note in zip(lesson.sections, read_notes(lesson), strict=True):
        text = "\n".join(c.source for c in section.cells if c.cell_type == "markdown")
        answered = list(predictions(note.text))
        assert len(answered) == text.count("**Predict first.**"), note.title
        for expected, rest in answered:
            wrong = re.match(r'(?:- "[^"]+": .+\n(?:  .+\n)*){2}(?!- )', rest + "\n")
            assert wrong, expected
            assert "%" not in COMMENT.sub("", expected) or " to " in expected, expected


@every_lesson
def test_what_is_expected_is_what_the_stored_lesson_shows(name):
    lesson = LESSONS[name]
    notes = read_notes(lesson)
    answers = [expected for note in notes for expected, _ in predictions(note.text)]
    assert [fault for one in answers for fault in faults(one, lesson)] == []


@every_lesson
def test_instructors_see_the_questions_without_the_quotations(name):
    for note in read_notes(LESSONS[name]):
        seen = note.quotation().replace("\n> ", "\n")
        assert "<!--" not in seen
        assert QUESTION.findall(seen) == QUESTION.findall(note.text)


@every_lesson
def test_no_measured_number_stands_anywhere_else(name):
    for note in read_notes(LESSONS[name]):
        for paragraph in QUESTION.sub("\n\nExpected: ", note.text).split("\n\n"):
            if not paragraph.startswith("Expected: "):
                assert not MEASURED.search(SPOKEN.sub("", paragraph)), paragraph


@every_lesson
def test_a_lessons_note_has_message_drawing_and_questions(name):
    text = read_notes(LESSONS[name])[0].text
    message, drawing, questions = (
        text.index(part)
        for part in ("**Key message.** ", "**On the board.**", "**Common questions.**")
    )
    assert message < drawing < questions
    assert re.search(r"```text\n(?:.{,90}\n)+?```", text[drawing:questions])
    assert len(re.findall(r"(?m)^- \*.+?\?\* ", text[questions:])) >= 3


@pytest.fixture
def lesson():
    return LESSONS["00_start"]


@pytest.mark.parametrize(
    ("expected", "fault"),
    [
        ("85 % (79 to 91) <!-- Five random splits: 85% ± 6% -->.", None),
        ("34 % (32 to 36) <!-- Logistic regression on pixels: 34% -->.", None),
        ("86 % <!-- Five random splits: 85% ± 6% -->.", "86 is not in"),
        ("85 % (80 to 90) <!-- Five random splits: 85% ± 6% -->.", "is not 79 to 91"),
        ("86 % <!-- Five random splits: 86% ± 6% -->.", "is shown by 0 cells"),
        ("34 % <!-- 34% -->.", "is shown by 3 cells"),
        ("about 34 %.", "34 is not in ''"),
        ("90 <!-- Five random splits: 85% ± 6% -->.", "90 is not in"),
    ],
)
def test_a_number_that_no_cell_shows_is_found(lesson, expected, fault):
    found = list(faults(expected, lesson))
    assert len(found) == (fault is not None)
    assert fault is None or fault in found[0]
