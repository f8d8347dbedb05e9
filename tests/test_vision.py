"""Networks for pictures: names, preprocessing, features, labels, weights."""

import inspect
import json
import shutil
import subprocess
import sys
from typing import get_args

import numpy as np
import pytest
from tolerances import assert_agree

import tlcourse as tl
from tlcourse import native as tensorflow_start
from tlcourse.errors import DamagedFile, UserInputError, WeightsUnavailable
from tlcourse.models import bert_folder, weights
from tlcourse.models.recipes import RECIPES, PictureModel
from tlcourse.native import import_tensorflow

BUNDLED = ["efficientnet_lite0", "efficientnet_lite2"]
MODULES = {  # of keras.applications
    "vgg16": "vgg16",
    "resnet50": "resnet50",
    "inception_v3": "inception_v3",
    "xception": "xception",
    "mobilenet_v2": "mobilenet_v2",
    "efficientnet_v2_b0": "efficientnet_v2",
}


@pytest.fixture
def home(tmp_path, monkeypatch):
    """Keras' folder of weights, empty."""
    import keras

    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    monkeypatch.setenv("KERAS_HOME", str(folder.parent))
    # Keras reads the variable once, when it is imported.
    name = f"{keras.__name__}.src.backend.config.keras_home"
    monkeypatch.setattr(name, lambda: str(folder.parent))
    return folder


@pytest.fixture(scope="module")
def mobilenet_weights(tmp_path_factory):
    """A file of random weights for MobileNetV2 without its classifier, 9 MB."""
    import_tensorflow()
    import keras

    network = keras.applications.MobileNetV2(weights=None, include_top=False)
    path = (
        tmp_path_factory.mktemp("mobilenet") / weights.weights_file("mobilenet_v2").name
    )
    network.save(path)
    return path


@pytest.fixture
def mobilenet_file(home, mobilenet_weights):
    return shutil.copy(mobilenet_weights, home), home / mobilenet_weights.name


# Names


def test_all_networks_are_listed_with_size_and_availability(home):
    listed = tl.list_pretrained_models()
    assert list(listed) == [*BUNDLED, *MODULES, *bert_folder.PUBLISHED]
    for name in BUNDLED:
        assert listed[name].endswith(", bundled")
    for name in MODULES:
        size = RECIPES[name].size
        assert listed[name].startswith(f"{size}×{size} pixels")
        assert listed[name].endswith(f", tlcourse fetch {name}")
    (home / weights.weights_file("vgg16").name).touch()
    assert tl.list_pretrained_models()["vgg16"].endswith(", here")
    assert get_args(PictureModel) == tuple(RECIPES)


@pytest.mark.parametrize("name", ["vgg19", "VGG16", "", None, 3])
def test_an_unknown_name_is_answered_with_the_known_ones(name):
    with pytest.raises(UserInputError, match="efficientnet_lite0.*minilm"):
        tl.load_pretrained_model(name)


@pytest.mark.parametrize(
    ("option", "value", "known"),
    [
        ("engine", "litert", "onnx"),
        ("engine", None, "tensorflow"),
        ("precision", "float16", "int8"),
        ("precision", 8, "float32"),
    ],
)
def test_unknown_engines_and_precisions_are_refused(option, value, known):
    with pytest.raises(UserInputError, match=known):
        tl.load_pretrained_model(**{option: value})


def test_int8_needs_onnx_runtime():
    for options in ({"engine": "tensorflow"}, {"name": "vgg16"}):
        with pytest.raises(UserInputError, match="int8"):
            tl.load_pretrained_model(precision="int8", **options)


def test_weights_are_looked_for_where_keras_keeps_them(monkeypatch, tmp_path):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    assert weights.weights_file("vgg16").parent.parts[-2:] == (".keras", "models")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", "~/weights")
    assert weights.weights_file("vgg16").parent == tmp_path / "weights" / "models"


# Preprocessing


@pytest.fixture(scope="module")
def colours():
    """All combinations of 0, 127.5 and 255: float32 (1, 3, 9, 3)."""
    levels = np.array([0, 127.5, 255], np.float32)
    return np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, 3, 9, 3)


@pytest.mark.parametrize("name", RECIPES)
def test_preprocessing_is_that_of_the_networks_family(name, colours):
    import keras

    before = colours.copy()
    found = weights.preprocess(colours, RECIPES[name].pixels)
    np.testing.assert_array_equal(colours, before)
    if name in BUNDLED:
        expected = (colours - 127) / 128
    else:
        module = getattr(keras.applications, MODULES[name])
        expected = module.preprocess_input(colours.copy())
    np.testing.assert_allclose(found, expected, atol=1e-5)


# Features


def test_pooled_features_of_blocks_stand_in_the_order_asked_for(
    bundled_model, photographs
):
    names = ["head", "block3b", "head"]
    features = bundled_model.extract_features(photographs, names)
    network = bundled_model.network_at(names)
    assert_agree(features, network(photographs.astype("float32")))
    averages = bundled_model.extract_features(photographs)
    assert_agree(features[:, :1280], averages)
    one = bundled_model.extract_features(photographs, "block3b")
    assert_agree(one, features[:, 2560:-2560])


