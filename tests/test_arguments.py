"""Odd arguments to public functions are taken, or refused in a sentence."""

import inspect
import math
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner
from small_network import small_network

import tlcourse as tl
from tlcourse import cli, train_folder
from tlcourse.cards import Card
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.training.evaluation import ConfusionMatrix


class NoRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


ODD = {
    "None": None,
    "-1": -1,
    "2**70": 2**70,
    "10**400": 10**400,
    "nan": math.nan,
    "True": True,
    "an empty text": "",
    "nonsense": "nonsense",
    "an object": object(),
    "a list in a list": [[]],
    "a list of None": [None],
    "a set": {"a", "b"},
    "an array of objects": np.array([None, object()]),
    "a list of objects whose repr fails": [NoRepr(), NoRepr()],
    "a long text": "long " * 100_000,
    "a masked array": np.ma.masked_array([0, 1], [False, True]),
}

# Of these arguments other tests try the odd values.
ELSEWHERE = {
    "folder": "paths: test_special_files.py",
    "path": "paths: test_special_files.py",
    "X": "features, checked by scikit-learn: test_probe.py",
    "options": "of one data set each: test_datasets.py",
}


@pytest.fixture(scope="module")
def things():
    """What is given where an argument is not odd."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 16, 16, 3), dtype=np.uint8)
    labels = np.array([0, 1] * 3)
    split = Split(pixels, labels, ["cat", "dog"])
    card = Card("own", "Own pictures", "here", "CC0", "hand", {}, "")
    features = rng.normal(size=(6, 4)) + labels[:, None]
    classifier = tl.train_classifier(features, labels, ["cat", "dog"], C=0.1)
    return SimpleNamespace(
        model=tl.load_pretrained_model(),
        pixels=pixels,
        labels=labels,
        split=split,
        dataset=Dataset("own", split, split, split, ["cat", "dog"], card),
        features=features,
        classifier=classifier,
        network=small_network((16, 16, 3), 2),
        curve=tl.LearningCurve.of(tl.results("curves.kanji")),
    )


def calls(t, small_bert):
    """Functions by name, each with arguments with which it works."""
    model, classifier, split = t.model, t.classifier, t.split
    matrix = dict(labels=[0, 1], predicted=[0, 0], class_names=["cat", "dog"])
    features, one = dict(X=t.features), dict(images=t.pixels[:1])
    return {
        tl.load_pretrained_model: {},
        tl.load_dataset: dict(name="samples"),
        tl.train_classifier: dict(features=t.features, labels=t.labels),
        tl.freeze: dict(model=t.network),
        tl.load_exported: dict(folder="not there"),
        tl.results: {},
        tl.augment: dict(image=t.pixels[0]),
        tl.datasets.examine: dict(dataset=t.dataset),
        tl.datasets.find_pack: dict(name="dogs"),
        tl.datasets.from_folder: dict(path="not there"),
        model.extract_features: dict(cache=False, **one),
        model.activations: dict(block="block1a", cache=False, **one),
        model.predict_labels: one,
        small_bert.extract_features: dict(sentences=["good"], cache=False),
        small_bert.tokens: dict(sentence="good"),
        classifier.predict: features,
        classifier.predict_proba: features,
        classifier.score: dict(y=t.labels, **features),
        split.sample: dict(per_class=1),
        split.select: dict(rows=[0]),
        split.with_classes: dict(class_names=["cat"]),
        t.curve.labels_for: dict(method="probe", accuracy=0.5),
        t.curve.differences: dict(method="probe", baseline="probe"),
        ConfusionMatrix.of: matrix,
    }


def test_odd_arguments_are_taken_or_refused_in_a_sentence(
    things, small_bert, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    faults = []
    for function, arguments in calls(things, small_bert).items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in ELSEWHERE:
                continue
            for kind, value in ODD.items():
                try:
                    function(**{**arguments, parameter.name: value})
                except TLCourseError as error:
                    assert 0 < len(str(error)) < 2000
                except Exception as error:
                    name = f"{function.__qualname__}({parameter.name}={kind})"
                    faults.append(f"{name}: {error!r}")
    assert not faults, "\n".join(faults)


# Labels


FEATURES = np.random.default_rng(3).normal(size=(6, 3))
LABELS = np.array([0, 1, 0, 1, 0, 1])


def probe(labels, class_names=None):
    return tl.train_classifier(FEATURES, labels, class_names, C=0.1)


@pytest.mark.parametrize(
    "labels",
    [
        [0.0, 1.0, 0.0, 1.0, 0.0, math.inf],
        ["cat", "dog", "cat", "dog", "cat", math.nan],
        ["cat", "dog", "cat", "dog", "cat", 1],
        [0, 1, 0, 1, 0, 1.5],
        np.ma.masked_array(LABELS, [0, 0, 0, 0, 0, 1]),
        [b"cat", b"dog"] * 3,
    ],
)
def test_labels_that_would_be_misread_are_refused_by_training_and_by_scoring(labels):
    with pytest.raises(UserInputError, match="abels"):
        probe(labels)
    with pytest.raises(UserInputError, match="abels"):
        probe(LABELS).score(FEATURES, labels)


WRONG_NAMES = [2, {"cat", "dog"}, "catdog", [], ["cat", "cat"], ["cat", None]]


@pytest.mark.parametrize("class_names", [*WRONG_NAMES, ["caf\u00e9", "cafe\u0301"]])
def test_class_names_that_name_no_classes_are_refused(class_names):
    with pytest.raises(UserInputError, match="class_names"):
        probe(LABELS, class_names)
    with pytest.raises(UserInputError, match="class_names"):
        ConfusionMatrix.of([0, 1], [0, 0], class_names)


# Commands


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--from", "blockX"], "blockX"),
        (["--epochs", "-1"], "epochs"),
        (["--seed", "99999999999"], "seed"),
    ],
)
def test_train_refuses_a_setting_before_it_reads_a_picture(
    tmp_path, monkeypatch, options, word
):
    monkeypatch.setattr(train_folder, "_read", lambda *_: pytest.fail("it was read"))
    command = ["train", str(tmp_path), "--out", str(tmp_path / "new"), *options]
    result = CliRunner().invoke(cli.app, command)
    assert result.exit_code == 1 and word in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
