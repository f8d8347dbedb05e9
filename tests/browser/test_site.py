"""The site as people open it: complete, without another host, without a fault that axe knows, enlarged, by keyboard.

Sphinx, playwright and axe-core come with `make test`; without them or without chromium the tests are skipped, unless
TLCOURSE_BROWSER=required says that all of it has to be here.
"""

import base64
import functools
import http.server
import importlib.util
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from tlcourse.plots.figure import DPI, SHARPNESS, SMALL

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parent.parent.parent
LESSONS = [
    f"notebooks/{path.stem}" for path in sorted((ROOT / "notebooks").glob("*.ipynb"))
]
CARDS = [
    f"data/{path.parent.name}/CARD" for path in sorted(ROOT.glob("data/*/CARD.md"))
]
TOPICS = [f"api/{path.stem}" for path in sorted(ROOT.glob("docs/api/*.md"))]
PAGES = [
    *sorted(path.stem for path in (ROOT / "docs").glob("*.md")),
    *TOPICS,
    *LESSONS,
    *CARDS,
    "search",
]
OPEN_ALL = "document.querySelectorAll('details').forEach(one => one.open = true)"
CUT_CODE = """() => [...document.querySelectorAll('article pre')]
    .filter(one => one.getClientRects().length && one.scrollWidth > one.clientWidth + 1)
    .map(one => one.textContent.trim().slice(0, 60))"""
TOO_WIDE = """() => [...document.querySelectorAll('article :is(h1, h2, h3, p, li, summary, dt, dd)')]
    .filter(one => one.getClientRects().length && !one.closest('table, pre, .cell_output'))
    .filter(one => one.getBoundingClientRect().right > document.documentElement.clientWidth + 1)
    .map(one => one.textContent.trim().slice(0, 60))"""
# Of figures in a lesson: CSS pixels of their smallest text, which is `SMALL` points where a figure has its own width
SMALLEST_TEXT = """([points, dpi, sharpness]) => [...document.querySelectorAll('.cell_output img[src*="_images"]')]
    .filter(one => one.complete && one.getClientRects().length)
    .map(one => points * dpi / 72 * one.clientWidth * sharpness / one.naturalWidth)"""
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

    def open_page(
        name, width=1280, height=900, scheme="light", where=address, script=""
    ):
        size = {"width": width, "height": height}
        # Without motion: axe would otherwise read colours in the middle of a fade.
        contexts.append(
            chromium.new_context(
                viewport=size, color_scheme=scheme, reduced_motion="reduce"
            )
        )
        page = contexts[-1].new_page()
        page.add_init_script(script)
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


@pytest.mark.parametrize("name", PAGES)
def test_no_code_is_cut_on_a_common_screen(open_page, name):
    page = open_page(name, width=1366, height=768)
    page.evaluate(OPEN_ALL)
    assert page.evaluate(CUT_CODE) == []
    page.context.close()


@pytest.mark.parametrize("name", LESSONS)
def test_the_smallest_text_of_figures_has_eleven_pixels(open_page, name):
    page = open_page(name, width=1366, height=768)
    page.evaluate(OPEN_ALL)
    page.evaluate(
        "document.querySelectorAll('img').forEach(one => one.loading = 'eager')"
    )
    page.wait_for_function("[...document.images].every(one => one.complete)")
    texts = page.evaluate(SMALLEST_TEXT, [SMALL, DPI, SHARPNESS])
    lesson = (ROOT / f"{name}.ipynb").read_text(encoding="utf-8")
    assert bool(texts) == ('"image/png": "' in lesson)
    assert min(texts, default=11) >= 11, texts
    page.context.close()


def test_the_front_page_shows_photographs_two_buttons_and_a_card_per_lesson(open_page):
    page = open_page("index", width=1366, height=768)
    hero = page.locator(".hero img")
    assert hero.evaluate("one => one.complete && one.naturalWidth") == 864
    for name, goal in (("Start in the browser", "teach"), ("Install", "install")):
        button = page.locator("article a.launch", has_text=name)
        assert button.bounding_box()["y"] < 768 and f"{goal}.html" in str(
            button.get_attribute("href")
        )
    cards = page.locator(".cards li")
    assert cards.count() == len(LESSONS)
    for card, name in zip(cards.all(), LESSONS, strict=True):
        card.scroll_into_view_if_needed()
        page.wait_for_function(
            "one => one.complete", arg=card.locator("img").element_handle()
        )
        assert card.locator("img").evaluate("one => one.naturalWidth") == 480
        assert card.locator("a").get_attribute("href") == f"{name}.html"
    # All of a card is its link: a click on the picture meets the link above it.
    cards.first.locator("img").click(force=True)
    page.wait_for_url("**/notebooks/00_start.html")
    page.context.close()


