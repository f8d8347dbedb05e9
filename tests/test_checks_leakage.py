"""The same picture in two splits is found, and a sealed split tests one classifier."""

import io

import numpy as np
import pytest
from PIL import Image, ImageOps

import tlcourse as tl
from tlcourse.checks import CheckError, LeakageError, assert_disjoint, seal
from tlcourse.datasets.core import Split


def failure(action, *arguments, kind=CheckError, **options) -> str:
    with pytest.raises(kind) as caught:
        action(*arguments, **options)
    return str(caught.value)


def scene(seed, side=96):
    """A picture of a few coloured rectangles on a gradient, with a little grain."""
    rng = np.random.default_rng(seed)
    slope = np.linspace(40, 160, side)[:, None, None]
    picture = slope + np.zeros((side, side, 3)) + rng.uniform(-30, 30, 3)
    for _ in range(8):
        top, left = rng.integers(0, side - 20, 2)
        height, width = rng.integers(10, 40, 2)
        picture[top : top + height, left : left + width] = rng.uniform(0, 240, 3)
    return as_image(picture + rng.normal(0, 3, picture.shape))


def as_image(pixels):
    return Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))


def jpeg(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=60)
    return Image.open(file).convert("RGB")


COPIES = {
    "exact": lambda image: image,
    "re-encoded": jpeg,
    "half the size": lambda image: image.resize((48, 48)),
    "twice the size": lambda image: image.resize((192, 192), Image.Resampling.BICUBIC),
    "brighter": lambda image: as_image(np.asarray(image).astype(int) + 8),
    "mirrored": ImageOps.mirror,
    "mirrored and re-encoded": lambda image: jpeg(ImageOps.mirror(image)),
    "grey": lambda image: image.convert("L").convert("RGB"),
}

TRAIN = [scene(seed) for seed in range(12)]
TEST = [scene(seed) for seed in range(100, 106)]


def as_arrays(images):
    return [np.asarray(image) for image in images]


def pairs_of(*splits, **options):
    with pytest.raises(LeakageError) as caught:
        assert_disjoint(*splits, **options)
    return [(pair.first, pair.second) for pair in caught.value.pairs], caught.value


@pytest.mark.parametrize("copy", COPIES.values(), ids=COPIES)
def test_a_copy_is_found_and_different_pictures_pass(copy):
    assert_disjoint(as_arrays(TRAIN), as_arrays(TEST))
    pairs, error = pairs_of(as_arrays(TRAIN), as_arrays([*TEST, copy(TRAIN[5])]))
    assert pairs == [(5, 6)]
    assert error.pairs[0].mirrored == ("(mirrored)" in str(error))


@pytest.mark.parametrize("name", ["solar", "digits", "kanji"])
def test_the_bundled_sets_different_pictures_pass(name):
    dataset = tl.load_dataset(name)
    assert_disjoint(dataset.train.images[:250], dataset.test.images[:100])


@pytest.mark.parametrize("hold", [str, tl.pictures.list_pictures])
def test_pictures_in_files_are_named_by_their_paths(tmp_path, hold):
    for name, images in (("train", TRAIN[:4]), ("test", [*TEST[:2], TRAIN[2]])):
        (tmp_path / name).mkdir()
        for number, image in enumerate(images):
            image.save(tmp_path / name / f"{number}.png")
    pairs, _ = pairs_of(hold(tmp_path / "train"), hold(tmp_path / "test"))
    assert pairs == [(str(tmp_path / "train/2.png"), str(tmp_path / "test/2.png"))]


def test_the_message_counts_the_pairs_and_lists_the_first():
    splits = as_arrays(TRAIN), as_arrays(TRAIN)
    text = str(pairs_of(*splits, names=["train", "test"], show=2)[1])
    assert text.startswith("12 pairs")
    assert "train: 0  =  test: 0\n" in text and "train: 2" not in text
    assert text.endswith("… and 10 more, in error.pairs")


@pytest.mark.parametrize("in_notebook", [True, False])
def test_a_notebook_shows_the_pairs_side_by_side(monkeypatch, in_notebook):
    shown = []
    monkeypatch.setattr("tlcourse.checks.leakage.in_notebook", lambda: in_notebook)
    monkeypatch.setattr("IPython.display.display", shown.append)
    copies = as_arrays([TRAIN[3], TRAIN[7]])
    pairs_of(as_arrays(TRAIN), copies, names=["train", "test"])
    assert len(shown) == in_notebook
    for figure in shown:
        titles = [axes.get_title() for axes in figure.axes]
        assert titles == ["train\n3", "test\n0", "train\n7", "test\n1"]
        first, second = (axes.images[0].get_array() for axes in figure.axes[:2])
        np.testing.assert_array_equal(first, second)


# --- sealed test sets ---

NAMES = ["circle", "square"]


@pytest.fixture
def split(request):
    """Six pictures, different ones in each test."""
    rng = np.random.default_rng(abs(hash(request.node.nodeid)))
    return Split(rng.integers(0, 255, (6, 4, 4), np.uint8), [0, 1] * 3, NAMES)


@pytest.fixture
def sealed(split):
    return seal(split)


def answering(*answers):
    return lambda images: np.array(answers)


FIRST, SECOND = answering(0, 1, 0, 1, 0, 0), answering(0, 1, 0, 1, 0, 1)


def test_it_tests_a_classifier_as_often_as_its_cell_is_run(sealed):
    for _ in range(2):
        assert sealed.open(FIRST).counts.tolist() == [[3, 0], [1, 2]]
    assert sealed.tested == 1 and "opened" in repr(sealed)


def test_another_classifier_is_refused_and_the_first_result_stands(sealed):
    sealed.open(FIRST)
    text = failure(sealed.open, SECOND)
    assert "1 of 6 answers differ" in text and "so far 1" in text
    assert sealed.open(FIRST).accuracy == 5 / 6 and sealed.tested == 1


def test_classifiers_are_counted_under_every_seal_of_the_same_rows(split):
    seal(split).open(FIRST)
    again = seal(split.select(range(6)))
    assert again.tested == 1 and seal(split.select(range(5))).tested == 0
    assert again.open(SECOND).accuracy == 1 and again.tested == 2
    assert repr(seal(split)).endswith("tested in this session: 2>")


CONTENT = ["inputs", "images", "labels", "label_names", "weights", "select", "sample"]


@pytest.mark.parametrize("name", CONTENT)
def test_its_content_cannot_be_read(sealed, name):
    assert f"its .{name} cannot be read" in failure(lambda: getattr(sealed, name))
    assert not hasattr(sealed, "picture") and not hasattr(sealed, "__array__")
