"""Exercises of lessons 03 to 05 are solved with Keras alone, and answered as they should."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import tlcourse as tl

PROGRAM = Path(__file__).with_name("keras_alone.py")
ANSWERS = [
    *(("3.2", row) for row in ("right", "pretrained")),
    *(("3.3", row) for row in ("right", "last block")),
    *(("4.2", row) for row in ("right", "output", "not frozen")),
    *(("4.3", row) for row in ("right", "no dropout")),
    *(("5.3", row) for row in ("right", "changed")),
]
pytestmark = pytest.mark.slow


def as_array(split):
    return np.stack(
        [tl.pictures.resize(picture, (224, 224)) for picture in split.images]
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """What a kernel without tlcourse has written, given what the lessons make before."""
    import keras

    folder = tmp_path_factory.mktemp("keras alone")
    model = tl.load_pretrained_model()
    stamps, solar = tl.load_dataset("stamps"), tl.load_dataset("solar")
    cells, others = solar.train.sample(per_class=40), solar.validation.sample(30)
    np.savez(
        folder / "arrays.npz",
        train_images=as_array(stamps.train),
        train_labels=stamps.train.labels,
        test_images=as_array(stamps.test),
        test_labels=stamps.test.labels,
        cells=as_array(cells),
        cell_labels=cells.labels,
        features=model.extract_features(cells.images),
        other_features=model.extract_features(others.images),
        other_labels=others.labels,
    )
    model.classifier.save(folder / "classifier.keras")
    inputs = keras.Input((224, 224, 3))
    head = keras.layers.Dense(1, activation="sigmoid", name="new_head")
    network = keras.Model(inputs, head(model.copy_network()(inputs)))
    network.save(folder / "5.3 before.keras")
    command = [sys.executable, str(PROGRAM), str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize(("number", "row"), ANSWERS)
def test_an_answer_made_with_keras_alone_is_told_what_its_row_says(folder, number, row):
    import keras

    from tlcourse.exercises.table import find_exercise

    def network(name):
        return keras.models.load_model(folder / f"{name}.keras")

    context = ()
    if number == "3.3":
        answer = json.loads((folder / "3.3.json").read_text(encoding="utf-8"))[row]
        context = ("block4c",)
    elif number == "4.3":
        history = json.loads((folder / f"4.3 {row}.json").read_text(encoding="utf-8"))
        answer = SimpleNamespace(history=history, model=network(f"4.3 {row}"))
        context = (SimpleNamespace(history={"val_loss": [0.9] * 15}),)
    else:
        answer = network(f"{number} {row}")
    if number == "5.3":
        context = (tl.checks.snapshot(network("5.3 before")),)
    reached, text = find_exercise(number).check(answer, context)
    assert reached == row, text
