"""Rows of different lengths: each part is what was put in, and padding is zeros behind it."""

import numpy as np
import pytest

from tlcourse.features import rows
from tlcourse.features.ragged import Ragged
from tlcourse.features.rows import Rows
from tlcourse.training.examples import Examples

LENGTHS = [3, 1, 0, 4]


@pytest.fixture
def parts():
    """Arrays (tokens, 2), no number in them 0."""
    return [
        np.arange(1, 2 * length + 1, dtype=np.float32).reshape(length, 2) + 10 * length
        for length in LENGTHS
    ]


@pytest.fixture
def ragged(parts):
    return Ragged(np.concatenate(parts), LENGTHS)


def examples_of(lengths, rows=None):
    """Examples of sentences of these lengths; each token of a sentence is its number, from 1."""
    values = np.repeat(np.arange(1, len(lengths) + 1), lengths).astype(np.int32)
    rows = np.arange(len(lengths)) if rows is None else np.asarray(rows)
    return Examples(Ragged(values, lengths), rows, rows % 2, np.ones(len(rows)))


# Parts


def test_each_part_is_what_was_put_in(ragged, parts):
    assert len(ragged) == 4
    assert all(
        np.array_equal(found, part) for found, part in zip(ragged, parts, strict=True)
    )


def test_places_count_from_the_end_too(ragged, parts):
    assert np.array_equal(ragged[-1], parts[-1])


def test_a_slice_is_a_list_of_parts(ragged, parts):
    found = ragged[1::2]
    assert isinstance(found, list)
    assert all(np.array_equal(*pair) for pair in zip(found, parts[1::2], strict=True))


@pytest.mark.parametrize("place", [4, -5])
def test_there_is_nothing_behind_the_last_part(ragged, place):
    with pytest.raises(IndexError):
        ragged[place]


def test_a_number_of_numpy_is_a_place(ragged, parts):
    assert np.array_equal(ragged[np.int64(3)], parts[3])


def test_without_parts_there_is_nothing():
    assert list(Ragged(np.zeros((0, 2)), [])) == []


# Padding


def test_padded_to_the_longest_of_those_asked_for(ragged):
    assert ragged.padded([0, 1]).shape == (2, 3, 2)


def test_padding_is_zeros_behind_each_part(ragged, parts):
    padded = ragged.padded([3, 1, 2])
    for row, part in zip(padded, [parts[3], parts[1], parts[2]], strict=True):
        assert np.array_equal(row[: len(part)], part) and not row[len(part) :].any()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int32])
def test_padding_keeps_the_type(dtype):
    assert Ragged(np.ones(3, dtype), [1, 2]).padded([0, 1]).dtype == dtype


# Batches of them


def test_a_batch_is_as_long_as_its_longest_sentence():
    examples = examples_of([2, 5, 3], rows=[2, 0, 1])
    assert examples.take(np.array([0, 1])).tolist() == [[3, 3, 3], [1, 1, 0]]


def test_outputs_come_in_the_order_of_the_rows_whatever_goes_together():
    class Tensor(np.ndarray):
        def numpy(self):
            return np.asarray(self)

    examples = examples_of([5, 1, 4, 2, 3, 1, 5], rows=[6, 0, 3, 1])
    found = examples.outputs(lambda batch: batch.max(axis=1).view(Tensor), size=2)
    assert found.tolist() == [7, 1, 4, 2]


@pytest.mark.parametrize("count", [4, 7, 100])
def test_an_epoch_shows_each_sentence_at_most_once_in_whole_batches(count):
    examples = examples_of(np.arange(count) % 9 + 1)
    batches = [batch for batch, _ in examples.shuffled(4, np.random.default_rng(0))]
    shown = np.concatenate(batches)
    assert {len(batch) for batch in batches} == {4}
    assert len(set(shown)) == len(shown) == count // 4 * 4


def test_epochs_differ_in_their_order():
    examples = examples_of([1] * 40)
    first, second = (
        np.concatenate(
            [batch for batch, _ in examples.shuffled(4, np.random.default_rng(seed))]
        )
        for seed in (1, 2)
    )
    assert not np.array_equal(first, second)


def test_sentences_of_like_length_come_together():
    lengths = np.random.default_rng(0).integers(1, 60, 640)
    examples = examples_of(lengths)
    filled = sum(
        lengths[batch].max() * len(batch) - lengths[batch].sum()
        for batch, _ in examples.shuffled(32, np.random.default_rng(0))
    )
    assert filled < 0.15 * lengths.sum()


def test_short_batches_do_not_always_come_before_long_ones():
    lengths = np.arange(640) % 60 + 1
    means = [
        lengths[batch].mean()
        for batch, _ in examples_of(lengths).shuffled(32, np.random.default_rng(0))
    ]
    assert sorted(means) != means and sorted(means)[::-1] != means


def test_the_same_tokens_cut_elsewhere_are_other_examples():
    first, second = (
        Examples(Ragged(np.arange(6), lengths), np.arange(2), np.arange(2), np.ones(2))
        for lengths in ([2, 4], [3, 3])
    )
    pieces = [
        b"".join(np.ascontiguousarray(piece).tobytes() for piece in one.pieces())
        for one in (first, second)
    ]
    assert pieces[0] != pieces[1]


# Rows, in memory and in a file


def collected(parts):
    found = Rows((2,), np.float32)
    for part in parts:
        found.append(part)
    return found


def test_small_results_stay_in_memory(parts):
    found = collected(parts).array()
    assert not isinstance(found, np.memmap) and np.array_equal(
        found, np.concatenate(parts)
    )


def test_large_results_go_to_a_file_and_are_the_same(parts, monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 20)
    found = collected(parts)
    assert len(found) == 8
    assert isinstance(found.array(), np.memmap) and np.array_equal(
        found.array(), np.concatenate(parts)
    )


def test_the_file_has_no_name(parts, monkeypatch, tmp_path):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(rows, "LARGE", 20)
    found = collected(parts)
    assert len(found) == 8 and [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["CACHEDIR.TAG"]


def test_without_rows_there_is_an_empty_array():
    assert Rows((3,), np.float16).array().shape == (0, 3)


def test_rows_are_kept_in_the_type_asked_for():
    found = Rows((), np.float16)
    found.append(np.float32([1, 2]))
    assert found.array().dtype == np.float16


def test_parts_in_a_file_are_read_and_padded_like_any(parts, monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 20)
    on_disk, in_memory = (
        Ragged(collected(parts).array(), LENGTHS),
        Ragged(np.concatenate(parts), LENGTHS),
    )
    assert isinstance(on_disk.values, np.memmap)
    assert np.array_equal(on_disk.padded(range(4)), in_memory.padded(range(4)))
