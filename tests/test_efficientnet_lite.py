"""The bundled networks: architecture, weights, and the ONNX files that hold them."""

import hashlib
import json
import shutil

import numpy as np
import pytest

import tlcourse as tl
from tlcourse import cards
from tlcourse.errors import DamagedFile, UserInputError
from tlcourse.features.engine import new_session
from tlcourse.models.conversion import (
    bundled_path,
    extract,
    output_shape,
    pooled,
)
from tlcourse.models.efficientnet_lite import (
    SCALING,
    EfficientNetLite,
    block_layers,
    block_table,
)
from tlcourse.models.onnx_file import check_foreign

LITE0, LITE2 = SCALING
WEIGHTS = cards.data_folder() / "weights"
LITE0_BLOCKS = "1a 2a 2b 3a 3b 4a 4b 4c 5a 5b 5c 6a 6b 6c 6d 7a"
LITE2_BLOCKS = "1a 2a 2b 2c 3a 3b 3c 4a 4b 4c 4d 5a 5b 5c 5d 6a 6b 6c 6d 6e 7a"


@pytest.mark.parametrize(
    ("variant", "blocks", "parameters"),
    [(LITE0, LITE0_BLOCKS, 4_652_008), (LITE2, LITE2_BLOCKS, 6_092_072)],
)
def test_the_architecture_is_the_papers(variant, blocks, parameters):
    names = [row[0].removeprefix("block") for row in block_table(variant)]
    assert names == blocks.split()
    network = EfficientNetLite(variant, weights=None)
    trainable = sum(np.prod(weight.shape) for weight in network.trainable_weights)
    assert trainable == parameters


@pytest.mark.parametrize("options", [{"variant": "lite1"}, {"pooling": "avg"}])
def test_unusable_arguments_are_refused(options):
    with pytest.raises(UserInputError, match=next(iter(options))):
        EfficientNetLite(**options)


def test_the_sample_photographs_are_recognised_as_by_the_original(each_bundled_model):
    text = (WEIGHTS / "expected_top5.json").read_text("utf-8")
    expected = json.loads(text)[each_bundled_model.name]
    samples = tl.load_dataset("samples").test.images
    size = each_bundled_model.input_size  # the original was given whole pictures
    whole = [tl.pictures.resize(photograph, size) for photograph in samples]
    predictions = each_bundled_model.predict_labels(whole, 1000)
    for path, pairs in zip(samples.paths, predictions, strict=True):
        best = {label: probability for _, label, probability in expected[path.name]}
        assert dict(pairs[:5]) == pytest.approx(best, abs=1e-3), path.name
        assert sum(share for _, share in pairs) == pytest.approx(1, abs=1e-4)
        assert {label for label, _ in pairs} == set(each_bundled_model.labels)


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("variant", SCALING)
def test_the_files_are_those_of_the_record_and_pass_as_foreign(variant, precision):
    record = json.loads((WEIGHTS / "onnx.json").read_text("utf-8"))["networks"][variant]
    path = bundled_path(variant, precision)  # compares it with the card
    digest = hashlib.sha256(check_foreign(path)).hexdigest()
    assert record["files"][path.name]["sha256"] == digest
    assert record["largest_difference_from_keras"] <= 1e-4


@pytest.mark.parametrize("size", [(224, 224), (75, 130)])
@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("variant", SCALING)
def test_the_shape_of_every_output_is_known_without_the_file(variant, precision, size):
    blocks = list(block_layers(variant))
    names = ("features", "probabilities", *blocks, *pooled(blocks))
    part = extract(bundled_path(variant, precision), names, size)
    picture = np.zeros((1, *size, 3), np.float32)
    outputs = new_session(part.SerializeToString()).run(names, {"pixels": picture})
    for name, output in zip(names, outputs, strict=True):
        assert output_shape(variant, (name,), size) == output.shape[1:], name
    channels = sum(output_shape(variant, (block,), size)[-1] for block in blocks)
    assert output_shape(variant, pooled(blocks), size) == (2 * channels,)


@pytest.mark.parametrize("damage", ["cut short", "altered", "missing"])
def test_a_damaged_file_is_refused(tmp_path, monkeypatch, damage):
    shutil.copytree(WEIGHTS, tmp_path / "weights")
    monkeypatch.setattr(cards, "data_folder", lambda: tmp_path)
    path = tmp_path / "weights" / f"{LITE0}.onnx"
    content = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        changed = bytes([content[5000] ^ 1]) + content[5001:]
        path.write_bytes(content[:5000] + (changed if damage == "altered" else b""))
    for use in (EfficientNetLite, tl.load_pretrained_model):
        with pytest.raises(DamagedFile, match="Restore it"):
            use(LITE0)
