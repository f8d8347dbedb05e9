"""The bundled networks: architecture, weights, and the ONNX files that hold them."""

import csv
import hashlib
import json
import shutil

import numpy as np
import onnx
import pytest
from tolerances import assert_agree

import tlcourse as tl
from tlcourse import cards
from tlcourse.errors import DamagedFile, UserInputError
from tlcourse.models.conversion import bundled_path, extract, output_shape
from tlcourse.models.efficientnet_lite import (
    SCALING,
    EfficientNetLite,
    block_layers,
    block_table,
)
from tlcourse.models.onnx_file import new_session

LITE0, LITE2 = SCALING
EXPECTED = json.loads(
    (cards.data_folder() / "weights" / "expected_top5.json").read_text("utf-8")
)


# Architecture


@pytest.mark.parametrize(
    ("variant", "blocks", "parameters"),
    [
        (LITE0, "1a 2a 2b 3a 3b 4a 4b 4c 5a 5b 5c 6a 6b 6c 6d 7a", 4_652_008),
        (
            LITE2,
            "1a 2a 2b 2c 3a 3b 3c 4a 4b 4c 4d 5a 5b 5c 5d 6a 6b 6c 6d 6e 7a",
            6_092_072,
        ),
    ],
)
def test_the_architecture_is_the_papers(variant, blocks, parameters):
    assert [row[0] for row in block_table(variant)] == [
        f"block{block}" for block in blocks.split()
    ]
    network = EfficientNetLite(variant, weights=None)
    trainable = sum(np.prod(weight.shape) for weight in network.trainable_weights)
    assert trainable == parameters


def test_block_names_and_shapes_are_those_of_the_keras_network(each_bundled_model):
    model = each_bundled_model
    layers = block_layers(model.name)
    inside = [layer for names in layers.values() for layer in names]
    outside = {"pixels", "preprocessing", "average_pooling"}
    network = [layer.name for layer in model.network.layers]
    assert [name for name in network if name not in outside] == inside


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        ({}, (None, 1000)),
        ({"include_top": False}, (None, 7, 7, 1280)),
        ({"include_top": False, "pooling": "avg"}, (None, 1280)),
    ],
)
def test_the_output_is_as_asked_for(options, shape):
    assert EfficientNetLite(weights=None, **options).output_shape == shape


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"variant": "efficientnet_lite1"}, "variant"),
        ({"pooling": "mean"}, "pooling"),
        ({"pooling": "avg"}, "pooling"),
    ],
)
def test_unusable_arguments_are_refused(options, word):
    with pytest.raises(UserInputError, match=word):
        EfficientNetLite(**options)


# Predictions


def test_the_sample_photographs_are_recognised_as_by_the_original(each_bundled_model):
    samples = tl.load_dataset("samples").test.images
    predictions = each_bundled_model.predict_labels([*samples], 1000)
    for path, pairs in zip(samples.paths, predictions, strict=True):
        expected = {
            label: probability
            for _, label, probability in EXPECTED[each_bundled_model.name][path.name]
        }
        assert dict(pairs[:5]) == pytest.approx(expected, abs=1e-3), path.name
        assert sum(probability for _, probability in pairs) == pytest.approx(
            1, abs=1e-4
        )
        assert {label for label, _ in pairs} == set(each_bundled_model.labels)


def test_labels_are_a_thousand_different_ones():
    with open(cards.bundled_file("weights", "imagenet_labels.csv")) as file:
        rows = list(csv.DictReader(file))
    assert len({row["label"] for row in rows}) == 1000
    assert [int(row["index"]) for row in rows] == list(range(1000))


# The ONNX files


@pytest.mark.slow
def test_every_output_of_the_float32_file_agrees_with_keras(
    each_bundled_model, photographs
):
    import keras

    model, height = each_bundled_model, each_bundled_model.input_size[0]
    batch = tl.pictures.resize(photographs[0], (height, height))[None].astype("float32")
    layers = [names[-1] for names in model.blocks.values()]
    outputs = [model.classifier.get_layer(layer).output for layer in layers]
    network = keras.Model(
        model.classifier.inputs[0], [*outputs, model.classifier.output]
    )
    *expected, probabilities = map(np.asarray, network(batch))
    session = new_session(str(bundled_path(model.name)))
    names = [output.name for output in session.get_outputs()]
    found = dict(zip(names, session.run(names, {"pixels": batch}), strict=True))
    for block, activations in zip(model.blocks, expected, strict=True):
        assert_agree(found[block], activations)
        assert_agree(found[f"{block}_average"], activations.mean(axis=(1, 2)))
        assert_agree(found[f"{block}_maximum"], activations.max(axis=(1, 2)))
    assert_agree(found["features"], expected[-1].mean(axis=(1, 2)))
    assert_agree(found["probabilities"], probabilities)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_files_are_those_of_the_card_and_the_record(precision):
    weights = cards.data_folder() / "weights"
    record = json.loads((weights / "onnx.json").read_text("utf-8"))
    for variant in SCALING:
        path = bundled_path(variant, precision)  # compares it with the card
        entry = record["networks"][variant]["files"][path.name]
        assert entry["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert record["networks"][variant]["largest_difference_from_keras"] <= 1e-4


def test_the_files_pass_the_check_of_foreign_files():
    from tlcourse.models.onnx_file import check_foreign

    for precision in ("float32", "int8"):
        assert check_foreign(bundled_path(LITE0, precision))


def test_a_part_computes_what_the_whole_computes(photographs):
    batch = photographs[:1].astype("float32")
    names = ["block3b_average", "block3b_maximum"]
    whole = new_session(str(bundled_path(LITE0))).run(names, {"pixels": batch})
    part = extract(bundled_path(LITE0), names)
    session = new_session(part.SerializeToString())
    for found, expected in zip(
        session.run(names, {"pixels": batch}), whole, strict=True
    ):
        assert_agree(found, expected)
    assert len(part.graph.node) < 60 and output_shape(part, names) == (80,)


def test_keras_weights_are_those_of_the_file():
    network = EfficientNetLite(LITE0)
    for tensor in onnx.load(bundled_path(LITE0)).graph.initializer:
        if tensor.name == "block1a_depthwise_conv/kernel":
            kernel = onnx.numpy_helper.to_array(tensor)[:, 0].transpose(1, 2, 0)
    layer = network.get_layer("block1a_depthwise_conv")
    np.testing.assert_array_equal(np.asarray(layer.kernel)[..., 0], kernel)


@pytest.mark.parametrize("damage", ["cut short", "altered", "missing"])
def test_a_damaged_file_is_refused(tmp_path, monkeypatch, damage):
    shutil.copytree(cards.data_folder() / "weights", tmp_path / "weights")
    monkeypatch.setattr(cards, "data_folder", lambda: tmp_path)
    path = tmp_path / "weights" / f"{LITE0}.onnx"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        changed = bytes([content[5000] ^ 1]) + content[5001:]
        path.write_bytes(content[:5000] + (changed if damage == "altered" else b""))
    for use in (
        lambda: EfficientNetLite(LITE0),
        lambda: tl.load_pretrained_model(LITE0),
    ):
        with pytest.raises(DamagedFile, match="Restore it"):
            use()
