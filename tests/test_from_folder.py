"""Anyone's own folders of photographs, tidy or not, become a data set or a sentence."""

import hashlib
import os
import shutil
import unicodedata
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlcourse.datasets import from_folder
from tlcourse.errors import UserInputError
from tlcourse.features.decoding import EXTENSIONS

SPLITS = ["train", "validation", "test"]


def picture(path, seed):
    """Write a small picture of its own for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def pictures(folder, count, first_seed):
    return [
        picture(folder / f"{number:03}.png", first_seed + number)
        for number in range(count)
    ]


def paths(dataset):
    return {path for split in dataset.splits.values() for path in split.images.paths}


def contents(split):
    return {
        hashlib.sha256(path.read_bytes()).hexdigest() for path in split.images.paths
    }


def counts(dataset):
    """For each split how many pictures of each class."""
    return {
        name: np.bincount(split.labels, minlength=len(dataset.class_names)).tolist()
        for name, split in dataset.splits.items()
    }


def read(folder):
    """`from_folder`, with its warning about files left out not shown."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return from_folder(folder)


@pytest.fixture
def pets(tmp_path):
    """Twenty cats and ten dogs in class folders, without split folders."""
    pictures(tmp_path / "cat", 20, 0)
    pictures(tmp_path / "dog", 10, 100)
    return tmp_path


@pytest.fixture
def divided(tmp_path):
    """Cats and dogs in train, validation and test folders: eight, two and four of each."""
    for split, count, seed in [
        ("train", 8, 0),
        ("validation", 2, 200),
        ("test", 4, 400),
    ]:
        pictures(tmp_path / split / "cat", count, seed)
        pictures(tmp_path / split / "dog", count, seed + 100)
    return tmp_path


# Classes and splits


def test_classes_are_the_folders_in_order(pets):
    assert from_folder(pets).class_names == ["cat", "dog"]


def test_each_picture_has_the_class_of_its_folder(pets):
    train = from_folder(pets).train
    assert train.label_names.tolist() == [
        path.parent.name for path in train.images.paths
    ]


def test_without_split_folders_each_class_is_divided_60_20_20(pets):
    assert counts(from_folder(pets)) == {
        "train": [12, 6],
        "validation": [4, 2],
        "test": [4, 2],
    }


def test_a_divided_folder_is_used_whole(pets):
    dataset = from_folder(pets)
    assert len(paths(dataset)) == sum(map(len, dataset.splits.values())) == 30


def test_with_split_folders_they_are_the_splits(divided):
    assert counts(from_folder(divided)) == {
        "train": [8, 8],
        "validation": [2, 2],
        "test": [4, 4],
    }


@pytest.mark.parametrize("name", ["val", "valid", "Validation", "VAL"])
def test_the_validation_folder_may_have_one_of_its_usual_names(divided, name):
    validation = (divided / "validation").rename(divided / name)
    assert {
        path.parent.parent for path in from_folder(divided).validation.images.paths
    } == {validation}


def test_a_missing_validation_is_cut_from_train(divided):
    shutil.rmtree(divided / "validation")
    assert counts(from_folder(divided)) == {
        "train": [6, 6],
        "validation": [2, 2],
        "test": [4, 4],
    }


def test_a_missing_test_is_cut_from_train(divided):
    shutil.rmtree(divided / "test")
    assert counts(from_folder(divided)) == {
        "train": [6, 6],
        "validation": [2, 2],
        "test": [2, 2],
    }


