"""Packs: a data set that was written to a folder is the same data set on the machine it is carried to."""

import csv
import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from tlcourse import datasets, files
from tlcourse.datasets import pack
from tlcourse.errors import DamagedFile, DatasetUnavailable, UserInputError
from tlcourse.foreign_text import is_formula

SPLITS = ["train", "validation", "test"]


def cut(dataset, rows, name):
    """The first `rows` rows of each split, under another name."""
    parts = {split: part.select(slice(rows)) for split, part in dataset.splits.items()}
    return dataclasses.replace(dataset, name=name, **parts)


@pytest.fixture(scope="module")
def characters():
    """Arrays, with groups: Kanji."""
    return cut(datasets.load_dataset("kanji"), 120, "characters")


@pytest.fixture(scope="module")
def cells():
    """Files, with groups and weights: solar cells."""
    return cut(datasets.load_dataset("solar"), 12, "cells")


@pytest.fixture(scope="module")
def stick(tmp_path_factory, characters, cells):
    """A folder with both packs."""
    folder = tmp_path_factory.mktemp("stick")
    datasets.write_pack(characters, folder)
    datasets.write_pack(cells, folder)
    return folder


@pytest.fixture
def carried(stick, monkeypatch):
    """Both packs as another machine reads them, by name."""
    monkeypatch.setenv("TLCOURSE_PACKS", str(stick))
    return {name: datasets.load_dataset(name) for name in ("characters", "cells")}


@pytest.fixture
def copy_of_characters(tmp_path, characters):
    return datasets.write_pack(characters, tmp_path)


# There and back


def test_no_name_in_the_manifest_is_a_formula_and_each_comes_back(
    tmp_path, monkeypatch, characters
):
    names = ["=1+1", "'@sum", "-1", *characters.class_names[3:]]
    parts = {
        split: dataclasses.replace(
            part, class_names=names, groups=np.array(["+2+3"] * len(part))
        )
        for split, part in characters.splits.items()
    }
    folder = datasets.write_pack(
        dataclasses.replace(characters, name="odd", class_names=names, **parts),
        tmp_path,
    )
    with open(folder / "manifest.csv", encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert [
        cell for cell in cells if is_formula(cell) and not cell.startswith("'")
    ] == []
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path))
    read = datasets.load_dataset("odd")
    assert set(read.class_names) <= set(names) and {"=1+1", "'@sum", "-1"} <= set(
        read.class_names
    )
    assert set(read.train.groups) == {"+2+3"}


@pytest.mark.parametrize("split", SPLITS)
def test_arrays_come_back_pixel_by_pixel(carried, characters, split):
    found = np.stack(list(carried["characters"].splits[split].images))
    np.testing.assert_array_equal(
        found, np.repeat(characters.splits[split].images[..., np.newaxis], 3, axis=-1)
    )


@pytest.mark.parametrize("split", SPLITS)
def test_files_come_back_byte_by_byte(carried, cells, split):
    found, expected = (
        carried["cells"].splits[split].images.paths,
        cells.splits[split].images.paths,
    )
    assert list(map(files.sha256, found)) == list(map(files.sha256, expected))


@pytest.mark.parametrize("name", ["characters", "cells"])
@pytest.mark.parametrize("what", ["labels", "weights", "groups"])
@pytest.mark.parametrize("split", SPLITS)
def test_what_belongs_to_a_picture_comes_back(request, carried, name, what, split):
    expected = getattr(request.getfixturevalue(name).splits[split], what)
    np.testing.assert_array_equal(getattr(carried[name].splits[split], what), expected)


@pytest.mark.parametrize("name", ["characters", "cells"])
def test_classes_come_back_in_their_order(request, carried, name):
    expected = request.getfixturevalue(name).class_names
    labels = np.unique(
        np.concatenate([split.labels for split in carried[name].splits.values()])
    )
    assert [carried[name].class_names[label] for label in labels] == [
        expected[label] for label in labels
    ]


@pytest.mark.parametrize("name", ["characters", "cells"])
def test_the_card_comes_along(request, carried, name):
    card = request.getfixturevalue(name).card
    assert all(
        part.strip() in carried[name].card.text
        for part in (card.title, card.source, card.licence, card.text)
    )


def test_a_pack_is_found_by_the_name_of_its_data_set(carried):
    assert carried["characters"].name == "characters"


def test_a_split_without_pictures_comes_back_empty(tmp_path, characters):
    without = dataclasses.replace(
        characters, validation=characters.validation.select(slice(0))
    )
    assert len(pack.read_pack(datasets.write_pack(without, tmp_path)).validation) == 0


