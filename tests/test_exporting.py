"""What is exported predicts as the network did; losses are measured."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tolerances import assert_agree

import tlcourse as tl
from tlcourse import exporting
from tlcourse.datasets.core import Dataset
from tlcourse.errors import TLCourseError, UserInputError, WeightsUnavailable
from tlcourse.export_record import CARD, LABELS, RECORD, VARIANTS
from tlcourse.files import sha256
from tlcourse.models import onnx_file

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cells():
    solar = tl.load_dataset("solar")
    counts = zip(solar.splits.values(), (15, 2, 6), strict=True)
    parts = [split.sample(count) for split, count in counts]
    return Dataset("cells", *parts, solar.class_names, solar.card)


@pytest.fixture(scope="module")
def probe(bundled_model, cells):
    features = bundled_model.extract_features(cells.train.images)
    return tl.train_classifier(features, cells.train.labels, cells.class_names)


@pytest.fixture(scope="module")
def exported(probe, cells, bundled_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exports") / "my cells"
    return tl.export(probe, folder, cells, bundled_model, licence="mine", litert=True)


@pytest.fixture(scope="module")
def expected(probe, cells, bundled_model):
    return probe.predict_proba(bundled_model.extract_features(cells.test.images))


@pytest.fixture
def quick(monkeypatch):
    """Exports whose conversion to int8 costs nothing."""
    monkeypatch.setattr(onnx_file, "quantize", lambda content, pictures: content)


# What is written


def test_without_litert_its_extra_is_named(probe, cells, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ai_edge_litert.interpreter", None)
    with pytest.raises(WeightsUnavailable, match="litert"):
        tl.export(probe, tmp_path / "mine", cells, litert=True)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_file_predicts_as_the_network_did(exported, cells, expected, variant):
    found = tl.load_exported(exported.folder, variant)
    probabilities = found.predict_proba(cells.test.images)
    if variant == "int8":
        assert np.abs(probabilities - expected).mean() < 0.15
    else:
        assert_agree(probabilities, expected, 1e-3)


def test_all_is_recorded_and_nothing_left_beside_it(exported, probe, cells, expected):
    folder, record, test = exported.folder, exported.record, exported.record["test"]
    names = {*VARIANTS.values(), "model.keras", "model.tflite", RECORD, LABELS, CARD}
    assert names == set(os.listdir(folder)) and os.listdir(folder.parent) == [
        "my cells"
    ]
    for name, file in record["files"].items():
        path = folder / name
        assert (file["sha256"], file["bytes"]) == (sha256(path), path.stat().st_size)
    right = int((expected.argmax(axis=1) == cells.test.labels).sum())
    assert (test["pictures"], test["right"]) == (len(cells.test), right)
    assert test["interval"][0] <= test["accuracy"] <= test["interval"][1]
    probabilities = [one["probability"] for one in test["surest_mistakes"]]
    assert probabilities == sorted(probabilities, reverse=True)
    assert record["data"]["licence"] == "mine"
    assert record["backbone"]["name"] == "efficientnet_lite0"
    assert record["training"]["method"] == "linear probe"
    assert (folder / LABELS).read_text("utf-8").splitlines() == probe.class_names
    text = json.dumps(record) + (folder / CARD).read_text("utf-8")
    assert not [part for part in (Path.home(), folder) if str(part) in text]


def test_keras_alone_predicts_the_same_in_a_fresh_process(exported, cells, tmp_path):
    pictures = cells.test.images[:2]
    resized = [tl.pictures.resize(picture, (224, 224)) for picture in pictures]
    np.save(tmp_path / "pictures.npy", np.float32(resized))
    program = (
        "import sys, keras, numpy as np\n"
        "network = keras.saving.load_model(sys.argv[1], safe_mode=True)\n"
        "np.save('found.npy', network(np.load('pictures.npy')))\n"
        "assert not any(name.startswith('tlcourse') for name in sys.modules)"
    )
    command = [sys.executable, "-c", program, str(exported.folder / "model.keras")]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    found = np.load(tmp_path / "found.npy")
    assert_agree(found, exported.predict_proba(pictures), 1e-3)


def test_a_fine_tuned_network_is_exported(bundled_model, cells, tmp_path, quick):
    train = (cells.train.images, cells.train.labels)
    options = {"class_names": cells.class_names, "validation": 0, "epochs": 1}
    tuned = tl.fine_tune(bundled_model, *train, "head", **options)
    exported = tl.export(tuned, tmp_path / "tuned", cells)
    found = exported.predict_proba(cells.test.images)
    assert_agree(found, tuned.predict_proba(cells.test.images), 1e-3)
    assert exported.record["training"]["from_block"] == "head"


def test_an_export_resizes_as_in_training(cells, tmp_path, monkeypatch):
    model, calibrated = tl.load_pretrained_model(resize="crop"), []

    def quantize(content, pictures):
        calibrated.extend(pictures)
        return content

    monkeypatch.setattr(onnx_file, "quantize", quantize)
    wide = [
        replace(split, inputs=np.repeat(np.stack(list(split.images)), 2, axis=2))
        for split in cells.splits.values()
    ]
    data = Dataset("wide cells", *wide, cells.class_names, cells.card)
    train, test = data.train, data.test.images
    probe = tl.train_classifier(model.extract_features(train.images), train.labels)
    tuned = tl.fine_tune(
        model, train.images, train.labels, "head", validation=0, epochs=1
    )
    expected = probe.predict_proba(model.extract_features(test))
    for trained, probabilities in (
        (probe, expected),
        (tuned, tuned.predict_proba(test)),
    ):
        path = tmp_path / type(trained).__name__
        exported = tl.export(trained, path, data, model if trained is probe else None)
        assert exported.record["input"]["resize"] == exported.resize == "crop"
        assert_agree(exported.predict_proba(test), probabilities, 1e-3)
        assert "centred part" in (path / CARD).read_text(encoding="utf-8")
    cropped = {
        tl.pictures.resize(x, (224, 224), "crop").tobytes() for x in train.images
    }
    assert cropped == {pixels.tobytes() for pixels in calibrated}


# What is lost


def constant(content):
    """The same network, which always predicts the last class."""
    import onnx

    model = onnx.load_model_from_string(content)
    for tensor in model.graph.initializer:
        if tensor.name == "classifier/bias":
            value = np.array([0, 99], np.float32)
            tensor.CopyFrom(onnx.numpy_helper.from_array(value, tensor.name))
    return model.SerializeToString()


def test_an_int8_file_that_loses_too_much_is_left_out_with_the_reason(
    probe, cells, bundled_model, tmp_path, monkeypatch
):
    monkeypatch.setattr(onnx_file, "quantize", lambda content, _: constant(content))
    monkeypatch.setattr(exporting, "interval", lambda right, count: (0.9, 1.0))
    exported = tl.export(probe, tmp_path / "lossy", cells, bundled_model)
    reason = exported.record["left_out"]["model_int8.onnx"]
    assert not (exported.folder / "model_int8.onnx").exists()
    assert reason in (exported.folder / CARD).read_text(encoding="utf-8")
    with pytest.raises(UserInputError, match="in int8"):
        tl.load_exported(exported.folder, "int8")


def test_a_float32_file_that_disagrees_ends_the_export_and_leaves_nothing(
    probe, cells, bundled_model, tmp_path, monkeypatch
):
    convert = exporting.to_onnx
    monkeypatch.setattr(exporting, "to_onnx", lambda net: constant(convert(net)))
    with pytest.raises(TLCourseError, match="disagrees with Keras"):
        tl.export(probe, tmp_path / "wrong", cells, bundled_model)
    assert list(tmp_path.iterdir()) == []


# What is refused


def test_what_cannot_be_exported_is_refused(probe, cells, bundled_model, tmp_path):
    path, parts = tmp_path / "mine", [cells.train, cells.validation]
    nothing = cells.test.select(slice(0, 0))
    untested = Dataset("cells", *parts, nothing, cells.class_names, cells.card)
    other = tl.train_classifier(np.eye(4), [0, 1, 0, 1])
    for arguments, word in (
        ((bundled_model, path, cells), "tl.fine_tune"),
        ((probe, path, cells.test), "dataset"),
        ((probe, path, untested, bundled_model), "test set"),
        ((probe, path, cells), "model=model"),
        ((other, path, cells, bundled_model), "4 features"),
        ((probe, path, cells, bundled_model, 7), "licence"),
        ((probe, path, cells, bundled_model, None, []), "about"),
        ((probe, path, cells, bundled_model, None, {"picture": path}), "about"),
        ((probe, path, cells, bundled_model, None, {"test": 1}), "about has test"),
        ((probe, tmp_path.parent, cells, bundled_model), "nothing was overwritten"),
    ):
        with pytest.raises(UserInputError, match=word):
            tl.export(*arguments)
    assert not path.exists()


def test_a_folder_that_somebody_made_meanwhile_is_not_overwritten(
    probe, cells, bundled_model, tmp_path, monkeypatch, quick
):
    card, path = exporting.model_card.model_card, tmp_path / "ü ber" / "mine"

    def meanwhile(record):
        path.mkdir()
        (path / "thesis.txt").write_text("my thesis")
        return card(record)

    monkeypatch.setattr(exporting.model_card, "model_card", meanwhile)
    with pytest.raises(TLCourseError, match="nothing overwritten"):
        tl.export(probe, path, cells, bundled_model)
    assert os.listdir(path) == ["thesis.txt"] and os.listdir(path.parent) == ["mine"]
