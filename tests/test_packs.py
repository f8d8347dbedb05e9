"""Packs are found by name, and read only where they are as they were written."""

import shutil

import numpy as np
import pytest
from PIL import Image

from tlcourse import datasets
from tlcourse.datasets import pack
from tlcourse.errors import DamagedFile
from tlcourse.files import sha256

SPLITS = ["train", "validation", "test"]
CLASSES = ["=1+1", "beagle", "pug"]  # the second has no picture


def write_pictures(folder, classes=CLASSES[::2]):
    """Two pictures per class and split; yields (split, class, path)."""
    rng = np.random.default_rng(0)
    for split in SPLITS:
        for name in classes:
            (folder / split / name).mkdir(parents=True)
            for number in range(2):
                path = folder / split / name / f"{number}.png"
                pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(path)
                yield split, name, path


@pytest.fixture
def folder(tmp_path):
    """A pack as the workshop writes it, named "animals"."""
    folder = tmp_path / "packs" / "animals"
    lines = [
        f"{sha256(path)}  {path.relative_to(folder).as_posix()}\n"
        for _, _, path in write_pictures(folder)
    ]
    (folder / pack.CHECKSUMS).write_text("".join(lines), encoding="utf-8")
    (folder / "CARD.md").write_text("Photographed by Ada.", encoding="utf-8")
    return folder


@pytest.fixture
def dogs(tmp_path, monkeypatch):
    """Class folders that somebody else made, without checksums, named "dogs"."""
    list(write_pictures(tmp_path / "packs" / "dogs", CLASSES[1:]))
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path / "packs"))
    return tmp_path / "packs" / "dogs"


def test_a_pack_is_read_by_its_name(folder, monkeypatch):
    monkeypatch.setenv("TLCOURSE_PACKS", str(folder.parent))
    dataset = datasets.load_dataset("animals")
    assert dataset.name == "animals" and dataset.class_names == ["=1+1", "pug"]
    assert "Photographed by Ada." in dataset.card.text
    for split in dataset.splits.values():
        assert split.label_names.tolist() == ["=1+1", "=1+1", "pug", "pug"]
        names = [path.parent.name for path in split.images.paths]
        assert names == split.label_names.tolist()


def alter(folder):
    path = next((folder / "test").rglob("*.png"))
    path.write_bytes(path.read_bytes() + b"!")


def remove(folder):
    next((folder / "test").rglob("*.png")).unlink()


def cut(folder):
    checksums = folder / pack.CHECKSUMS
    checksums.write_bytes(checksums.read_bytes()[:300])


def lead_out(folder):
    """To files that are there, and as the list says."""
    shutil.copytree(folder / "train", folder.parent / "train")
    text = (folder / pack.CHECKSUMS).read_text("utf-8")
    (folder / pack.CHECKSUMS).write_text(text.replace("train/pug/", "../train/pug/"))


DAMAGES = [alter, remove, cut, lead_out]


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_pack_is_refused_with_the_cure(folder, damage):
    damage(folder)
    with pytest.raises(DamagedFile, match="Copy the pack animals again"):
        pack.read_pack(folder)


# Finding


def test_dogs_are_read_from_class_folders(dogs, monkeypatch):
    (dogs / "CARD.md").write_text("Photographed by Ada.", encoding="utf-8")
    unused = lambda name: pytest.fail("looked elsewhere")  # noqa: E731
    monkeypatch.setattr(datasets.downloaded, "builder", unused)
    dataset = datasets.load_dataset("dogs")
    assert dataset.class_names == ["beagle", "pug"]
    assert [len(split) for split in dataset.splits.values()] == [4, 4, 4]
    assert str(dogs) in dataset.card.source
    assert dataset.card.text == "Photographed by Ada."
