"""Which rows are for training, and the batches that Keras gets."""

import numpy as np
import pytest

from tlcourse.errors import UserInputError
from tlcourse.training.batches import Batches, LabelledRows, split_rows


def sentences_of(lengths, rows=None):
    """Sentences of these lengths; each token of a sentence is its number, from 1."""
    sentences = [np.full(n, i, np.int32) for i, n in enumerate(lengths, start=1)]
    rows = np.arange(len(lengths)) if rows is None else np.asarray(rows)
    return Batches(sentences, LabelledRows(rows, rows % 2, np.ones(len(rows))), 2)


def pictures_of(count, copies=1):
    """Activations (count, copies, 2) that hold the number and the copy."""
    numbers, copy = np.meshgrid(np.arange(count), np.arange(copies), indexing="ij")
    activations = np.stack([numbers, copy], axis=-1).astype(np.float16)
    rows = np.arange(count)
    return Batches(activations, LabelledRows(rows, rows % 3, 1.0 + rows), 3)


def epoch(dataset):
    return [tuple(part.numpy() for part in batch) for batch in dataset]


# Splits


def test_of_each_class_the_same_share_is_held_out():
    labels = np.repeat(["a", "b"], [20, 10])
    classes, train, held = split_rows(labels, None, 30, 0.2, seed=0)
    assert classes.tolist() == ["a", "b"]
    assert np.bincount(held.targets).tolist() == [4, 2]
    assert sorted([*train.positions, *held.positions]) == list(range(30))
    np.testing.assert_array_equal(np.bincount(train.targets), [16, 8])


@pytest.mark.parametrize(
    ("labels", "weights", "word"),
    [
        ([1, 1, 1, 1], None, "two classes"),
        ([0, 1], None, "labels"),
        ([0, 0, 1, 1], [1, 1, 0, 0], "weight"),
        ([0, 0, 1, 1], [1, 1], "sample_weight"),
    ],
)
def test_rows_that_cannot_be_trained_on_are_refused(labels, weights, word):
    with pytest.raises(UserInputError, match=word):
        split_rows(labels, weights, 4, 0.25, seed=0)


# Training batches


def test_an_epoch_has_full_batches_with_labels_and_weights():
    dataset = pictures_of(10).training_set(4, seed=0)
    assert len(dataset) == 2
    for x, y, weights in epoch(dataset):
        assert x.shape == (4, 2) and x.dtype == np.float16
        np.testing.assert_array_equal(y.argmax(axis=1), x[:, 0] % 3)
        np.testing.assert_array_equal(weights, 1 + x[:, 0])


def test_epochs_differ_and_a_seed_repeats_them():
    first, again = (pictures_of(40, 2).training_set(8, seed) for seed in (1, 1))
    one, two = epoch(first), epoch(first)
    assert not np.array_equal(one[0][0], two[0][0])
    for left, right in zip(one, epoch(again), strict=True):
        np.testing.assert_array_equal(left[0], right[0])


def test_each_picture_comes_once_in_one_of_its_copies():
    (batch,) = epoch(pictures_of(30, 3).training_set(30, seed=0))
    numbers, copies = batch[0].T
    assert sorted(numbers) == list(range(30)) and set(copies) == {0, 1, 2}


def test_sentences_of_similar_length_come_together_in_random_order():
    lengths = np.random.default_rng(0).integers(1, 60, 640)
    batches = epoch(sentences_of(lengths).training_set(32, seed=0))
    padded = sum(x.size for x, _, _ in batches)
    assert padded < 1.35 * lengths.sum()
    longest = [x.shape[1] for x, _, _ in batches]
    assert sorted(longest) != longest and sorted(longest)[::-1] != longest


def test_a_batch_is_padded_to_its_longest_sentence():
    batches = epoch(sentences_of([13, 3, 5, 12]).in_order(2))
    assert [x.shape[1] for x, _, _ in batches] == [5, 13]
    assert batches[0][0].tolist() == [[2, 2, 2, 0, 0], [3, 3, 3, 3, 3]]
