"""A .keras file of somebody else is loaded, or refused; it does nothing."""

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

from tlcourse.errors import DamagedFile, TLCourseError, UserInputError
from tlcourse.native import import_tensorflow
from tlcourse.predict import load_exported


@pytest.fixture(scope="module", autouse=True)
def safe_keras():
    """On older versions of Keras every file of somebody else is refused."""
    import keras

    if keras.__version__.startswith(("3.10", "3.11", "3.13", "3.14")):
        pytest.skip("this version of Keras reads no files of others")


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
    with pytest.raises(DamagedFile, match=words):
        load(folder, archive)
    assert not (tmp_path / MARKER).exists()


@pytest.mark.parametrize("version", ["3.10.0", "3.12.3", "3.13.0"])
def test_versions_of_keras_that_are_not_safe_are_named(
    folder, sound, monkeypatch, version
):
    import keras

    monkeypatch.setattr(keras, "__version__", version)
    with pytest.raises(UserInputError, match=f"Keras {version}.*float32"):
        load(folder, zipped(sound))


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
