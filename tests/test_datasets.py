"""What `load_dataset` gives: the pictures, their labels, and splits that share nothing."""

import hashlib
import io
import time
from collections import Counter
from importlib.util import find_spec
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tlcourse import datasets, files
from tlcourse.datasets import bundled, dogs, tfds
from tlcourse.errors import DatasetUnavailable, UserInputError
from tlcourse.features.pictures import Pictures

BUNDLED = ["digits", "kanji", "solar", "reviews", "samples"]
SPLITS = ["train", "validation", "test"]


@pytest.fixture(scope="module")
def loaded():
    """The data sets that come with the course, by name."""
    return {name: datasets.load_dataset(name) for name in BUNDLED}


def contents(split):
    """SHA-256 of each picture (of its file, or of its pixels) or sentence."""
    if split.kind == "sentences":
        return [
            hashlib.sha256(sentence.encode()).hexdigest()
            for sentence in split.sentences
        ]
    if isinstance(split.images, Pictures):
        return [files.sha256(path) for path in split.images.paths]
    return [hashlib.sha256(image.tobytes()).hexdigest() for image in split.images]


def fingerprint(dataset):
    """Changes when a picture or a label is in another split or at another place than before."""
    rows = [
        f"{content} {label}"
        for split in dataset.splits.values()
        for content, label in zip(contents(split), split.labels, strict=True)
    ]
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()[:16]


# All of them


def test_every_data_set_of_the_course_is_listed_with_its_title():
    assert datasets.list_datasets() == {
        name: files.read_card(name).title
        for name in ["digits", "kanji", "solar", "dogs", "reviews", "samples"]
    }


@pytest.mark.parametrize(
    ("name", "counts", "classes"),
    [
        ("digits", [5000, 1000, 1000], 10),
        ("kanji", [5000, 1000, 2000], 100),
        ("solar", [1771, 197, 656], 2),
        ("reviews", [7028, 1004, 2009], 2),
        ("samples", [0, 0, 6], 6),
    ],
)
def test_each_split_has_the_rows_that_the_card_promises(loaded, name, counts, classes):
    dataset = loaded[name]
    assert [len(split) for split in dataset.splits.values()] == counts and len(
        dataset.class_names
    ) == classes


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("digits", (28, 28)),
        ("kanji", (28, 28)),
        ("solar", (300, 300, 3)),
        ("samples", (512, 512, 3)),
    ],
)
def test_a_picture_is_an_array_of_bytes(loaded, name, shape):
    picture = loaded[name].test.images[0]
    assert picture.shape == shape and picture.dtype == np.uint8


@pytest.mark.parametrize("name", BUNDLED)
@pytest.mark.parametrize("split", SPLITS)
def test_labels_are_positions_among_the_class_names(loaded, name, split):
    labels = loaded[name].splits[split].labels
    assert labels.dtype == np.int64 and set(labels) <= set(
        range(len(loaded[name].class_names))
    )


@pytest.mark.parametrize("name", BUNDLED)
def test_labels_can_be_had_as_text(loaded, name):
    split = loaded[name].test
    assert split.label_names[-1] == loaded[name].class_names[split.labels[-1]]


@pytest.mark.parametrize("name", BUNDLED)
def test_the_card_comes_with_the_data(loaded, name):
    assert loaded[name].card == files.read_card(name)


@pytest.mark.parametrize("name", BUNDLED)
def test_nothing_is_there_twice_within_or_across_splits(loaded, name):
    everything = [
        content for split in loaded[name].splits.values() for content in contents(split)
    ]
    assert len(set(everything)) == len(everything)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("digits", "7198d5c34005d2b8"),
        ("kanji", "1c10dd4014e32ae9"),
        ("solar", "d2c50482d880635a"),
        ("reviews", "7d60148b18f17fde"),
        ("samples", "a3127f7b7fd106af"),
    ],
)
def test_the_splits_are_the_same_on_every_machine(loaded, name, expected):
    assert fingerprint(loaded[name]) == expected


