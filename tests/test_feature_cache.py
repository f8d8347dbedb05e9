"""No picture goes through the same network twice, and none gets another's features: the pipeline and its cache."""

import os
import subprocess
import sys
import threading

import numpy as np
import PIL
import pytest
from PIL import Image

from tlcourse.errors import PictureError, TLCourseError
from tlcourse.features import features, rows
from tlcourse.features.features import compute
from tlcourse.features.pictures import Pictures
from tlcourse.features.views import FLIPS

SIZE = (8, 8)


class Counting:
    """An engine that gives each picture's mean colour and last pixel, and counts the pictures."""

    batch = 1
    output_shape = (6,)

    def __init__(self, key="counting", batch=1):
        self.key, self.batch, self.count, self.lock = key, batch, 0, threading.Lock()

    def run(self, batch):
        with self.lock:
            self.count += len(batch)
        return np.concatenate(
            [batch.mean(axis=(1, 2)), batch[:, -1, -1]], axis=1
        ).astype(np.float32)


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("TLCOURSE_CACHE_GB", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def folder(tmp_path):
    """150 different pictures, 20 × 12 pixels: more than two chunks."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number, pixels in enumerate(arrays(150)):
        Image.fromarray(pixels).save(folder / f"{number:03}.png")
    return folder


def arrays(count, size=(20, 12)):
    return np.random.default_rng(0).integers(0, 256, (count, *size, 3), dtype=np.uint8)


def counted(images, key="counting", name="test", size=SIZE, **options):
    """The features, and how many pictures went through the network for them."""
    engine = Counting(key)
    return compute(engine, images, size, name=name, **options), engine.count


# What is computed


def test_each_picture_is_computed_once_and_never_again(folder):
    first, computed = counted(folder)
    second, again = counted(folder)
    assert (computed, again) == (150, 0)
    assert np.array_equal(first, second)


def test_without_a_name_nothing_is_kept(folder, empty_cache):
    assert [counted(folder, name=None)[1] for _ in range(2)] == [150, 150]
    assert not empty_cache.exists()


def test_rows_come_in_the_order_of_the_pictures_wherever_they_come_from(folder):
    paths = sorted(folder.iterdir())
    in_order, _ = counted(paths)
    counted(paths[::3], name="partly known")
    mixed, computed = counted(paths[::-1], name="partly known")
    assert computed == 100
    assert np.array_equal(mixed, in_order[::-1])


def test_the_same_picture_twice_in_a_chunk_is_computed_once(folder):
    path = next(folder.iterdir())
    rows, computed = counted([path] * 10)
    assert computed == 1 and len(rows) == 10 and (rows == rows[0]).all()


def test_a_moved_or_renamed_file_is_known(folder):
    counted(folder)
    (folder / "003.png").rename(folder / "another name.png")
    assert counted(folder)[1] == 0


def test_a_file_with_other_content_under_an_old_name_size_and_time_is_computed(folder):
    counted(folder)
    path, other = folder / "003.png", folder / "004.png"
    status, content = path.stat(), other.read_bytes()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    rows, computed = counted(folder)
    assert computed == 0 and np.array_equal(rows[3], rows[4])


def test_one_changed_pixel_is_another_picture():
    images = arrays(3, SIZE)
    before, _ = counted(images)
    images[1, -1, -1, 0] ^= 255
    after, computed = counted(images)
    assert computed == 1
    assert np.array_equal(np.flatnonzero((before != after).any(axis=1)), [1])


def test_pixels_of_another_type_or_shape_with_the_same_bytes_are_another_picture():
    flat = np.arange(6 * 8 * 3, dtype=np.uint8).reshape(1, 6, 8, 3)
    counted(flat)
    assert counted(flat.reshape(1, 8, 6, 3))[1] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"key": "other weights"},
        {"size": (9, 8)},
        {"name": "another cut"},
        {"dtype": np.float16},
    ],
)
def test_whatever_determines_the_result_makes_it_computed_again(folder, change):
    counted(folder)
    assert counted(folder, **change)[1] == 150


def test_another_preparation_makes_it_computed_again(folder, monkeypatch):
    counted(folder)
    monkeypatch.setattr(features, "PREPARATION", features.PREPARATION + 1)
    assert counted(folder)[1] == 150


def test_another_pillow_makes_it_computed_again_where_pillow_resizes(
    folder, monkeypatch
):
    counted(folder), counted(arrays(5)), counted(arrays(5, SIZE))
    monkeypatch.setattr(PIL, "__version__", "99.0")
    assert [counted(folder)[1], counted(arrays(5))[1], counted(arrays(5, SIZE))[1]] == [
        150,
        5,
        0,
    ]


def test_a_file_and_its_array_have_the_same_features(folder):
    assert np.array_equal(
        counted(folder)[0], counted(list(Pictures(sorted(folder.iterdir()))))[0]
    )


@pytest.mark.parametrize("batch", [2, 8, 1000])
def test_the_engines_batch_does_not_matter(folder, batch):
    engine = Counting("batches", batch)
    assert np.array_equal(
        compute(engine, folder, SIZE, name=None), counted(folder, name=None)[0]
    )


# Views


def test_views_are_rows_of_their_own_and_each_is_kept(folder):
    rows, computed = counted(folder, views=FLIPS)
    assert rows.shape == (150, 4, 6) and computed == 600
    assert counted(folder, views=FLIPS)[1] == 0
    plain, again = counted(folder)
    assert again == 0 and np.array_equal(plain, rows[:, 0])


def test_views_of_a_picture_are_the_views_of_its_pixels():
    images = arrays(3, SIZE)
    rows, _ = counted(images, views=FLIPS)
    corners = np.stack(
        [images[:, -1, -1], images[:, -1, 0], images[:, 0, -1], images[:, 0, 0]], axis=1
    )
    assert np.array_equal(rows[..., 3:], corners.astype(np.float32))


# When it is interrupted


class Stopping(Counting):
    """Stops at its hundredth picture, as by Ctrl-C."""

    def run(self, batch):
        if self.count == 100:
            raise KeyboardInterrupt
        return super().run(batch)


def test_after_ctrl_c_only_what_was_not_finished_is_computed(folder):
    with pytest.raises(KeyboardInterrupt):
        compute(Stopping(), folder, SIZE, name="test")
    rows, computed = counted(folder)
    assert (
        50 <= computed <= 60
    )  # of 150; the hundred that were finished stay, but for those in hand
    assert np.array_equal(rows, counted(folder, name=None)[0])


def test_a_killed_process_leaves_its_finished_chunks(folder, empty_cache):
    program = (
        "import os, sys\n"
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "from test_feature_cache import Counting, SIZE, compute\n"
        "class Dying(Counting):\n"
        "    def run(self, batch):\n"
        "        if self.count == 140:\n"
        "            os.kill(os.getpid(), 9)\n"
        "        return super().run(batch)\n"
        "compute(Dying(), sys.argv[1], SIZE, name='test')\n"
    )
    assert (
        subprocess.run(
            [sys.executable, "-c", program, str(folder)], timeout=120
        ).returncode
        == -9
    )
    rows, computed = counted(folder)
    assert computed == 150 - features.GROUP - 2 * features.CHUNK
    assert np.array_equal(rows, counted(folder, name=None)[0])


def test_a_damaged_picture_is_named_and_the_ones_before_it_are_kept(folder):
    (folder / "149.png").write_bytes(b"Dear Sir or Madam")
    with pytest.raises(PictureError, match="149.png cannot be read as a picture"):
        counted(folder)
    (folder / "149.png").unlink()
    assert counted(folder)[1] <= 149 - 2 * features.CHUNK


def test_two_processes_at_once_come_to_the_same_rows(folder, tmp_path):
    program = (
        "import os, sys, numpy as np\n"
        f"sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "from test_feature_cache import Counting, SIZE, compute\n"
        "np.save(sys.argv[2], compute(Counting(), sys.argv[1], SIZE, name='test'))\n"
    )
    files = [tmp_path / f"{number}.npy" for number in range(2)]
    running = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", program, str(folder), str(file)]
        )
        for file in files
    ]
    assert [process.wait(timeout=120) for process in running] == [0, 0]
    expected, computed = counted(folder)
    assert computed == 0
    assert all(np.array_equal(np.load(file), expected) for file in files)


# Large results


def test_large_results_are_kept_in_a_file_and_are_the_same(
    folder, monkeypatch, empty_cache
):
    small, _ = counted(folder)
    monkeypatch.setattr(rows, "LARGE", 1000)
    large, _ = counted(folder)
    assert isinstance(large, np.memmap) and not isinstance(small, np.memmap)
    assert np.array_equal(large, small)
    # The file has no name.
    assert sorted(path.name for path in empty_cache.glob("tlcourse-cache/*")) == [
        "CACHEDIR.TAG",
        "features",
    ]


def test_large_results_can_be_changed_like_any_array(folder, monkeypatch):
    monkeypatch.setattr(rows, "LARGE", 1000)
    large, _ = counted(folder)
    large[:] = 0
    assert not large.any() and counted(folder)[0].any()


def test_large_results_that_fit_nowhere_get_a_sentence(folder, monkeypatch):
    class Full:
        def write(self, content):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(rows, "LARGE", 1000)
    monkeypatch.setattr(rows, "_temporary_file", Full)
    with pytest.raises(TLCourseError, match="No space left on device.*TLCOURSE_CACHE"):
        counted(folder)


# Decoding at reduced scale


def photograph(width, height):
    """A picture with soft forms, as photographs have them."""
    x, y = np.meshgrid(np.linspace(0, 6, width), np.linspace(0, 9, height))
    return np.stack(
        [
            127 + 120 * np.sin(x + y),
            127 + 120 * np.cos(x * y / 3),
            127 + 120 * np.sin(y),
        ],
        -1,
    ).astype(np.uint8)


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_large_jpeg_gives_what_decoding_all_of_it_gives(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(photograph(1600, 1000)).save(
        tmp_path / "large.jpg", quality=95, exif=exif
    )
    from tlcourse.features.pictures import prepare, read_picture

    reduced = prepare((tmp_path / "large.jpg").read_bytes(), (224, 160)).astype(int)
    whole = prepare(read_picture(tmp_path / "large.jpg"), (224, 160)).astype(int)
    assert reduced.shape == whole.shape == (224, 160, 3)
    assert np.abs(reduced - whole).mean() < 1


def test_a_large_jpeg_is_decoded_at_twice_the_size_or_more_and_not_at_all_of_it(
    tmp_path,
):
    from tlcourse.features.pictures import open_picture

    Image.fromarray(photograph(1600, 1000)).save(tmp_path / "large.jpg")
    assert open_picture(tmp_path / "large.jpg", at_least=(320, 448)).size == (800, 500)
    assert open_picture(tmp_path / "large.jpg").size == (1600, 1000)
