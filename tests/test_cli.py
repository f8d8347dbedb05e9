"""What the `tlcourse` command prints, and how it ends."""

import os
import re
import signal
import subprocess
import sys
from functools import partial

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from tlcourse import cli, datasets, demo, fetching, train_folder
from tlcourse.datasets import Dataset
from tlcourse.errors import DatasetUnavailable

RESULT = {
    "accuracy": 0.8513,
    "plain_accuracy": 0.8399,
    "seconds": 50.0,
    "peak_megabytes": 1234.5,
    "pictures": 2624,
}


def run(*arguments):
    texts = [str(argument) for argument in arguments]
    return CliRunner().invoke(cli.app, texts, env={"COLUMNS": "80"})


# The command itself


def test_a_refusal_is_one_sentence_without_a_traceback():
    result = run("fetch", "cats")
    assert (result.exit_code, result.stdout) == (1, "")
    assert re.fullmatch(r"tlcourse: .*cats.*\.\n", result.stderr)


@pytest.mark.parametrize(
    "command",
    ["", "demo", "doctor", "fetch", "train", "predict", "cache", "cache show"],
)
def test_every_command_has_help(command):
    result = run(*command.split(), "--help")
    assert result.exit_code == 0 and "--help" in result.stdout
    assert "--no-" not in result.stdout


def test_an_unknown_block_is_refused_before_the_pictures_are_read(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(train_folder, "_read", lambda *_: pytest.fail("was read"))
    result = run("train", tmp_path, "--out", tmp_path / "out", "--from", "blockX")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "blockX" in result.stderr and "block7a" in result.stderr


# Demo


@pytest.fixture(scope="module")
def a_demo(tmp_path_factory):
    """The demo's output on 12 + 12 cells, and the picture that it saved."""
    solar = datasets.load_dataset("solar")
    parts = [split.sample(6) for split in solar.splits.values()]
    small = Dataset("solar", *parts, solar.class_names, solar.card)
    picture = tmp_path_factory.mktemp("demo") / "cells [1].png"
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(datasets, "load_dataset", lambda name: small)
        result = run("demo", "--picture", picture)
    assert result.exit_code == 0, result.output
    return result.stdout, picture


def test_the_demo_prints_its_accuracy_among_the_published_ones(a_demo):
    output, picture = a_demo
    assert re.search(r"^> +\d+\.\d\d%  here", output, re.MULTILINE)
    assert len(output.splitlines()) <= 24  # a screen
    assert output.splitlines()[-1] == f"  {picture}"
    with Image.open(picture) as image:
        assert image.width >= 600 and np.asarray(image.convert("L")).std() > 20


def test_the_report_ranks_and_explains_the_accuracy():
    text = demo.report(RESULT, 656)
    ranked = [line[:9] for line in text.splitlines() if "%  " in line]
    assert ranked == ["   82.44%", ">  85.13%", "   88.42%"]
    for part in ("weighted", "83.99%", "2,624 pictures took 50 s", "1,234 MB"):
        assert part in text


@pytest.mark.parametrize("name", ["cells.doc", "nowhere/cells.png"])
def test_a_picture_that_cannot_be_is_refused_before_the_work(tmp_path, name):
    result = run("demo", "--picture", tmp_path / name)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "picture" in result.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends Ctrl-C otherwise")
def test_ctrl_c_ends_the_demo_with_a_sentence(tmp_path):
    heed = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # not so if run by `&`
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    options |= {"cwd": tmp_path, "env": environment, "preexec_fn": heed}
    command = [sys.executable, "-u", "-m", "tlcourse", "demo"]
    with subprocess.Popen(command, **options) as process:
        while "Extracting" not in process.stdout.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=60)
    assert (process.returncode, complaint.count("\n")) == (130, 1), complaint
    assert "Stopped by Ctrl-C" in complaint


# Fetch


@pytest.fixture
def internet(monkeypatch):
    """A make-believe internet: what was fetched, and what cannot be."""
    fetched, broken = [], set()

    def location(name):
        return "/somewhere" if name in fetched else None

    def fetch(name):
        print("Downloading 0/800 MB")
        if name in broken:
            raise DatasetUnavailable(f"{name} came only half. Run the command again.")
        fetched.append(name)

    monkeypatch.setattr(fetching, "location", location)
    monkeypatch.setattr(fetching, "fetch", fetch)
    fetch.fetched, fetch.broken = fetched, broken
    return fetch


def test_fetch_brings_all_that_lessons_need(internet):
    assert run("fetch").exit_code == 0
    assert internet.fetched == list(fetching.LESSONS_NEED)


def test_fetch_goes_on_after_a_failure_and_says_how_to_go_on(internet):
    internet.fetched.append("dogs")
    internet.broken.add("minilm")
    result = run("fetch", "dogs", "minilm", "vgg16")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("dogs: already here")
    assert lines[1].startswith("minilm: could not be fetched")
    assert lines[2].startswith("vgg16: fetched")
    assert lines[-1].startswith("Still missing: minilm") and result.exit_code == 1
    assert "Downloading" in result.stderr and "Downloading" not in result.stdout
