"""A data set that was written as a pack is the same data set on another machine."""

import dataclasses
import os

import numpy as np
import pytest
from click.testing import CliRunner

from tlcourse import datasets
from tlcourse.datasets.pack import CHECKSUMS, read_pack
from tlcourse.errors import UserInputError
from tlcourse.files import sha256
from tlcourse.models import bert_folder
from workshop import packs
from workshop.__main__ import app
from workshop.packs import write_network, write_pack


def few(name, rows, new_name):
    """The first rows of each split, under another name."""
    dataset = datasets.load_dataset(name)
    parts = {key: part.select(slice(rows)) for key, part in dataset.splits.items()}
    return dataclasses.replace(dataset, name=new_name, **parts)


@pytest.fixture(scope="module")
def characters():
    """Arrays."""
    return few("kanji", 60, "characters")


@pytest.fixture(scope="module")
def cells():
    """Files."""
    return few("solar", 12, "cells")


def same(one, other):
    return np.array_equal(np.asarray(one), np.asarray(other))


def contents(split, are_files):
    """Class and content of each picture, sorted: of files, or of grey pixels."""
    if are_files:
        pictures = map(sha256, split.images.paths)
    else:
        arrays = map(np.asarray, split.images)
        pictures = (x.reshape(*x.shape[:2], -1)[..., 0].tobytes() for x in arrays)
    return sorted(zip(split.label_names.tolist(), pictures, strict=True))


@pytest.fixture
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("name", ["characters", "cells"])
def test_a_data_set_comes_back_as_it_was(request, tmp_path, monkeypatch, name):
    written = request.getfixturevalue(name)
    folder = write_pack(written, tmp_path)
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path))
    read = datasets.load_dataset(name)
    assert folder == tmp_path / name and folder.stat().st_mode & 0o055 == 0o055
    for part in (written.card.title, written.card.source, written.card.licence):
        assert part in read.card.text
    for one, other in zip(written.splits.values(), read.splits.values(), strict=True):
        assert contents(one, name == "cells") == contents(other, name == "cells")
    again = write_pack(written, tmp_path / "again")
    assert sha256(folder / CHECKSUMS) == sha256(again / CHECKSUMS)


def renamed(dataset, names):
    parts = {
        key: dataclasses.replace(part, class_names=names)
        for key, part in dataset.splits.items()
    }
    return dataclasses.replace(dataset, class_names=names, **parts)


def test_classes_without_pictures_do_not_shift_labels(tmp_path, characters):
    kept = [characters.class_names[0], characters.class_names[2]]
    parts = {
        key: part.select(np.isin(part.label_names, kept))
        for key, part in characters.splits.items()
    }
    read = read_pack(write_pack(dataclasses.replace(characters, **parts), tmp_path))
    assert same(read.train.label_names, parts["train"].label_names)


@pytest.mark.parametrize("name", ["../../outside", "/outside", "a/b", "a\nb", "..", ""])
def test_a_class_that_cannot_be_a_folder_is_refused_first(tmp_path, characters, name):
    odd = renamed(characters, [name, *characters.class_names[1:]])
    with pytest.raises(UserInputError, match="cannot be the name of a folder"):
        write_pack(odd, tmp_path / "sub")
    assert list(tmp_path.iterdir()) == []


def test_a_pack_or_link_that_exists_is_not_overwritten(tmp_path, characters):
    (tmp_path / characters.name).symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserInputError, match="nothing was overwritten"):
        write_pack(characters, tmp_path)
    assert (tmp_path / characters.name).is_symlink()


@pytest.mark.parametrize(
    "interruption", [OSError("No space left on device"), KeyboardInterrupt()]
)
def test_writing_that_is_interrupted_leaves_nothing(
    tmp_path, monkeypatch, cells, interruption
):
    copyfile, calls = packs.shutil.copyfile, []

    def copy_five(source, target):
        calls.append(target)
        if len(calls) > 5:
            raise interruption
        return copyfile(source, target)

    monkeypatch.setattr(packs.shutil, "copyfile", copy_five)
    with pytest.raises(type(interruption)):
        write_pack(cells, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_data_set_of_sentences_is_refused(tmp_path):
    with pytest.raises(UserInputError, match="sentences; a pack is made of folders"):
        write_pack(datasets.load_dataset("reviews", domain="films"), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_network_for_text_is_copied_once(tmp_path, monkeypatch):
    source = tmp_path / "fetched"
    source.mkdir()
    (source / "config.json").write_text("{}")
    monkeypatch.setattr(bert_folder, "find_folder", lambda name: source)
    pack = write_network("minilm", tmp_path / "stick")
    assert (pack / "config.json").read_text() == "{}"
    with pytest.raises(UserInputError, match="exists already"):
        write_network("minilm", tmp_path / "stick")


def test_the_command_says_what_to_set_on_the_other_machine(tmp_path):
    folder = tmp_path / "stick 1"
    result = CliRunner().invoke(app, ["pack", "samples", str(folder)])
    assert result.exit_code == 0, result.output
    assert f'TLCOURSE_PACKS="{folder}"' in result.output.replace("\n", "")
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["pack", "samples", str(tmp_path / "file" / "x")])
    assert result.exit_code == 1 and "could not be written" in result.output