def test_a_class_may_be_called_train(tmp_path):
    for number, name in enumerate(["bus", "car", "train"]):
        pictures(tmp_path / name, 5, 100 * number)
    assert from_folder(tmp_path).class_names == ["bus", "car", "train"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_of_few_pictures_each_class_has_one_to_train_on(tmp_path, count):
    for number, name in enumerate(["cat", "dog"]):
        pictures(tmp_path / name, count, 100 * number)
    assert min(counts(from_folder(tmp_path))["train"]) >= 1


def test_one_picture_a_class_leaves_the_other_splits_empty(tmp_path):
    picture(tmp_path / "cat" / "a.png", 1)
    picture(tmp_path / "dog" / "b.png", 2)
    assert counts(from_folder(tmp_path)) == {
        "train": [1, 1],
        "validation": [0, 0],
        "test": [0, 0],
    }


def test_three_pictures_a_class_give_one_to_every_split(tmp_path):
    for number, name in enumerate(["cat", "dog"]):
        pictures(tmp_path / name, 3, 100 * number)
    assert counts(from_folder(tmp_path)) == dict.fromkeys(SPLITS, [1, 1])


@pytest.mark.parametrize("split", SPLITS)
def test_the_division_goes_by_content_and_not_by_file_names(
    pets, tmp_path_factory, split
):
    renamed = tmp_path_factory.mktemp("renamed")
    for number, path in enumerate(sorted(pets.rglob("*.png"), reverse=True)):
        (renamed / path.parent.name).mkdir(exist_ok=True)
        shutil.copyfile(path, renamed / path.parent.name / f"IMG {number}.PNG")
    assert contents(from_folder(renamed).splits[split]) == contents(
        from_folder(pets).splits[split]
    )


def test_more_pictures_of_one_class_do_not_move_those_of_another(pets):
    before = from_folder(pets).test
    dogs = {path for path in before.images.paths if path.parent.name == "dog"}
    pictures(pets / "cat" / "more", 5, 900)
    assert {
        path
        for path in from_folder(pets).test.images.paths
        if path.parent.name == "dog"
    } == dogs


def test_the_data_set_has_the_folders_name_also_where_the_path_is_a_dot(
    pets, monkeypatch
):
    monkeypatch.chdir(pets)
    assert from_folder(".").name == pets.name


def test_the_owners_card_is_read(pets):
    (pets / "CARD.md").write_text("Taken in 2024 by Ada.", encoding="utf-8")
    assert from_folder(pets).card.text == "Taken in 2024 by Ada."


# Copies


def test_of_two_copies_in_one_class_one_is_used(pets):
    copy = pets / "cat" / "copy.png"
    shutil.copyfile(pets / "cat" / "000.png", copy)
    dataset = read(pets)
    assert (
        dataset.skipped == [(str(copy), f"a copy of {Path('cat', '000.png')}")]
        and len(paths(dataset)) == 30
    )


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [("train", "validation"), ("train", "test"), ("validation", "test")],
)
def test_a_picture_in_two_splits_stays_in_the_one_that_must_be_clean(
    divided, dirty, clean
):
    original = divided / clean / "cat" / "000.png"
    shutil.copyfile(original, divided / dirty / "cat" / "again.png")
    dataset = read(divided)
    assert original in paths(dataset) and dataset.skipped[0][0] == str(
        divided / dirty / "cat" / "again.png"
    )


def test_a_picture_under_two_classes_is_left_out_altogether(pets):
    shutil.copyfile(pets / "cat" / "003.png", pets / "dog" / "also a cat.png")
    dataset = read(pets)
    reason = "the same picture stands under cat and dog"
    assert {entry for entry in dataset.skipped} == {
        (str(pets / "cat" / "003.png"), reason),
        (str(pets / "dog" / "also a cat.png"), reason),
    }


def test_a_link_to_a_picture_is_a_copy_of_it(pets):
    (pets / "cat" / "link.png").symlink_to(pets / "cat" / "000.png")
    assert len(paths(read(pets))) == 30


# The same picture in other files


