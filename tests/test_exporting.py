"""What is exported answers as the network did, on any way; what it loses is measured; nothing is overwritten."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_network import train_small_network

import tlcourse as tl
from tlcourse import exporting
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.exported import CARD, LABELS, RECORD, VARIANTS
from tlcourse.files import Card, sha256

pytestmark = pytest.mark.slow

NAMES = ["dark", "light", "striped"]
CARD_OF_SHADES = Card(
    "shades", "Shades", "drawn for the tests", "CC0", "nobody", {}, ""
)


def some_shades(count, seed):
    """Dark, light and striped squares of noise, as many of each: (uint8 (3 count, 32, 32, 3), labels)."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), count)
    level = np.array([60, 190, 125])[labels][:, None, None, None]
    stripes = (
        60
        * np.sin(np.arange(32))[None, :, None, None]
        * (labels == 2)[:, None, None, None]
    )
    noise = rng.normal(0, 15, (3 * count, 32, 32, 3))
    return np.clip(level + stripes + noise, 0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def shades():
    splits = [
        Split(*some_shades(count, seed), NAMES)
        for seed, count in enumerate((20, 6, 10))
    ]
    return Dataset(
        "shades",
        *splits,
        NAMES,
        CARD_OF_SHADES,
        [("notes.txt", "no picture by its name: .txt")],
    )


@pytest.fixture(scope="module")
def trained(shades):
    return train_small_network(shades.train.images, shades.train.labels, NAMES, 150)


@pytest.fixture(scope="module")
def exported(trained, shades, tmp_path_factory):
    return tl.export(trained, tmp_path_factory.mktemp("exports") / "my shades", shades)


@pytest.fixture(scope="module")
def cells():
    solar = tl.load_dataset("solar")
    parts = [
        split.sample(count)
        for split, count in zip(solar.splits.values(), (15, 2, 6), strict=True)
    ]
    return Dataset("cells", *parts, solar.class_names, solar.card)


@pytest.fixture(scope="module")
def probe(bundled_model, cells):
    features = bundled_model.extract_features(cells.train.images)
    return tl.train_classifier(features, cells.train.labels, cells.class_names)


@pytest.fixture(scope="module")
def exported_probe(probe, cells, bundled_model, tmp_path_factory):
    return tl.export(
        probe,
        tmp_path_factory.mktemp("exports") / "cells",
        cells,
        model=bundled_model,
        licence="mine",
    )


# What is written


def test_the_folder_holds_what_was_promised(exported):
    assert {path.name for path in exported.folder.iterdir()} == {
        *VARIANTS.values(),
        RECORD,
        LABELS,
        CARD,
    }


def test_nothing_is_left_beside_it(exported):
    assert list(exported.folder.parent.iterdir()) == [exported.folder]


def test_labels_are_in_the_order_of_the_outputs(exported, trained):
    assert (
        (exported.folder / LABELS).read_text(encoding="utf-8").splitlines()
        == trained.class_names
        == NAMES
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_file_answers_as_the_network_did(exported, trained, shades, variant):
    found = tl.load_exported(exported.folder, variant).predict_proba(shades.test.images)
    tolerance = 0.1 if variant == "int8" else 1e-4
    np.testing.assert_allclose(
        found, trained.predict_proba(shades.test.images), atol=tolerance
    )


def test_a_probe_and_its_network_become_one(
    exported_probe, probe, bundled_model, cells
):
    expected = probe.predict_proba(bundled_model.extract_features(cells.test.images))
    np.testing.assert_allclose(
        exported_probe.predict_proba(cells.test.images), expected, atol=1e-3
    )


def test_a_fine_tuned_network_is_exported(bundled_model, cells, tmp_path):
    settings = {"from_block": "head", "augmentations": 1, "validation": 0, "epochs": 1}
    tuned = tl.fine_tune(
        bundled_model,
        cells.train.images,
        cells.train.labels,
        class_names=cells.class_names,
        **settings,
    )
    exported = tl.export(tuned, tmp_path / "tuned", cells)
    expected = tuned.predict_proba(cells.test.images)
    np.testing.assert_allclose(
        exported.predict_proba(cells.test.images), expected, atol=1e-3
    )
    assert (
        exported.record["training"]["method"] == "fine-tuned"
        and exported.record["training"]["from_block"] == "head"
    )


def test_int8_is_a_quarter_of_the_size(exported_probe):
    files = exported_probe.record["files"]
    assert files["model_int8.tflite"]["bytes"] < 0.3 * files["model.tflite"]["bytes"]


def test_text_labels_stay_text(shades, tmp_path):
    trained = train_small_network(shades.train.images, shades.train.label_names)
    exported = tl.export(trained, tmp_path / "text", shades)
    assert (
        exported.predict(shades.test.images).tolist()
        == trained.predict(shades.test.images).tolist()
    )
    assert exported.record["test"]["right"] == round(
        30 * trained.score(shades.test.images, shades.test.label_names)
    )


def test_keras_alone_answers_the_same_in_a_fresh_process(exported, shades, tmp_path):
    np.save(tmp_path / "pictures.npy", shades.test.images)
    program = (
        "import sys, keras, numpy as np\n"
        "network = keras.saving.load_model(sys.argv[1], safe_mode=True)\n"
        "np.save(sys.argv[3], network(np.load(sys.argv[2]).astype('float32')))\n"
        "assert not any(name.startswith('tlcourse') for name in sys.modules)"
    )
    arguments = [
        exported.folder / "model.keras",
        tmp_path / "pictures.npy",
        tmp_path / "answers.npy",
    ]
    subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        check=True,
        capture_output=True,
    )
    answers = exported.predict_proba(shades.test.images)
    np.testing.assert_allclose(np.load(tmp_path / "answers.npy"), answers, atol=1e-4)


# What is recorded


def test_accuracy_and_interval_are_those_of_the_test_pictures(
    exported, trained, shades
):
    test = exported.record["test"]
    accuracy = trained.score(shades.test.images, shades.test.labels)
    assert (test["pictures"], test["accuracy"]) == (30, pytest.approx(accuracy))
    assert test["right"] == round(30 * accuracy)
    assert test["interval"][0] <= accuracy <= test["interval"][1]


def test_each_class_is_counted(exported, trained, shades):
    matrix = trained.confusion(shades.test.images, shades.test.labels)
    found = exported.record["test"]["classes"]
    assert {name: one["right"] for name, one in found.items()} == dict(
        zip(NAMES, np.diag(matrix.counts), strict=True)
    )
    assert all(one["pictures"] == 10 for one in found.values())


def test_the_surest_mistakes_are_wrong_and_sorted(exported_probe, cells):
    found = exported_probe.record["test"]["surest_mistakes"]
    assert all(one["true"] != one["said"] for one in found)
    sure = [one["probability"] for one in found]
    assert sure == sorted(sure, reverse=True)
    assert len(found) == len(cells.test) - exported_probe.record["test"]["right"]


def test_checksums_and_sizes_are_those_of_the_files(exported):
    for name, file in exported.record["files"].items():
        path = exported.folder / name
        assert (file["sha256"], file["bytes"]) == (sha256(path), path.stat().st_size)


def test_the_record_is_the_file(exported):
    assert (
        json.loads((exported.folder / RECORD).read_text(encoding="utf-8"))
        == exported.record
    )


def test_no_path_of_this_machine_is_recorded(exported_probe):
    text = "".join(
        (exported_probe.folder / name).read_text(encoding="utf-8")
        for name in (RECORD, CARD)
    )
    assert (
        str(Path.home()) not in text
        and str(exported_probe.folder) not in text
        and "site-packages" not in text
    )


def test_the_licence_is_the_one_given_or_the_cards(exported, exported_probe):
    assert (
        exported.record["data"]["licence"],
        exported_probe.record["data"]["licence"],
    ) == ("CC0", "mine")


def test_the_backbone_is_named_with_its_source(exported, exported_probe):
    assert exported.record["backbone"]["source"] == "trained from scratch"
    assert exported_probe.record["backbone"]["name"] == "efficientnet_lite0"


# What is judged


def lossy(name, monkeypatch):
    """Make the conversion to this variant give a network that always answers the last class."""
    convert = exporting.convert

    def spoil(network, int8=False):
        if int8 != (name == "int8"):
            return convert(network, int8)
        import keras

        spoilt = keras.models.clone_model(network)
        spoilt.set_weights([*network.get_weights()[:-1], np.float32([0, 0, 99])])
        return convert(spoilt, int8)

    monkeypatch.setattr(exporting, "convert", spoil)


def test_an_int8_file_that_loses_too_much_is_left_out_and_said(
    trained, shades, tmp_path, monkeypatch
):
    lossy("int8", monkeypatch)
    exported = tl.export(trained, tmp_path / "lossy", shades)
    reason = exported.record["left_out"]["model_int8.tflite"]
    assert "with 8-bit weights it is right for 33.3% of the test pictures" in reason
    assert not (exported.folder / "model_int8.tflite").exists()
    assert f"model_int8.tflite was left out: {reason}." in (
        exported.folder / CARD
    ).read_text(encoding="utf-8")
    with pytest.raises(
        UserInputError,
        match="has no model_int8.tflite: with 8-bit weights it is right for 33.3%",
    ):
        tl.load_exported(exported.folder, "int8")


def test_a_float32_file_that_disagrees_ends_the_export_and_leaves_nothing(
    trained, shades, tmp_path, monkeypatch
):
    lossy("float32", monkeypatch)
    with pytest.raises(
        TLCourseError,
        match="disagrees with Keras by .* expected at most 0.001. Nothing was written",
    ):
        tl.export(trained, tmp_path / "wrong", shades)
    assert list(tmp_path.iterdir()) == []


# What is refused, before the work


@pytest.fixture
def no_work(monkeypatch):
    monkeypatch.setattr(
        exporting,
        "convert",
        lambda *_, **__: pytest.fail("there was work before the refusal"),
    )


@pytest.mark.parametrize("what", ["a file", "a full folder", "a broken link"])
def test_nothing_is_overwritten(trained, shades, tmp_path, no_work, what):
    goal = tmp_path / "mine"
    if what == "a file":
        goal.write_text("my thesis")
    elif what == "a full folder":
        goal.mkdir()
        (goal / ".hidden").write_text("my thesis")
    else:
        goal.symlink_to(tmp_path / "nowhere")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(
        UserInputError,
        match="mine is there already; nothing was overwritten. Choose a new folder",
    ):
        tl.export(trained, goal, shades)
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_filled(trained, shades, tmp_path):
    (tmp_path / "empty").mkdir()
    assert tl.export(trained, tmp_path / "empty", shades).folder == tmp_path / "empty"


def test_folders_above_are_made(trained, shades, tmp_path):
    assert (
        tl.export(trained, tmp_path / "ü ber" / "mine", shades).folder / RECORD
    ).is_file()


def test_without_test_pictures_there_is_nothing_to_say(
    trained, shades, tmp_path, no_work
):
    nothing = shades.test.select(slice(0, 0))
    without = Dataset(
        "shades", shades.train, shades.validation, nothing, NAMES, CARD_OF_SHADES
    )
    with pytest.raises(
        UserInputError, match="shades has no test pictures, so nothing can be said"
    ):
        tl.export(trained, tmp_path / "mine", without)


def test_a_probe_without_its_network_is_refused(probe, cells, tmp_path, no_work):
    with pytest.raises(
        UserInputError, match="A linear probe takes features.*model=model"
    ):
        tl.export(probe, tmp_path / "mine", cells)


def test_a_probe_of_other_features_is_refused(cells, bundled_model, tmp_path, no_work):
    other = tl.train_classifier(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(
        UserInputError, match="trained on 4 features, efficientnet_lite0 gives 1,280"
    ):
        tl.export(other, tmp_path / "mine", cells, model=bundled_model)


def test_something_else_is_refused(shades, tmp_path, bundled_model):
    with pytest.raises(
        UserInputError,
        match="export was given PretrainedModel; expected what tl.fine_tune",
    ):
        tl.export(bundled_model, tmp_path / "mine", shades)


def test_a_disk_that_is_full_leaves_nothing(trained, shades, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "_write_text", full)
    with pytest.raises(
        TLCourseError,
        match=r"could not be written to .*mine \(No space left on device\). Nothing was left",
    ):
        tl.export(trained, tmp_path / "mine", shades)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_somebody_made_meanwhile_is_not_overwritten(
    trained, shades, tmp_path, monkeypatch
):
    card, goal = exporting.model_card, tmp_path / "mine"

    def meanwhile(record):
        goal.mkdir()
        (goal / "thesis.txt").write_text("my thesis")
        return card(record)

    monkeypatch.setattr(exporting, "model_card", meanwhile)
    with pytest.raises(
        TLCourseError,
        match="Another job has written to .* meanwhile; nothing of it was overwritten",
    ):
        tl.export(trained, goal, shades)
    assert os.listdir(goal) == ["thesis.txt"] and os.listdir(tmp_path) == ["mine"]
