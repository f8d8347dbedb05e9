"""An exported folder is read only if it is what was written; a damaged or foreign one gets a sentence."""

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

import tlcourse as tl
from tlcourse import exported
from tlcourse.errors import (
    DamagedFile,
    TLCourseError,
    UserInputError,
    WeightsUnavailable,
)
from tlcourse.exported import RECORD, engine_of, load_exported
from tlcourse.features import engines


@pytest.fixture
def folder(tmp_path):
    """An export with one file, which needs no TensorFlow."""
    return write_brightness_export(tmp_path / "made")


@pytest.fixture
def pictures(tmp_path):
    """Four pictures from dark to light."""
    return write_shades(tmp_path / "pictures")


# What is answered


def test_it_answers_with_the_labels_it_was_trained_with(folder, pictures):
    model = load_exported(folder)
    assert model.predict(pictures).tolist() == [0, 0, 1, 1] and model.class_names == [
        "dark",
        "light",
    ]


def test_tensorflow_is_not_imported(folder, pictures):
    program = (
        "import sys, tlcourse as tl\n"
        "print(tl.load_exported(sys.argv[1]).predict(sys.argv[2]).tolist())\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    command = [sys.executable, "-c", program, str(folder), str(pictures)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"TQDM_DISABLE": "1"}
    )
    assert (done.returncode, done.stdout) == (0, "[0, 0, 1, 1]\n"), done.stderr


def test_answers_come_in_order_and_one_that_cannot_be_read_stops_nothing(
    folder, pictures
):
    paths = sorted(pictures.iterdir())
    broken = pictures / "broken.png"
    broken.write_text("Dear Sir or Madam")
    found = list(
        load_exported(folder).answers(
            [*paths[:2], broken, pictures / "gone.png", *paths[2:]] * 40
        )
    )
    assert [answer.path for answer in found[:6]] == [
        *paths[:2],
        broken,
        pictures / "gone.png",
        *paths[2:],
    ]
    assert [answer.probabilities is None for answer in found] == [
        False,
        False,
        True,
        True,
        False,
        False,
    ] * 40
    assert "no picture format" in found[2].error and "does not exist" in found[3].error


def test_answers_are_those_of_predict_proba(folder, pictures):
    model = load_exported(folder)
    rows = [
        answer.probabilities for answer in model.answers(sorted(pictures.iterdir()))
    ]
    np.testing.assert_allclose(rows, model.predict_proba(pictures), atol=1e-6)


def test_answers_look_only_so_far_ahead(folder, pictures):
    """A million pictures are not opened before the first answer is read."""
    asked = []

    def endless():
        while True:
            asked.append(1)
            yield pictures / "010.png"

    answers = load_exported(folder).answers(endless())
    next(answers)
    answers.close()
    assert len(asked) <= exported._AHEAD * engines.workers() + 1


# What is refused


def spoilt(folder, **parts):
    record = record_of(folder)
    for name, value in parts.items():
        if value is None:
            del record[name]
        else:
            record[name] = value
    (folder / RECORD).write_text(json.dumps(record), encoding="utf-8")


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        (
            {"format": "tlcourse export 9"},
            "its format is 'tlcourse export 9', this course reads 'tlcourse export 1'",
        ),
        ({"format": None}, "something is missing in it \\(KeyError: 'format'\\)"),
        ({"class_names": ["one"]}, "it does not name each of its classes"),
        ({"class_names": "ab"}, "it does not name each of its classes"),
        ({"class_names": [1, 2]}, "its classes are no names"),
        ({"classes": [0, "1"]}, "its classes are no names"),
        ({"input": {"height": 8, "width": 0}}, "its input has no size"),
        ({"input": {"height": 8, "width": 10**9}}, "its input has no size"),
        ({"input": [8, 8]}, "something is missing in it"),
        ({"files": {"model.tflite": {"sha256": 7}}}, "its files have no checksums"),
        ({"left_out": None}, "something is missing in it"),
    ],
)
def test_a_record_of_another_form_is_refused(folder, parts, words):
    spoilt(folder, **parts)
    with pytest.raises(
        DamagedFile,
        match=f"record.json is not what tl.export wrote: {words}.*Copy the whole folder",
    ):
        load_exported(folder)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '"text"', "\x00\xff", "[" * 100_000]
)
def test_a_record_that_is_no_record_is_refused(folder, text):
    (folder / RECORD).write_text(text, encoding="latin-1")
    with pytest.raises(DamagedFile, match="record.json is not what tl.export wrote"):
        load_exported(folder)


def test_a_folder_of_something_else_is_refused(tmp_path):
    with pytest.raises(
        UserInputError, match="holds no record.json; expected a folder that tl.export"
    ):
        load_exported(tmp_path)
    with pytest.raises(UserInputError, match="nowhere is not a folder"):
        load_exported(tmp_path / "nowhere")


