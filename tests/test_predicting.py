"""`tlcourse predict`: a line for each picture; what cannot be read stops nothing."""

import csv
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from brightness_export import write_brightness_export, write_shades

from tlcourse.errors import UserInputError
from tlcourse.predict import load_exported, predict_files


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


COMMAND = [sys.executable, "-m", "tlcourse", "predict", "--model"]


def run(*arguments, **options):
    """The command in a process of its own; output as bytes."""
    return subprocess.run([*COMMAND, *arguments], capture_output=True, **options)


# What is written


def test_each_picture_of_a_folder_has_a_row_in_order(model, shades):
    found = rows(model, shades, top=2)
    columns = ["picture", "label", "probability", "label_2", "probability_2", "error"]
    assert list(found[0]) == columns
    names = [Path(row["picture"]).stem for row in found]
    assert names == ["010", "090", "170", "250"]
    assert [row["label"] for row in found] == ["dark", "dark", "light", "light"]
    assert [row["label_2"] for row in found] == ["light", "light", "dark", "dark"]
    probabilities = [float(row["probability"]) for row in found]
    best = model.predict_proba(shades).max(axis=1)
    assert probabilities == pytest.approx(best, abs=1e-4)


def test_json_says_the_same_also_of_a_file_of_another_extension(model, shades):
    paths = [shutil.copyfile(shades / "250.png", shades / "photo"), shades]
    text, counts = written(model, *paths, form="json", top=2)
    found, table = json.loads(text), rows(model, *paths, top=2)
    assert counts == (5, 0) and all("error" not in entry for entry in found)
    for entry, row in zip(found, table, strict=True):
        assert entry["picture"] == row["picture"]
        assert entry["predictions"][0]["label"] == row["label"]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_what_cannot_be_read_is_said_in_its_place(model, shades, form):
    (shades / "100.png").write_text("Dear Sir or Madam")
    text, counts = written(model, shades, form=form)
    read = json.loads if form == "json" else lambda t: [*csv.DictReader(io.StringIO(t))]
    found = read(text)
    assert counts == (4, 1) and "cannot be read as a picture" in found[2]["error"]
    assert not found[2].get("label") and "predictions" not in found[2]


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


@pytest.mark.parametrize(
    ("path", "options", "word"),
    [
        ("", {"form": "xml"}, "format"),
        ("", {"top": 3}, "top is 3"),
        ("nowhere.jpg", {}, "does not exist"),
        ("../empty", {}, "There are no pictures in "),
    ],
)
def test_what_is_asked_wrongly_is_refused_before_anything_is_written(
    model, shades, path, options, word
):
    text = io.StringIO()
    (shades.parent / "empty").mkdir()
    with pytest.raises(UserInputError, match=word):
        predict_files(model, [shades / path], text, **options)
    assert text.getvalue() == ""


# The command


def test_the_command_writes_the_table_and_counts_failures_on_stderr(export, shades):
    done = run(export, "--", "250.png", "010.png", cwd=shades)
    assert (done.returncode, done.stderr) == (0, b"")
    first, second, _ = done.stdout.decode().splitlines()
    assert first == "picture,label,probability,error"
    assert second.startswith("250.png,light,")
    (shades / "-100.png").write_text("Dear Sir or Madam")
    done = run(export, "--", "-100.png", cwd=shades)
    assert done.returncode == 1 and done.stderr.startswith(b"1 picture could not be")
    assert done.stdout.splitlines()[1].startswith(b"./-100.png,,,")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pty")
def test_a_person_at_a_terminal_reads_a_line_per_picture(export, shades):
    (shades / "100.png").write_text("Dear Sir or Madam")
    names = ["250.png", "100.png", "010.png"]
    master, terminal = os.openpty()
    done = subprocess.run(
        [*COMMAND, export, "--top", "2", "--", *names],
        stdout=terminal,
        stderr=subprocess.PIPE,
        cwd=shades,
    )
    os.close(terminal)
    lines = os.read(master, 10_000).decode().splitlines()
    os.close(master)
    assert re.fullmatch(r"250\.png: light \d+\.\d%, dark \d+\.\d%", lines[0])
    assert lines[1].startswith("100.png cannot be read as a picture")
    assert lines[2].startswith("010.png: dark ") and len(lines) == 3
    assert b"could not be read; the reason is in the picture's line" in done.stderr


def test_text_can_be_asked_for_in_a_file_too(model, shades):
    text, counts = written(model, shades / "250.png", form="text")
    assert counts == (1, 0)
    assert re.fullmatch(r".*250\.png: light \d+\.\d%\n", text)


@pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="file names there are always Unicode"
)
@pytest.mark.parametrize("form", ["csv", "json"])
def test_a_name_that_is_not_utf_8_comes_out_as_it_is(export, shades, form):
    name = os.fsencode(shades) + b"/\xff\xfe.png"
    shutil.copyfile(shades / "250.png", name)
    environment = {**os.environ, "LC_ALL": "C"}
    done = run(export, os.fsdecode(name), "--format", form, env=environment)
    if form == "csv":
        assert done.stdout.splitlines()[1].startswith(name + b",light,")
    else:
        assert os.fsencode(json.loads(done.stdout)[0]["picture"]) == name


def test_a_reader_that_stops_early_sees_no_traceback(export, shades):
    many, pipe = [shades / "250.png"] * 2000, subprocess.PIPE
    with subprocess.Popen(
        [*COMMAND, export, *many], stdout=pipe, stderr=pipe
    ) as process:
        process.stdout.readline()
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
