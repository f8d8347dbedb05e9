"""No picture goes through the same network twice, and none gets another's features."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from PIL import Image

from tlcourse.features import compute as compute_module
from tlcourse.features.augment import FLIPS
from tlcourse.features.compute import CHUNK, FIRST_CHUNK, compute

SIZE = (8, 8)
COUNT = 150  # more than two chunks


class Counting:
    """An engine: each picture's mean colour and last pixel; counts the pictures."""

    output_shape = (6,)

    def __init__(self, key="counting", batch=1):
        self.key, self.batch, self.count, self.lock = key, batch, 0, threading.Lock()

    def run(self, batch):
        with self.lock:
            self.count += len(batch)
        columns = [batch.mean(axis=(1, 2)), batch[:, -1, -1]]
        return np.concatenate(columns, axis=1).astype(np.float32)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    return tmp_path / "cache"


def arrays(count, size=(20, 12)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    folder = tmp_path_factory.mktemp("originals")
    for number, pixels in enumerate(arrays(COUNT)):
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


@pytest.fixture
def folder(originals, tmp_path):
    """Different pictures, 20 × 12 pixels, which a test may change."""
    (tmp_path / "pictures").mkdir()
    for path in originals.iterdir():
        (tmp_path / "pictures" / path.name).write_bytes(path.read_bytes())
    return tmp_path / "pictures"


def counted(images, key="counting", name="test", size=SIZE, batch=1, **options):
    """The features, and how many pictures went through the network for them."""
    engine = Counting(key, batch)
    return compute(engine, images, size, name=name, **options), engine.count


def test_each_picture_is_computed_once_and_never_again(originals):
    first, computed = counted(originals)
    second, again = counted(originals)
    assert (computed, again) == (COUNT, 0)
    assert np.array_equal(first, second) and first.dtype == np.float32


@pytest.mark.parametrize(
    "change",
    [
        {"key": "other weights"},
        {"size": (9, 8)},
        {"name": "another cut"},
        {"dtype": np.float16},
        {"augmentations": ("left-right",)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_determines_the_result_makes_it_computed_again(change):
    counted(arrays(4))
    assert counted(arrays(4), **change)[1] == 4


@pytest.mark.parametrize(("name", "value"), [("PREPARATION", 99), ("pillow", "99.0")])
def test_another_preparation_or_pillow_makes_it_computed_again(
    monkeypatch, name, value
):
    counted(arrays(4))
    monkeypatch.setattr(compute_module, name, value)
    assert counted(arrays(4))[1] == 4


@pytest.mark.parametrize("batch", [2, 8, 1000])
def test_the_engines_batch_does_not_matter(originals, batch):
    in_batches, _ = counted(originals, name=None, batch=batch, augmentations=FLIPS)
    one_by_one, _ = counted(originals, name=None, augmentations=FLIPS)
    assert np.array_equal(in_batches, one_by_one)


def test_augmented_copies_are_rows_of_their_own_and_each_is_kept(originals):
    rows, computed = counted(originals, augmentations=FLIPS)
    assert rows.shape == (COUNT, 4, 6) and computed == 4 * COUNT
    assert counted(originals, augmentations=FLIPS)[1] == 0
    plain, again = counted(originals)
    assert again == 0 and np.array_equal(plain, rows[:, 0])


class Stopping(Counting):
    """Stops at its hundredth picture, as by Ctrl-C."""

    def run(self, batch):
        if self.count == 100:
            raise KeyboardInterrupt
        return super().run(batch)


def test_after_ctrl_c_only_what_was_not_finished_is_computed(originals):
    with pytest.raises(KeyboardInterrupt):
        compute(Stopping(), originals, SIZE, name="test")
    rows, computed = counted(originals)
    assert 50 <= computed <= 60  # of 150: some were being computed
    assert np.array_equal(rows, counted(originals, name=None)[0])


PROGRAM = f"""
import os, sys, numpy as np
sys.path.insert(0, {os.path.dirname(__file__)!r})
from test_compute import Counting, SIZE, compute
class Dying(Counting):
    def run(self, batch):
        if self.count == 140:
            os.kill(os.getpid(), 9)
        return super().run(batch)
"""


def test_a_killed_process_leaves_its_finished_chunks(originals):
    program = PROGRAM + "compute(Dying(), sys.argv[1], SIZE, name='test')"
    done = subprocess.run([sys.executable, "-c", program, originals], timeout=300)
    assert done.returncode == -9
    rows, computed = counted(originals)
    assert computed == COUNT - FIRST_CHUNK - 2 * CHUNK
    assert np.array_equal(rows, counted(originals, name=None)[0])
