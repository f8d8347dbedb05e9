"""The tables of expected values for BERT are whole, and are of what their cards say."""

import re
from pathlib import Path

import numpy as np
import pytest

from tlcourse import cards

TINY = Path(__file__).resolve().parent / "tiny_bert"


def tables():
    """Folder → the arrays that PyTorch computed, of MiniLM and of the three tiny networks."""
    with np.load(
        cards.data_folder() / "minilm" / "expected_tokens.npz", allow_pickle=False
    ) as archive:
        found = {"minilm": dict(archive)}
    with np.load(TINY / "expected.npz", allow_pickle=False) as archive:
        for key in archive.files:
            folder, _, name = key.partition("/")
            found.setdefault(folder, {})[name] = archive[key]
    return found


TABLES = tables()
each_table = pytest.mark.parametrize("name", TABLES)


@each_table
def test_every_sentence_has_its_tokens(name):
    table = TABLES[name]
    assert len(table["offsets"]) == len(table["sentences"]) + 1 and table["offsets"][
        -1
    ] == len(table["ids"])
    assert (np.diff(table["offsets"]) >= 2).all()


@each_table
def test_every_kept_row_has_its_values(name):
    table = TABLES[name]
    assert (
        len(table["rows"]) == len(table["values"])
        and (np.diff(table["rows"]) > 0).all()
    )
    assert table["rows"][-1] < len(table["ids"])


@each_table
def test_means_are_those_of_the_values_where_all_rows_are_kept(name):
    table = TABLES[name]
    for number, (start, end) in enumerate(
        zip(table["offsets"][:-1], table["offsets"][1:], strict=True)
    ):
        kept = (table["rows"] >= start) & (table["rows"] < end)
        if kept.sum() == end - start:
            np.testing.assert_allclose(
                table["values"][kept].mean(axis=0), table["means"][number], atol=1e-5
            )


def test_the_card_pins_the_files_that_are_read():
    card = (cards.data_folder() / "minilm" / "CARD.md").read_text(encoding="utf-8")
    pinned = re.findall(
        r"^\| `([\w.]+)` \| `[0-9a-f]{64}` \| \d+ \|$", card, re.MULTILINE
    )
    assert pinned == ["model.safetensors", "vocab.txt", "config.json"]
