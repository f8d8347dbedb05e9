"""Networks for pictures: names, preprocessing, features, labels, weights."""

import inspect
import json
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from tolerances import assert_agree

import tlcourse as tl
from tlcourse import native
from tlcourse.errors import DamagedFile, UserInputError, WeightsUnavailable
from tlcourse.models import bert_folder, weights
from tlcourse.models.recipes import RECIPES, PictureModel

BUNDLED = ["efficientnet_lite0", "efficientnet_lite2"]
FETCHED = [name for name in RECIPES if name not in BUNDLED]


def module_of(name):
    """A network's module in keras.applications."""
    import keras

    name = {"efficientnet_v2_b0": "efficientnet_v2"}.get(name, name)
    return getattr(keras.applications, name)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Keras' folder of weights, empty."""
    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(folder.parent))
    return folder


def test_all_networks_are_listed_with_size_and_availability(home):
    (home / weights.weights_file("vgg16").name).touch()
    listed = tl.list_pretrained_models()
    assert list(listed) == [*RECIPES, *bert_folder.PUBLISHED, "speech_embedding"]
    assert get_args(PictureModel) == tuple(RECIPES)
    assert listed["efficientnet_lite2"].startswith("260×260 pixels")
    for name, end in {
        "efficientnet_lite0": "bundled",
        "vgg16": "here",
        "xception": "tlcourse fetch xception",
    }.items():
        assert listed[name].endswith(f", {end}")


@pytest.mark.parametrize(
    ("options", "known"),
    [
        ({"name": "vgg19"}, "efficientnet_lite0.*minilm"),
        ({"precision": "float16"}, "int8"),
        ({"precision": "int8", "name": "vgg16"}, "int8"),
        ({"input_size": 74}, "input_size"),
        ({"input_size": (224,)}, "height, width"),
        ({"input_size": 224, "name": "minilm"}, "for text"),
    ],
)
def test_unknown_names_and_precisions_are_refused(options, known):
    with pytest.raises(UserInputError, match=known):
        tl.load_pretrained_model(**options)


@pytest.mark.parametrize("name", RECIPES)
def test_preprocessing_is_that_of_the_networks_family(name):
    levels = np.array([0, 127.5, 255], np.float32)
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, 3, 9, 3)
    before = colours.copy()
    found = weights.preprocess(colours, RECIPES[name].pixels)
    np.testing.assert_array_equal(colours, before)
    expected = (colours - 127) / 128
    if name in FETCHED:
        expected = module_of(name).preprocess_input(colours.copy())
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_pooled_features_of_blocks_stand_in_the_order_asked_for(
    bundled_model, photographs
):
    features = bundled_model.extract_features(photographs, ["head", "block3b", "head"])
    averages = bundled_model.extract_features(photographs)
    assert_agree(features[:, :1280], averages)
    np.testing.assert_array_equal(features[:, :2560], features[:, -2560:])
    one = bundled_model.extract_features(photographs, "block3b")
    assert_agree(one, features[:, 2560:-2560])
    maps = np.float32(bundled_model.activations(photographs, "block3b"))
    pooled = np.concatenate([maps.mean(axis=(1, 2)), maps.max(axis=(1, 2))], axis=-1)
    assert_agree(one, pooled, 2e-3)  # float16


def test_with_another_input_size_features_are_those_of_keras(photographs):
    size = (96, 130)
    model, block = tl.load_pretrained_model(input_size=size), "block3b"
    pixels = np.stack([tl.pictures.resize(each, size) for each in photographs])
    expected = np.asarray(model.network(np.float32(pixels), training=False))
    features = model.extract_features(photographs)
    assert_agree(features, expected)
    assert_agree(model.predict_with(model.network, photographs), expected)
    maps = model.network.get_layer(model.blocks[block][-1]).output
    assert model.activations(photographs, block).shape[1:] == maps.shape[1:]
    quantized = tl.load_pretrained_model(precision="int8", input_size=size)
    assert cosines(quantized.extract_features(photographs), expected).min() > 0.9
    other = tl.load_pretrained_model(input_size=130).extract_features(photographs)
    assert cosines(other, features).max() < 0.999  # no row of the other size's cache


def cosines(one, other):
    norms = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.sum(one * other, axis=1) / norms


