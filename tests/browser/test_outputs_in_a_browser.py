"""What stays in a notebook: one chart of a training, no dead widgets; and large uploads.

One notebook with a cell for each is run here, since a lesson would take minutes to come to the same.
"""

import json
import os
from pathlib import Path

import nbformat
import numpy as np
import pytest
from PIL import Image

from tlcourse.exercises.progress import Progress
from tlcourse.exercises.solutions import FIRST_LINE, HELD_BACK

pytestmark = pytest.mark.slow

NAME = "outputs"
ANSWER = 60_000  # milliseconds
CELLS = (
    """\
import os
import time

os.environ["TQDM_DISABLE"] = "0"  # which the tests set to 1
import tlcourse as tl
from tlcourse.progress import progress_bar

stamps = tl.load_dataset("stamps")
some, model = stamps.train.sample(3), tl.load_pretrained_model()
features = model.extract_features(some.images)
probe = tl.train_classifier(features, some.labels, stamps.class_names)""",
    "tl.widgets.TryYourOwn(model, probe, some, features)",
    """\
for _ in progress_bar(range(30), desc="Reading"):
    time.sleep(0.1)""",
    """\
tuned = tl.fine_tune(
    model, some.images, some.labels, "head", validation=0, augmentations=1, epochs=3, cache=False
)""",
)
STUB = 'tl.check("4.1", None)'
SOLUTION = f'{FIRST_LINE}\ntl.check("4.1", 1_321_994)'
WRONG = 'tl.check("5.1", 2)'
PROGRESS = "tl.check.progress()"
CELLS = (*CELLS, STUB, SOLUTION, WRONG, PROGRESS)
WIDGET, BAR, TRAINING = "TryYourOwn", "progress_bar(range", "tl.fine_tune"
DEAD = "Error displaying widget"


@pytest.fixture(scope="module")
def notebook(open_lesson, lessons_folder):
    """The notebook, run from top to bottom in JupyterLab."""
    cells = [nbformat.v4.new_code_cell(cell) for cell in CELLS]
    kernel = {"kernelspec": {"display_name": "Python 3", "name": "python3"}}
    written = nbformat.v4.new_notebook(cells=cells, metadata=kernel)
    nbformat.write(written, lessons_folder / f"{NAME}.ipynb")
    opened = open_lesson(NAME)
    opened.run_all()
    return opened


def keep_picture(page, name):
    """A picture of the page for whoever looks at it, where TLCOURSE_SCREENSHOTS says."""
    if folder := os.environ.get("TLCOURSE_SCREENSHOTS"):
        page.screenshot(path=Path(folder, f"{name}.png"))


def outputs_of(notebook, text):
    (found,) = (cell["outputs"] for cell in notebook.cells() if text in cell["source"])
    return found


def test_a_training_of_three_epochs_leaves_one_chart_of_the_last(notebook):
    outputs = outputs_of(notebook, TRAINING)
    charts = [
        output["metadata"]["image/png"]["alt"]
        for output in outputs
        if "image/png" in output.get("data", {})
    ]
    assert len(charts) == 1 and charts[0].startswith("epoch 3 of 3")
    words = [output for output in outputs if "text/html" in output.get("data", {})]
    assert len(words) == 1 and "epoch 3 of 3" in "".join(words[0]["data"]["text/html"])
    cell = notebook.cell(TRAINING)
    cell.locator(".jp-OutputArea img").first.wait_for()
    assert cell.locator(".jp-OutputArea img").count() == 1
    keep_picture(notebook.page, "one_chart")


def test_a_progress_bar_that_is_done_leaves_no_widget_and_nothing_red(notebook):
    for output in outputs_of(notebook, BAR):
        assert (output["output_type"], output["name"]) == ("stream", "stdout")
        assert "".join(output["text"]).strip() == ""