def test_an_unknown_name_is_answered_with_the_known_ones(no_packs):
    with pytest.raises(
        UserInputError,
        match="no data set 'cats'. The course has digits, kanji.*from_folder",
    ):
        datasets.load_dataset("cats")


def test_a_data_set_says_what_is_in_it(loaded):
    assert (
        repr(loaded["digits"])
        == "<digits: train 5,000, validation 1,000, test 1,000 pictures of 10 classes>"
    )


# Splits


def test_a_split_can_be_narrowed_by_a_mask_with_everything_that_belongs_to_a_row(
    loaded,
):
    solar = loaded["solar"].test
    mono = solar.select(solar.groups == "mono")
    first = int(np.flatnonzero(solar.groups == "mono")[0])
    assert (mono.images.paths[0], mono.labels[0], mono.weights[0], mono.groups[0]) == (
        solar.images.paths[first], solar.labels[first], solar.weights[first], "mono"
    )  # fmt: skip


def test_a_sample_has_as_many_of_each_class_as_asked_for(loaded):
    assert np.bincount(loaded["kanji"].train.sample(3).labels).tolist() == [3] * 100


def test_a_sample_is_the_same_for_the_same_seed(loaded):
    train = loaded["digits"].train
    np.testing.assert_array_equal(
        train.sample(5, seed=7).images, train.sample(5, seed=7).images
    )


def test_a_sample_is_another_for_another_seed(loaded):
    train = loaded["digits"].train
    assert not np.array_equal(
        train.sample(5, seed=7).images, train.sample(5, seed=8).images
    )


def test_a_sample_larger_than_the_split_is_the_split(loaded):
    assert len(loaded["digits"].test.sample(10_000)) == 1000


def test_a_sample_of_nothing_is_refused(loaded):
    with pytest.raises(
        UserInputError, match="per_class is 0; expected a whole number from 1"
    ):
        loaded["digits"].train.sample(0)


def test_train_and_validation_go_together(loaded):
    solar = loaded["solar"]
    both = solar.train_and_validation
    assert (
        both.images.paths == solar.train.images.paths + solar.validation.images.paths
        and len(both.weights) == 1968
    )


def test_splits_go_together_where_only_one_of_them_has_weights(loaded):
    digits = loaded["digits"]
    weighted = datasets.Split(
        digits.train.images, digits.train.labels, digits.class_names, np.ones(5000)
    )
    mixed = datasets.Dataset(
        "mixed",
        weighted,
        digits.validation,
        digits.test,
        digits.class_names,
        digits.card,
    )
    assert mixed.train_and_validation.weights is None


def test_pictures_without_a_label_each_are_refused():
    with pytest.raises(UserInputError, match="3 pictures came with 2 labels"):
        datasets.Split(np.zeros((3, 4, 4)), [0, 1], ["a", "b"])


# Sentences


@pytest.fixture
def opinions():
    """A split of four sentences with everything that a row can have."""
    sentences = np.array(["Good.", "Bad.", "Very good.", "Very bad."], dtype=object)
    numbers = np.arange(4, dtype=np.float32)
    groups = np.array(["one", "two", "three", "four"])
    return datasets.Split(
        sentences, [1, 0, 1, 0], ["negative", "positive"], numbers, groups, numbers - 2
    )


def rows_of(split):
    columns = (
        split.sentences,
        split.label_names,
        split.weights,
        split.groups,
        split.ratings,
    )
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_a_sentence_is_a_plain_str(opinions):
    assert type(opinions.sentences[0]) is str and opinions.sentences.tolist()[2:] == [
        "Very good.",
        "Very bad.",
    ]


def test_a_split_of_sentences_says_so(opinions):
    assert repr(opinions) == "<split: 4 sentences of 2 classes>"


def test_whoever_asks_sentences_for_pictures_is_told_what_to_ask_for(opinions):
    with pytest.raises(
        UserInputError,
        match=r"This split holds sentences, not pictures: ask for its \.sentences\.",
    ):
        _ = opinions.images


def test_whoever_asks_pictures_for_sentences_is_told_what_to_ask_for(loaded):
    with pytest.raises(
        UserInputError,
        match=r"This split holds pictures, not sentences: ask for its \.images\.",
    ):
        _ = loaded["digits"].test.sentences