def test_int8_features_are_close_to_float32(each_bundled_model, photographs):
    expected = each_bundled_model.extract_features(photographs)
    model = tl.load_pretrained_model(each_bundled_model.name, precision="int8")
    found = model.extract_features(photographs)
    cosine = cosines(found, expected)
    assert 0.9 < cosine.min() and cosine.max() < 0.99999  # and not from its cache


def test_int8_stands_for_the_published_weights_only(photographs):
    model = tl.load_pretrained_model(precision="int8")
    layer = model.network.get_layer("head_bn")
    layer.beta.assign_add(layer.beta * 0 + 0.5)
    found = model.extract_features(photographs[:1])
    assert_agree(found, model.network(photographs[:1].astype("float32")))


def test_what_the_first_layer_gets_is_the_same_of_files_and_arrays(bundled_model):
    images = tl.load_dataset("solar").test.images[:2]
    expected = bundled_model.preprocess(np.stack(list(images)))
    assert expected.dtype == np.float32 and expected.min() < 0
    np.testing.assert_array_equal(bundled_model.preprocess(images), expected)
    with pytest.raises(UserInputError, match="one size"):
        bundled_model.preprocess([images[0], images[1][:50]])


@pytest.mark.parametrize("top", [1, np.int64(3), 1000])
def test_labels_come_with_the_most_probable_first(bundled_model, photographs, top):
    for pairs in bundled_model.predict_labels(photographs, top):
        probabilities = [probability for _, probability in pairs]
        assert len(pairs) == top and probabilities == sorted(probabilities)[::-1]
        assert type(pairs[0][0]) is str and type(pairs[0][1]) is float


@pytest.mark.parametrize("name", FETCHED)
def test_missing_weights_are_named_with_what_brings_them(home, no_internet, name):
    with pytest.raises(WeightsUnavailable, match=f"tlcourse fetch {name}`.*copy"):
        tl.load_pretrained_model(name)


@pytest.mark.parametrize("name", FETCHED)
def test_address_and_hashes_are_those_of_keras(home, monkeypatch, name):
    import keras

    asked = []

    def get_file(fname, origin, file_hash=None, **options):
        asked.extend([origin, file_hash or ""])
        raise InterruptedError

    utils = f"{keras.__name__}.src.utils.file_utils.get_file"
    monkeypatch.setattr(utils, get_file)
    recipe = RECIPES[name]
    function = getattr(module_of(name), recipe.application)
    with pytest.raises(InterruptedError):
        function(weights="imagenet", include_top=False, input_shape=(224, 224, 3))
    assert asked == [weights.weights_address(name), recipe.md5[0]]
    if recipe.md5[1]:
        assert recipe.md5[1] in inspect.getsource(inspect.getmodule(function))


def test_a_missing_classifier_is_fetched_by_the_same_call(home, no_internet):
    with pytest.raises(WeightsUnavailable, match="this call again"):
        weights.build("mobilenet_v2", include_top=True)


@pytest.mark.parametrize("content", [b"", b"<!doctype html>"])
def test_a_damaged_file_is_named_with_what_mends_it(home, no_internet, content):
    weights.weights_file("mobilenet_v2").write_bytes(content)
    with pytest.raises(DamagedFile, match="tlcourse fetch mobilenet_v2"):
        tl.load_pretrained_model("mobilenet_v2")


def test_without_tensorflow_the_sentence_tells_how_to_install_it(monkeypatch):
    monkeypatch.setattr(native, "find_spec", lambda name: None)
    with pytest.raises(WeightsUnavailable, match="make setup"):
        tl.load_pretrained_model().network  # noqa: B018


@pytest.mark.slow
def test_features_need_no_tensorflow_and_nothing_is_written_to_stderr():
    program = (
        "import json, sys, numpy as np, tlcourse as tl\n"
        "pictures = np.full((1, 224, 224, 3), 99, np.uint8)\n"
        "shapes = [tl.load_pretrained_model(precision=precision)"
        ".extract_features(pictures).shape for precision in ('float32', 'int8')]\n"
        "imported = [name in sys.modules for name in ('tensorflow', 'keras')]\n"
        "print(json.dumps([shapes, *imported]))"
    )
    command = [sys.executable, "-c", program]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert run.stderr == ""
    assert json.loads(run.stdout) == [[[1, 1280], [1, 1280]], False, False]
