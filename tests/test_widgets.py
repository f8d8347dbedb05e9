"""What all widgets have in common: a static answer beside the live one, and nothing of them in a notebook."""

import pytest

import tlcourse as tl
from tlcourse.plots.figure import Figure
from tlcourse.widgets import live
from tlcourse.widgets.answer import Answer, as_page, as_table

VIEW = "application/vnd.jupyter.widget-view+json"


class Counter(live.Live):
    """A widget of three positions."""

    made = 0

    @property
    def default(self):
        return Answer("nothing has been moved", {"moves": 0}, Figure)

    def _make(self, widgets):
        self.made += 1
        return widgets.IntSlider()


def test_a_notebook_is_given_the_widget_and_the_answer_that_stands_in_its_place():
    counter = Counter()
    data, metadata = counter._repr_mimebundle_()
    assert data[VIEW]["model_id"] == counter.box.model_id
    assert data["text/plain"] == "nothing has been moved"
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == "nothing has been moved."


def test_without_ipywidgets_the_answer_is_all(monkeypatch):
    monkeypatch.setattr(live, "find_spec", lambda name: None)
    data, _ = Counter()._repr_mimebundle_()
    assert set(data) == {"image/png", "text/plain"}


def test_the_widget_is_made_once_and_not_before_it_is_shown():
    counter = Counter()
    assert repr(counter) == "nothing has been moved" and counter.made == 0
    counter._repr_mimebundle_()
    counter._repr_mimebundle_()
    assert counter.made == 1


def test_an_answers_figure_says_in_words_what_the_answer_says():
    answer = Answer("one\ntwo", {}, Figure)
    assert answer.figure.alt == "one\ntwo." and answer.figure is answer.figure


def test_text_from_elsewhere_stays_text_on_a_page():
    assert "<script>" not in as_page("<script>") + as_table(
        ["<script>"], [["<script>", "<script>"]], "<script>"
    )


def test_the_names_of_widgets_are_not_those_of_rooms():
    """Importing the room would put it in the name's place."""
    folder = tl.widgets.__path__[0]
    rooms = {path.stem for path in __import__("pathlib").Path(folder).glob("*.py")}
    assert rooms.isdisjoint(tl.widgets.__all__)


@pytest.mark.parametrize(
    ("version", "shows"), [("0.13.3", True), ("0.14.0", False), ("0.14.3", True)]
)
def test_a_canvas_that_would_stay_empty_is_not_used(
    version, shows, monkeypatch, recwarn
):
    ipycanvas = pytest.importorskip("ipycanvas")
    monkeypatch.setattr(ipycanvas, "__version__", version)
    assert live.has_canvas() is shows
    assert [
        ("pip install ipycanvas" in str(warning.message)) for warning in recwarn
    ] == [True] * (not shows)


def test_each_widget_has_a_function_that_gives_the_same():
    for line in tl.widgets.__doc__.splitlines():
        if line.startswith("| ") and "_" in line:
            names = [name.strip() for name in line.strip("|").split("|")]
            assert set(names) <= set(tl.widgets.__all__), line
