"""No sentence goes through the same network twice, and none gets another's features."""

import threading

import numpy as np
import pytest

from tlcourse.features import text
from tlcourse.features.text import (
    sentence_features,
    token_states,
)

WIDTH = 3


class Counting:
    """An engine whose states are the tokens' ids and their number; counts sentences."""

    output_shape = (None, WIDTH)

    def __init__(self, key="counting"):
        self.key, self.count, self.batches, self.lock = key, 0, [], threading.Lock()

    def run(self, batch):
        with self.lock:
            self.count += len(batch)
            self.batches.append(batch.shape)
        columns = [batch % 50, batch // 50, np.full_like(batch, batch.shape[1])]
        return np.stack(columns, axis=-1).astype(np.float32)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    return tmp_path / "cache"


def some_ids(count):
    """Different sentences of 2 to 39 tokens."""
    rng = np.random.default_rng(0)
    return [
        np.int32([1000 + number, *rng.integers(1, 100, rng.integers(1, 39))])
        for number in range(count)
    ]


def counted(ids, key="counting", name="test", compute=sentence_features, **options):
    """The result, and how many sentences went through the network for it."""
    engine = Counting(key)
    return compute(engine, ids, name, **options), engine.count


def states_of(ids):
    return [Counting().run(sentence[None])[0] for sentence in ids]


def test_features_are_the_average_of_a_sentences_own_tokens():
    ids = some_ids(100)
    expected = [states.mean(axis=0) for states in states_of(ids)]
    np.testing.assert_allclose(counted(ids)[0], expected, rtol=1e-6)


def test_states_are_one_row_per_token():
    ids = some_ids(100)
    states, _ = counted(ids, compute=token_states)
    assert all(map(np.array_equal, states, states_of(ids)))


@pytest.mark.parametrize("compute", [sentence_features, token_states])
def test_each_sentence_is_computed_once_and_never_again(compute):
    ids = some_ids(150)
    first, computed = counted(ids, compute=compute)
    second, again = counted(ids, compute=compute)
    assert (computed, again) == (150, 0)
    assert all(map(np.array_equal, first, second))


def test_without_a_name_nothing_is_kept(empty_cache):
    assert [counted(some_ids(20), name=None)[1] for _ in range(2)] == [20, 20]
    assert not empty_cache.exists()


def test_rows_come_in_the_order_of_the_sentences_wherever_they_come_from(monkeypatch):
    monkeypatch.setattr(text, "CHUNK", 16)
    ids = some_ids(100)
    counted(ids[::3])
    mixed, computed = counted(ids[::-1])
    assert computed == 66
    assert np.array_equal(mixed, counted(ids, name=None)[0][::-1])


@pytest.mark.parametrize(
    "change",
    [
        {"key": "other weights"},
        {"name": "another cut"},
        {"compute": token_states},
        {"compute": token_states, "dtype": np.float16},
    ],
    ids=lambda change: "-".join(change),
)
def test_whatever_determines_the_result_makes_it_computed_again(change):
    counted(some_ids(10))
    if "dtype" in change:
        counted(some_ids(10), compute=token_states)
    assert counted(some_ids(10), **change)[1] == 10


def test_only_sentences_of_one_length_go_together_and_not_too_many():
    engine = Counting()
    sentence_features(engine, some_ids(500), None)
    tokens = [count * length for count, length in engine.batches]
    assert max(tokens) <= text.BATCH_TOKENS and len(tokens) < 250


@pytest.mark.parametrize(("limit", "value"), [("CHUNK", 3), ("CHUNK_TOKENS", 60)])
def test_how_many_are_worked_on_together_does_not_matter(monkeypatch, limit, value):
    ids = some_ids(60)
    whole, _ = counted(ids, name=None)
    monkeypatch.setattr(text, limit, value)
    assert np.array_equal(counted(ids, name=None)[0], whole)


class Stopping(Counting):
    """Stops at its sixtieth sentence, as by Ctrl-C."""

    def run(self, batch):
        if self.count >= 60:
            raise KeyboardInterrupt
        return super().run(batch)


def test_after_ctrl_c_only_what_was_not_finished_is_computed():
    ids, stopping = some_ids(150), Stopping()
    with pytest.raises(KeyboardInterrupt):
        sentence_features(stopping, ids, "test")
    rows, computed = counted(ids)
    assert 150 - stopping.count <= computed <= 110
    assert np.array_equal(rows, counted(ids, name=None)[0])