def soft_picture(path, seed):
    """A picture with shapes in it, which stays the same picture when it is made smaller or encoded again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    Image.fromarray(noise).resize((96, 96), Image.Resampling.BICUBIC).save(path)
    return path


def altered(path, how):
    image, copy = Image.open(path), path.with_name(f"{how} {path.stem}.jpg")
    if how == "smaller":
        image = image.resize((64, 64), Image.Resampling.BICUBIC)
    if how == "mirrored":
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    image.save(copy, quality=90)
    return copy


def split_of(dataset, path):
    return next(
        name for name, split in dataset.splits.items() if path in split.images.paths
    )


@pytest.fixture
def soft_pets(tmp_path):
    for number, name in enumerate(["cat", "dog"]):
        for place in range(15):
            soft_picture(tmp_path / name / f"{place:03}.png", 100 * number + place)
    return tmp_path


@pytest.mark.parametrize("how", ["encoded again", "smaller", "mirrored"])
def test_a_picture_and_its_altered_copies_stand_on_one_side(soft_pets, how):
    originals = sorted((soft_pets / "cat").glob("*.png"))
    copies = [altered(path, how) for path in originals]
    dataset = from_folder(soft_pets)
    assert [split_of(dataset, path) for path in originals] == [
        split_of(dataset, path) for path in copies
    ]
    assert len(set(split_of(dataset, path) for path in originals)) == 3


def test_also_where_the_copy_stands_under_another_class(soft_pets):
    for path in sorted((soft_pets / "cat").glob("*.png")):
        copy = altered(path, "encoded again")
        copy.rename(soft_pets / "dog" / copy.name)
    dataset = from_folder(soft_pets)
    for path in (soft_pets / "cat").glob("*.png"):
        copy = soft_pets / "dog" / f"encoded again {path.stem}.jpg"
        assert split_of(dataset, path) == split_of(dataset, copy)


def test_without_copies_the_division_is_by_content_alone(soft_pets):
    before = from_folder(soft_pets)
    originals = {
        path: split_of(before, path)
        for path in paths(before)
        if path.parent.name == "dog"
    }
    altered(soft_pets / "cat" / "003.png", "smaller")
    after = from_folder(soft_pets)
    assert {path: split_of(after, path) for path in originals} == originals


# Files that are no pictures


def spoil_text(path):
    path.write_text("Dear Sir or Madam")


def spoil_truncated(path):
    noise = np.random.default_rng(0).integers(0, 255, (100, 100, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, "JPEG")
    path.write_bytes(path.read_bytes()[:2000])


def spoil_empty(path):
    path.touch()


def spoil_tiny(path):
    Image.new("RGB", (1, 400)).save(path, "PNG")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (spoil_text, "no picture format"),
        (spoil_truncated, "cut short"),
        (spoil_empty, ""),
        (spoil_tiny, "1 × 400 pixels are too few to show anything; at least 16 a side"),
    ],
)
@pytest.mark.parametrize("folder", ["cat", "cat/nested/deep"])
def test_what_cannot_be_read_is_left_out_with_the_reason(pets, spoil, reason, folder):
    (pets / folder).mkdir(parents=True, exist_ok=True)
    path = pets / folder / "spoilt.jpg"
    spoil(path)
    ((file, found),) = read(pets).skipped
    assert file == str(path) and reason in found


def test_a_warning_counts_what_was_left_out_and_names_the_first(pets):
    spoil_text(pets / "cat" / "letter.jpg")
    with pytest.warns(
        UserWarning,
        match=r"1 files of .* left out; the first: .*letter\.jpg.*dataset\.skipped",
    ):
        from_folder(pets)


def test_a_tidy_folder_gives_no_warning(pets):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert from_folder(pets).skipped == []


def test_a_file_that_is_no_picture_by_its_name_is_left_out(pets):
    (pets / "cat" / "notes.txt").write_text("nine lives")
    assert read(pets).skipped == [
        (str(pets / "cat" / "notes.txt"), "no picture by its name: .txt")
    ]


@pytest.mark.parametrize("hidden", [".DS_Store", ".thumbnails/000.png", "._000.png"])
def test_hidden_files_are_passed_over(pets, hidden):
    spoil_path = pets / "cat" / hidden
    spoil_path.parent.mkdir(exist_ok=True)
    spoil_text(spoil_path)
    assert from_folder(pets).skipped == []


def test_a_hidden_folder_is_no_class(pets):
    pictures(pets / ".ipynb_checkpoints", 3, 700)
    assert from_folder(pets).class_names == ["cat", "dog"]


@pytest.mark.parametrize(
    "place", ["stray.png", "holdout/cat/stray.png", "train/stray.png"]
)
def test_a_picture_outside_the_class_folders_is_reported(divided, place):
    stray = picture(divided / place, 999)
    assert read(divided).skipped == [(str(stray), "outside the class folders")]


def test_an_empty_class_folder_is_reported_and_no_class(pets):
    (pets / "fish").mkdir()
    dataset = read(pets)
    assert dataset.class_names == ["cat", "dog"] and dataset.skipped == [
        (str(pets / "fish"), "a class folder without pictures")
    ]


def test_every_visible_picture_is_in_a_split_or_reported(divided):
    picture(divided / "stray.png", 900)
    picture(divided / "val" / "cat" / "a second validation folder.png", 901)
    shutil.copyfile(
        divided / "test" / "cat" / "000.png", divided / "train" / "dog" / "a cat.png"
    )
    spoil_text(divided / "train" / "cat" / "letter.jpg")
    dataset = read(divided)
    everything = {path for path in divided.rglob("*") if path.suffix in EXTENSIONS}
    assert paths(dataset) | {Path(file) for file, _ in dataset.skipped} == everything


def test_no_picture_is_both_in_a_split_and_reported(divided):
    shutil.copyfile(
        divided / "test" / "cat" / "000.png", divided / "train" / "cat" / "again.png"
    )
    dataset = read(divided)
    assert not paths(dataset) & {Path(file) for file, _ in dataset.skipped}


# Names


@pytest.mark.parametrize(
    "name",
    ["-rf.png", "my cat (1).png", "猫.png", "Müllers Kätzchen.PNG", "a" * 200 + ".png"],
)
def test_a_file_may_have_any_name(pets, name):
    assert picture(pets / "cat" / name, 800) in paths(from_folder(pets))


@pytest.mark.parametrize("name", ["-dog", "my dog", "犬", "a'b\"c"])
def test_a_class_may_have_any_name(pets, name):
    (pets / "dog").rename(pets / name)
    assert name in from_folder(pets).class_names


def test_one_class_name_in_two_spellings_of_unicode_is_one_class(pets):
    """macOS writes é as e and an accent; both spellings may lie in one folder that travelled."""
    composed, decomposed = (
        unicodedata.normalize(form, "bébé") for form in ("NFC", "NFD")
    )
    pictures(pets / composed, 3, 700)
    picture(pets / decomposed / "one more.png", 710)
    dataset = from_folder(pets)
    assert dataset.class_names == [composed, "cat", "dog"]


def test_nested_folders_belong_to_their_class(pets):
    path = picture(pets / "cat" / "2024" / "May" / "a.png", 800)
    assert path in paths(from_folder(pets))


def test_a_loop_of_links_is_not_followed(pets):
    (pets / "cat" / "loop").symlink_to(pets)
    (pets / "dog" / "itself.png").symlink_to(pets / "dog" / "itself.png")
    assert len(paths(read(pets))) == 30


def test_links_that_are_not_followed_are_reported(pets):
    (pets / "cat" / "loop").symlink_to(pets)
    (pets / "dog" / "gone.png").symlink_to(pets / "nowhere.png")
    found = dict(read(pets).skipped)
    assert found[str(pets / "cat" / "loop")] == "a link to a folder"
    assert found[str(pets / "dog" / "gone.png")].startswith("does not exist")


def test_a_pipe_with_a_pictures_name_is_not_opened(pets):
    os.mkfifo(pets / "cat" / "pipe.png")
    dataset = read(pets)
    assert (
        dataset.skipped == [(str(pets / "cat" / "pipe.png"), "no regular file")]
        and len(paths(dataset)) == 30
    )


@pytest.fixture
def locked(monkeypatch):
    """Folders of these names may not be listed, as if they were another user's (a test may run as root)."""
    names, scandir = set(), os.scandir

    def refuse(path="."):
        if Path(path).name in names:
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(
        os, "listdir", lambda path=".": [entry.name for entry in refuse(path)]
    )
    return names


