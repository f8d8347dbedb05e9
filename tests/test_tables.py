"""A table is the same in a terminal, in a notebook and in pandas' eyes."""

import pytest

from tlcourse.tables import Table, as_html, as_text

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


def test_rows_stay_the_numbers_they_were():
    assert TABLE.rows[0] == ("probe", 1200, 0.84263)


def test_a_caption_is_the_tables_name():
    assert "<caption>a &amp; b</caption>" in as_html([["x"], ["1"]], "a & b")


@pytest.mark.parametrize(("left", "line"), [(1, "a    b"), (2, "a  b")])
def test_columns_on_the_left_are_flush_left(left, line):
    assert as_text([["a", "b"], ["c", "ddd"]], left).splitlines()[0] == line


def test_a_table_that_scrolls_is_reached_by_the_keyboard_and_others_are_passed_over():
    assert as_html([["x"], ["1"]], scrolls=True).startswith('<table tabindex="0">')
    assert as_html([["x"], ["1"]]).startswith("<table><thead>")