@pytest.mark.parametrize(
    "rows", [[2, 0], slice(1, 3), np.array([True, False, False, True])]
)
def test_everything_that_belongs_to_a_sentence_stays_with_it(opinions, rows):
    assert rows_of(opinions.select(rows)) == [
        rows_of(opinions)[row] for row in np.arange(4)[rows]
    ]


def test_sentences_can_be_narrowed_to_a_class_with_everything_that_belongs_to_them(
    opinions,
):
    assert rows_of(opinions.with_classes(["positive"])) == [
        row for row in rows_of(opinions) if row[1] == "positive"
    ]


def test_train_and_validation_of_sentences_go_together(opinions):
    dataset = datasets.Dataset(
        "opinions", opinions, opinions, opinions, opinions.class_names, card=None
    )
    assert rows_of(dataset.train_and_validation) == 2 * rows_of(opinions)


def test_sentences_without_a_label_each_are_refused():
    with pytest.raises(UserInputError, match="2 sentences came with 1 labels"):
        datasets.Split(np.array(["Good.", "Bad."]), [0], ["negative"])


# Digits and Kanji


@pytest.mark.parametrize("split", SPLITS)
def test_the_ten_digits_are_equally_frequent(loaded, split):
    assert len(set(np.bincount(loaded["digits"].splits[split].labels))) == 1


@pytest.mark.parametrize("split", SPLITS)
def test_the_hundred_kanji_are_equally_frequent(loaded, split):
    assert len(set(np.bincount(loaded["kanji"].splits[split].labels))) == 1


@pytest.mark.parametrize(("one", "other"), list(combinations(SPLITS, 2)))
def test_no_hand_is_in_two_splits(loaded, one, other):
    splits = loaded["kanji"].splits
    assert not set(splits[one].groups) & set(splits[other].groups)


@pytest.mark.parametrize(("one", "other"), list(combinations(SPLITS, 2)))
def test_no_writer_is_in_two_splits(loaded, one, other):
    arrays = bundled._read("kanji", "kanji.npz")
    writer = dict(zip(arrays["hand_names"], arrays["hand_writers"], strict=True))
    writers = {
        name: {writer[hand] for hand in split.groups}
        for name, split in loaded["kanji"].splits.items()
    }
    assert not writers[one] & writers[other]


def test_there_are_eight_hands(loaded):
    assert (
        len(
            {hand for split in loaded["kanji"].splits.values() for hand in split.groups}
        )
        == 8
    )


def test_every_kanji_has_a_meaning(loaded):
    meanings = datasets.kanji_meanings()
    assert list(meanings) == loaded["kanji"].class_names and all(meanings.values())


def test_a_meaning_is_in_english():
    assert datasets.kanji_meanings()["木"] == "tree"


# Solar


@pytest.fixture(scope="module")
def cells():
    """File name → (expert's probability, kind), as the package elpv-dataset has them."""
    table = Path(find_spec("elpv_dataset").origin).parent / "data" / "labels.csv"
    with open(table, encoding="utf-8") as file:
        return {
            Path(name).name: (float(p), kind)
            for name, p, kind in (line.split() for line in file if line.strip())
        }


def test_the_published_protocol_trains_on_1968_cells_and_tests_on_656(loaded):
    solar = loaded["solar"]
    assert (len(solar.train_and_validation), len(solar.test)) == (1968, 656)


def test_every_kind_and_probability_gives_a_quarter_of_its_cells_to_the_test(
    loaded, cells
):
    whole = Counter(cells.values())
    test = Counter(cells[path.name] for path in loaded["solar"].test.images.paths)
    assert all(abs(test[stratum] - count / 4) < 1 for stratum, count in whole.items())


