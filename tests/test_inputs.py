"""Whatever holds the pictures, the same ones give the same pixels; else an error."""

import numpy as np
import pytest
from PIL import Image

from tlcourse.errors import UserInputError
from tlcourse.features.compute import compute
from tlcourse.features.engine import Pixels
from tlcourse.features.pictures import Pictures, files_below, list_pictures

SIZE = (12, 12)


@pytest.fixture(scope="module")
def colour():
    """uint8 (7, 12, 12, 3)"""
    return np.random.default_rng(0).integers(0, 256, (7, *SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, colour):
    """The seven pictures as files, in the order of their names."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, picture in enumerate(colour):
        Image.fromarray(picture).save(folder / f"{number}.png")
    return folder


def pixels(images, dtype=np.uint8):
    """What a network of this size is given."""
    return compute(Pixels(SIZE), images, SIZE, dtype=dtype)


def tf_dataset(parts, batch=None):
    import tensorflow as tf

    dataset = tf.data.Dataset.from_tensor_slices(parts)
    return dataset.batch(batch) if batch else dataset


HOLDERS = {
    "float64": lambda colour, folder: colour.astype("float64"),
    "list of arrays": lambda colour, folder: list(colour),
    "list of paths": lambda colour, folder: sorted(folder.iterdir()),
    "array of str": lambda colour, folder: np.sort([*map(str, folder.iterdir())]),
    "Pictures": lambda colour, folder: Pictures(sorted(folder.iterdir())),
    "folder": lambda colour, folder: folder,
    "tf.data": lambda colour, folder: tf_dataset(colour),
    "tf.data with labels": lambda colour, folder: tf_dataset((colour, np.arange(7)), 3),
    "Pillow images": lambda colour, folder: [Image.fromarray(one) for one in colour],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_every_holder_gives_the_same_pixels(colour, folder, holder):
    assert np.array_equal(pixels(HOLDERS[holder](colour, folder)), colour)


@pytest.mark.parametrize("kind", ["array", "path", "Pillow image"])
def test_one_picture_gives_one_row(colour, folder, kind):
    path = folder / "3.png"
    one = {"array": colour[3], "path": path, "Pillow image": Image.open(path)}[kind]
    assert np.array_equal(pixels(one), colour[3:4])


def test_grey_pictures_become_three_equal_channels(colour):
    expected = np.repeat(colour[..., :1], 3, axis=-1)
    for grey in (colour[..., 0], colour[..., :1]):
        assert np.array_equal(pixels(grey), expected)


@pytest.mark.parametrize("kind", ["uint8", "float64"])
def test_the_callers_array_is_not_changed(kind):
    images = np.random.default_rng(0).integers(0, 256, (3, 12, 12, 3)).astype(kind)
    before = images.copy()
    pixels(images)
    assert np.array_equal(images, before)


SCALED = np.random.default_rng(0).uniform(0, 1, (2, *SIZE, 3))
REFUSED = {
    "scaled floats": (SCALED, "scaled"),
    "a list of scaled pictures": (list(SCALED), "scaled"),
    "zeros and ones": ((SCALED > 0.5).astype(np.uint8), "scaled"),
    "[-1, 1]": (SCALED * 2 - 1, "preprocessed"),
    "NaN": (np.where(SCALED > 0.99, np.nan, SCALED * 255), "nan"),
    "16 bits": ((SCALED * 65535).astype(np.uint16), "by images // 16"),
    "alpha": (np.zeros((2, *SIZE, 4), np.uint8), "alpha"),
    "alpha in a list": ([np.zeros((*SIZE, 4), np.uint8)], "alpha"),
    "channels first": (np.zeros((2, 3, *SIZE)), "channels last"),
    "three grey or one colour": (np.full((3, *SIZE), 9), "transpose"),
    "ragged rows": ([[[1, 2], [3]]], "shape"),
    "an empty list": ([], "no pictures"),
    "None": (None, "shape"),
    "one axis": (np.zeros(3), "shape"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_holds_no_pixels_from_0_to_255_is_refused(kind):
    images, word = REFUSED[kind]
    with pytest.raises(UserInputError, match=word):
        pixels(images)


def test_a_data_set_that_repeats_for_ever_is_refused(colour):
    with pytest.raises(UserInputError, match="for ever"):
        pixels(tf_dataset(colour).repeat())


def test_a_folder_is_searched_without_what_is_hidden(tmp_path):
    for name in ("b.PNG", "sub/a.jpg", ".trash/c.png", "._b.png", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to(tmp_path / "sub")
    below = files_below(tmp_path)
    assert below.pictures == [tmp_path / "b.PNG", tmp_path / "sub" / "a.jpg"]
    assert list_pictures(tmp_path) == below.pictures
    assert [path.name for path, _ in below.others] == ["link", "notes.txt"]
