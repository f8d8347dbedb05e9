"""Names of classes and files, and cards, are shown as text wherever they are shown."""

import copy
import csv
import io
import re
import warnings
from functools import lru_cache
from html.parser import HTMLParser

import matplotlib.mathtext
import mistune
import numpy as np
import pytest
from brightness_export import write_brightness_export, write_shades
from click.testing import CliRunner
from hostile import FOREIGN_NAMES, name_of_cell
from IPython.core.formatters import DisplayFormatter
from markdown_it import MarkdownIt
from nbconvert.filters import markdown2html
from PIL import Image
from test_model_card import RECORD

from tlcourse import cli, show
from tlcourse.cards import Card
from tlcourse.datasets.core import Split
from tlcourse.errors import printable
from tlcourse.exercises.cards import card as card_of_verdict
from tlcourse.model_card import model_card
from tlcourse.plots.figure import in_words
from tlcourse.predict import load_exported, predict_files
from tlcourse.tables import Table, as_html
from tlcourse.training.evaluation import ConfusionMatrix
from tlcourse.training.freezing import FreezeTable, Row
from tlcourse.widgets import Answer, MistakeBrowser
from tlcourse.widgets.base import bars, image

KINDS = list(FOREIGN_NAMES)
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e"
    "\u2060-\u2069\ufeff\ud800-\udfff]"
)
TEXT_ATTRIBUTES = ("alt", "title", "id", "href")  # a heading's are made of its text


def formatted(shown):
    """The HTML that a notebook is given."""
    data, _ = DisplayFormatter().format(shown)
    return data["text/html"]


# In a notebook: HTML


def freeze_table(name):
    rows = [Row(name, "frozen", 1, 100, 0)]
    return FreezeTable(f"network {name}", rows, (name,), (name,))


def browser_of_mistakes(name):
    pictures = (
        np.zeros((4, 4, 5), np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None]
    )
    split = Split(pictures, np.array([0, 0, 1, 1]), [name, "other"])
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.8, 0.2]])
    return MistakeBrowser(split, probabilities, np.eye(4), split, np.eye(4))


def confusion_in_words(name):
    matrix = ConfusionMatrix.of([0, 1, 1], [0, 1, 0], [name, f"other {name}"])
    figure = show.confusion(matrix)
    table = {"columns": figure.table.columns, "rows": figure.table.texts()[1:]}
    return in_words(figure.alt, table)


def page(answer):
    return answer.words + image(b"", answer.figure.alt)


HTML = {
    "card": lambda name: formatted(Card(name, name, name, name, name, {}, name)),
    "table": lambda name: formatted(Table((name, "n"), [(name, 1)])),
    "freeze table": lambda name: formatted(freeze_table(name)),
    "figure in words": confusion_in_words,
    "answer": lambda name: Answer(name).words,
    "mistake browser": lambda n: page(browser_of_mistakes(n).answer(n, "other")),
    "bars": lambda name: bars(name, [name, f"other {name}"], [0.7, 0.3]),
    "verdict": lambda name: card_of_verdict(name, "not yet", f"It is {name}."),
}