def test_a_folder_that_may_not_be_read_is_reported(pets, locked):
    pictures(pets / "cat" / "private", 3, 900)
    locked.add("private")
    dataset = read(pets)
    assert dataset.skipped == [
        (str(pets / "cat" / "private"), "cannot be opened: Permission denied")
    ]


def test_a_folder_that_may_not_be_read_at_all_is_refused(pets, locked):
    locked.add(pets.name)
    with pytest.raises(
        UserInputError,
        match="cannot be opened: Permission denied. Give yourself the right",
    ):
        from_folder(pets)


@pytest.mark.skipif(
    os.name == "nt" or os.uname().sysname == "Darwin",
    reason="file names there are always Unicode",
)
def test_a_name_that_is_not_utf_8_is_used_and_can_be_printed(pets):
    good, bad = (
        os.fsdecode(os.fsencode(pets / "cat") + name)
        for name in (b"/\xff.png", b"/\xfe.jpg")
    )
    picture(Path(good), 900)
    spoil_text(Path(bad))
    dataset = read(pets)
    assert Path(good) in paths(dataset)
    assert dataset.skipped[0][0].encode("utf-8").endswith(b"\\udcfe.jpg")


# What is refused


def test_a_folder_that_does_not_exist_is_refused(tmp_path):
    with pytest.raises(
        UserInputError, match="nowhere is not a folder. Relative paths start at"
    ):
        from_folder(tmp_path / "nowhere")


def test_a_file_is_refused(tmp_path):
    with pytest.raises(UserInputError, match="a.png is not a folder"):
        from_folder(picture(tmp_path / "a.png", 1))


def test_pictures_without_class_folders_are_refused_with_an_example(tmp_path):
    pictures(tmp_path, 3, 0)
    with pytest.raises(
        UserInputError,
        match="holds no class folders. Put the pictures of each class into a folder",
    ):
        from_folder(tmp_path)


def test_split_folders_without_class_folders_are_refused(tmp_path):
    pictures(tmp_path / "train", 3, 0)
    pictures(tmp_path / "test", 3, 100)
    with pytest.raises(UserInputError, match="holds no class folders"):
        from_folder(tmp_path)


def test_one_class_is_refused_by_its_name(tmp_path):
    pictures(tmp_path / "cat", 3, 0)
    with pytest.raises(
        UserInputError,
        match=r"pictures of 1 class \(cat\); a classifier needs at least two",
    ):
        read(tmp_path)


def test_folders_without_any_readable_picture_are_refused(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        spoil_text(tmp_path / name / "letter.jpg")
    with pytest.raises(
        UserInputError, match="pictures of 0 classes.*2 files were left out"
    ):
        read(tmp_path)


def test_a_class_that_is_only_in_the_test_is_refused_by_its_name(divided):
    pictures(divided / "test" / "fish", 2, 800)
    with pytest.raises(UserInputError, match="no training pictures of fish"):
        read(divided)