def test_run_all_runs_no_solution_and_running_it_again_does_without_counting(notebook):
    (held,) = outputs_of(notebook, FIRST_LINE)
    assert "".join(held["text"]).strip() == HELD_BACK
    notebook.select(FIRST_LINE)
    notebook._run("notebook:run-cell")
    notebook._run("notebook:run-cell")
    (output,) = outputs_of(notebook, FIRST_LINE)
    assert "".join(output["data"]["text/plain"]).startswith("Exercise 4.1: right.")
    assert Progress.read() == Progress({"5.1": 1}, set(), {"5.1": 0})  # of WRONG
    keep_picture(notebook.page, "solution")


def test_a_verdict_is_a_card_and_its_button_gives_hints(notebook):
    cell = notebook.cell(WRONG)
    cell.get_by_text("✗ Not yet", exact=True).wait_for(timeout=ANSWER)
    cell.get_by_text("Exercise 5.1: how many steps?").wait_for()
    cell.get_by_text("That is one epoch.").wait_for()
    cell.get_by_text('tl.check.hint("5.1")', exact=True).wait_for()
    for number, button in enumerate(("a hint", "another hint", "another hint"), 1):
        cell.get_by_role("button", name=f"Show {button}").click()
        cell.get_by_text(f"Hint {number} of 3:").wait_for(timeout=ANSWER)
    assert cell.get_by_role("button", name="Show another hint").is_disabled()
    keep_picture(notebook.page, "card")


def test_progress_is_a_bar_per_lesson_whose_name_opens_it(notebook):
    cell = notebook.cell(PROGRESS)
    assert cell.locator("progress").count() == 13
    cell.get_by_role("link", name="12 cluster").click()
    opened = notebook.page.get_by_role("tab", name="12_cluster.ipynb")
    opened.wait_for(timeout=ANSWER)
    opened.locator(".lm-TabBar-tabCloseIcon").click()
    keep_picture(notebook.page, "progress")


def give(cell, path):
    with cell.page.expect_file_chooser() as window:
        cell.get_by_role("button", name="A picture").click()
    window.value.set_files(path)


def says(cell, text):
    cell.locator("[role=status]").get_by_text(text, exact=False).first.wait_for(
        timeout=ANSWER
    )


def noise(path, side):
    """A picture of noise; as PNG or BMP it has three bytes per pixel."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_a_photograph_of_more_than_ten_megabytes_is_answered(notebook, tmp_path):
    photograph = noise(tmp_path / "large.png", 2000)
    assert photograph.stat().st_size > 11e6
    cell = notebook.cell(WIDGET)
    give(cell, photograph)
    given = "select => select.value === 'my own'"
    cell.page.wait_for_function(
        given, arg=cell.locator("select").element_handle(), timeout=ANSWER
    )
    says(cell, "The strongest evidence for")


def test_a_file_that_is_too_large_gets_a_sentence_and_the_widget_goes_on(
    notebook, tmp_path
):
    cell = notebook.cell(WIDGET)
    give(cell, noise(tmp_path / "huge.bmp", 6000))
    says(cell, "huge.bmp has 108.0 MB; expected at most 100.")
    keep_picture(notebook.page, "too_large")
    give(cell, noise(tmp_path / "small.png", 200))
    says(cell, "The strongest evidence for")


def test_reopened_without_its_kernel_a_notebook_shows_pictures_and_no_error(
    notebook, open_lesson
):
    saved = json.loads(notebook.save())
    assert "vnd.jupyter.widget" not in json.dumps(saved)
    notebook.close()  # ends the kernel, too
    again = open_lesson(NAME)
    picture = again.cell(WIDGET).locator(".jp-OutputArea img").first
    picture.wait_for()
    again.page.wait_for_timeout(3000)  # a dead widget is waited for two seconds
    assert picture.is_visible() and picture.bounding_box()["width"] > 200
    assert again.page.get_by_text(DEAD).count() == 0
    keep_picture(again.page, "reopened")
    card = again.cell(WRONG)
    card.get_by_text("✗ Not yet", exact=True).wait_for()
    assert card.get_by_role("button", name="hint").count() == 0
    assert again.cell(PROGRESS).locator("progress").count() == 13
    assert again.page.get_by_text(DEAD).count() == 0
    keep_picture(again.page, "reopened_cards")