def test_an_unknown_variant_is_refused(folder):
    with pytest.raises(
        UserInputError,
        match="variant is 'float16'; expected one of float32, int8, keras. Did",
    ):
        load_exported(folder, "float16")


def test_a_variant_that_was_not_written_is_named(folder):
    with pytest.raises(
        UserInputError,
        match="has no model_int8.tflite: it was not written. It has: float32.",
    ):
        load_exported(folder, "int8")


def test_a_missing_file_is_named(folder):
    (folder / "model.tflite").unlink()
    with pytest.raises(
        DamagedFile, match="model.tflite is missing, though .*record.json lists it"
    ):
        load_exported(folder)


@pytest.mark.parametrize("damage", ["cut short", "one byte", "longer"])
def test_an_altered_file_is_refused(folder, damage):
    path = folder / "model.tflite"
    content = bytearray(path.read_bytes())
    if damage == "cut short":
        content = content[:-1]
    elif damage == "one byte":
        content[len(content) // 2] ^= 1
    else:
        content += b"\0"
    path.write_bytes(content)
    with pytest.raises(
        DamagedFile, match="is not the file that was exported: its SHA-256 differs"
    ):
        load_exported(folder)


@pytest.mark.parametrize(
    "content", [b"", b"TFL3", b"Dear Sir or Madam" * 99, bytes(5000)]
)
def test_a_foreign_litert_file_with_a_fitting_record_is_refused(folder, content):
    (folder / "model.tflite").write_bytes(content)
    record_of(folder)
    with pytest.raises(
        DamagedFile, match="model.tflite cannot be read as a LiteRT file"
    ):
        load_exported(folder)


@pytest.mark.parametrize(("size", "classes"), [((16, 16), 2), ((8, 8), 3)])
def test_a_network_of_other_sizes_than_its_record_is_refused(folder, size, classes):
    (folder / "model.tflite").write_bytes(brightness_file(size, classes))
    record_of(folder)
    with pytest.raises(
        DamagedFile, match="its record says .* The two do not belong together"
    ):
        load_exported(folder)


def test_without_litert_the_way_out_is_named(folder, monkeypatch):
    monkeypatch.setattr(exported, "has_litert", lambda: False)
    with pytest.raises(
        WeightsUnavailable,
        match="pip install ai-edge-litert; or take the variant keras",
    ):
        load_exported(folder)


# Keras files


@pytest.fixture(scope="module")
def keras_file(tmp_path_factory):
    """A small network, saved."""
    from small_network import small_network

    path = tmp_path_factory.mktemp("keras") / "model.keras"
    small_network((8, 8, 3), 2).save(path)
    return path


def with_keras(folder, source, change=None):
    path = folder / "model.keras"
    shutil.copyfile(source, path)
    if change:
        change(path)
    record_of(folder, ("model.tflite", "model.keras"))
    return folder


def test_a_keras_file_is_loaded(folder, keras_file, pictures):
    model = load_exported(with_keras(folder, keras_file), "keras")
    assert model.predict_proba(pictures).shape == (4, 2)


def cut_short(path):
    path.write_bytes(path.read_bytes()[:3000])


def no_zip(path):
    path.write_bytes(b"Dear Sir or Madam")


def other_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("letter.txt", "Dear Sir or Madam")


def with_a_program(path):
    """Put a Lambda layer into the file's form: Python that Keras would run."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    form = json.loads(parts["config.json"])
    code = [
        "4wEAAAAAAAAAAAAAAAEAAAABAAAAQwAAAHMEAAAAfABTACkBTqkAKQHaAXhyAQAAAHIBAAAA",
        None,
        None,
    ]
    form["config"]["layers"][1]["class_name"] = "Lambda"
    form["config"]["layers"][1]["config"] = {
        "name": "preprocessing",
        "trainable": False,
        "function": {
            "class_name": "__lambda__",
            "config": {"code": code[0], "defaults": None, "closure": None},
        },
    }
    parts["config.json"] = json.dumps(form).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("change", [cut_short, no_zip, other_zip, with_a_program])
def test_a_foreign_keras_file_is_refused(folder, keras_file, change):
    with_keras(folder, keras_file, change)
    with pytest.raises(
        DamagedFile, match="model.keras cannot be loaded as a Keras file"
    ):
        load_exported(folder, "keras")


def test_what_a_keras_file_would_run_is_said(tmp_path, keras_file):
    shutil.copyfile(keras_file, tmp_path / "model.keras")
    with_a_program(tmp_path / "model.keras")
    with pytest.raises(DamagedFile, match="(?i)lambda"):
        engine_of(tmp_path / "model.keras", 2, (8, 8))


def test_every_refusal_is_a_sentence_of_the_course():
    assert issubclass(DamagedFile, TLCourseError) and tl.load_exported is load_exported
