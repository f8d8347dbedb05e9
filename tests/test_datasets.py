"""Data sets: what is in them, the same on every machine; and what a split can do."""

import hashlib
import io
import shutil

import numpy as np
import pytest
from PIL import Image

from tlcourse import cards, datasets
from tlcourse.datasets import downloaded
from tlcourse.datasets.core import Split
from tlcourse.errors import DamagedFile, DatasetUnavailable, UserInputError
from tlcourse.features.pictures import Pictures

BUNDLED = ["digits", "kanji", "stamps", "solar", "reviews", "words", "samples"]


@pytest.fixture(scope="module")
def loaded():
    return {name: datasets.load_dataset(name) for name in BUNDLED}


def contents(split):
    """SHA-256 of each picture, recording or sentence."""
    if isinstance(split.inputs, Pictures):
        rows = [path.read_bytes() for path in split.inputs.paths]
    elif split.kind == "recordings":
        rows = [path.read_bytes() for path in split.inputs]
    elif split.kind == "sentences":
        rows = [text.encode() for text in split.inputs]
    else:
        rows = [row.tobytes() for row in split.inputs]
    return [hashlib.sha256(row).hexdigest() for row in rows]


def fingerprint(dataset):
    """Of contents and labels in their order."""
    rows = [
        f"{content} {label}"
        for split in dataset.splits.values()
        for content, label in zip(contents(split), split.labels, strict=True)
    ]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


FINGERPRINTS = {
    "digits": "7198d5c34005d2b8",
    "kanji": "1c10dd4014e32ae9",
    "stamps": "e680428070c92d19",
    "solar": "d2c50482d880635a",
    "reviews": "7d60148b18f17fde",
    "words": "0fdb7e23142b96cf",
    "samples": "a3127f7b7fd106af",
}


# Bundled sets


@pytest.mark.parametrize("name", BUNDLED)
def test_splits_are_the_same_on_every_machine(loaded, name):
    assert fingerprint(loaded[name]) == FINGERPRINTS[name]


@pytest.mark.parametrize(
    ("name", "options", "match"),
    [
        ("cats", {}, "no data set 'cats'.*digits, kanji.*from_folder"),
        ("solar", {"protocol": "half"}, "deitsch2019, confident"),
        ("solar", {"seed": -1}, "seed"),
        ("stamps", {"seed": 0.5}, "seed"),
        ("reviews", {"domain": "books"}, "films, products, tweets"),
        ("words", {"seed": 1}, "words has no option 'seed'; it has none"),
        ("solar", {"split": 1}, "no option 'split'; it has protocol, seed"),
        ("cats", {"seed": 1}, "no data set 'cats'"),
    ],
)
def test_unknown_names_and_options_are_refused(no_packs, name, options, match):
    with pytest.raises(UserInputError, match=match):
        datasets.load_dataset(name, **options)


@pytest.mark.parametrize("name", ["kanji", "stamps", "reviews"])
def test_no_group_is_in_two_splits(loaded, name):
    train, validation, test = (set(s.groups) for s in loaded[name].splits.values())
    assert not (train & validation or train & test or validation & test)


def test_stamps_are_split_anew_by_another_seed(loaded):
    other = datasets.load_dataset("stamps", seed=1)
    assert set(contents(other.test)) != set(contents(loaded["stamps"].test))
    for dataset in (other, loaded["stamps"]):
        whole = np.concatenate([split.labels for split in dataset.splits.values()])
        shares = np.bincount(dataset.test.labels) / np.bincount(whole)
        assert shares.min() > 1 / 3 and shares.max() < 1 / 2


def test_an_altered_stamp_is_refused(tmp_path, monkeypatch):
    shutil.copytree(cards.data_folder() / "stamps", tmp_path / "stamps")
    (tmp_path / "stamps" / "bird" / "owl.jpg").write_bytes(b"no owl")
    monkeypatch.setattr(cards, "data_folder", lambda: tmp_path)
    with pytest.raises(DamagedFile, match="owl.jpg"):
        datasets.load_dataset("stamps")


# Splits


@pytest.fixture
def opinions():
    """Four sentences with everything that a row can have."""
    sentences = np.array(["Good.", "Bad.", "Very good.", "Very bad."], dtype=object)
    numbers = np.arange(4, dtype=np.float32)
    groups = np.array(["one", "two", "three", "four"])
    names = ["negative", "positive"]
    return Split(sentences, [1, 0, 1, 0], names, numbers, groups, numbers - 2)


