"""The lessons in JupyterLab, as a learner sees them: they run, and their widgets answer to mouse, key and file.

nbval runs every lesson in a kernel and compares what comes out. Here those with widgets are run once more, where
widgets are alive: the tests below stand in the order of the lessons, and those of one lesson share its run. The others
are opened. TLCOURSE_BROWSER_LESSONS=all runs those, too.
"""

import json
import os
import time
from pathlib import Path

import pytest
from conftest import TOKEN
from notebook_page import OPENING

import tlcourse as tl

pytestmark = pytest.mark.slow

WITH_WIDGETS = (
    "00_start",
    "04_head",
    "05_tuning",
    "06_kanji",
)
LESSONS = Path(__file__).resolve().parent.parent.parent / "notebooks"
WITHOUT = tuple(
    sorted(
        path.stem for path in LESSONS.glob("*.ipynb") if path.stem not in WITH_WIDGETS
    )
)
ANSWER = 30_000  # milliseconds; how fast widgets are is measured by `make results`, and not here


@pytest.fixture(scope="module")
def run(open_lesson):
    """A function: name of a lesson → the lesson, run from top to bottom; one lesson at a time is in memory."""
    running = {}

    def run_one(name):
        if name not in running:
            for other in list(running):
                running.pop(other).close()
            running[name] = open_lesson(name)
            running[name].run_all()
        return running[name]

    return run_one


def assert_ran_without_error(lesson):
    code = [cell for cell in lesson.cells() if cell["code"] and cell["source"].strip()]
    wrong = [
        cell["source"]
        for cell in code
        if any(output["output_type"] == "error" for output in cell["outputs"])
    ]
    assert wrong == []
    assert [cell["source"] for cell in code if cell["count"] is None] == []
    assert lesson.other_hosts == []


def says(cell, text):
    """Wait until a cell's output says this."""
    cell.locator(".jp-OutputArea").get_by_text(text, exact=False).first.wait_for(
        timeout=ANSWER
    )


def press(cell, selector, *keys):
    handle = cell.locator(selector).first
    handle.focus()
    for key in keys:
        handle.press(key)


def give(cell, path):
    """Choose a file in the window that the button opens."""
    with cell.page.expect_file_chooser() as window:
        cell.get_by_role("button", name="A picture").click()
    window.value.set_files(path)


# Of a closed list JupyterLab takes the arrows for itself; the space bar opens it.
NEXT = ("Space", "ArrowDown", "Enter")


# The first ten seconds


def test_lesson_00_shows_its_photographs_without_scrolling(chromium, lab):
    """In a window of 1366 × 768, before a cell has been run; the time is printed."""
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    start = time.perf_counter()
    page.goto(f"{lab}/lab/tree/00_start.ipynb?token={TOKEN}&reset")
    picture = page.locator(".jp-NotebookPanel .jp-OutputArea img").first
    picture.wait_for(timeout=OPENING)
    print(f"opened → photographs: {time.perf_counter() - start:.1f} s")
    page.wait_for_function("one => one.complete", arg=picture.element_handle())
    page.wait_for_timeout(1000)  # until what is above it has its height
    box, window = picture.bounding_box(), page.locator(".jp-WindowedPanel-outer").first
    shown = window.bounding_box()
    assert shown["y"] < box["y"]
    assert box["y"] + box["height"] < shown["y"] + shown["height"]
    assert box["width"] > 0.95 * (
        page.locator(".jp-Cell-outputArea").first.bounding_box()["width"] - 80
    )
    keep_picture(page, "first_screen")
    page.locator(".lm-MenuBar").get_by_text("File", exact=True).click()
    last = page.locator(".lm-Menu").get_by_text("Close and Shut Down Notebook")
    last.wait_for()  # what the last cell of each lesson names
    context.close()


