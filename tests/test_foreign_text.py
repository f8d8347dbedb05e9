"""What somebody else wrote, names of classes and files and cards, is shown as text wherever it is shown."""

import copy
import csv
import io
import json
import re
import warnings
from functools import lru_cache
from html.parser import HTMLParser

import matplotlib.mathtext
import mistune
import numpy as np
import pytest
from brightness_export import write_brightness_export, write_shades
from hostile import FOREIGN_NAMES, name_of_cell
from IPython.core.formatters import DisplayFormatter
from markdown_it import MarkdownIt
from nbconvert.filters import markdown2html
from PIL import Image
from test_model_card import RECORD
from typer.testing import CliRunner

from tlcourse import cli, show
from tlcourse.cards import Card
from tlcourse.datasets.core import Split
from tlcourse.errors import printable
from tlcourse.exported import load_exported
from tlcourse.model_card import model_card
from tlcourse.plots.figure import in_words
from tlcourse.predicting import predict_files
from tlcourse.tables import Table
from tlcourse.training.evaluation import ConfusionMatrix
from tlcourse.training.freezing import FreezeTable, Row
from tlcourse.training.learning_curves import LearningCurve
from tlcourse.widgets import Answer, LabelSlider, MistakeBrowser
from tlcourse.widgets.base import image

KINDS = list(FOREIGN_NAMES)
CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028\u2029\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
TEXT_ATTRIBUTES = (
    "alt",
    "title",
    "id",
    "href",
)  # `href` and `id` of a heading are made of its text


def foreign(name):
    return Card(name, name, name, name, name, {}, name)


def formatted(shown):
    """What a notebook is given, by its type."""
    data, _ = DisplayFormatter().format(shown)
    return data


# In a notebook: HTML


def split(names):
    pictures = (
        np.arange(4, dtype=np.uint8)[:, None, None].repeat(4, axis=1).repeat(5, axis=2)
    )
    return Split(pictures, np.array([0, 0, 1, 1]), names)


def freeze_table(name):
    return FreezeTable(
        f"network {name}", [Row(name, "frozen", 1, 100, 0)], (name,), (name,)
    )


def browser_of_mistakes(name):
    probabilities = np.array([[0.9, 0.1], [0.1, 0.9], [0.2, 0.8], [0.8, 0.2]])
    return MistakeBrowser(
        split([name, "other"]),
        probabilities,
        np.eye(4),
        split([name, "other"]),
        np.eye(4),
    )


def curve_of(name):
    points = [
        {"labels": n, "rows": 2 * n, "accuracies": [0.5, n / 20], "seconds": [1, 1]}
        for n in (1, 10)
    ]
    other = [{**point, "accuracies": [0.6, 0.7]} for point in points]
    return LearningCurve.of(
        {
            "name": "race",
            "seeds": [0, 1],
            "points": {name: points, f"{name} too": other},
        }
    )


def confusion_in_words(name):
    figure = show.confusion(
        ConfusionMatrix.of([0, 1, 1], [0, 1, 0], [name, f"other {name}"])
    )
    return in_words(
        figure.alt, {"columns": figure.table.columns, "rows": figure.table.texts()[1:]}
    )


def page(answer):
    return answer.words + image(b"", answer.figure.alt)


HTML = {
    "card": lambda name: formatted(foreign(name))["text/html"],
    "table": lambda name: formatted(Table((name, "n"), [(name, 1)]))["text/html"],
    "freeze table": lambda name: formatted(freeze_table(name))["text/html"],
    "figure in words": confusion_in_words,
    "answer": lambda name: Answer(name, {}, lambda: None).words,
    "mistake browser": lambda name: page(
        browser_of_mistakes(name).answer(name, "other")
    ),
    "label slider": lambda name: page(LabelSlider(curve_of(name)).default),
}


class Structure(HTMLParser):
    """The elements of a page with their attributes, those without meaning left out, and its text."""

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
        assert not formula or {"pre", "code"} & set(self.open), (
            "MathJax takes this for a formula"
        )
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
    assert not CONTROL.search(
        found.text.replace("\t", " ") + found.attributes.replace("\t", " ")
    )


# The model card: Markdown


