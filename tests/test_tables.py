"""A table is the same in a terminal, in a notebook and in pandas' eyes."""

from tlcourse.tables import Table, as_html

TABLE = Table(
    ("way", "labels", "accuracy"), [("probe", 1200, 0.84263), ("<scratch>", 7, 0.5)]
)


def test_text_is_aligned_and_numbers_are_short():
    assert repr(TABLE).splitlines() == [
        "way        labels  accuracy",
        "probe       1,200    0.8426",
        "<scratch>       7       0.5",
    ]


def test_html_names_rows_and_columns_for_a_screen_reader_and_escapes_names():
    page = TABLE._repr_html_()
    assert (
        page.count('<th scope="col">') == 3
        and '<th scope="row">&lt;scratch&gt;</th><td>7</td>' in page
    )


def test_a_table_that_scrolls_is_reached_by_the_keyboard_and_others_are_passed_over():
    assert as_html([["x"], ["1"]], scrolls=True).startswith('<table tabindex="0">')
    assert as_html([["x"], ["1"]]).startswith("<table><thead>")