class Structure(HTMLParser):
    """A page's text, and its elements with the attributes that matter."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.elements, self.text, self.attributes, self.open = [], "", "", []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        assert not any(name.startswith("on") for name, _ in attributes)
        self.attributes += "".join(
            f" {value}" for name, value in attributes if name in TEXT_ATTRIBUTES
        )
        kept = tuple(pair for pair in attributes if pair[0] not in TEXT_ATTRIBUTES)
        if tag not in ("span", "code"):  # which show what is in them, and nothing more
            self.elements.append((tag, *kept))
        assert dict(attributes).get("href", "#").startswith("#")
        self.open += [] if tag in ("img", "br", "hr") else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, text):
        raise AssertionError(f"a comment hides {text}")

    def handle_data(self, text):
        formula = re.search(r"\$.*\$|\\[(\[]|\\begin\{", text, re.DOTALL)
        assert not formula or {"pre", "code"} & set(self.open)  # else MathJax's
        self.text += text


@lru_cache
def ordinary_page(surface):
    return Structure(HTML[surface]("cat"))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("surface", HTML)
def test_a_notebook_shows_a_name_as_text(surface, kind):
    name = FOREIGN_NAMES[kind]
    found, ordinary = Structure(HTML[surface](name)), ordinary_page(surface)
    if "\n" not in name:  # an answer has a paragraph for each line
        assert found.elements == ordinary.elements
    assert printable(name, lines=True).strip().split("\n")[0] in found.text
    assert not CONTROL.search((found.text + found.attributes).replace("\t", " "))


# The model card: Markdown


def card_of(name, *others):
    """A model card in which all that comes from a data set has these names."""
    names, record = [name, *others, "dog"], copy.deepcopy(RECORD)
    counts = dict.fromkeys(names, 30) | {name: 1000}
    record["class_names"] = names
    record["data"] |= {"name": name, "source": name, "licence": name}
    record["data"]["pictures"] = {"train": counts, "test": counts}
    record["test"] |= {
        "most_frequent": name,
        "classes": {each: {"pictures": 5, "right": 2} for each in names},
        "mistakes": [[each, "dog", 3] for each in names[:-1]],
        "surest_mistakes": [
            {"picture": each, "true": each, "predicted": each, "probability": 0.97}
            for each in names[:-1]
        ],
    }
    return model_card(record)


def card_of_all():
    return card_of(*FOREIGN_NAMES.values())


COMMONMARK = MarkdownIt("commonmark", {"html": True})
PLUGINS = ["table", "url", "strikethrough", "footnotes", "math"]
RENDERERS = {
    "markdown-it": COMMONMARK.enable(["table", "strikethrough"]).render,
    "nbconvert": markdown2html,
    "mistune": mistune.create_markdown(escape=False, plugins=PLUGINS),
}


@lru_cache
def ordinary_card(renderer):
    return Structure(RENDERERS[renderer](card_of("cat")))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("renderer", RENDERERS)
def test_a_model_card_shows_a_name_as_text(renderer, kind):
    name, render = FOREIGN_NAMES[kind], RENDERERS[renderer]
    found, ordinary = Structure(render(card_of(name))), ordinary_card(renderer)
    assert found.elements == ordinary.elements
    assert " ".join(printable(name).split()) in " ".join(found.text.split())


# Figures


def figures(names):
    """Every figure that shows names."""
    count = len(names)
    labels, pictures = np.arange(count), np.zeros((count, 8, 8), np.uint8)
    few = [[0.5]] * count
    yield show.confusion(ConfusionMatrix.of(labels, labels[::-1], names))
    yield show.attention(names, np.full((count, count), 1 / count))
    features = np.random.default_rng(0).normal(size=(count, 2))
    yield show.feature_map(features, labels, names)
    lines = dict(zip(names, few, strict=True))
    yield show.curves([1], lines, lines, "x", "y", "title")
    yield show.bars(names, labels, "x", "title")
    yield show.points(labels + 1, labels, "x", "y", "title", names)
    yield show.pictures(pictures, names)
    yield show.right_and_wrong(pictures, labels, np.eye(count)[::-1], names)
    yield show.channels([np.zeros((2, 2, 2))] * 3, names[:3])


@pytest.mark.parametrize("some", range(2))
def test_figures_show_names_as_text(some, monkeypatch):
    names = [FOREIGN_NAMES[kind] for kind in KINDS[KINDS.index("formula") :]][some::2]
    parser = matplotlib.mathtext.MathTextParser
    monkeypatch.setattr(parser, "parse", lambda *_: pytest.fail("it is a formula"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in figures(names):
            figure.savefig(io.BytesIO(), format="png", dpi=30)
            for text in figure.findobj(lambda artist: hasattr(artist, "get_text")):
                assert not CONTROL.search(text.get_text())
            assert not CONTROL.search(figure.alt)


# Text: a terminal, errors, warnings


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_no_control_characters(tmp_path, kind):
    folder = tmp_path / (FOREIGN_NAMES[kind].replace("/", "_")[:100])
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    arguments = ["predict", str(tmp_path / "picture.png"), "--model", str(folder)]
    result = CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 1
    assert not CONTROL.search(result.stderr.replace("\t", " "))
    assert printable(folder.name.strip()) in result.stderr.replace("\n", r"\n")


# Tables for a spreadsheet


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A network whose classes have these names, and pictures."""
    root, names = tmp_path_factory.mktemp("named"), list(FOREIGN_NAMES.values())
    names = [n for n in names if n == printable(n, lines=True) or n.isascii()]
    model = load_exported(write_brightness_export(root / "made", names))
    return model, write_shades(root / "shades"), names


def test_no_cell_of_csv_is_a_formula_and_every_name_comes_back(named):
    model, pictures, names = named
    text = io.StringIO(newline="")
    predict_files(model, [pictures], text, top=len(names))
    row = next(csv.DictReader(io.StringIO(text.getvalue(), newline="")))
    labels = [value for column, value in row.items() if column.startswith("label")]
    assert not any(label.startswith(tuple("=+-@\t\r\n＝＋－＠")) for label in labels)  # noqa: RUF001
    assert sorted(map(name_of_cell, labels)) == sorted(names)


# Tables


def test_a_table_is_aligned_text_and_html_for_screen_readers():
    rows = [("probe", 1200, 0.84263), ("<b>", 7, 0.5)]
    table = Table(("way", "labels", "accuracy"), rows)
    lines = ["way    labels  accuracy", "probe   1,200    0.8426"]
    assert repr(table).splitlines() == [*lines, "<b>         7       0.5"]
    html = table._repr_html_()
    assert html.count('<th scope="col">') == 3
    assert '<th scope="row">&lt;b&gt;</th><td>7</td>' in html
    assert as_html([["x"], ["1"]], scrolls=True).startswith('<table tabindex="0">')