def rows_of(split):
    columns = (split.inputs, split.label_names, split.weights, split.groups)
    return list(zip(*(c.tolist() for c in (*columns, split.ratings)), strict=True))


@pytest.mark.parametrize(
    "rows", [[2, 0], slice(1, 3), np.array([True, False, False, True]), []]
)
def test_everything_that_belongs_to_a_row_stays_with_it(opinions, rows):
    expected = [rows_of(opinions)[row] for row in np.arange(4)[rows]]
    assert rows_of(opinions.select(rows)) == expected


@pytest.mark.parametrize("rows", [4, [9], "all", [True], [[0, 1]]])
def test_rows_that_a_split_does_not_have_are_refused(opinions, rows):
    with pytest.raises(UserInputError, match="positions from 0 to 3"):
        opinions.select(rows)


def test_a_sample_is_balanced_and_repeatable(loaded):
    train = loaded["kanji"].train
    assert np.bincount(train.sample(3).labels).tolist() == [3] * 100
    assert np.array_equal(train.sample_rows(5, seed=7), train.sample_rows(5, seed=7))
    assert not np.array_equal(train.sample_rows(5, 7), train.sample_rows(5, 8))
    assert len(train.sample(10_000)) == len(train)


def test_classes_can_be_chosen(loaded):
    kanji = loaded["kanji"]
    two = kanji.with_classes(["三", "一"])
    assert two.class_names == two.train.class_names == ["三", "一"]
    for split, whole in zip(two.splits.values(), kanji.splits.values(), strict=True):
        rows = np.isin(whole.label_names, ["三", "一"])
        assert np.array_equal(split.images, whole.images[rows])
        assert list(split.label_names) == list(whole.label_names[rows])
        assert list(split.groups) == list(whole.groups[rows])
    assert loaded["digits"].with_classes([3, 8]).class_names == ["3", "8"]


@pytest.mark.parametrize("names", [["亜"], ["一", "一"], [], "一"])
def test_classes_that_there_are_not_are_refused(loaded, names):
    with pytest.raises(UserInputError, match="class_names"):
        loaded["kanji"].with_classes(names)


# The dogs of tensorflow-datasets: a stand-in for the set that was prepared


@pytest.fixture
def pets(monkeypatch, tmp_path, no_packs):
    """Rows of Oxford-IIIT Pet: all 37 breeds, ten training and two test pictures each."""
    import tensorflow as tf
    import tensorflow_datasets

    rng, rows = np.random.default_rng(0), {}
    for split, count in {"train": 10, "test": 2}.items():
        files = [io.BytesIO() for _ in range(37 * count)]
        for file in files:
            pixels = rng.integers(0, 255, (8, 8, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(file, "JPEG")
        rows[split] = [(file.getvalue(), n % 37) for n, file in enumerate(files)]

    def as_dataset(builder, split, **options):
        pictures, labels = zip(*rows[split], strict=True)
        columns = {"image": list(pictures), "label": np.array(labels, np.int64)}
        return tf.data.Dataset.from_tensor_slices(columns)

    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    builder = tensorflow_datasets.core.DatasetBuilder
    monkeypatch.setattr(builder, "is_prepared", lambda _: bool(rows))
    with tensorflow_datasets.testing.mock_data(as_dataset_fn=as_dataset):
        yield rows


def test_dogs_among_the_pets(pets, monkeypatch, tmp_path):
    pets["train"].append(pets["test"][1])  # a dog in both published splits
    dogs = datasets.load_dataset("dogs")
    assert dogs.class_names == downloaded.BREEDS
    assert dogs.card == cards.read_card("dogs")
    published = {hashlib.sha256(picture).hexdigest() for picture, _ in pets["test"]}
    assert len(dogs.test) == 50 and set(contents(dogs.test)) <= published
    assert not set(contents(dogs.train_and_validation)) & set(contents(dogs.test))
    assert len(dogs.train_and_validation) == 250 and 25 < len(dogs.validation) < 75
    # By content and not by order.
    pets["train"].reverse()
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "another machine"))
    assert fingerprint(datasets.load_dataset("dogs")) == fingerprint(dogs)


def test_what_is_not_here_is_not_downloaded(pets, no_internet):
    pets.clear()
    with pytest.raises(DatasetUnavailable, match="`tlcourse fetch dogs`"):
        datasets.load_dataset("dogs")
