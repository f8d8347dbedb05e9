"""A stored lesson can be followed without seeing its figures: each is described, and a chart's numbers are a table."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CHARTS = re.compile(
    r"tl\.show\.(attention|bars|confusion|curves|feature_map|learning_curve|points|training)\("
)
NAMELESS = re.compile(
    r"^(image|figure|picture|plot|chart|graph|untitled)\b|\.(png|jpe?g|svg)\b|^\d+ pictures?\.$",
    re.I,
)


def figures():
    """Every stored figure: lesson and cell → the cell's code and what is stored beside the picture."""
    found = {}
    for path in LESSONS:
        for cell in nbformat.read(path, as_version=4).cells:
            for output in cell.get("outputs", []):
                if any(kind.startswith("image/") for kind in output.get("data", {})):
                    found[f"{path.stem}:{cell.id}"] = (
                        cell.source,
                        output.metadata.get("image/png", {}),
                    )
    return found


FIGURES = figures()


@pytest.mark.parametrize("place", FIGURES)
def test_a_figure_is_described_in_words_that_mean_something(place):
    alt = FIGURES[place][1].get("alt", "")
    assert len(alt) >= 20 and not NAMELESS.search(alt) and alt.endswith("."), alt


@pytest.mark.parametrize(
    "place", [place for place, (code, _) in FIGURES.items() if CHARTS.search(code)]
)
def test_the_numbers_of_a_chart_are_stored_as_a_table(place):
    table = FIGURES[place][1]["table"]
    assert table["rows"] and all(
        len(row) == len(table["columns"]) >= 2 for row in table["rows"]
    )


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_pictures_in_a_lessons_text_are_described(path):
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            assert all(
                len(alt) >= 20 for alt in re.findall(r"!\[([^\]]*)\]\(", cell.source)
            ), cell.id
            assert "<img" not in cell.source, cell.id


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_headings_of_a_stored_lesson_are_in_order(path):
    cells = [
        cell.source
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "markdown"
    ]
    levels = [
        len(marks)
        for text in cells
        for marks in re.findall(r"^(#+) ", re.sub(r"(?s)```.*?```", "", text), re.M)
    ]
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(
        after <= before + 1 for before, after in zip(levels, levels[1:], strict=False)
    )
