"""The site as people open it: complete, without another host, without a fault that axe knows, enlarged, by keyboard.

Sphinx, playwright and axe-core come with `make test`; without them or without chromium the tests are skipped, unless
TLCOURSE_BROWSER=required says that all of it has to be here.
"""

import functools
import http.server
import importlib.util
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent
LESSONS = [
    f"notebooks/{path.stem}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
]
CARDS = [
    f"data/{path.parent.name}/CARD" for path in sorted(ROOT.glob("data/*/CARD.md"))
]
PAGES = [
    *sorted(path.stem for path in (ROOT / "docs").glob("*.md")),
    *LESSONS,
    *CARDS,
    "search",
]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
TOO_WIDE = """() => [...document.querySelectorAll('article :is(h1, h2, h3, p, li, summary, dt, dd)')]
    .filter(one => one.getClientRects().length && !one.closest('table, pre, .cell_output'))
    .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(one => one.textContent.trim().slice(0, 60))"""
MOVES_SIDEWAYS = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth + 1"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from the repository as it is: the folder of its files."""
    if importlib.util.find_spec("sphinx") is None:
        absent = (
            pytest.fail
            if os.environ.get("TLCOURSE_BROWSER") == "required"
            else pytest.skip
        )
        absent("Sphinx is not installed; `make site` does that.")
    goal = tmp_path_factory.mktemp("site")
    command = [sys.executable, ROOT / "docs" / "make_site.py", goal]
    built = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert built.returncode == 0, built.stdout + built.stderr
    return goal / "site"


@pytest.fixture(scope="module")
def address(site):
    """The site on loopback, as any host serves static files."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(site))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def open_page(chromium, address):
    """Opens a page in a window of its own; `page.elsewhere` and `page.errors` list what went wrong on it."""
    contexts = []

    def open_page(name, width=1280, height=900, scheme="light", where=address):
        size = {"width": width, "height": height}
        # Without motion: axe would otherwise read colours in the middle of a fade.
        contexts.append(
            chromium.new_context(
                viewport=size, color_scheme=scheme, reduced_motion="reduce"
            )
        )
        page = contexts[-1].new_page()
        page.elsewhere, page.errors = [], []
        page.route(is_elsewhere, lambda route: route.abort())
        page.on(
            "request",
            lambda asked: (
                page.elsewhere.append(asked.url) if is_elsewhere(asked.url) else None
            ),
        )
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on(
            "console",
            lambda said: (
                page.errors.append(said.text) if said.type == "error" else None
            ),
        )
        page.goto(f"{where}/{name}.html", wait_until="networkidle")
        return page

    yield open_page
    for context in contexts:
        context.close()


def is_elsewhere(url: str) -> bool:
    return urlsplit(url).hostname not in (None, "127.0.0.1")


@pytest.fixture(scope="module")
def seen(open_page):
    """Page → what was found on it, once for all tests: requests, errors, axe's violations in both colour schemes."""
    from axe_playwright_python.sync_playwright import Axe

    @functools.cache
    def look(name):
        page = open_page(name)
        page.evaluate(OPEN_ALL)
        page.mouse.wheel(0, 100_000)  # what is loaded late, is loaded now
        page.wait_for_load_state("networkidle")
        errors = list(
            page.errors
        )  # axe itself asks for style sheets anew, and some at a wrong address
        found = {"light": violations(Axe(), page)}
        page.emulate_media(color_scheme="dark")
        page.wait_for_function("document.documentElement.dataset.theme == 'dark'")
        found |= {"dark": violations(Axe(), page, rules=["color-contrast"])}
        found |= {"elsewhere": page.elsewhere, "errors": errors}
        page.context.close()
        return found

    return look


def violations(axe, page, rules=None) -> list[str]:
    """What axe-core calls a violation, best practices included: rule and place."""
    options = {"runOnly": {"type": "rule", "values": rules}} if rules else {}
    response = axe.run(page, options=options).response
    return [
        f"{rule['id']}: {node['html'][:160]} ({node['failureSummary'][:300]})"
        for rule in response["violations"]
        for node in rule["nodes"]
    ]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_no_other_host(seen, name):
    assert seen(name)["elsewhere"] == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_opens_without_errors(seen, name):
    assert seen(name)["errors"] == []


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_no_violation_on(seen, name):
    assert seen(name)["light"] == []