@pytest.mark.parametrize("name", ["index", "results"])
def test_of_a_figure_the_one_for_this_ground_is_shown(open_page, name):
    page = open_page(name)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(f"document.documentElement.dataset.theme == '{scheme}'")
        shown = [
            one.get_attribute("src")
            for one in page.locator("article img[src$='.svg']").all()
            if one.is_visible()
        ]
        assert shown and {src.endswith("-dark.svg") for src in shown} == {
            scheme == "dark"
        }
    page.context.close()


def test_every_page_that_was_built_is_among_those_looked_at(site):
    built = {
        path.relative_to(site).with_suffix("").as_posix()
        for path in site.rglob("*.html")
    }
    assert built == set(PAGES)


def test_an_answer_of_the_self_test_opens_by_keyboard_and_shows_its_figure(open_page):
    page = open_page("self_test", width=1366, height=768)
    answers = page.locator("article details")
    assert answers.count() > 100
    assert page.locator("article details[open]").count() == 0
    answer = answers.filter(has=page.locator("img")).first
    answer.locator("summary").press("Enter")
    picture = answer.locator("img").first
    page.wait_for_function(
        "one => one.complete && one.naturalWidth > 300", arg=picture.element_handle()
    )
    assert picture.is_visible()
    if folder := os.environ.get("TLCOURSE_SCREENSHOTS"):
        page.screenshot(path=Path(folder, "self_test.png"))
    page.context.close()


def test_a_lessons_page_shows_an_answer_when_it_is_asked_for(open_page):
    page = open_page("notebooks/04_head")
    output = page.get_by_text("weights are trainable.", exact=False).last
    assert not output.is_visible()
    page.locator("summary", has_text="the answer").first.press("Enter")
    assert output.is_visible()
    page.context.close()


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


# The page "Teach it yourself": a network and a classifier in the visitor's browser


TEACH = ROOT / "docs" / "teach"
BARS = (
    "[...document.querySelectorAll('#bars li')].map(bar => bar.innerText.split('\\n'))"
)
ASK = """(call, ...values) => new Promise((resolve, reject) => {
    window.own ??= new Worker('_static/teach/worker.js', {type: 'module'});
    own.onmessage = ({data}) => data.error ? reject(Error(data.error)) : resolve(data.value);
    own.postMessage({call, values});
})"""
FAKE_CAMERA = """
    const canvas = Object.assign(document.createElement('canvas'), {width: 320, height: 240});
    const redraw = () => canvas.getContext('2d').fillRect(0, 0, 100, 100);
    Object.defineProperty(navigator, 'mediaDevices', {value: {
        getUserMedia: async () => {
            redraw();
            setInterval(redraw, 50);
            (window.streams ??= []).push(canvas.captureStream());
            return window.streams.at(-1);
        }}});
"""


@pytest.fixture(scope="module")
def open_teach(site, open_page):
    """Opens the page and waits until its network is ready."""
    if not (site / "_static" / "teach").is_dir():
        is_required = os.environ.get("TLCOURSE_BROWSER") == "required"
        absent = pytest.fail if is_required else pytest.skip
        absent("The page was built without ONNX Runtime: npm was not to be had.")

    def open_teach(**options):
        page = open_page("teach", **options)
        page.locator("#status", has_text="Ready").wait_for()
        return page

    return open_teach


@pytest.fixture(scope="module")
def taught(open_teach):
    """The page after its button: five birds and five fruits are in boxes, a sixth bird is classified."""
    start = time.perf_counter()
    page = open_teach()
    ready = time.perf_counter() - start
    page.locator("#demonstrate").press("Enter")
    page.locator("#bars li").first.wait_for()
    first = time.perf_counter() - start
    page.locator("#accuracy", has_text="Leave-one-out").wait_for()
    milliseconds = []
    for name in ("peacock", "lemon", "pineapple", "tiger", "otter", "truck", "beetle"):
        page.get_by_alt_text(f": {name}").click()
        text = page.locator("#status", has_text=f"{name}: 1280 features").inner_text()
        milliseconds.append(int(text.split()[-2]))
    print(
        f"page opened → network ready {ready:.1f} s, first answer {first:.1f} s; then "
        f"{sorted(milliseconds)[len(milliseconds) // 2]} ms per picture (median)"
    )
    page.get_by_alt_text("bird: pelican").click()
    page.locator("#status", has_text="pelican").wait_for()
    return page


