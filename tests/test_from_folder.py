"""Anyone's own folders of pictures, tidy or not, become a data set or a sentence."""

import os
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlcourse.datasets import from_folder
from tlcourse.errors import UserInputError

SPLITS = ["train", "validation", "test"]


def picture(path, seed):
    """Write a picture of its own for each seed, that stays the same when re-encoded."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    image = Image.fromarray(pixels).resize((96, 96), Image.Resampling.BICUBIC)
    image.save(path, "PNG")
    return path


def pictures(folder, count, first_seed):
    for number in range(count):
        picture(folder / f"{number:03}.png", first_seed + number)


def paths(dataset):
    return {path for split in dataset.splits.values() for path in split.images.paths}


def contents(split):
    return {path.read_bytes() for path in split.images.paths}


def counts(dataset):
    """For each split how many pictures of each class."""
    classes = len(dataset.class_names)
    return {
        name: np.bincount(split.labels, minlength=classes).tolist()
        for name, split in dataset.splits.items()
    }


def split_of(dataset, path):
    for name, split in dataset.splits.items():
        if path in split.images.paths:
            return name


def read(folder):
    """`from_folder`, its warning about files left out ignored."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_folder(folder)


@pytest.fixture
def pets(tmp_path):
    """Twenty cats and ten dogs in class folders."""
    pictures(tmp_path / "cat", 20, 0)
    pictures(tmp_path / "dog", 10, 100)
    return tmp_path


@pytest.fixture
def divided(tmp_path):
    """Eight, two and four cats and dogs in train, validation and test folders."""
    for split, count, seed in zip(SPLITS, (8, 2, 4), (0, 200, 400), strict=True):
        pictures(tmp_path / split / "cat", count, seed)
        pictures(tmp_path / split / "dog", count, seed + 100)
    return tmp_path


# Classes and splits


def test_class_folders_are_split_60_20_20(pets):
    dataset = from_folder(pets)
    assert dataset.class_names == ["cat", "dog"] and dataset.skipped == []
    assert counts(dataset) == {"train": [12, 6], "validation": [4, 2], "test": [4, 2]}
    assert len(paths(dataset)) == 30
    folders = [path.parent.name for path in dataset.train.images.paths]
    assert dataset.train.label_names.tolist() == folders


@pytest.mark.parametrize(
    ("missing", "expected"),
    [(None, (8, 2, 4)), ("validation", (6, 2, 4)), ("test", (6, 2, 2))],
)
def test_split_folders_are_the_splits_and_a_missing_one_is_cut_from_train(
    divided, missing, expected
):
    if missing:
        shutil.rmtree(divided / missing)
    sizes = counts(from_folder(divided))
    assert sizes == {split: [n, n] for split, n in zip(SPLITS, expected, strict=True)}


def test_the_split_goes_by_content_and_not_by_names_or_order(pets, tmp_path_factory):
    renamed = tmp_path_factory.mktemp("renamed")
    for number, path in enumerate(sorted(pets.rglob("*.png"), reverse=True)):
        (renamed / path.parent.name).mkdir(exist_ok=True)
        shutil.copyfile(path, renamed / path.parent.name / f"IMG {number}.PNG")
    one, other = from_folder(pets), from_folder(renamed)
    for split in SPLITS:
        assert contents(one.splits[split]) == contents(other.splits[split])


# The same picture twice


def test_of_two_copies_in_one_class_one_is_used(pets):
    copy = pets / "cat" / "copy.png"
    shutil.copyfile(pets / "cat" / "000.png", copy)
    (pets / "cat" / "link.png").symlink_to(copy)
    dataset = read(pets)
    reason = f"a copy of {Path('cat', '000.png')}"
    skipped = [(str(copy), reason), (str(pets / "cat" / "link.png"), reason)]
    assert dataset.skipped == skipped and len(paths(dataset)) == 30


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [("train", "validation"), ("train", "test"), ("validation", "test")],
)
def test_a_picture_in_two_splits_stays_in_the_one_that_must_be_clean(
    divided, dirty, clean
):
    original = divided / clean / "cat" / "000.png"
    copy = divided / dirty / "cat" / "again.png"
    shutil.copyfile(original, copy)
    dataset = read(divided)
    assert original in paths(dataset) and dataset.skipped[0][0] == str(copy)


def test_a_picture_in_two_classes_is_left_out_altogether(pets):
    other = pets / "dog" / "also a cat.png"
    shutil.copyfile(pets / "cat" / "003.png", other)
    skipped = dict(read(pets).skipped)
    assert set(skipped) == {str(pets / "cat" / "003.png"), str(other)}
    assert all("cat and dog" in reason for reason in skipped.values())


def altered(path, how):
    image, copy = Image.open(path), path.with_name(f"{how} {path.stem}.jpg")
    if how == "mirrored":
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image.save(copy, quality=90)
    return copy


@pytest.mark.parametrize("how", ["re-encoded", "mirrored"])
def test_a_picture_and_its_altered_copies_are_in_one_split(pets, how):
    originals = sorted((pets / "cat").glob("*.png"))
    copies = [altered(path, how) for path in originals]
    dataset = from_folder(pets)
    splits = [split_of(dataset, path) for path in originals]
    assert splits == [split_of(dataset, path) for path in copies]
    assert set(splits) == set(SPLITS)


# Files that are left out


def write_text(path):
    path.write_text("Dear Sir or Madam")


def write_truncated(path):
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:2000])


def write_tiny(path):
    Image.new("RGB", (1, 400)).save(path, "PNG")


@pytest.mark.parametrize(
    ("file", "write", "reason"),
    [
        ("cat/a.jpg", write_text, "cannot be read as a picture"),
        ("cat/nested/deep/a.jpg", write_truncated, "cut short"),
        ("cat/a.jpg", Path.touch, "empty"),
        ("dog/a.jpg", write_tiny, "1 × 400 pixels are too few"),
        ("cat/a.txt", write_text, "no picture by its name: .txt"),
        ("cat/a.png", os.mkfifo, "no regular file"),
        ("cat/loop", lambda path: path.symlink_to(path.parents[1]), "link to a folder"),
        ("fish", Path.mkdir, "a class folder without pictures"),
        ("stray.png", lambda path: picture(path, 999), "outside the class folders"),
    ],
)
def test_what_cannot_be_used_is_left_out_with_the_reason(pets, file, write, reason):
    path = pets / file
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)
    with pytest.warns(UserWarning, match=rf"1 files of .*{path.name}.*\.skipped"):
        dataset = from_folder(pets)
    ((skipped, found),) = dataset.skipped
    assert skipped == str(path) and reason in found
    assert len(paths(dataset)) == 30 and dataset.class_names == ["cat", "dog"]


# What is refused


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ("a.png b.png", "holds no class folders"),
        ("cat/a.png", "1 classes"),
        ("cat/letter.jpg dog/letter.jpg", "0 classes.*2 files"),
        ("train/a/1.png train/b/1.png test/fish/1.png", "no training pictures of fish"),
    ],
)
def test_folders_that_make_no_data_set_are_refused(tmp_path, files, match):
    for seed, file in enumerate(files.split()):
        path = picture(tmp_path / file, seed)
        if "letter" in file:
            write_text(path)
    with pytest.raises(UserInputError, match=match):
        read(tmp_path)


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(UserInputError, match="is not a folder. Relative paths"):
        from_folder(tmp_path / "nowhere")