def test_labels_stay_true_where_a_class_has_no_picture_at_all(tmp_path, characters):
    kept = [characters.class_names[0], characters.class_names[2]]
    parts = {
        name: part.select(np.isin(part.label_names, kept))
        for name, part in characters.splits.items()
    }
    found = pack.read_pack(
        datasets.write_pack(dataclasses.replace(characters, **parts), tmp_path)
    )
    assert found.train.label_names.tolist() == parts["train"].label_names.tolist()


def test_a_pack_is_readable_for_everybody(copy_of_characters):
    assert copy_of_characters.stat().st_mode & 0o055 == 0o055


# Finding


def test_of_two_packs_of_one_name_the_first_found_wins(
    tmp_path, monkeypatch, characters
):
    folders = [tmp_path / "stick", tmp_path / "disk"]
    for folder in folders:
        datasets.write_pack(characters, folder)
    monkeypatch.setenv("TLCOURSE_PACKS", os.pathsep.join(map(str, folders)))
    assert datasets.find_pack("characters") == folders[0] / "characters"


def test_folders_that_do_not_hold_the_pack_are_passed_over(
    tmp_path, monkeypatch, stick
):
    monkeypatch.setenv(
        "TLCOURSE_PACKS",
        os.pathsep.join([str(tmp_path / "nowhere"), "", str(tmp_path), str(stick)]),
    )
    assert datasets.find_pack("cells") == stick / "cells"


def test_an_unknown_name_is_answered_with_the_packs_that_are_there(monkeypatch, stick):
    monkeypatch.setenv("TLCOURSE_PACKS", str(stick))
    with pytest.raises(
        UserInputError, match="packs in TLCOURSE_PACKS: cells, characters"
    ):
        datasets.load_dataset("cats")


def test_a_pack_whose_writing_was_killed_is_not_listed(tmp_path, monkeypatch):
    (tmp_path / ".characters-x7" / "train").mkdir(parents=True)
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path))
    assert pack.list_packs() == []


@pytest.fixture
def only_carried(tmp_path, monkeypatch, characters):
    """Makes a set of the course one that is not on this machine, with a pack by its name."""

    def carry(loaders, name):
        def not_here(**options):
            raise DatasetUnavailable("not here")

        monkeypatch.setitem(loaders, name, not_here)
        datasets.write_pack(dataclasses.replace(characters, name=name), tmp_path)
        monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path))

    return carry


def test_a_pack_stands_in_for_a_set_that_is_not_on_this_machine(only_carried):
    only_carried(datasets._LOADERS, "solar")
    assert len(datasets.load_dataset("solar").train) == 120


def test_a_pack_does_not_stand_in_for_a_variant_of_a_set(only_carried):
    only_carried(datasets._LOADERS, "digits")
    with pytest.raises(DatasetUnavailable):
        datasets.load_dataset("digits", full=True)


# Dogs: class folders that somebody else made, without a manifest


@pytest.fixture
def dog_pack(tmp_path, monkeypatch):
    """Two breeds, two pictures of each in every split."""
    numbers = np.random.default_rng(0)
    for split in SPLITS:
        for breed in ("beagle", "pug"):
            folder = tmp_path / "packs" / "dogs" / split / breed
            folder.mkdir(parents=True)
            for number in range(2):
                pixels = numbers.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "packs"))
    return tmp_path / "packs" / "dogs"


def test_dogs_are_read_from_class_folders(dog_pack):
    dogs = datasets.load_dataset("dogs")
    assert dogs.class_names == ["beagle", "pug"] and [
        len(split) for split in dogs.splits.values()
    ] == [4, 4, 4]


def test_the_dogs_card_names_the_folder_they_are_from(dog_pack):
    assert str(dog_pack) in datasets.load_dataset("dogs").card.source


def test_the_dogs_card_tells_what_the_packs_own_card_tells(dog_pack):
    (dog_pack / "CARD.md").write_text("Photographed by Ada.", encoding="utf-8")
    assert datasets.load_dataset("dogs").card.text == "Photographed by Ada."


def test_dogs_are_not_looked_for_elsewhere_when_there_is_a_pack(dog_pack, monkeypatch):
    monkeypatch.setattr(
        datasets.downloaded, "builder", lambda name: pytest.fail("looked elsewhere")
    )
    assert len(datasets.load_dataset("dogs").test) == 4


# Nothing is lost, nothing half-done, nothing altered


