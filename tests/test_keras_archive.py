"""A .keras file is loaded only if it is what an export writes.

`make matrix` tries this on many versions of Keras.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from brightness_export import record_of, write_brightness_export
from hostile_archives import (
    CONFIG,
    MARKER,
    SECRET,
    archives,
    mutations,
    read_parts,
    zipped,
)

from tlcourse.errors import DamagedFile, TLCourseError
from tlcourse.keras_archive import CLASSES, load_network
from tlcourse.models.recipes import RECIPES
from tlcourse.native import import_tensorflow
from tlcourse.predict import load_exported


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """The parts of a small network's archive, as this version of Keras saves it."""
    import_tensorflow()
    import keras
    from keras import layers

    pixels = keras.Input((8, 8, 3), name="pixels")
    x = layers.Rescaling(1 / 255, name="preprocessing")(pixels)
    for number in (1, 2):
        start = keras.initializers.HeUniform(seed=number)
        options = {"padding": "same", "activation": "relu", "name": f"conv_{number}"}
        x = layers.Conv2D(16, 3, kernel_initializer=start, **options)(x)
    x = layers.GlobalAveragePooling2D(name="average")(layers.MaxPooling2D()(x))
    start = keras.initializers.GlorotUniform(seed=0)
    head = layers.Dense(2, "softmax", kernel_initializer=start, name="head")
    path = tmp_path_factory.mktemp("keras") / "model.keras"
    keras.Model(pixels, head(x), name="small_network").save(path)
    return read_parts(path)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / SECRET).write_text("secret words\n", encoding="utf-8")
    return write_brightness_export(tmp_path / "export")


def load(folder, archive):
    """Load an archive from an export whose record was written to fit it."""
    (folder / "model.keras").write_bytes(archive)
    record_of(folder, ("model.onnx", "model.keras"))
    return load_exported(folder, "keras")


def test_a_sound_archive_is_loaded(folder, sound):
    import keras

    model = load(folder, zipped(sound))
    pictures = np.arange(2 * 8 * 8 * 3, dtype=np.uint8).reshape(2, 8, 8, 3)
    network = keras.saving.load_model(folder / "model.keras", compile=False)
    expected = network.predict(pictures.astype(np.float32), verbose=0)
    np.testing.assert_allclose(model.predict_proba(pictures), expected, atol=1e-6)


@pytest.mark.parametrize("name", archives())
def test_a_hostile_archive_is_refused_and_does_nothing(folder, sound, tmp_path, name):
    archive = archives()[name](sound, tmp_path)
    words = "cannot be loaded as a Keras file .* Copy the whole folder again"
    with pytest.raises(DamagedFile, match=words) as caught:
        load(folder, archive)
    assert not (tmp_path / MARKER).exists()
    if "Lambda" in name:
        assert "'preprocessing' has a keras.layers.Lambda" in str(caught.value)


@pytest.mark.parametrize("name", RECIPES)
def test_the_layers_of_every_pretrained_network_are_known(name):
    """With preprocessing, dropout and a head, as `tl.export` saves them."""
    import keras

    from tlcourse.models.efficientnet_lite import EfficientNetLite
    from tlcourse.models.weights import preprocessing_layers

    recipe = RECIPES[name]
    pixels = keras.Input((recipe.size, recipe.size, 3), name="pixels")
    options = {"weights": None, "include_top": False, "pooling": "avg"}
    options["input_tensor"] = preprocessing_layers(pixels, recipe.pixels)
    if recipe.application:
        base = getattr(keras.applications, recipe.application)(**options)
    else:
        base = EfficientNetLite(name, **options)
    outputs = keras.layers.Dense(3, "softmax")(keras.layers.Dropout(0.2)(base.output))
    config = keras.saving.serialize_keras_object(keras.Model(pixels, outputs))
    for module, name in classes_in(json.loads(json.dumps(config))):
        assert name in CLASSES[module]


def classes_in(part):
    if isinstance(part, dict):
        if "class_name" in part:
            yield part.get("module"), part["class_name"]
        part = list(part.values())
    for value in part if isinstance(part, list) else ():
        yield from classes_in(value)


def test_a_full_folder_for_temporary_files_is_not_called_damage(
    folder, sound, monkeypatch
):
    def full(path, content):
        raise OSError(28, "No space left on device")

    (folder / "model.keras").write_bytes(zipped(sound))
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(TLCourseError, match="Free disk space") as caught:
        load_network(folder / "model.keras")
    assert not isinstance(caught.value, DamagedFile)


@pytest.mark.filterwarnings("ignore")
def test_damage_of_any_kind_is_answered_with_a_sentence(folder, sound):
    """Of the configuration, which can name other classes then, and of the archive."""
    configs = mutations(sound[CONFIG], 60)
    damaged = [zipped({**sound, CONFIG: content}) for content in configs]
    for archive in [*damaged, *mutations(zipped(sound), 140, seed=1)]:
        try:
            load(folder, archive).predict_proba(np.zeros((1, 8, 8, 3), np.uint8))
        except TLCourseError:
            pass
