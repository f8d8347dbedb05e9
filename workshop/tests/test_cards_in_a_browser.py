"""A lesson's card is one printed sheet."""

import os
import re
import shutil

import pytest

from workshop.cards import card
from workshop.lessons import find_lessons

pytestmark = pytest.mark.slow

LESSONS = find_lessons()


@pytest.fixture(scope="module")
def chromium():
    """Debian's chromium, driven by playwright."""
    path = shutil.which("chromium")
    if path is None and os.environ.get("TLCOURSE_BROWSER") == "required":
        pytest.fail("TLCOURSE_BROWSER=required, but there is no chromium")
    if path is None:
        pytest.skip("chromium is not installed; on Debian: apt install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=root)
        yield browser
        browser.close()


@pytest.mark.parametrize("lesson", LESSONS, ids=[lesson.name for lesson in LESSONS])
def test_a_card_is_printed_on_one_page(chromium, lesson):
    page = chromium.new_page()
    page.set_content(card(lesson))
    pages = re.findall(rb"/Type\s*/Page\b", page.pdf(prefer_css_page_size=True))
    page.close()
    assert len(pages) == 1
