"""Package, home, cache and pictures in a folder with blanks and foreign letters."""

import csv
import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
CLASSES = ("größer als 1", "小さい")


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The course, copied, and pictures of two classes."""
    place = tmp_path_factory.mktemp("odd") / "Übung 1" / "été 日本"
    ignored = shutil.ignore_patterns("__pycache__")
    for name in ("tlcourse", "data"):
        shutil.copytree(ROOT / name, place / "course" / name, ignore=ignored)
    (place / "course" / "benchmarks").mkdir()
    shutil.copy(ROOT / "benchmarks" / "results.json", place / "course" / "benchmarks")
    for name in ("home", "tmp"):
        (place / name).mkdir()
    for number, name in enumerate(CLASSES):
        (place / "pictures" / name).mkdir(parents=True)
        rng = np.random.default_rng(number)
        for picture in range(12):
            pixels = rng.normal(70 + 110 * number, 40, (40, 40, 3)).clip(0, 255)
            path = place / "pictures" / name / f"né {picture:02}.png"
            Image.fromarray(pixels.astype(np.uint8)).save(path)
    return place


def run(place, *arguments, **variables):
    """What the command prints where all that a user has lies in the odd folder."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(place / "home"),
        "TMPDIR": str(place / "tmp"),
        "PYTHONPATH": str(place / "course"),
        "TQDM_DISABLE": "1",
        "LANG": "C.UTF-8",
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-m", "tlcourse", *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "C"}], ids=["UTF-8", "C"])
def test_the_doctor_finds_everything(place, variables):
    said = run(place, "doctor", COLUMNS="1000", **variables)
    assert "The course can run" in said and ("LC_ALL" in said) == bool(variables)


def test_training_and_prediction(place):
    options = ["--out", "mein Modell", "--from", "head", "--epochs", "1"]
    assert "mein Modell" in run(place, "train", "pictures", *options)
    assert list((place / "home").rglob("*.sqlite"))
    picture = f"pictures/{CLASSES[1]}/né 03.png"
    (row,) = csv.DictReader(
        io.StringIO(run(place, "predict", picture, "--model", "mein Modell"))
    )
    assert row["picture"].endswith("né 03.png") and CLASSES[1] in row.values()


def test_the_demo(place):
    said = run(place, "demo", "--picture", "Zellen à prüfen.png")
    assert (place / "Zellen à prüfen.png").is_file() and "> " in said