@pytest.mark.parametrize("name", PAGES)
def test_the_dark_version_has_the_contrast_of_wcag_aa(seen, name):
    assert seen(name)["dark"] == []


@pytest.mark.parametrize("name", PAGES)
def test_at_200_percent_and_on_a_narrow_phone_text_keeps_to_one_column(open_page, name):
    page = open_page(name, width=640, height=450)
    page.evaluate(OPEN_ALL)
    for width in (640, 320):  # 1280 pixels enlarged to 200 % and to 400 %
        page.set_viewport_size({"width": width, "height": 450})
        assert (page.evaluate(TOO_WIDE), page.evaluate(MOVES_SIDEWAYS)) == (
            [],
            False,
        ), width
    page.context.close()


def test_every_page_that_was_built_is_among_those_looked_at(site):
    built = {
        path.relative_to(site).with_suffix("").as_posix()
        for path in site.rglob("*.html")
    }
    assert built == set(PAGES)


@pytest.mark.parametrize("name", LESSONS)
def test_solutions_are_folded_and_open_by_keyboard(open_page, name):
    page = open_page(name)
    solutions = page.locator(
        "details", has=page.locator("summary", has_text="the solution")
    )
    assert solutions.count() == 3 and not any(
        one.get_attribute("open") is not None for one in solutions.all()
    )
    solutions.first.locator("summary").press("Enter")
    assert solutions.first.locator(".cell_input").is_visible()
    page.context.close()


def test_search_finds_freezing(open_page):
    page = open_page("search")
    page.goto(page.url + "?q=freezing")
    page.locator("#search-results li").first.wait_for()
    assert (
        "04 · A new head: the five steps"
        in page.locator("#search-results").inner_text()
    )


def test_search_opens_by_keyboard_and_finds_on_a_stick_too(open_page, site):
    page = open_page("index", where=site.as_uri())
    page.keyboard.press("Control+k")
    page.keyboard.type("freezing")
    page.keyboard.press("Enter")
    page.locator("#search-results li").first.wait_for()
    assert (
        "04 · A new head: the five steps"
        in page.locator("#search-results").inner_text()
    )


def test_a_formula_is_set_by_the_sites_own_copy_of_mathjax(open_page):
    page = open_page("results")
    page.wait_for_function("document.querySelectorAll('mjx-container').length == 3")
    assert page.elsewhere == []


# What needs no browser: the files themselves


@pytest.mark.parametrize("name", LESSONS)
def test_a_lesson_can_be_launched_from_the_one_address(site, name):
    text = (site / f"{name}.html").read_text(encoding="utf-8")
    address = re.search(
        r'^repository = "https://github.com/(.+)"',
        (ROOT / "pyproject.toml").read_text("utf-8"),
        re.M,
    )
    if address is None:  # none is verified yet
        assert not re.search(r"mybinder\.org|colab\.research\.google\.com", text)
        return
    address = address[1]
    assert (
        f"https://mybinder.org/v2/gh/{address}/main?urlpath=lab/tree/{name}.ipynb"
        in text
    )
    assert (
        f"https://colab.research.google.com/github/{address}/blob/main/{name}.ipynb"
        in text
    )


@pytest.mark.parametrize("name", LESSONS)
def test_the_notebook_that_is_offered_is_the_lesson_itself(site, name):
    assert (site / "_sources" / f"{name}.ipynb").read_bytes() == (
        ROOT / f"{name}.ipynb"
    ).read_bytes()


@pytest.mark.parametrize("name", PAGES)
def test_every_picture_of_a_page_is_described(site, name):
    text = (site / f"{name}.html").read_text(encoding="utf-8")
    article = (
        text[text.index("<article") : text.rindex("</article>")]
        if "<article" in text
        else ""
    )
    pictures = re.findall(r"<img [^>]+>", article)
    assert all(re.search(r'alt="[^"]{20,}"', picture) for picture in pictures), pictures


def test_every_public_name_is_on_the_page_of_calls(site):
    import tlcourse

    text = (site / "api.html").read_text(encoding="utf-8")
    missing = [
        name
        for name in tlcourse.__all__
        if not re.search(rf'id="(module-)?tlcourse\.{name}"', text)
    ]
    assert missing == []


@pytest.mark.parametrize("name", LESSONS)
def test_the_instructors_table_has_the_lesson(site, name):
    assert f'href="{name}.html"' in (site / "instructors.html").read_text(
        encoding="utf-8"
    )
