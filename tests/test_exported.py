"""An exported folder is used only if it is what was written."""

import json
import shutil
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from brightness_export import (
    brightness_file,
    record_of,
    write_brightness_export,
    write_shades,
)

from tlcourse import exported
from tlcourse.errors import DamagedFile, UserInputError
from tlcourse.exported import RECORD, load_exported, open_engine
from tlcourse.features import engine as engines


@pytest.fixture
def folder(tmp_path):
    """An export with one file, which needs no TensorFlow."""
    return write_brightness_export(tmp_path / "made")


@pytest.fixture
def pictures(tmp_path):
    """Four pictures from dark to light."""
    return write_shades(tmp_path / "pictures")


# Predictions


def test_it_predicts_the_labels_of_its_training(folder, pictures):
    model = load_exported(folder)
    assert model.predict(pictures).tolist() == [0, 0, 1, 1]
    assert model.class_names == ["dark", "light"]


def test_tensorflow_is_not_imported(folder, pictures):
    program = (
        "import sys, tlcourse as tl\n"
        "print(tl.load_exported(sys.argv[1]).predict(sys.argv[2]).tolist())\n"
        "assert not {'tensorflow', 'keras', 'tf2onnx'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(folder), str(pictures)],
        capture_output=True,
        text=True,
        env={"TQDM_DISABLE": "1"},
    )
    assert (done.returncode, done.stdout) == (0, "[0, 0, 1, 1]\n"), done.stderr
    assert done.stderr == ""


def test_files_are_predicted_in_order_and_an_unreadable_one_stops_nothing(
    folder, pictures
):
    model, paths = load_exported(folder), sorted(pictures.iterdir())
    broken, missing = pictures / "broken.txt", pictures / "gone.png"
    broken.write_text("Dear Sir or Madam")
    asked = [*paths[:2], broken, missing, *paths[2:]] * 40
    predictions = list(model.predict_files(asked))
    assert [prediction.path for prediction in predictions] == asked
    assert "cannot be read as a picture" in predictions[2].error
    assert "does not exist" in predictions[3].error
    rows = [one.probabilities for one in predictions[:6] if not one.error]
    np.testing.assert_allclose(rows, model.predict_proba(paths), atol=1e-6)


def test_a_million_pictures_are_not_opened_before_the_first_prediction(
    folder, pictures
):
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield pictures / "010.png"

    predictions = load_exported(folder).predict_files(endless())
    next(predictions)
    predictions.close()
    assert len(asked) <= exported._AHEAD * engines.workers() + 1


# Records


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"format": "tlcourse export 9"}, "its format is"),
        ({"format": None}, "KeyError: 'format'"),
        ({"class_names": ["one"]}, "name each of its classes"),
        ({"class_names": "ab"}, "name each of its classes"),
        ({"class_names": [1, 2]}, "no names"),
        ({"classes": [0, "1"]}, "no names"),
        ({"input": {"height": 8, "width": 0}}, "no size"),
        ({"input": {"height": 8, "width": 10**9}}, "no size"),
        ({"input": {"height": 8, "width": 8, "bits": 99}}, "bit depth"),
        ({"input": [8, 8]}, "something is missing"),
        ({"files": {"model.onnx": {"sha256": 7}}}, "no checksums"),
        ({"left_out": None}, "something is missing"),
    ],
)
def test_a_record_of_another_form_is_refused(folder, parts, words):
    record = record_of(folder) | parts
    kept = {name: value for name, value in record.items() if value is not None}
    (folder / RECORD).write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(DamagedFile, match=f"{words}.*Copy the whole folder"):
        load_exported(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00\xff", "[" * 100_000])
def test_a_record_that_is_no_record_is_refused(folder, text):
    (folder / RECORD).write_text(text, encoding="latin-1")
    with pytest.raises(DamagedFile, match="is not what tl.export wrote"):
        load_exported(folder)


def test_wrong_folders_and_variants_are_refused(folder, tmp_path):
    for path, words in (
        (tmp_path, "holds no record"),
        (tmp_path / "x", "not a folder"),
    ):
        with pytest.raises(UserInputError, match=words):
            load_exported(path)
    with pytest.raises(UserInputError, match="float32, int8, keras"):
        load_exported(folder, "float16")
    with pytest.raises(UserInputError, match="not written. It has: float32"):
        load_exported(folder, "int8")


# ONNX files


@pytest.mark.parametrize("damage", ["missing", "cut short", "one byte", "longer"])
def test_an_altered_file_is_refused(folder, damage):
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= damage == "one byte"
    end = len(content) - (damage == "cut short")
    path.write_bytes(content[:end] + b"\0" * (damage == "longer"))
    if damage == "missing":
        path.unlink()
    words = "is missing" if damage == "missing" else "SHA-256 differs"
    with pytest.raises(DamagedFile, match=words):
        load_exported(folder)


@pytest.mark.parametrize("content", [b"", b"TFL3", b"Dear Sir or Madam", bytes(5000)])
def test_a_foreign_file_with_a_fitting_record_is_refused(folder, content):
    (folder / "model.onnx").write_bytes(content)
    record_of(folder)
    with pytest.raises(DamagedFile, match="cannot be used as an ONNX file"):
        load_exported(folder)


@pytest.mark.parametrize(("size", "classes"), [((16, 16), 2), ((8, 8), 3)])
def test_a_network_of_other_sizes_than_its_record_is_refused(folder, size, classes):
    (folder / "model.onnx").write_bytes(brightness_file(size, classes))
    record_of(folder)
    with pytest.raises(DamagedFile):
        load_exported(folder)


# Keras files


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    """A small network, saved."""
    from tlcourse.native import import_tensorflow

    import_tensorflow()
    import keras

    path = tmp_path_factory.mktemp("keras") / "model.keras"
    layers = keras.layers
    pixels = keras.Input((8, 8, 3))
    x = layers.GlobalAveragePooling2D()(layers.Rescaling(1 / 255)(pixels))
    keras.Model(pixels, layers.Dense(2, "softmax")(x)).save(path)
    return path


def unchanged(path):
    pass


def cut_short(path):
    path.write_bytes(path.read_bytes()[:3000])


def no_zip(path):
    path.write_bytes(b"Dear Sir or Madam")


def other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "Dear Sir or Madam")


def with_a_program(path):
    """Put a Lambda layer into the configuration: Python that Keras would run."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(parts["config.json"])
    function = {"code": "4wEAAAAA", "defaults": None, "closure": None}
    layer = config["config"]["layers"][1]
    layer["class_name"] = "Lambda"
    layer["config"] = {
        "name": "preprocessing",
        "function": {"class_name": "__lambda__", "config": function},
    }
    parts["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


def put(folder, source, change):
    shutil.copyfile(source, folder / "model.keras")
    change(folder / "model.keras")
    record_of(folder, ("model.onnx", "model.keras"))


def test_a_keras_file_is_loaded(folder, keras_file, pictures):
    put(folder, keras_file, unchanged)
    assert load_exported(folder, "keras").predict_proba(pictures).shape == (4, 2)
    with pytest.raises(DamagedFile, match="do not belong together"):
        open_engine(keras_file, 3, (8, 8))


@pytest.mark.parametrize("change", [cut_short, no_zip, other_zip, with_a_program])
def test_a_foreign_keras_file_is_refused(folder, keras_file, change):
    put(folder, keras_file, change)
    with pytest.raises(DamagedFile, match="cannot be loaded") as caught:
        load_exported(folder, "keras")
    assert change is not with_a_program or "lambda" in str(caught.value).lower()
