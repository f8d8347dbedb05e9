"""Package, home, TMPDIR, cache and pictures in a folder with spaces and letters of other scripts; a very long path."""

import csv
import io
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
CLASSES = ("größer als 1", "小さい")
ODD = "Übung 1/été 日本"
LONG = "/".join(["a folder with a long name " * 3] * 3)  # 233 characters


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The course, copied, and pictures in two classes."""
    place = tmp_path_factory.mktemp("odd") / ODD
    for name in ("tlcourse", "data", "notebooks"):
        shutil.copytree(
            ROOT / name,
            place / "course" / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    (place / "course" / "benchmarks").mkdir()
    shutil.copy(ROOT / "benchmarks" / "results.json", place / "course" / "benchmarks")
    for name in ("home", "tmp"):
        (place / name).mkdir()
    for number, name in enumerate(CLASSES):
        (place / "pictures" / name).mkdir(parents=True)
        rng = np.random.default_rng(number)
        for picture in range(12):
            pixels = np.clip(
                rng.normal(70 + 110 * number, 40, (40, 40, 3)), 0, 255
            ).astype(np.uint8)
            Image.fromarray(pixels).save(
                place / "pictures" / name / f"né {picture:02}.png"
            )
    return place


def run(place, *command, **variables):
    """What is printed; all that a user's machine has lies in the odd folder."""
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
        [sys.executable, *command],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def trained(place):
    return run(
        place,
        "-m",
        "tlcourse",
        "train",
        "pictures",
        "--out",
        "mein Modell",
        "--from",
        "head",
        "--epochs",
        "1",
    )


@pytest.mark.slow
def test_the_package_is_the_one_there(place):
    assert run(place, "-c", "import tlcourse; print(tlcourse.__file__)").startswith(
        str(place)
    )


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{}, {"LC_ALL": "C"}], ids=["UTF-8", "LC_ALL=C"])
def test_the_doctor_finds_everything(place, variables):
    said = run(place, "-m", "tlcourse", "doctor", COLUMNS="1000", **variables)
    assert "The course can run" in said and ("LC_ALL" in said) == (
        bool(variables) and not str(place).isascii()
    )


@pytest.mark.slow
def test_a_folder_is_trained_on_and_the_cache_is_used(place, trained):
    assert "mein Modell" in trained and list((place / "home").rglob("*.sqlite"))


@pytest.mark.slow
def test_the_export_predicts_in_a_process_of_its_own(place, trained):
    picture = f"pictures/{CLASSES[1]}/né 03.png"
    said = run(place, "-m", "tlcourse", "predict", picture, "--model", "mein Modell")
    (row,) = csv.DictReader(io.StringIO(said))
    assert row["picture"].endswith("né 03.png") and CLASSES[1] in row.values()


@pytest.mark.slow
def test_every_variant_of_the_export_is_loaded(place, trained):
    program = (
        "import tlcourse as tl\n"
        "for variant in ('float32', 'keras'):\n"
        "    print(tl.load_exported('mein Modell', variant).predict(['pictures/小さい/né 05.png']))"
    )
    assert len(run(place, "-c", program).split()) == 2


@pytest.mark.slow
def test_dasks_workers_come_to_the_same(place, trained):
    program = (
        "import numpy as np, tlcourse as tl\n"
        "if __name__ == '__main__':\n"
        "    model = tl.load_pretrained_model()\n"
        "    theirs = model.extract_features('pictures', engine='dask', out='schöne Merkmale')\n"
        "    print(np.array_equal(model.extract_features('pictures'), theirs))"
    )
    (place / "merkmale.py").write_text(program, encoding="utf-8")
    assert run(place, "merkmale.py").strip() == "True"


@pytest.mark.slow
def test_the_demo(place):
    said = run(place, "-m", "tlcourse", "demo", "--picture", "Zellen à prüfen.png")
    assert (place / "Zellen à prüfen.png").is_file() and "> " in said


def test_a_path_of_more_than_200_characters(tmp_path, monkeypatch, bundled_model):
    folder = tmp_path / LONG
    folder.mkdir(parents=True)
    monkeypatch.setenv("TLCOURSE_CACHE", str(folder / "cache"))
    pixels = np.random.default_rng(0).integers(1, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "picture.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = (
            bundled_model.extract_features([folder / "picture.png"]) for _ in range(2)
        )
    assert np.array_equal(first, second) and list((folder / "cache").rglob("*.sqlite"))