@pytest.mark.parametrize(
    ("probability", "label", "weight"),
    [(0, 0, 1), (1 / 3, 1, 1 / 3), (2 / 3, 1, 2 / 3), (1, 1, 1)],
)
@pytest.mark.parametrize("split", SPLITS)
def test_label_and_weight_follow_from_the_experts_probability(
    loaded, cells, split, probability, label, weight
):
    part = loaded["solar"].splits[split]
    rows = [abs(cells[path.name][0] - probability) < 0.01 for path in part.images.paths]
    found = {
        (int(a), round(float(b), 6))
        for a, b in zip(part.labels[rows], part.weights[rows], strict=True)
    }
    assert found == {(label, round(weight, 6))}


@pytest.mark.parametrize("split", SPLITS)
def test_groups_are_the_kinds_of_cell(loaded, cells, split):
    part = loaded["solar"].splits[split]
    assert part.groups.tolist() == [cells[path.name][1] for path in part.images.paths]


def test_the_confident_protocol_leaves_out_what_the_experts_doubted(loaded):
    confident, published = (
        datasets.load_dataset("solar", protocol="confident").test,
        loaded["solar"].test,
    )
    sure = [
        path
        for path, weight in zip(published.images.paths, published.weights, strict=True)
        if weight == 1
    ]
    assert confident.images.paths == sure


def test_an_unknown_protocol_is_answered_with_the_known_ones():
    with pytest.raises(
        UserInputError,
        match="protocol is 'half'; the protocols of solar are deitsch2019, confident",
    ):
        datasets.load_dataset("solar", protocol="half")


def test_without_its_package_solar_says_what_to_install(monkeypatch, no_packs):
    monkeypatch.setattr(bundled, "find_spec", lambda name: None)
    with pytest.raises(DatasetUnavailable, match="pip install elpv-dataset"):
        datasets.load_dataset("solar")


# Sets that tensorflow-datasets brings: a stand-in for a set that was downloaded and prepared


def jpeg(seed):
    """A small picture of its own for each seed, as the bytes of a file."""
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


@pytest.fixture
def prepared(monkeypatch, tmp_path, no_packs):
    """tensorflow-datasets has the rows {set: {split: [(picture, label), …]}} that the test puts into this dict."""
    import tensorflow as tf
    import tensorflow_datasets

    rows = {}

    def as_dataset(builder, split, decoders=None, **options):
        pictures = [row[0] for row in rows[builder.name][split]]
        labels = [row[1] for row in rows[builder.name][split]]
        return tf.data.Dataset.from_tensor_slices(
            {"image": pictures, "label": np.array(labels, np.int64)}
        )

    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(
        tensorflow_datasets.core.DatasetBuilder,
        "is_prepared",
        lambda builder: builder.name in rows,
    )
    with tensorflow_datasets.testing.mock_data(as_dataset_fn=as_dataset):
        yield rows


@pytest.fixture
def pets(prepared):
    """All 37 breeds of Oxford-IIIT Pet, ten training and four test pictures of each."""
    prepared[dogs.PETS] = {
        "train": [
            (jpeg(1000 * breed + number), breed)
            for number in range(10)
            for breed in range(37)
        ],
        "test": [
            (jpeg(1000 * breed + 500 + number), breed)
            for number in range(4)
            for breed in range(37)
        ],
    }
    return prepared[dogs.PETS]


def test_of_the_pets_the_25_breeds_of_dogs_are_taken(pets):
    dataset = datasets.load_dataset("dogs")
    assert dataset.class_names == sorted(dogs.BREEDS) and len(dataset.class_names) == 25


def test_the_published_test_pictures_are_the_test(pets):
    test = datasets.load_dataset("dogs").test
    published = {hashlib.sha256(picture).hexdigest() for picture, _ in pets["test"]}
    assert len(test) == 25 * 4 and set(contents(test)) <= published


def test_one_fifth_of_each_breeds_training_pictures_is_validation(pets):
    dataset = datasets.load_dataset("dogs")
    assert set(np.bincount(dataset.validation.labels)) == {2} and set(
        np.bincount(dataset.train.labels)
    ) == {8}


def test_each_dog_has_its_breed(pets):
    import tensorflow_datasets

    names = tensorflow_datasets.builder(dogs.PETS).info.features["label"].names
    breed = {
        hashlib.sha256(picture).hexdigest(): names[label]
        for part in pets.values()
        for picture, label in part
    }
    train = datasets.load_dataset("dogs").train
    assert train.label_names.tolist() == [breed[content] for content in contents(train)]


