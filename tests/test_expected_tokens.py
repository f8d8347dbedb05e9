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
def test_every_sentence_begins_and_ends_with_the_same_tokens(name):
    table = TABLES[name]
    begin, end = (
        table["ids"][table["offsets"][:-1]],
        table["ids"][table["offsets"][1:] - 1],
    )
    assert len(set(begin)) == len(set(end)) == 1 and begin[0] != end[0]


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


@each_table
def test_attention_weights_sum_to_one(name):
    table = TABLES[name]
    tokens = np.diff(table["offsets"])[table["attended"]]
    assert table["attentions"].shape[2:] == (tokens, tokens)
    np.testing.assert_allclose(table["attentions"].sum(axis=-1), 1, atol=1e-5)


@each_table
def test_float32_is_precise_enough_to_tell_an_agreement_of_a_thousandth(name):
    assert TABLES[name]["float32_error"] < 1e-5


@pytest.mark.parametrize(
    ("name", "longest"),
    {"minilm": 256, "plain": 24, "pretraining": 40, "cased": 40}.items(),
)
def test_the_longest_sentence_was_cut(name, longest):
    assert np.diff(TABLES[name]["offsets"]).max() == longest


def test_no_sentence_holds_the_token_of_padding():
    assert all(0 not in table["ids"] for table in TABLES.values())


def test_the_card_pins_the_files_that_are_read():
    card = (cards.data_folder() / "minilm" / "CARD.md").read_text(encoding="utf-8")
    pinned = re.findall(
        r"^\| `([\w.]+)` \| `[0-9a-f]{64}` \| \d+ \|$", card, re.MULTILINE
    )
    assert pinned == ["model.safetensors", "vocab.txt", "config.json"]


@pytest.mark.parametrize("name", ["plain", "pretraining", "cased"])
def test_a_tiny_network_is_small_enough_to_be_kept(name):
    assert sum(path.stat().st_size for path in (TINY / name).iterdir()) < 200_000