def test_int8_features_are_close_to_float32(each_bundled_model, photographs):
    expected = each_bundled_model.extract_features(photographs)
    model = tl.load_pretrained_model(each_bundled_model.name, precision="int8")
    found = model.extract_features(photographs)
    norms = np.linalg.norm(found, axis=1) * np.linalg.norm(expected, axis=1)
    cosine = (found * expected).sum(axis=1) / norms
    assert 0.9 < cosine.min() and cosine.max() < 0.99999  # and not from its cache


def test_int8_stands_for_the_published_weights_only(photographs):
    model = tl.load_pretrained_model(precision="int8")
    layer = model.network.get_layer("head_bn")
    layer.beta.assign_add(layer.beta * 0 + 0.5)
    found = model.extract_features(photographs[:1])
    assert_agree(found, model.network(photographs[:1].astype("float32")))


def test_bundled_networks_do_not_answer_for_each_other(photographs):
    first, second = (
        tl.load_pretrained_model(name).extract_features(photographs[:1])
        for name in BUNDLED
    )
    assert np.abs(first - second).max() > 0.1


@pytest.mark.parametrize("blocks", [["head", "block9z"], "tail", []])
def test_unknown_blocks_are_answered_with_the_known_ones(bundled_model, blocks):
    with pytest.raises(UserInputError, match="Its blocks: stem, block1a"):
        bundled_model.extract_features(np.zeros((1, 8, 8, 3), np.uint8), blocks)


CALLS = ["preprocess", "extract_features", "predict_labels"]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -1.0])
def test_pixels_that_are_none_are_refused(bundled_model, call, value):
    pictures = np.full((1, 8, 8, 3), 200.0)
    pictures[0, 0, 0, 0] = value
    with pytest.raises(UserInputError):
        getattr(bundled_model, call)(pictures)
    with pytest.raises(UserInputError, match="scaled"):
        getattr(bundled_model, call)(np.full((1, 8, 8, 3), 0.5))


# Labels


@pytest.mark.parametrize("top", [1, np.int64(3), 1000])
def test_labels_come_with_the_most_probable_first(bundled_model, photographs, top):
    for pairs in bundled_model.predict_labels(photographs, top):
        probabilities = [probability for _, probability in pairs]
        assert len(pairs) == top and probabilities == sorted(probabilities)[::-1]
        assert type(pairs[0][0]) is str and type(pairs[0][1]) is float


@pytest.mark.parametrize("top", [0, 1001, 2.5, None, "5"])
def test_more_or_fewer_labels_than_there_are_get_a_sentence(bundled_model, top):
    with pytest.raises(UserInputError, match="top"):
        bundled_model.predict_labels(np.zeros((1, 8, 8, 3), np.uint8), top)


# Weights that are not here


@pytest.mark.parametrize("name", MODULES)
def test_missing_weights_are_named_with_what_brings_them(home, no_internet, name):
    with pytest.raises(WeightsUnavailable, match=f"tlcourse fetch {name}`.*copy"):
        tl.load_pretrained_model(name)


@pytest.mark.parametrize("name", MODULES)
def test_address_and_hashes_are_those_of_keras(home, monkeypatch, name):
    import keras

    asked = []

    def get_file(fname, origin, file_hash=None, **options):
        asked.extend([origin, file_hash or ""])
        raise InterruptedError

    utils = f"{keras.__name__}.src.utils.file_utils.get_file"
    monkeypatch.setattr(utils, get_file)
    recipe = RECIPES[name]
    function = getattr(getattr(keras.applications, MODULES[name]), recipe.application)
    with pytest.raises(InterruptedError):
        function(weights="imagenet", include_top=False, input_shape=(224, 224, 3))
    assert asked == [weights.weights_address(name), recipe.md5[0]]
    if recipe.md5[1]:
        assert recipe.md5[1] in inspect.getsource(inspect.getmodule(function))


def test_a_missing_classifier_is_fetched_with_an_option(mobilenet_file, no_internet):
    model = tl.load_pretrained_model("mobilenet_v2", engine="tensorflow")
    with pytest.raises(WeightsUnavailable, match="--with-classifier"):
        model.predict_labels(np.zeros((1, 8, 8, 3), np.uint8))


@pytest.mark.parametrize("content", [None, b"", b"<!doctype html>"])
def test_a_damaged_file_is_named_with_what_mends_it(
    mobilenet_file, no_internet, content
):
    _, path = mobilenet_file
    path.write_bytes(path.read_bytes()[:99_999] if content is None else content)
    with pytest.raises(DamagedFile, match="tlcourse fetch mobilenet_v2"):
        tl.load_pretrained_model("mobilenet_v2")


def test_without_tensorflow_the_sentence_tells_how_to_install_it(monkeypatch):
    monkeypatch.setattr(tensorflow_start, "find_spec", lambda name: None)
    with pytest.raises(WeightsUnavailable, match="make setup"):
        tl.load_pretrained_model().network  # noqa: B018


# In a process of its own


@pytest.mark.slow
def test_features_need_no_tensorflow_and_nothing_is_written_to_stderr(tmp_path):
    program = (
        "import json, sys, numpy as np, tlcourse as tl\n"
        "pictures = np.full((1, 224, 224, 3), 99, np.uint8)\n"
        "shapes = [tl.load_pretrained_model(precision=precision)"
        ".extract_features(pictures).shape for precision in ('float32', 'int8')]\n"
        "imported = [name in sys.modules for name in ('tensorflow', 'keras')]\n"
        "print(json.dumps([shapes, *imported]))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert run.stderr == ""
    assert json.loads(run.stdout) == [[[1, 1280], [1, 1280]], False, False]
