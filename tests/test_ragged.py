"""Batches of sentences of different lengths: each one padded no more than needed."""

import numpy as np
import pytest

from tlcourse.features.rows import Ragged
from tlcourse.training.examples import Examples


def examples_of(lengths, rows=None):
    """Examples of sentences of these lengths; each token of a sentence is its number, from 1."""
    values = np.repeat(np.arange(1, len(lengths) + 1), lengths).astype(np.int32)
    rows = np.arange(len(lengths)) if rows is None else np.asarray(rows)
    return Examples(Ragged(values, lengths), rows, rows % 2, np.ones(len(rows)))


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
