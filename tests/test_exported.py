"""An exported folder is used only if it is what was written."""

import json
import subprocess
import sys

import numpy as np
import pytest
from brightness_export import (
    brightness_file,
    record_of,
    write_brightness_export,
    write_shades,
)
from PIL import Image

from tlcourse.errors import DamagedFile, UserInputError
from tlcourse.export_record import RECORD
from tlcourse.predict import load_exported


@pytest.fixture
def folder(tmp_path):
    """An export with one file, which needs no TensorFlow."""
    return write_brightness_export(tmp_path / "made")


@pytest.fixture
def pictures(tmp_path):
    """Four pictures from dark to light."""
    return write_shades(tmp_path / "pictures")


def test_it_predicts_without_tensorflow(folder, pictures):
    program = (
        "import sys, tlcourse as tl\n"
        "model = tl.load_exported(sys.argv[1])\n"
        "print(model.predict(sys.argv[2]).tolist(), model.class_names)\n"
        "assert not {'tensorflow', 'keras', 'tf2onnx'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", program, str(folder), str(pictures)]
    env = {"TQDM_DISABLE": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=env)
    assert done.stdout == "[0, 0, 1, 1] ['dark', 'light']\n", done.stderr
    assert (done.returncode, done.stderr) == (0, "")


def test_the_first_answer_waits_for_no_package_that_it_does_not_need(folder, pictures):
    """Each of these takes 0.07 to 0.2 s to import: issue 22 asks for 0.6 s in all."""
    program = (
        "import atexit, sys\n"
        "slow = {'tensorflow', 'keras', 'sklearn', 'scipy', 'joblib', 'pydantic'}\n"
        "atexit.register(lambda: print(sorted(slow & set(sys.modules))))\n"
        "from tlcourse.cli import app\n"
        "app(sys.argv[1:])"
    )
    picture = min(pictures.iterdir())
    command = [sys.executable, "-c", program, "predict", picture, "--model", folder]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
    assert done.stdout.splitlines()[1].startswith(f"{picture},dark,")


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


def test_pictures_are_resized_as_the_record_says_and_as_a_whole_where_it_does_not(
    folder, tmp_path
):
    """A bright edge, which a crop does not see."""
    edge = np.zeros((20, 60, 3), np.uint8)
    edge[:, :15] = edge[:, -15:] = 255
    Image.fromarray(edge).save(tmp_path / "edge.png")
    for mode, label in ((None, 1), ("squash", 1), ("crop", 0)):
        size = {"height": 8, "width": 8} | ({"resize": mode} if mode else {})
        record_of(folder, input=size)
        model = load_exported(folder)
        assert model.resize == (mode or "squash")
        (found,) = model.predict_files([tmp_path / "edge.png"])
        assert found.probabilities.argmax() == model.predict([edge]) == label


# Records


@pytest.mark.parametrize(
    "parts",
    [
        {"format": "tlcourse export 9"},
        {"format": None},
        {"class_names": ["one"]},
        {"class_names": "ab"},
        {"classes": [0, "1"]},
        {"classes": [0, 0]},
        {"classes": [[0], [1]]},
        {"classes": [0.5, float("nan")]},
        {"class_names": ["dark", "dark"]},
        {"class_names": ["dark", ""]},
        {"input": {"height": 8, "width": 10**9}},
        {"input": {"height": 8, "width": 8, "bits": 99}},
        {"input": {"height": 8, "width": 8, "resize": "stretch"}},
        {"input": {"height": 8, "width": 8, "resize": ["crop"]}},
        {"input": [8, 8]},
        {"files": {"model.onnx": {"sha256": 7}}},
        {"left_out": None},
    ],
)
def test_a_record_of_another_form_is_refused(folder, parts):
    record = record_of(folder) | parts
    kept = {name: value for name, value in record.items() if value is not None}
    (folder / RECORD).write_text(json.dumps(kept), encoding="utf-8")
    with pytest.raises(DamagedFile, match="not what tl.export wrote.*Copy the whole"):
        load_exported(folder)


def test_labels_in_another_order_than_the_records_are_refused(folder):
    labels = folder / "labels.txt"
    labels.write_text("dark\nlight\n")
    assert load_exported(folder).class_names == ["dark", "light"]
    labels.write_text("light\ndark\n")
    with pytest.raises(DamagedFile, match="labels.txt differs from record.json"):
        load_exported(folder)


@pytest.mark.parametrize("text", ["", "[]", "null", "\x00\xff", "[" * 100_000])
def test_a_record_that_is_no_record_is_refused(folder, text):
    (folder / RECORD).write_text(text, encoding="latin-1")
    with pytest.raises(DamagedFile, match="is not what tl.export wrote"):
        load_exported(folder)


def test_wrong_folders_and_variants_are_refused(folder, tmp_path):
    for arguments, words in (
        ((tmp_path,), "holds no record"),
        ((tmp_path / "x",), "holds no record"),
        ((folder, "float16"), "float32, int8"),
        ((folder, "int8"), "not written. It has: float32"),
    ):
        with pytest.raises(UserInputError, match=words):
            load_exported(*arguments)


# Files


@pytest.mark.parametrize("damage", ["missing", "cut short", "one byte", "longer"])
def test_an_altered_file_is_refused(folder, damage):
    path = folder / "model.onnx"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= damage == "one byte"
    end = len(content) - (damage == "cut short")
    path.write_bytes(content[:end] + b"\0" * (damage == "longer"))
    if damage == "missing":
        path.unlink()
    with pytest.raises(DamagedFile, match="SHA-256"):
        load_exported(folder)


@pytest.mark.parametrize("content", [b"", b"Dear Sir or Madam", bytes(5000)])
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