def test_a_pack_that_is_there_already_is_not_overwritten(
    copy_of_characters, characters
):
    with pytest.raises(
        UserInputError, match="exists already. Remove it.*nothing was overwritten"
    ):
        datasets.write_pack(characters, copy_of_characters.parent)


@pytest.mark.parametrize("name", ["../../outside", "/outside", "a/b", "..", ""])
def test_a_class_that_cannot_be_a_folder_is_refused_before_anything_is_written(
    tmp_path, characters, name
):
    names = [name, *characters.class_names[1:]]
    splits = {
        part: dataclasses.replace(split, class_names=names)
        for part, split in characters.splits.items()
    }
    dataset = dataclasses.replace(characters, **splits, class_names=names)
    (tmp_path / "sub").mkdir()
    with pytest.raises(UserInputError, match="cannot be the name of a folder"):
        datasets.write_pack(dataset, tmp_path / "sub")
    assert [path.name for path in tmp_path.rglob("*")] == ["sub"]


def test_a_link_that_leads_nowhere_is_not_overwritten(tmp_path, characters):
    (tmp_path / characters.name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserInputError, match="exists already"):
        datasets.write_pack(characters, tmp_path)


@pytest.mark.parametrize(
    "interruption", [OSError("No space left on device"), KeyboardInterrupt()]
)
def test_writing_that_is_interrupted_leaves_nothing(
    tmp_path, monkeypatch, cells, interruption
):
    copyfile, calls = pack.shutil.copyfile, []

    def copy_five(source, goal):
        calls.append(goal)
        if len(calls) > 5:
            raise interruption
        return copyfile(source, goal)

    monkeypatch.setattr(pack.shutil, "copyfile", copy_five)
    with pytest.raises(type(interruption)):
        datasets.write_pack(cells, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_altered_picture_is_refused_by_its_name(copy_of_characters):
    path = next((copy_of_characters / "test").rglob("*.png"))
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(
        DamagedFile,
        match=f"{path.name} is missing or altered. Copy the pack characters again",
    ):
        pack.read_pack(copy_of_characters)


def test_a_missing_picture_is_refused_by_its_name(copy_of_characters):
    path = next((copy_of_characters / "test").rglob("*.png"))
    path.unlink()
    with pytest.raises(DamagedFile, match=f"{path.name} is missing or altered"):
        pack.read_pack(copy_of_characters)


@pytest.mark.parametrize("bytes_left", [0, 30, 400])
def test_a_manifest_that_was_cut_short_is_refused(copy_of_characters, bytes_left):
    manifest = copy_of_characters / pack.MANIFEST
    manifest.write_bytes(manifest.read_bytes()[:bytes_left])
    with pytest.raises(DamagedFile, match="Copy the pack characters again"):
        pack.read_pack(copy_of_characters)


def test_a_table_of_somebody_else_is_not_taken_for_a_manifest(copy_of_characters):
    (copy_of_characters / pack.MANIFEST).write_text("picture,photographer\n1.png,Ada\n")
    with pytest.raises(DamagedFile, match="not what `tlcourse pack` wrote"):
        pack.read_pack(copy_of_characters)


def test_a_pack_is_the_same_whenever_it_is_written(tmp_path, characters):
    one, other = (
        datasets.write_pack(characters, tmp_path / name) for name in ("one", "other")
    )
    assert files.sha256(one / pack.MANIFEST) == files.sha256(other / pack.MANIFEST)


def test_a_pack_of_sentences_is_refused_before_anything_is_written(
    tmp_path, characters
):
    sentences = datasets.Split(
        np.array(["Good.", "Bad."], dtype=object), [1, 0], ["negative", "positive"]
    )
    text = dataclasses.replace(
        characters, name="text", train=sentences, validation=sentences, test=sentences
    )
    with pytest.raises(
        UserInputError,
        match="text holds sentences; a pack is made of folders of pictures",
    ):
        datasets.write_pack(text, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("how", ["relative", "absolute"])
def test_a_manifest_that_leads_out_of_the_pack_is_refused(copy_of_characters, how):
    """Although the file that it names is there, and has the right SHA-256."""
    folder, manifest = copy_of_characters, copy_of_characters / pack.MANIFEST
    with open(manifest, encoding="utf-8", newline="") as file:
        head, row, *rows = csv.reader(file)
    outside = folder.parent / "outside.png"
    (folder / row[1]).rename(outside)
    row[1] = "../outside.png" if how == "relative" else str(outside)
    with open(manifest, "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([head, row, *rows])
    with pytest.raises(DamagedFile, match="not what `tlcourse pack` wrote"):
        pack.read_pack(folder)
