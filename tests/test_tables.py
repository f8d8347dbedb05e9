"""A table is the same in a terminal and in a notebook."""

from tlcourse.tables import Table, as_html

TABLE = Table(
    ("way", "labels", "accuracy"), [("probe", 1200, 0.84263), ("<b>", 7, 0.5)]
)


def test_text_is_aligned_and_numbers_are_short():
    assert repr(TABLE).splitlines() == [
        "way    labels  accuracy",
        "probe   1,200    0.8426",
        "<b>         7       0.5",
    ]


def test_html_is_for_screen_readers_and_keyboards_and_escapes_names():
    page = TABLE._repr_html_()
    assert page.count('<th scope="col">') == 3
    assert '<th scope="row">&lt;b&gt;</th><td>7</td>' in page
    assert as_html([["x"], ["1"]], scrolls=True).startswith('<table tabindex="0">')
