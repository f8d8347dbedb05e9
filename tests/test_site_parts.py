"""How a lesson becomes a page, and what the check of a built site finds. Nothing here needs Sphinx."""

import re
import sys
from pathlib import Path

import nbformat
import pytest

from tlcourse.plots.figure import IN_WORDS, in_words

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "docs"))
import browser  # noqa: E402
import checks  # noqa: E402
import front  # noqa: E402
import lessons  # noqa: E402
import make_site  # noqa: E402
import reference  # noqa: E402
import self_test  # noqa: E402

TABLE = {"columns": ["labels", "a < b"], "rows": [["1", "50 ± 3"], ["10", "80 ± 2"]]}


def page_of(*cells):
    return lessons.read(
        nbformat.writes(nbformat.v4.new_notebook(cells=list(cells)))
    ).cells


def figure(**about):
    return nbformat.v4.new_output(
        "display_data", {"image/png": "aGk="}, metadata={"image/png": about}
    )


def code(tags=(), outputs=()):
    return nbformat.v4.new_code_cell(
        "tl.show.bars()", metadata={"tags": list(tags)}, outputs=list(outputs)
    )


def test_a_figures_words_and_numbers_are_folded_behind_it():
    (cell,) = page_of(code(outputs=[figure(alt="Lines of a < b.", table=TABLE)]))
    picture, words = cell.outputs
    assert "image/png" in picture.data and words.data["text/html"] == in_words(
        "Lines of a < b.", TABLE
    )


@pytest.mark.parametrize(
    ("tag", "hide"),
    [
        ("solution", "hide-cell"),
        ("setup", "hide-input"),
        ("preview", "hide-input"),
        ("answer", "hide-output"),
    ],
)
def test_a_solution_and_the_set_up_are_folded(tag, hide):
    (cell,) = page_of(code([tag]))
    assert hide in cell.metadata.tags and cell.metadata["mystnb"][
        "code_prompt_show"
    ].startswith("Show ")


@pytest.fixture
def faults_of(tmp_path):
    """What is found in a site of one page with this text, and a style sheet."""

    def found(body, style=""):
        (tmp_path / "index.html").write_text(
            f"<html><body>{body}</body></html>", encoding="utf-8"
        )
        (tmp_path / "style.css").write_text(style, encoding="utf-8")
        return checks.faults(tmp_path)

    return found


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (
            '<a href="gone.html">x</a>',
            "index.html links to gone.html, which is not there.",
        ),
        (
            '<a href="#gone">x</a>',
            "index.html links to #gone, and there is no such place on that page.",
        ),
        (
            '<img src="//elsewhere.example/a.png">',
            "index.html loads //elsewhere.example/a.png from another host.",
        ),
        (
            f"<p>{ROOT}/notebooks</p>",
            f"index.html names {ROOT}, a folder of this machine.",
        ),
    ],
)
def test_a_fault_is_told_in_a_sentence(faults_of, body, fault):
    assert faults_of(body) == [fault]


# The pages of the public names, and the front page


def test_each_public_name_has_one_topic_and_each_topic_a_page():
    import tlcourse

    named = [name for names in reference.TOPICS.values() for name in names.split()]
    assert sorted(named) == sorted(tlcourse.__all__)
    pages = {path.stem for path in (ROOT / "docs" / "api").glob("*.md")}
    assert pages == set(reference.TOPICS)


def test_what_calls_return_is_described_on_one_page_each():
    kinds = reference.returned()
    assert kinds and {reference.topic_of(kind) for kind in kinds} <= set(
        reference.TOPICS
    )


