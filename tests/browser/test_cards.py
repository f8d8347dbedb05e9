"""A lesson's card is one printed sheet."""

import re

import pytest

from tlcourse.handouts import cards
from tlcourse.handouts.lessons import find_lessons
from tlcourse.handouts.teaching import read_notes

pytestmark = pytest.mark.slow

LESSONS = find_lessons()


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_a_card_is_printed_on_one_page(chromium, lesson):
    page = chromium.new_page()
    page.set_content(cards.card(lesson, read_notes(lesson)))
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    page.close()
    assert len(pages) == 1
