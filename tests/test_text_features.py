"""No sentence goes through the same network twice, and none gets another's features: order, duplicates, the cache."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from tlcourse.features import rows, text_features
from tlcourse.features.text_features import averages, batches_of_one_length, states

WIDTH = 3


class Counting:
    """An engine whose states are the tokens' ids and their number; counts the sentences and remembers the batches."""

    output_shape = (None, WIDTH)

    def __init__(self, key="counting"):
        self.key, self.count, self.batches, self.lock = key, 0, [], threading.Lock()

    def run(self, batch):
        with self.lock:
            self.count += len(batch)
            self.batches.append(batch.shape)
        return np.stack(
            [batch % 50, batch // 50, batch * 0 + batch.shape[1]], axis=-1
        ).astype(np.float32)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    return tmp_path / "cache"


def some_ids(count, seed=0):
    """Different sentences of 2 to 39 tokens."""
    rng = np.random.default_rng(seed)
    return [
        np.int32([1000 + number, *rng.integers(1, 100, rng.integers(1, 39))])
        for number in range(count)
    ]


def counted(ids, key="counting", name="test", compute=averages, **options):
    """The result, and how many sentences went through the network for it."""
    engine = Counting(key)
    return compute(engine, ids, name, **options), engine.count


def expected(ids):
    return np.stack(
        [Counting().run(sentence[None]).mean(axis=1)[0] for sentence in ids]
    )


def same(first, second):
    return all(np.array_equal(*pair) for pair in zip(first, second, strict=True))


# What is computed


def test_the_bar_counts_a_text_that_comes_twice_twice(monkeypatch):
    """A bar that ends before its end stays in the notebook, in red."""
    bars, progress_bar = [], text_features.progress_bar

    def watched(**options):
        bars.append(progress_bar(**options))
        return bars[-1]

    monkeypatch.setattr(text_features, "progress_bar", watched)
    monkeypatch.setenv("TQDM_DISABLE", "0")
    ids = some_ids(30)
    counted([*ids, *ids[:12]], name=None)
    counted([*ids, *ids[:12]])
    assert [(bar.n, bar.total) for bar in bars] == [(42, 42), (42, 42)]


def test_an_average_is_that_of_the_sentence_s_own_tokens():
    ids = some_ids(100)
    np.testing.assert_allclose(counted(ids)[0], expected(ids), rtol=1e-6)


def test_states_are_one_row_a_token():
    ids = some_ids(100)
    found, _ = counted(ids, compute=states)
    assert all(
        np.array_equal(part, Counting().run(sentence[None])[0])
        for part, sentence in zip(found, ids, strict=True)
    )


def test_each_sentence_is_computed_once_and_never_again():
    ids = some_ids(150)
    first, computed = counted(ids)
    second, again = counted(ids)
    assert (computed, again) == (150, 0)
    assert np.array_equal(first, second)


def test_states_too_are_computed_once_and_never_again():
    ids = some_ids(150)
    first, computed = counted(ids, compute=states)
    second, again = counted(ids, compute=states)
    assert (computed, again) == (150, 0)
    assert same(first, second)


def test_without_a_name_nothing_is_kept(empty_cache):
    assert [counted(some_ids(20), name=None)[1] for _ in range(2)] == [20, 20]
    assert not empty_cache.exists()


def test_rows_come_in_the_order_of_the_sentences_wherever_they_come_from(monkeypatch):
    monkeypatch.setattr(text_features, "CHUNK", 16)
    ids = some_ids(100)
    counted(ids[::3])
    found, computed = counted(ids[::-1])
    assert computed == 66
    assert np.array_equal(found, counted(ids, name=None)[0][::-1])


def test_the_same_sentence_twice_is_computed_once():
    found, computed = counted([some_ids(1)[0]] * 10)
    assert computed == 1 and len(found) == 10 and (found == found[0]).all()


def test_the_chunk_does_not_matter(monkeypatch):
    ids = some_ids(100)
    whole, _ = counted(ids, name=None)
    monkeypatch.setattr(text_features, "CHUNK", 7)
    assert np.array_equal(counted(ids, name=None)[0], whole)


def test_averages_and_states_are_kept_apart():
    counted(some_ids(10))
    assert counted(some_ids(10), compute=states)[1] == 10


def test_states_of_another_type_are_kept_apart():
    counted(some_ids(10), compute=states)
    found, computed = counted(some_ids(10), compute=states, dtype=np.float16)
    assert computed == 10 and found.values.dtype == np.float16


@pytest.mark.parametrize("change", [{"key": "other weights"}, {"name": "another cut"}])
def test_whatever_determines_the_result_makes_it_computed_again(change):
    counted(some_ids(10))
    assert counted(some_ids(10), **change)[1] == 10


def test_the_same_tokens_in_another_order_are_another_sentence():
    ids = some_ids(1)
    counted(ids)
    assert counted([ids[0][::-1].copy()])[1] == 1


# Batches


def test_only_sentences_of_one_length_go_together_and_not_too_many():
    engine = Counting()
    averages(engine, some_ids(500), None)
    assert (
        max(count * length for count, length in engine.batches) <= text_features.TOKENS
    )


def test_a_sentence_longer_than_a_batch_goes_alone():
    ids = {
        bytes([number]): np.ones(text_features.TOKENS + 1, np.int32)
        for number in range(3)
    }
    assert [len(batch) for batch in batches_of_one_length(ids)] == [1, 1, 1]


def test_the_longest_come_first():
    ids = {bytes([number]): np.ones(number + 1, np.int32) for number in range(50)}
    lengths = [len(ids[batch[0]]) for batch in batches_of_one_length(ids)]
    assert lengths == sorted(lengths, reverse=True)


# When it is interrupted


class Stopping(Counting):
    """Stops at its sixtieth sentence, as by Ctrl-C."""

    def run(self, batch):
        if self.count >= 60:
            raise KeyboardInterrupt
        return super().run(batch)


def test_after_ctrl_c_only_what_was_not_finished_is_computed():
    ids, stopping = some_ids(150), Stopping()
    with pytest.raises(KeyboardInterrupt):
        averages(stopping, ids, "test")
    found, computed = counted(ids)
    assert 150 - stopping.count <= computed <= 110  # what was in hand is lost
    assert np.array_equal(found, counted(ids, name=None)[0])


class Overtaken(Counting):
    """Its first batch ends by Ctrl-C, after others have overtaken it with sixty sentences."""

    def __init__(self):
        super().__init__()
        self.first, self.overtaken = threading.Lock(), threading.Event()

    def run(self, batch):
        if self.first.acquire(blocking=False):
            assert self.overtaken.wait(60)
            raise KeyboardInterrupt
        states = super().run(batch)
        if self.count >= 60:
            self.overtaken.set()
        return states


def test_after_ctrl_c_what_had_overtaken_an_unfinished_batch_is_kept(monkeypatch):
    monkeypatch.setattr(text_features, "workers", lambda: 2)
    ids = some_ids(150)
    with pytest.raises(KeyboardInterrupt):
        averages(Overtaken(), ids, "test")
    assert counted(ids)[1] <= 110


@pytest.mark.filterwarnings("error::pytest.PytestUnraisableExceptionWarning")
def test_ctrl_c_while_rows_are_being_kept_is_only_that(monkeypatch):
    import gc

    def interrupted(self, rows):
        raise KeyboardInterrupt

    monkeypatch.setattr(text_features, "CHUNK", 16)
    monkeypatch.setattr(text_features.RowCache, "put", interrupted)
    with pytest.raises(KeyboardInterrupt):
        averages(Counting(), some_ids(150), "test")
    gc.collect()


def test_a_fault_of_the_engine_comes_out_as_it_is():
    class Faulty(Counting):
        def run(self, batch):
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        averages(Faulty(), some_ids(10), "test")


PROGRAM = (
    "import os, sys, numpy as np\n"
    f"sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
    "from test_text_features import Counting, averages, some_ids, text_features\n"
    "text_features.CHUNK = 64\n"
)


def test_a_killed_process_leaves_its_finished_chunks():
    program = PROGRAM + (
        "class Dying(Counting):\n"
        "    def run(self, batch):\n"
        "        if self.count >= 150:\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return super().run(batch)\n"
        "averages(Dying(), some_ids(200), 'test')\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=120).returncode == -9
    found, computed = counted(some_ids(200))
    assert 50 <= computed <= 200 - 2 * 64
    assert np.array_equal(found, counted(some_ids(200), name=None)[0])


def test_two_processes_at_once_come_to_the_same_rows(tmp_path):
    program = (
        PROGRAM + "np.save(sys.argv[1], averages(Counting(), some_ids(300), 'test'))\n"
    )
    files = [tmp_path / f"{number}.npy" for number in range(2)]
    running = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", program, str(file)])
        for file in files
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    right, computed = counted(some_ids(300))
    assert computed == 0 and all(np.array_equal(np.load(file), right) for file in files)


# Large results


def test_large_results_are_kept_in_a_file_and_are_the_same(monkeypatch, empty_cache):
    ids = some_ids(150)
    small, _ = counted(ids, compute=states)
    monkeypatch.setattr(rows, "LARGE", 1000)
    large, _ = counted(ids, compute=states)
    assert isinstance(large.values, np.memmap) and not isinstance(
        small.values, np.memmap
    )
    assert same(small, large)
    # The file has no name.
    assert sorted(path.name for path in empty_cache.glob("tlcourse-cache/*")) == [
        "CACHEDIR.TAG",
        "features",
    ]


def test_few_sentences_are_in_memory_at_once_where_they_are_long(monkeypatch):
    monkeypatch.setattr(text_features, "CHUNK_TOKENS", 1000)
    waiting, most = set(), 0

    class Watching(text_features.RowCache):
        def get(self, keys):
            nonlocal most
            keys = list(keys)
            waiting.clear(), waiting.update(keys)
            most = max(most, len(waiting))
            return super().get(keys)

    monkeypatch.setattr(text_features, "RowCache", Watching)
    found, _ = counted(
        [np.full(500, number, np.int32) for number in range(1, 9)], name=None
    )
    assert most == 2 and len(found) == 8
