"""A data set whose card, classes and files have hostile names, in JupyterLab: all is text, and no script runs."""

import sys
from pathlib import Path

import nbformat
import pytest

TESTS = Path(__file__).resolve().parent.parent
LESSON = TESTS.parent / "authoring" / "source" / "11_pictures.py"

pytestmark = pytest.mark.slow

CELLS = """
import warnings, sys
from types import SimpleNamespace
import numpy as np
import tlcourse as tl
from tlcourse.training.evaluation import ConfusionMatrix
from tlcourse.training.freezing import FreezeTable, Row
from tlcourse.tables import Table
warnings.simplefilter("ignore")
sys.path.insert(0, TESTS)
from hostile import FOREIGN_NAMES
pictures = tl.datasets.from_folder("foreign")
names, count = pictures.class_names, len(pictures.class_names)

pictures.card

tl.datasets.examine(pictures)

Table(("class", "n"), [(name, 1) for name in FOREIGN_NAMES.values()])

FreezeTable(names[5], [Row(name, "frozen", 1, 1, 0) for name in names], (names[6],), (names[7],))

tl.show.bars(names, range(count), "number", "bars of classes")

tl.show.confusion(ConfusionMatrix.of(np.arange(8), np.arange(8), list(FOREIGN_NAMES.values())[:8]))

wrong = np.eye(count)[(pictures.test.labels + 1) % count]
tl.widgets.MistakeBrowser(pictures.test, wrong, wrong, pictures.test, wrong)

few = pictures.with_classes(["<script>window.pwned = 1<∕script>", '<img src=x onerror="window.pwned = 1">']).test
tl.widgets.MistakeBrowser(few, *[np.eye(2)[few.labels]] * 2, few, np.eye(2)[few.labels])

from pathlib import Path
exported = SimpleNamespace(folder=Path("export"))
"""


@pytest.fixture(scope="module")
def notebook(open_lesson, lessons_folder):
    """Such a data set and such an export, shown in every way; the last cell is the lesson's own."""
    sys.path.insert(0, str(TESTS))
    from hostile import foreign_folder
    from test_foreign_text import card_of_all

    foreign_folder(lessons_folder / "foreign")
    (lessons_folder / "export").mkdir()
    (lessons_folder / "export" / "MODEL_CARD.md").write_text(
        card_of_all(), encoding="utf-8"
    )
    (own,) = (
        cell
        for cell in LESSON.read_text(encoding="utf-8").split("# %%")
        if '/ "MODEL_CARD.md")' in cell
    )
    sources = [
        *CELLS.replace("TESTS", repr(str(TESTS))).strip().split("\n\n"),
        own.partition("\n")[2].strip(),
    ]
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    kernel = {
        "kernelspec": {
            "name": "python3",
            "display_name": "Python 3",
            "language": "python",
        }
    }
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata=kernel),
        lessons_folder / "foreign.ipynb",
    )
    lesson = open_lesson("foreign")
    lesson.dialogs = []
    lesson.page.on(
        "dialog",
        lambda dialog: (lesson.dialogs.append(dialog.message), dialog.dismiss()),
    )
    lesson.run_all()
    for cell in lesson.cells():
        assert not [
            output for output in cell["outputs"] if output["output_type"] == "error"
        ], cell
        lesson.select(cell["source"])  # so that it is drawn
        lesson.page.wait_for_timeout(300)
    return lesson


def test_no_script_ran_and_no_other_host_was_asked(notebook):
    assert notebook.page.evaluate("window.pwned") is None
    assert (notebook.dialogs, notebook.other_hosts) == ([], [])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("pictures.card", "<script>window.pwned = 1</script>"),
        ("pictures.card", "[click](javascript:window.pwned=1)"),
        ("Table((", r"$\frac{1}{2}$"),
        ("Table((", "gpj.\\u202ecat"),
        ("FreezeTable(", "[bold]x[∕bold]"),
        ("MODEL_CARD", "<script>window.pwned = 1</script>"),
        ("MODEL_CARD", "![](http://tracker.invalid/x.png)"),
        ("MODEL_CARD", r"$\href{javascript:window.pwned=1}{x}$"),
        ("MistakeBrowser(few", '<img src=x onerror="window.pwned = 1">'),
    ],
)
def test_it_is_shown_as_text(notebook, source, text):
    last = [cell["source"] for cell in notebook.cells() if source in cell["source"]][-1]
    output = notebook.cell(last).locator(".jp-OutputArea").first
    shown = output.get_by_text(text, exact=False).filter(visible=True)
    shown.first.wait_for(timeout=30_000)


@pytest.mark.parametrize(
    "source",
    [
        "pictures.card",
        "Table((",
        "FreezeTable(",
        "bars",
        "MistakeBrowser(few",
        "MODEL_",
    ],
)
def test_no_link_no_formula_and_no_foreign_element_is_in_the_output(notebook, source):
    last = [cell["source"] for cell in notebook.cells() if source in cell["source"]][-1]
    output = notebook.cell(last).locator(".jp-OutputArea").first
    output.locator("table, pre, img, h1").first.wait_for(timeout=30_000)
    found = (
        "script, iframe, mjx-container, [onload], [onerror], [onmouseover], a[href*='tracker'], a[href^='javascript'], "
        "img:not([src^='data:'])"
    )
    assert (
        output.locator(found).evaluate_all("found => found.map(one => one.outerHTML)")
        == []
    )