def card_of(name):
    """A model card in which everything that comes from a data set has this name."""
    record = copy.deepcopy(RECORD)
    record["class_names"] = [name, "dog"]
    record["data"] |= {"name": name, "source": name, "licence": name}
    for counts in (*record["data"]["pictures"].values(), record["test"]["classes"]):
        counts[name] = counts.pop("cat")
        counts["dog"] = counts.pop("dog")
    record["data"]["pictures"]["train"][name] = 1000
    record["test"] |= {"most_frequent": name, "mistakes": [[name, "dog", 3]]}
    record["test"]["classes"][name]["pictures"] = 5
    record["test"]["surest_mistakes"] = [
        {"picture": name, "true": name, "predicted": name, "probability": 0.97}
    ]
    return model_card(record)


def card_of_all():
    """A model card of all these classes, each taken for the next one."""
    names = list(FOREIGN_NAMES.values())
    record = json.loads(json.dumps(RECORD))
    counts = dict.fromkeys(names, 20)
    record |= {"class_names": names}
    record["data"]["pictures"] = {"train": counts, "validation": counts, "test": counts}
    record["test"] |= {
        "classes": {name: {"pictures": 20, "right": 10} for name in names},
        "mistakes": [[name, name, 3] for name in names],
        "surest_mistakes": [
            {"picture": n, "true": n, "predicted": n, "probability": 0.97}
            for n in names
        ],
    }
    return model_card(record)


RENDERERS = {
    "markdown-it": MarkdownIt("commonmark", {"html": True})
    .enable(["table", "strikethrough"])
    .render,
    "nbconvert": markdown2html,
    "mistune": mistune.create_markdown(
        escape=False, plugins=["table", "url", "strikethrough", "footnotes", "math"]
    ),
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
    yield show.feature_map(
        np.random.default_rng(0).normal(size=(count, 2)), labels, names
    )
    yield show.curves(
        [1],
        dict(zip(names, few, strict=True)),
        dict(zip(names, few, strict=True)),
        "x",
        "y",
        "title",
    )
    yield show.bars(names, labels, "x", "title")
    yield show.points(labels + 1, labels, "x", "y", "title", names)
    yield show.pictures(pictures, names)
    yield show.right_and_wrong(pictures, labels, np.eye(count)[::-1], names)
    yield show.channels([np.zeros((2, 2, 2))] * 3, names[:3])


@pytest.mark.parametrize("some", range(2))
def test_figures_show_names_as_text(some, monkeypatch):
    names = [FOREIGN_NAMES[kind] for kind in KINDS[KINDS.index("formula") :]][some::2]
    monkeypatch.setattr(
        matplotlib.mathtext.MathTextParser,
        "parse",
        lambda *_: pytest.fail("a name became a formula"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for figure in figures(names):
            figure.savefig(io.BytesIO(), format="png", dpi=30)
            texts = [
                text.get_text()
                for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))
            ]
            assert not any(CONTROL.search(text) for text in texts)
            assert not CONTROL.search(figure.alt)


# Text: a terminal, errors, warnings


@pytest.mark.parametrize("kind", KINDS)
def test_the_command_prints_no_control_characters(tmp_path, kind):
    folder = tmp_path / (FOREIGN_NAMES[kind].replace("/", "_")[:100])
    Image.new("RGB", (8, 8)).save(tmp_path / "picture.png")
    result = CliRunner().invoke(
        cli.app, ["predict", str(tmp_path / "picture.png"), "--model", str(folder)]
    )
    assert result.exit_code == 1 and not CONTROL.search(
        result.stderr.replace("\t", " ")
    )
    assert printable(folder.name.strip()) in result.stderr.replace("\n", r"\n")


# Tables for a spreadsheet


@pytest.fixture(scope="module")
def named(tmp_path_factory):
    """A network whose classes have these names, and pictures."""
    root = tmp_path_factory.mktemp("named")
    names = [
        name
        for name in FOREIGN_NAMES.values()
        if name == printable(name, lines=True) or name.isascii()
    ]
    return (
        load_exported(write_brightness_export(root / "made", names)),
        write_shades(root / "shades"),
        names,
    )


def labels_of(text):
    (row, *_) = csv.DictReader(io.StringIO(text, newline=""))
    return [value for column, value in row.items() if column.startswith("label")]


def test_no_cell_of_csv_is_a_formula_and_every_name_comes_back(named):
    model, pictures, names = named
    text = io.StringIO(newline="")
    predict_files(model, [pictures], text, top=len(names))
    labels = labels_of(text.getvalue())
    assert not any(label.startswith(tuple("=+-@\t\r\n＝＋－＠")) for label in labels)  # noqa: RUF001
    assert sorted(map(name_of_cell, labels)) == sorted(names)
