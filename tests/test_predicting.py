"""`tlcourse predict`: a line for each picture, whatever it is called; what cannot be read is said and stops nothing."""

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from brightness_export import write_brightness_export, write_shades

from tlcourse.errors import UserInputError
from tlcourse.exported import load_exported
from tlcourse.predicting import predict_files


@pytest.fixture(scope="module")
def export(tmp_path_factory):
    return write_brightness_export(tmp_path_factory.mktemp("exports") / "made")


@pytest.fixture(scope="module")
def model(export):
    return load_exported(export)


@pytest.fixture
def shades(tmp_path):
    return write_shades(tmp_path / "shades")


def written(model, *paths, **options):
    """What is written, and the counts."""
    text = io.StringIO(newline="")
    counts = predict_files(model, paths, text, **options)
    return text.getvalue(), counts


def rows(model, *paths, **options):
    return list(csv.DictReader(io.StringIO(written(model, *paths, **options)[0])))


def run(*arguments, **options):
    """The command in a process of its own; output as bytes."""
    command = [sys.executable, "-m", "tlcourse", "predict", *map(os.fspath, arguments)]
    return subprocess.run(command, capture_output=True, **options)


# What is written


def test_each_picture_of_a_folder_has_a_row_in_order(model, shades):
    found = rows(model, shades)
    assert [Path(row["picture"]).name for row in found] == [
        "010.png",
        "090.png",
        "170.png",
        "250.png",
    ]
    assert [row["label"] for row in found] == ["dark", "dark", "light", "light"]


def test_probabilities_are_the_networks(model, shades):
    best = model.predict_proba(shades).max(axis=1)
    assert [float(row["probability"]) for row in rows(model, shades)] == pytest.approx(
        best, abs=1e-4
    )


def test_several_classes_are_side_by_side_the_most_probable_first(model, shades):
    first = rows(model, shades, top=2)[0]
    assert list(first) == [
        "picture",
        "label",
        "probability",
        "label_2",
        "probability_2",
        "error",
    ]
    assert (first["label"], first["label_2"]) == ("dark", "light")
    assert float(first["probability"]) + float(first["probability_2"]) == pytest.approx(
        1, abs=2e-4
    )


def test_json_says_the_same(model, shades):
    text, counts = written(model, shades, form="json", top=2)
    found, table = json.loads(text), rows(model, shades, top=2)
    assert [entry["picture"] for entry in found] == [row["picture"] for row in table]
    assert [entry["predictions"][0]["label"] for entry in found] == [
        row["label"] for row in table
    ]
    assert counts == (4, 0) and all("error" not in entry for entry in found)


def test_files_and_folders_can_be_given_together(model, shades):
    found = rows(model, shades / "250.png", shades, shades / "010.png")
    assert [Path(row["picture"]).stem for row in found] == [
        "250",
        "010",
        "090",
        "170",
        "250",
        "010",
    ]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_cannot_be_read_is_said_in_its_place(model, shades, form):
    (shades / "100.png").write_text("Dear Sir or Madam")
    text, counts = written(model, shades, form=form)
    assert counts == (4, 1)
    if form == "csv":
        row = list(csv.DictReader(io.StringIO(text)))[2]
        assert (
            row["label"] == row["probability"] == ""
            and "cannot be read as a picture" in row["error"]
        )
    else:
        entry = json.loads(text)[2]
        assert (
            set(entry) == {"picture", "error"}
            and "cannot be read as a picture" in entry["error"]
        )


def test_a_file_may_have_any_extension_if_it_is_named(model, shades):
    shutil.copyfile(shades / "250.png", shades / "photo")
    assert (
        rows(model, shades / "photo")[0]["label"] == "light"
        and len(rows(model, shades)) == 4
    )


def test_a_class_may_have_any_name(tmp_path, shades):
    names = ('a "quoted", name', "two\r\nlines ü 猫")
    model = load_exported(write_brightness_export(tmp_path / "named", names))
    assert {row["label"] for row in rows(model, shades)} == set(names)
    found = json.loads(written(model, shades, form="json")[0])
    assert {entry["predictions"][0]["label"] for entry in found} == set(names)


def test_a_folder_that_may_not_be_read_is_an_error_and_no_silence(
    model, shades, monkeypatch
):
    (shades / "private").mkdir()
    scandir = os.scandir

    def refuse(path="."):
        if Path(path).name == "private":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)
    text, counts = written(model, shades)
    assert counts == (4, 1) and "private,,,cannot be opened: Permission denied" in text


# What is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"form": "xml"}, "format"),
        ({"top": 0}, "top is 0"),
        ({"top": 3}, "top is 3"),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_written(
    model, shades, options, sentence
):
    text = io.StringIO()
    with pytest.raises(UserInputError, match=sentence):
        predict_files(model, [shades], text, **options)
    assert text.getvalue() == ""


def test_a_path_that_does_not_exist_is_refused(model, shades):
    with pytest.raises(UserInputError, match="does not exist"):
        written(model, shades / "nowhere.jpg")


def test_a_folder_without_pictures_is_refused(model, tmp_path):
    with pytest.raises(UserInputError, match="There are no pictures in "):
        written(model, tmp_path)


# The command


def test_the_command_writes_the_table_and_nothing_else(export, shades):
    done = run(shades, "--model", export)
    lines = done.stdout.decode().splitlines()
    assert (done.returncode, done.stderr) == (0, b"")
    assert lines[0] == "picture,label,probability,error" and len(lines) == 5


def test_what_could_not_be_read_is_counted_on_stderr_and_in_the_exit_status(
    export, shades
):
    (shades / "100.png").write_text("Dear Sir or Madam")
    done = run(shades, "--model", export)
    assert done.returncode == 1 and done.stderr.decode().startswith(
        "1 picture could not be read;"
    )
    assert len(done.stdout.splitlines()) == 6


def test_without_a_model_the_sentence_is_the_loaders(tmp_path, shades):
    done = run(shades, "--model", tmp_path)
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"holds no record.json; expected a folder that tl.export" in done.stderr


def test_names_with_leading_dashes_go_behind_two_dashes(export, shades):
    shutil.copyfile(shades / "250.png", shades / "--model.png")
    done = run("--model", export, "--", "--model.png", cwd=shades)
    assert done.stdout.decode().splitlines()[1].startswith("./--model.png,light,")


@pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="file names there are always Unicode"
)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_name_that_is_not_utf_8_comes_out_as_it_is(export, shades, form):
    name = os.fsencode(shades) + b"/\xff\xfe.png"
    shutil.copyfile(shades / "250.png", name)
    done = run(
        os.fsdecode(name),
        "--model",
        export,
        "--format",
        form,
        env={**os.environ, "LC_ALL": "C"},
    )
    if form == "csv":
        assert done.stdout.splitlines()[1].startswith(name + b",light,")
    else:
        assert os.fsencode(json.loads(done.stdout)[0]["picture"]) == name


def test_a_reader_that_stops_early_sees_no_traceback(export, shades):
    many = [shades / "250.png"] * 2000
    command = [sys.executable, "-m", "tlcourse", "predict", "--model", export, *many]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