def test_the_names_of_lessons_are_read_in_full_in_the_list(chromium, lab):
    context = chromium.new_context(viewport={"width": 1366, "height": 768})
    page = context.new_page()
    page.goto(f"{lab}/lab?token={TOKEN}&reset")
    page.locator(".jp-DirListing-itemText").first.wait_for(timeout=OPENING)
    cut = """() => [...document.querySelectorAll('.jp-DirListing-itemText')]
        .filter(one => one.scrollWidth > one.clientWidth
            || [...one.children].some(part => part.scrollWidth > part.clientWidth))
        .map(one => one.textContent)"""
    assert page.locator(".jp-DirListing-itemText").count() == len(
        WITHOUT + WITH_WIDGETS
    )
    assert page.evaluate(cut) == []
    keep_picture(page, "list_of_lessons")
    context.close()


def test_an_answer_is_folded_until_its_cell_is_run(open_lesson):
    lesson = open_lesson("04_head")
    answer = lesson.cell("weights are trainable.")
    assert answer.locator(".jp-OutputArea-output").count() == 0
    assert answer.locator(".jp-Placeholder").count() == 1
    lesson.run_until("weights are trainable.")
    answer = lesson.cell("weights are trainable.")
    answer.locator(".jp-OutputArea-output").first.wait_for()
    lesson.close()


def unfold(cell):
    """Open a cell's output where it is the answer to a question, with the mouse as a reader would."""
    if (folded := cell.locator(".jp-OutputPlaceholder")).count():
        folded.click()


def keep_picture(page, name):
    """A picture of the page, where TLCOURSE_SCREENSHOTS says."""
    if folder := os.environ.get("TLCOURSE_SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"))


# Lesson 00: try your own


@pytest.fixture(scope="module")
def own(run):
    return lambda: run("00_start").cell("tl.widgets.TryYourOwn")


def test_lesson_00_runs(run):
    assert_ran_without_error(run("00_start"))


def test_a_cell_is_chosen_from_the_list_by_keyboard(own):
    cell = own()
    press(cell, "select", *NEXT)
    chosen = "select => select.value === 'bird 2'"
    cell.page.wait_for_function(
        chosen, arg=cell.locator("select").element_handle(), timeout=ANSWER
    )
    says(cell, "Nearest training pictures:")


def test_five_photographs_of_each_kind_are_offered(own):
    offered = own().locator("option").all_inner_texts()
    kinds = tl.load_dataset("stamps").class_names
    expected = {f"{kind} {number}" for kind in kinds for number in range(1, 6)}
    assert {text.replace("\xa0", " ") for text in offered} == expected | {"my own"}


def test_the_answer_is_one_picture_whose_words_take_no_room(own):
    cell = own()
    says(cell, "The strongest evidence for")
    words, picture = (
        cell.locator(selector).first.bounding_box()
        for selector in ("[role=status]", "canvas")
    )
    below = cell.locator("select").bounding_box()
    assert words["width"] <= 1
    assert picture["y"] - (below["y"] + below["height"]) < 40


def test_an_uploaded_photograph_is_answered(own):
    cell = own()
    photograph = tl.load_dataset("samples").test.images.paths[2]
    give(cell, photograph)
    given = "select => select.value === 'my own'"
    cell.page.wait_for_function(
        given, arg=cell.locator("select").element_handle(), timeout=ANSWER
    )
    says(cell, "The strongest evidence for")


def test_a_text_that_calls_itself_a_photograph_gets_a_sentence(own, tmp_path):
    (tmp_path / "diary.jpg").write_text(
        "Dear diary, this is no photograph.", encoding="utf-8"
    )
    cell = own()
    give(cell, tmp_path / "diary.jpg")
    says(cell, "diary.jpg cannot be read as a picture")


def test_nothing_of_a_widget_or_of_what_was_uploaded_is_saved(own, run):
    saved = json.loads(run("00_start").save())
    assert "widgets" not in saved["metadata"]
    (output,) = next(
        cell for cell in saved["cells"] if "TryYourOwn" in "".join(cell["source"])
    )["outputs"]
    assert set(output["data"]) == {"image/png", "text/plain"}
    assert "diary" not in json.dumps(saved)


# Lesson 04, which has no widget: the five steps


def test_lesson_04_runs(run):
    assert_ran_without_error(run("04_head"))


# Lesson 05: the mistake browser


def test_lesson_05_runs(run):
    assert_ran_without_error(run("05_tuning"))