def test_every_lesson_has_a_card_with_a_picture_of_its_own():
    names = [path.stem for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    assert [row[2] for row in front.lessons()] == names
    cards = front.cards(None)
    assert cards.count("<li>") == cards.count("<img ") == len(names)
    for name in names:
        words, picture = front.figure(name)
        assert words and front.thumbnail(picture).size == front.THUMBNAIL


def test_a_lesson_without_a_chosen_figure_gets_its_first(monkeypatch):
    monkeypatch.delitem(front.FIGURES, "01")
    assert front.figure("01_why")[0].startswith("30 pictures")


def test_a_chosen_figure_that_a_lesson_has_lost_fails_the_build(monkeypatch):
    monkeypatch.setitem(front.FIGURES, "01", "words that no figure has")
    with pytest.raises(SystemExit, match="01_why.*words that no figure has"):
        front.figure("01_why")


def test_a_figure_is_there_for_light_and_for_dark():
    page = make_site.for_both_grounds("![Bars.](../benchmarks/speed.png)")
    assert page == (
        "![Bars.](benchmarks/speed.svg){.only-light} "
        "![Bars.](benchmarks/speed-dark.svg){.only-dark}"
    )


# The page that computes in the browser


def test_the_page_of_the_browser_has_at_most_400_lines():
    sources = [path.read_text(encoding="utf-8") for path in browser.SOURCES.iterdir()]
    assert sum(len(source.splitlines()) for source in sources) <= 400


@pytest.fixture
def without_npm(monkeypatch, tmp_path):
    """Nothing was downloaded before, and there is no npm."""
    monkeypatch.setattr(browser, "CACHE", tmp_path / "npm")
    monkeypatch.setenv("PATH", str(tmp_path))
    browser.archive.cache_clear()
    yield tmp_path
    browser.archive.cache_clear()


def test_without_npm_the_page_says_that_its_working_part_is_missing(
    without_npm, capsys
):
    assert browser.part(None).startswith("This part of the site is missing")
    browser.add_to(without_npm)
    assert not (without_npm / "_static").exists()
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "built without its working part" in said


def test_an_archive_with_other_content_than_the_pinned_is_refused(without_npm):
    archive = without_npm / "npm" / f"{browser.PACKAGE}-{browser.VERSION}.tgz"
    archive.parent.mkdir()
    archive.write_bytes(b"something else")
    with pytest.raises(SystemExit, match="has SHA-256 .* It was deleted"):
        browser.archive()
    assert not archive.exists()


def test_the_network_of_the_browser_computes_the_bundled_features():
    import numpy as np

    import tlcourse as tl
    from tlcourse.features.engine import OnnxEngine

    (photograph, *_) = tl.load_dataset("samples").test.images
    pixels = tl.pictures.resize(photograph, (224, 224))
    model = tl.load_pretrained_model("efficientnet_lite0", precision="int8")
    expected = model.extract_features([pixels], cache=False)
    engine = OnnxEngine(browser.network(), "", ())
    actual = engine.run(pixels[None].astype(np.float32))
    assert np.abs(actual - expected).max() <= 1e-2


# The self-test


@pytest.fixture(scope="module")
def test_page():
    return self_test.page(None)


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("notebooks/*.ipynb")), ids=lambda path: path.stem
)
def test_the_self_test_has_a_lessons_questions_and_exercises_with_folded_answers(
    test_page, path
):
    cells = nbformat.read(path, as_version=4).cells
    title = cells[0].source.partition("\n")[0]
    section = test_page.partition(f"\n#{title}\n")[2] or test_page
    section = section.partition("\n## ")[0]
    shown, folded = re.sub(r"(?s)<details>.*?</details>", "", section), section
    for cell in cells:
        tags = cell.metadata.get("tags", [])
        for question in re.findall(r"(?m)^\*\*Predict first\.\*\* (.+)$", cell.source):
            assert question in shown
        for number in re.findall(r"(?m)^### Exercise (\d+\.\d)", cell.source):
            assert f"### Exercise {number}: " in shown
        if "answer" in tags or "solution" in tags:
            for text in filter(None, map(text_of, cell.outputs)):
                assert text in folded and text not in shown
        if "solution" in tags:
            assert cell.source.partition("\n")[2] in folded


def text_of(output):
    data = output.get("data", {})
    if "image/png" in data or IN_WORDS in data.get("text/html", ""):
        return ""
    return (output.get("text") or data["text/plain"]).strip()


def test_the_figures_of_the_self_test_are_written_beside_it(test_page, tmp_path):
    self_test.add_to(tmp_path)
    asked = set(re.findall(r'<img src="([^"]+)"', test_page))
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.png")}
    assert asked and asked == there