def test_a_visitor_teaches_birds_and_fruits_with_one_button(taught):
    bars = taught.evaluate(BARS)
    assert [name for name, _ in bars] == ["bird", "fruit"]
    assert taught.locator("#verdict").inner_text() == "bird"
    assert int(bars[0][1].removesuffix("\N{NO-BREAK SPACE}%")) > 60
    similar = taught.locator("#nearest figcaption").all_inner_texts()
    assert len(similar) == 3 and all(text.startswith("bird 0.") for text in similar)
    accuracy = taught.locator("#accuracy").inner_text()
    assert re.search(
        r"10 photographs.* (9|10) of them are right, (90|100)\s%", accuracy
    )


def test_the_browser_computes_without_another_host_and_without_an_error(taught):
    assert (taught.elsewhere, taught.errors) == ([], [])


def test_axe_finds_no_violation_where_boxes_and_answer_are_filled(taught):
    from axe_playwright_python.sync_playwright import Axe

    assert violations(Axe(), taught) == []
    taught.emulate_media(color_scheme="dark")
    taught.wait_for_function("document.documentElement.dataset.theme == 'dark'")
    assert violations(Axe(), taught, rules=["color-contrast"]) == []


def test_with_a_phones_width_nothing_moves_sideways(taught):
    taught.set_viewport_size({"width": 390, "height": 844})
    assert not taught.evaluate(MOVES_SIDEWAYS)
    for control in ("#demonstrate", "#add", "#camera", "#bars"):
        box = taught.locator(control).bounding_box()
        assert box["x"] >= 0 and box["x"] + box["width"] <= 390, control


def test_by_keyboard_a_box_is_named_filled_and_emptied(open_teach):
    page = open_teach()
    page.locator(".name").first.fill("my birds")
    page.get_by_role("button", name="Add five: fruit").press("Enter")
    page.locator("#boxes .box").nth(1).locator(".picture").nth(4).wait_for()
    page.locator(".name").nth(1).fill("bird")  # examples go where their name is
    page.get_by_role("button", name="bird: owl").press("Enter")
    page.get_by_role("button", name="owl: remove").wait_for()
    page.get_by_role("button", name="strawberry: remove").press("Enter")
    assert page.evaluate("document.activeElement.title") == "Remove pear"
    assert page.locator("#boxes .box").nth(1).locator(".picture").count() == 5
    page.locator("#add").press("Enter")
    assert page.evaluate("document.activeElement.value") == "box 3"
    page.context.close()


def test_an_example_is_dragged_into_a_box_and_files_are_chosen(open_teach, tmp_path):
    page = open_teach()
    boxes = page.locator("#boxes .box")
    page.get_by_alt_text("bird: owl").drag_to(boxes.first)
    boxes.first.locator(".picture").wait_for()
    Image.new("RGB", (4000, 3000), "orange").save(tmp_path / "large.jpg")
    (tmp_path / "notes.jpg").write_text("This is no picture.")
    boxes.nth(1).locator("input[type=file]").set_input_files(
        [tmp_path / "notes.jpg", tmp_path / "large.jpg"]
    )
    boxes.nth(1).get_by_title("Remove large.jpg").wait_for()
    assert boxes.nth(1).locator(".picture").count() == 1
    assert page.locator("#alert").inner_text() == (
        "notes.jpg is not a picture that this browser can open. Choose a JPEG, PNG or WebP file."
    )
    page.locator("#file").set_input_files(tmp_path / "large.jpg")
    page.locator("#verdict", has_text="box 2").wait_for()
    assert page.locator("#alert").is_hidden()
    page.get_by_alt_text("bird: owl").drag_to(boxes.first)  # a copy
    page.locator("#status", has_text="owl").wait_for()
    assert boxes.first.locator(".picture").count() == 1
    page.context.close()


def test_without_a_camera_the_page_says_so_and_goes_on(open_teach):
    page = open_teach()
    page.locator("#camera").click()
    page.locator("#alert", has_text="No camera was found").wait_for()
    page.locator("#demonstrate").click()
    page.locator("#verdict", has_text="bird").wait_for()
    assert page.errors == []
    page.context.close()


def test_what_the_camera_sees_is_classified_and_can_be_taught(open_teach):
    page = open_teach(script=FAKE_CAMERA)
    boxes = page.locator("#boxes .box")
    page.get_by_alt_text("fruit: banana").click()
    boxes.first.locator(".picture").wait_for()
    camera = boxes.nth(1).get_by_role("button", name="Camera")
    camera.click()
    page.locator("#preview video").wait_for()
    camera.click()
    page.locator("#verdict", has_text="box 2").wait_for()
    assert boxes.nth(1).locator(".picture").count() == 1
    page.get_by_role("button", name="Stop the camera").click()
    assert page.errors == []
    page.context.close()