def test_a_cell_of_the_confusion_matrix_is_chosen_by_keyboard(run):
    cell = run("05_tuning").cell("tl.widgets.MistakeBrowser")
    press(cell, "select", *NEXT)
    chosen = cell.locator("select").input_value()
    count, _, names = chosen.partition(" × ")
    says(cell, f"{names}: {count}")
    cell.locator(f"img[alt^='{names}: {count}']").first.wait_for(timeout=ANSWER)


# Lesson 06: draw a Kanji


def test_lesson_06_runs(run):
    assert_ran_without_error(run("06_kanji"))


@pytest.fixture
def canvas(run):
    """The canvas, empty."""
    cell = run("06_kanji").cell("tl.widgets.DrawAKanji")
    cell.get_by_role("button", name="Clear").click()
    says(cell, "Draw a character")
    return cell


def draw(cell, *heights):
    """One level stroke at each height, as a share of the canvas, with the mouse."""
    box = cell.locator("canvas").bounding_box()
    for height in heights:
        y = box["y"] + height * box["height"]
        cell.page.mouse.move(box["x"] + 0.15 * box["width"], y)
        cell.page.mouse.down()
        cell.page.mouse.move(box["x"] + 0.85 * box["width"], y - 3, steps=12)
        cell.page.mouse.up()


def guesses(cell):
    """Network → the five characters that it predicts, the most probable first."""
    cell.locator("[role=status] caption").get_by_text("from scratch").wait_for(
        timeout=ANSWER
    )
    tables = cell.locator("[role=status] table").evaluate_all(
        "tables => tables.map(table => [...table.rows].map(row => row.cells[0].innerText))"
    )
    names = cell.locator("[role=status] caption").all_inner_texts()
    read = ([text.split()[0] for text in texts] for texts in tables)
    return dict(zip(names, read, strict=True))


@pytest.mark.parametrize(("sign", "heights"), [("一", [0.5]), ("三", [0.2, 0.5, 0.8])])
def test_what_is_drawn_with_the_mouse_is_read_by_both_networks(canvas, sign, heights):
    draw(canvas, *heights)
    for _ in range(40):  # until the answer to the last stroke is there
        read = guesses(canvas)
        if sign in sum(read.values(), []):
            break
        canvas.page.wait_for_timeout(500)
    assert set(read) == {"from scratch", "fine-tuned"}
    assert all(len(best) == 5 for best in read.values()) and sign in sum(
        read.values(), []
    )


def test_a_sign_is_chosen_from_the_list_by_keyboard(canvas):
    press(canvas, "select", *NEXT)
    assert len(guesses(canvas)) == 2


@pytest.mark.parametrize("width", [1300, 768])
def test_the_bars_stand_beside_the_canvas(canvas, width):
    page = canvas.page
    page.set_viewport_size({"width": width, "height": 1000})
    if width == 768:
        page.evaluate("window.jupyterapp.shell.collapseLeft()")
    press(canvas, "select", *NEXT)
    guesses(canvas)
    square, output = (
        canvas.locator(selector).first.bounding_box()
        for selector in ("canvas", ".jp-OutputArea")
    )
    for bars in canvas.locator("[role=status] table").all():
        box = bars.bounding_box()
        assert box["x"] >= square["x"] + square["width"]
        assert box["x"] + box["width"] <= output["x"] + output["width"] <= width
        assert box["y"] < square["y"] + square["height"]


# The others


@pytest.mark.parametrize("name", WITHOUT)
def test_a_lesson_without_widgets_opens_and_shows_its_figures_in_words_too(
    open_lesson, name
):
    lesson = open_lesson(name)
    if os.environ.get("TLCOURSE_BROWSER_LESSONS") == "all":
        lesson.run_all()
        assert_ran_without_error(lesson)
    cell, alt = next(
        (cell["source"], output["metadata"]["image/png"]["alt"])
        for cell in lesson.cells()
        for output in cell["outputs"]
        if "image/png" in output.get("data", {})
    )
    unfold(lesson.cell(cell))
    outputs = lesson.cell(cell).locator(".jp-OutputArea").first
    outputs.locator("img").first.wait_for()
    outputs.get_by_text("This figure in words").first.click()
    outputs.get_by_text(alt).wait_for()
    assert lesson.other_hosts == []
    lesson.close()