def test_the_dogs_are_divided_by_content_and_not_by_their_order(
    pets, monkeypatch, tmp_path
):
    first = datasets.load_dataset("dogs")
    pets["train"].reverse()
    monkeypatch.setenv("TLCOURSE_CACHE", str(tmp_path / "another machine"))
    assert fingerprint(datasets.load_dataset("dogs")) == fingerprint(first)


def test_a_dog_in_both_published_splits_is_in_the_test_only(pets):
    pets["train"].append(pets["test"][1])
    assert pets["test"][1][1] == 1  # american_bulldog, a dog
    dataset = datasets.load_dataset("dogs")
    assert not set(contents(dataset.train_and_validation)) & set(contents(dataset.test))


def test_the_dogs_are_unpacked_once(pets, monkeypatch):
    first = datasets.load_dataset("dogs")
    monkeypatch.setattr(
        dogs, "_write_pictures", lambda *arguments: pytest.fail("unpacked again")
    )
    assert datasets.load_dataset("dogs").train.images.paths == first.train.images.paths


def test_unpacking_that_is_interrupted_leaves_nothing_half_done(pets, tmp_path):
    pets["train"] = pets["train"][:100] + [(b"", "no breed")]
    with pytest.raises(Exception):  # noqa: B017 - what the stand-in raises does not matter
        datasets.load_dataset("dogs")
    assert list((files.cache_folder() / "dogs").iterdir()) == []