def test_a_second_click_leaves_no_camera_on(open_teach):
    page = open_teach(script=FAKE_CAMERA)
    page.evaluate("button = document.getElementById('camera')")
    page.evaluate("button.click(), button.click()")
    live = "streams.filter(stream => stream.getTracks()[0].readyState == 'live').length"
    page.locator("#preview video").wait_for()
    page.wait_for_function(f"streams.length == 2 && {live} == 1")
    page.get_by_role("button", name="Stop the camera").click()
    assert page.evaluate(live) == 0 and page.errors == []
    page.context.close()


def test_a_photograph_that_is_removed_or_replaced_is_kept_nowhere(open_teach):
    is_kept = "url => fetch(url).then(() => true, () => false)"
    page = open_teach()
    page.get_by_alt_text("bird: owl").click()
    picture = page.get_by_title("Remove owl")
    url = picture.locator("img").get_attribute("src")
    assert page.evaluate(is_kept, url)
    picture.click()
    picture.wait_for(state="detached")
    assert not page.evaluate(is_kept, url)
    page.get_by_alt_text("fruit: lemon").click()
    page.locator("#preview img").wait_for()
    url = page.locator("#preview img").get_attribute("src")
    page.wait_for_function(f"async () => !(await ({is_kept})('{url}'))")
    page.context.close()


def test_features_in_the_browser_are_those_of_python(open_teach):
    import tlcourse as tl

    stamps = ("bird/hen", "flower/iris", "fruit/kiwi", "mammal/zebra", "vehicle/sedan")
    samples = ("astronaut.jpg", "camera.png", "chelsea.png", "coffee.jpg", "rocket.jpg")
    paths = [ROOT / "data" / "stamps" / f"{name}.jpg" for name in stamps]
    paths += [ROOT / "data" / "samples" / name for name in samples]
    model = tl.load_pretrained_model("efficientnet_lite0", precision="int8")
    expected = model.extract_features([str(path) for path in paths], cache=False)
    page = open_teach()
    actual = [features_of(page, path) for path in paths]
    assert np.abs(actual - expected).max() <= 1e-2
    # A large JPEG is decoded at a fraction of its size, which browsers cannot do: nearly the same pixels.
    large = ROOT / "data" / "samples" / "retina.jpg"
    (row,) = model.extract_features([str(large)], cache=False)
    other = features_of(page, large)
    assert row @ other / np.linalg.norm(row) / np.linalg.norm(other) > 0.98
    page.context.close()


def features_of(page, path: Path) -> np.ndarray:
    content = base64.b64encode(path.read_bytes()).decode()
    kind = "jpeg" if path.suffix == ".jpg" else "png"
    values = page.evaluate(
        f"""async content => {{
            const file = await (await fetch('data:image/{kind};base64,' + content)).blob();
            return Array.from(await ({ASK})('features', file));
        }}""",
        content,
    )
    return np.array(values)


@pytest.mark.parametrize(("classes", "each"), [(2, 1), (2, 5), (3, 5), (5, 8)])
def test_the_probe_in_the_browser_is_that_of_python(open_page, classes, each):
    import tlcourse as tl

    rng = np.random.default_rng(classes + each)
    labels = np.repeat(np.arange(classes), each)
    centres = rng.gamma(1, 0.3, (classes, 64))
    features = centres[labels] + rng.normal(0, 0.3, (len(labels), 64))
    unseen = rng.gamma(1, 0.3, (20, 64))
    expected = tl.LinearProbe(C=0.01).fit(features, labels).predict_proba(unseen)
    page = open_page("teach")
    actual = page.evaluate(
        """async ([features, labels, classes, unseen]) => {
            const {train, predict} = await import(new URL('_static/teach/probe.js', location));
            const probe = train(features, labels, classes);
            return unseen.map(row => predict(probe, row));
        }""",
        [features.tolist(), labels.tolist(), classes, unseen.tolist()],
    )
    assert np.abs(np.array(actual) - expected).max() < 1e-3
    page.context.close()


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


def test_every_public_name_is_on_one_page_and_in_the_index(site):
    import tlcourse

    index = (site / "api.html").read_text(encoding="utf-8")
    pages = {name: (site / f"{name}.html").read_text("utf-8") for name in TOPICS}
    for name in tlcourse.__all__:
        anchor = re.compile(rf'id="((?:module-)?tlcourse\.{name})"')
        places = {page: anchor.search(text) for page, text in pages.items()}
        ((page, found),) = [place for place in places.items() if place[1]]
        assert f'href="{page}.html#{found[1]}"' in index, name


@pytest.mark.parametrize("name", LESSONS)
def test_the_instructors_table_has_the_lesson(site, name):
    assert f'href="{name}.html"' in (site / "instructors.html").read_text(
        encoding="utf-8"
    )