def test_after_an_interruption_the_dogs_are_unpacked_whole(pets, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(
            Path,
            "rename",
            lambda *arguments: (_ for _ in ()).throw(KeyboardInterrupt()),
        )
        with pytest.raises(KeyboardInterrupt):
            datasets.load_dataset("dogs")
    assert len(datasets.load_dataset("dogs").test) == 25 * 4


def test_unpacking_gives_way_to_another_process_that_was_faster(
    pets, monkeypatch, tmp_path
):
    first = datasets.load_dataset("dogs")
    (folder,) = (files.cache_folder() / "dogs").iterdir()
    is_dir, answers = (
        Path.is_dir,
        iter([False]),
    )  # not there when it is looked for, there when it is to be written
    monkeypatch.setattr(
        Path,
        "is_dir",
        lambda path: next(answers, True) if path == folder else is_dir(path),
    )
    assert fingerprint(datasets.load_dataset("dogs")) == fingerprint(first)
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_the_dogs_card_is_the_courses(pets):
    assert datasets.load_dataset("dogs").card == files.read_card("dogs")


def test_dogs_that_are_not_there_are_answered_with_both_places_and_both_ways(
    prepared, monkeypatch, tmp_path
):
    monkeypatch.setenv("TLCOURSE_PACKS", str(tmp_path))
    with pytest.raises(DatasetUnavailable) as refusal:
        datasets.load_dataset("dogs")
    sentence = str(refusal.value)
    assert all(
        part in sentence
        for part in (
            str(tmp_path),
            dogs.PETS,
            "`tlcourse fetch dogs`",
            "`python -m workshop pack dogs",
        )
    )


@pytest.mark.parametrize(
    ("name", "options"), [("dogs", {}), ("digits", {"full": True}), ("kmnist", {})]
)
def test_what_is_not_there_is_not_downloaded(
    tmp_path, monkeypatch, no_internet, no_packs, name, options
):
    import tensorflow_datasets

    monkeypatch.setattr(
        tfds,
        "builder",
        lambda name: tensorflow_datasets.builder(name, data_dir=tmp_path),
    )
    start = time.perf_counter()
    with pytest.raises(DatasetUnavailable, match="With internet: `tlcourse fetch"):
        datasets.load_dataset(name, **options)
    assert (
        time.perf_counter() - start < 20
    )  # a download that is tried without internet repeats itself for minutes


@pytest.fixture
def characters(prepared):
    """Stand-ins for mnist and kmnist: 300 training and 50 test pictures."""
    numbers = np.random.default_rng(0)
    for name in ("mnist", "kmnist"):
        prepared[name] = {
            split: [
                (numbers.integers(0, 255, (28, 28, 1), dtype=np.uint8), row % 10)
                for row in range(count)
            ]
            for split, count in [("train", 300), ("test", 50)]
        }
    return prepared


@pytest.mark.parametrize(
    ("name", "options"), [("digits", {"full": True}), ("kmnist", {})]
)
def test_full_sets_come_as_arrays_like_the_small_ones(characters, name, options):
    dataset = datasets.load_dataset(name, **options)
    assert (
        dataset.train.images.shape[1:] == (28, 28)
        and dataset.train.images.dtype == np.uint8
    )


@pytest.mark.parametrize(
    ("name", "options"), [("digits", {"full": True}), ("kmnist", {})]
)
def test_full_sets_keep_the_published_test_split(characters, name, options):
    source = {"digits": "mnist"}.get(name, name)
    published = np.stack([picture[..., 0] for picture, _ in characters[source]["test"]])
    np.testing.assert_array_equal(
        datasets.load_dataset(name, **options).test.images, published
    )


def test_about_one_sixth_of_a_full_training_split_is_validation(characters):
    dataset = datasets.load_dataset("kmnist")
    assert (
        len(dataset.train_and_validation) == 300 and 30 < len(dataset.validation) < 70
    )


def test_a_copy_of_a_test_picture_is_left_out_of_a_full_training_split(characters):
    characters["kmnist"]["train"][7] = characters["kmnist"]["test"][7]
    assert len(datasets.load_dataset("kmnist").train_and_validation) == 299


def test_the_classes_of_kmnist_are_hiragana(characters):
    assert datasets.load_dataset("kmnist").class_names == list("おきすつなはまやれを")


# Fetching


def test_fetching_what_is_there_downloads_nothing(pets, monkeypatch):
    import tensorflow_datasets

    def download(*arguments, **options):
        pytest.fail("downloaded")

    monkeypatch.setattr(
        tensorflow_datasets.core.DatasetBuilder, "download_and_prepare", download
    )
    datasets.fetch("dogs")


def test_a_download_that_fails_is_answered_with_the_reason_and_the_cure(
    prepared, monkeypatch, no_internet
):
    with pytest.raises(
        DatasetUnavailable,
        match="cannot be reached.*With internet: `tlcourse fetch kmnist`",
    ):
        datasets.fetch("kmnist")


def test_archives_that_cannot_be_prepared_are_answered_with_the_reason_and_the_cure(
    prepared, monkeypatch
):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tfds, "download", full)
    with pytest.raises(
        DatasetUnavailable,
        match="could not be prepared.*No space left.*set TFDS_DATA_DIR",
    ):
        datasets.fetch("kmnist")


def test_what_cannot_be_fetched_is_answered_with_what_can():
    with pytest.raises(
        UserInputError, match="no download 'solar'. Data sets to fetch: dogs"
    ):
        datasets.fetch("solar")


def test_a_split_says_what_it_is_without_a_path_of_this_machine():
    assert (
        repr(datasets.load_dataset("samples").test)
        == "<split: 6 pictures of 6 classes>"
    )


# --- some of the classes ---


def test_with_some_classes_labels_are_places_among_them(loaded):
    kanji = loaded["kanji"]
    three = kanji.with_classes(["三", "一"])
    assert three.class_names == three.train.class_names == ["三", "一"]
    for split, whole in zip(three.splits.values(), kanji.splits.values(), strict=True):
        rows = np.isin(whole.label_names, ["三", "一"])
        assert np.array_equal(split.images, whole.images[rows])
        assert list(split.label_names) == list(whole.label_names[rows])
        assert list(split.groups) == list(whole.groups[rows])


@pytest.mark.parametrize("names", [["亜"], ["一", "一"], [], "一"])
def test_classes_that_cannot_be_chosen_are_answered_with_those_that_can(loaded, names):
    kanji = loaded["kanji"]
    with pytest.raises(UserInputError, match="expected a list of names out of 一, 二"):
        kanji.with_classes(names)
