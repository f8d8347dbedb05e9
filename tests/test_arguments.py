"""Odd arguments to public functions: each is taken, or refused in a sentence before any work, never a traceback."""

import inspect
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_network import small_network
from typer.testing import CliRunner

import tlcourse as tl
from tlcourse import (
    cli,
    datasets,
    exporting,
    fetching,
    train_folder,
    validation,
)
from tlcourse.cards import Card
from tlcourse.datasets.core import Dataset, Split
from tlcourse.errors import TLCourseError, UserInputError
from tlcourse.models import vision
from tlcourse.training import fine_tune, grad_cam, learning_curves
from tlcourse.training.classifiers import FineTuned
from tlcourse.training.evaluation import ConfusionMatrix, interval, paired_gain


class NoRepr:
    def __repr__(self):
        raise RuntimeError("no repr")


ODD = {
    "None": None,
    "-1": -1,
    "2**70": 2**70,
    "10**400": 10**400,
    "1.5": 1.5,
    "nan": math.nan,
    "inf": math.inf,
    "True": True,
    "an empty text": "",
    "nonsense": "nonsense",
    "bytes": b"",
    "an object": object(),
    "an empty list": [],
    "a list in a list": [[]],
    "a list of None": [None],
    "a dict": {},
    "a set": {"a", "b"},
    "a function": lambda: None,
    "an array of objects": np.array([None, object()]),
    "an object whose repr fails": NoRepr(),
    "a list of objects whose repr fails": [NoRepr(), NoRepr()],
    "a long list": list(range(100_000)),
    "a long text": "long " * 100_000,
    "a masked array": np.ma.masked_array([0, 1], [False, True]),
}

# Of these arguments other tests try the odd values.
ELSEWHERE = {
    "folder": "paths: test_special_files.py",
    "path": "paths: test_special_files.py",
    "archive": "paths: test_archive.py",
    "out": "paths: test_special_files.py",
    "X": "features, checked by scikit-learn: test_probe.py",
    "scheduler": "addresses: test_distributed.py",
    "say": "a function that is called with lines",
    "about": "whatever JSON holds",
    "options": "of one data set each: test_datasets.py",
    "settings": "test_each_setting_of_fine_tuning_is_checked, below",
}
# These functions have no arguments, or are tried elsewhere.
FUNCTIONS_ELSEWHERE = {
    "tl.list_pretrained_models",
    "tl.list_datasets",
    "tl.datasets.list_datasets",
    "tl.datasets.kanji_meanings",
    "tl.datasets.unpack",
    "tl.datasets.load_dataset",  # the same as tl.load_dataset
    "tl.check",  # learners' answers: test_exercises.py
}
ROOMS_ELSEWHERE = {
    "show": "drawings: test_plots.py",
    "checks": "test_checks_changes.py",
    "distributed": "clusters: test_distributed.py",
    "widgets": "test_widgets.py",
}


class WorkBegan(TLCourseError):
    """All arguments were taken: the first heavy step was reached."""


def begin(*_, **__):
    raise WorkBegan("the work began")


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
    network = small_network((16, 16, 3), 2)
    return SimpleNamespace(
        model=tl.load_pretrained_model(),
        pixels=pixels,
        labels=labels,
        split=split,
        dataset=Dataset("own", split, split, split, ["cat", "dog"], card),
        features=features,
        classifier=classifier,
        seer=FineTuned(network, np.array([0, 1]), ["cat", "dog"], {}, {}, None),
        curve=learning_curves.LearningCurve(
            "own", [0], {"probe": [learning_curves.Point(1, 2, [0.5], [1.0])]}
        ),
        matrix=ConfusionMatrix.of([0, 1], [0, 0], ["cat", "dog"]),
        own=lambda split, seed: classifier,
    )


@pytest.fixture(autouse=True)
def no_work(monkeypatch):
    """Heavy steps say that they have begun instead."""
    monkeypatch.setattr(fine_tune, "clear_away", begin)
    monkeypatch.setattr(vision.PretrainedModel, "copy_network", begin)
    monkeypatch.setattr(exporting, "_whole_network", begin)
    monkeypatch.setattr(grad_cam._Evidence, "__call__", begin)
    monkeypatch.setattr(learning_curves, "_functions", begin)


def calls(t, small_bert):
    """Function by name → the function, and arguments with which it works or begins to."""
    trained = {"model": t.model, "inputs": t.pixels, "labels": t.labels}
    seen = {"images": t.pixels[:1], "cache": False}
    judged = {"y": t.labels}
    return {
        "tl.load_pretrained_model": (tl.load_pretrained_model, {}),
        "tl.load_dataset": (tl.load_dataset, {"name": "samples"}),
        "tl.train_classifier": (
            tl.train_classifier,
            {"features": t.features, "labels": t.labels},
        ),
        "tl.fine_tune": (tl.fine_tune, trained),
        "tl.prepare_fine_tuning": (tl.prepare_fine_tuning, trained),
        "tl.freeze": (tl.freeze, {"model": t.seer}),
        "tl.unfreeze": (tl.unfreeze, {"model": t.seer}),
        "tl.add_head": (tl.add_head, {"model": t.model, "classes": 2}),
        "tl.export": (
            tl.export,
            {
                "trained": t.classifier,
                "folder": "new",
                "dataset": t.dataset,
                "model": t.model,
            },
        ),
        "tl.load_exported": (tl.load_exported, {"folder": "not there"}),
        "tl.results": (tl.results, {}),
        "tl.grad_cam": (tl.grad_cam, {"classifier": t.seer, "images": t.pixels}),
        "tl.augment": (tl.augment, {"image": t.pixels[0]}),
        "tl.learning_curve": (
            tl.learning_curve,
            {"dataset": t.dataset, "methods": {"own": t.own}, "seeds": 1},
        ),
        "tl.datasets.examine": (datasets.examine, {"dataset": t.dataset}),
        "tl.datasets.find_pack": (datasets.find_pack, {"name": "dogs"}),
        "tl.datasets.from_folder": (datasets.from_folder, {"path": "not there"}),
        "model.extract_features": (t.model.extract_features, seen),
        "model.activations": (t.model.activations, {**seen, "block": "block1a"}),
        "model.preprocess": (t.model.preprocess, {"images": t.pixels}),
        "model.predict_labels": (t.model.predict_labels, {"images": t.pixels[:1]}),
        "model.augmentations": (t.model.augmentations, {"chosen": 2}),
        "bert.extract_features": (
            small_bert.extract_features,
            {"sentences": ["good"], "cache": False},
        ),
        "bert.activations": (
            small_bert.activations,
            {"sentences": ["good"], "block": "layer_1", "cache": False},
        ),
        "bert.tokens": (small_bert.tokens, {"sentence": "good"}),
        "bert.tokenize": (small_bert.tokenize, {"sentences": ["good"]}),
        "classifier.predict": (t.classifier.predict, {"X": t.features}),
        "classifier.predict_proba": (
            t.classifier.predict_proba,
            {"X": t.features},
        ),
        "classifier.score": (t.classifier.score, {"X": t.features, **judged}),
        "classifier.confusion": (
            t.classifier.confusion,
            {"X": t.features, **judged},
        ),
        "split.sample": (t.split.sample, {"per_class": 1}),
        "split.sample_rows": (t.split.sample_rows, {"per_class": 1}),
        "split.select": (t.split.select, {"rows": [0]}),
        "split.with_classes": (t.split.with_classes, {"class_names": ["cat"]}),
        "dataset.with_classes": (t.dataset.with_classes, {"class_names": ["cat"]}),
        "curve.labels_for": (t.curve.labels_for, {"method": "probe", "accuracy": 0.5}),
        "curve.crossing": (t.curve.crossing, {"first": "probe", "second": "probe"}),
        "ConfusionMatrix.of": (
            ConfusionMatrix.of,
            {"labels": [0, 1], "predicted": [0, 0], "class_names": ["cat", "dog"]},
        ),
        "matrix.worst": (t.matrix.worst, {}),
        "interval": (interval, {"right": 1, "of": 2}),
        "paired_gain": (paired_gain, {"simpler_right": [True], "right": [True]}),
        "fetching.check_names": (fetching.check_names, {"names": ["dogs"]}),
    }


def public_functions():
    found = {
        f"tl.{name}" for name in tl.__all__ if inspect.isfunction(getattr(tl, name))
    }
    for room in ("datasets", *ROOMS_ELSEWHERE):
        module = getattr(tl, room)
        if room not in ROOMS_ELSEWHERE:
            found |= {
                f"tl.{room}.{name}"
                for name in module.__all__
                if inspect.isfunction(getattr(module, name))
            }
    return found


def test_every_public_function_is_tried(things, small_bert):
    assert public_functions() <= set(calls(things, small_bert)) | FUNCTIONS_ELSEWHERE


def test_odd_arguments_are_taken_or_refused_in_a_sentence(
    things, small_bert, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    faults, tried = [], 0
    for name, (function, arguments) in calls(things, small_bert).items():
        for parameter in inspect.signature(function).parameters.values():
            if parameter.name in ELSEWHERE:
                continue
            for kind, value in ODD.items():
                tried += 1
                try:
                    function(**{**arguments, parameter.name: value})
                except TLCourseError as error:
                    if not 0 < len(str(error)) < 2000:
                        faults.append(
                            f"{name}({parameter.name}={kind}): a refusal of {len(str(error))} characters"
                        )
                except Exception as error:
                    faults.append(
                        f"{name}({parameter.name}={kind}): {type(error).__name__}: {error}"
                    )
    assert not faults, "\n".join(faults)
    assert tried > 1000


# Labels


FEATURES, LABELS = (
    np.random.default_rng(3).normal(size=(6, 3)),
    np.array([0, 1, 0, 1, 0, 1]),
)


def probe(labels, class_names=None):
    return tl.train_classifier(FEATURES, labels, class_names, C=0.1)


WRONG_LABELS = {
    "an infinite number": [0.0, 1.0, 0.0, 1.0, 0.0, math.inf],
    "a number too large for an integer": [0.0, 1.0, 0.0, 1.0, 0.0, 1e300],
    "NaN among texts": ["cat", "dog", "cat", "dog", "cat", math.nan],
    "None among texts": ["cat", "dog", "cat", "dog", "cat", None],
    "a number among texts": ["cat", "dog", "cat", "dog", "cat", 1],
    "None among numbers": [0, 1, 0, 1, 0, None],
    "a fraction": [0, 1, 0, 1, 0, 1.5],
    "masked": np.ma.masked_array(LABELS, [0, 0, 0, 0, 0, 1]),
    "bytes": [b"cat", b"dog"] * 3,
    "dates": np.array(["2026-01-01", "2026-01-02"] * 3, "datetime64[D]"),
}


@pytest.mark.parametrize("labels", WRONG_LABELS.values(), ids=WRONG_LABELS)
def test_labels_that_would_be_misread_are_refused_by_training_and_by_scoring(labels):
    with pytest.raises(UserInputError, match="abels"):
        probe(labels)
    for method in ("score", "confusion"):
        with pytest.raises(UserInputError, match="abels"):
            getattr(probe(LABELS), method)(FEATURES, labels)


EACH_LABEL = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=3),
    st.binary(max_size=2),
    st.just([1]),
)


@given(
    st.one_of(
        st.lists(EACH_LABEL, max_size=4),
        st.lists(st.text(max_size=3)),
        st.lists(st.integers()),
    )
)
def test_labels_are_read_as_they_are_or_refused(labels):
    try:
        found = validation.labels(labels, len(labels))
    except UserInputError:
        return
    assert found.tolist() == labels


# Class names


WRONG_NAMES = {
    "a number": 2,
    "a set": {"cat", "dog"},
    "one text": "catdog",
    "nothing": [],
    "one twice": ["cat", "cat"],
    "one twice, in another form": ["caf\u00e9", "cafe\u0301"],
    "None": ["cat", None],
    "an empty text": ["cat", " "],
    "bytes": [b"cat", b"dog"],
    "a dict with other keys": {"cat": 0, "dog": 1},
}


@pytest.mark.parametrize("class_names", WRONG_NAMES.values(), ids=WRONG_NAMES)
def test_class_names_that_name_no_classes_are_refused(things, class_names):
    with pytest.raises(UserInputError, match="class_names"):
        probe(LABELS, class_names)
    with pytest.raises(UserInputError, match="class_names"):
        tl.fine_tune(
            things.model, things.pixels, things.labels, class_names=class_names
        )
    with pytest.raises(UserInputError, match="class_names"):
        ConfusionMatrix.of([0, 1], [0, 0], class_names)


# Settings of fine-tuning


@pytest.mark.parametrize(
    "setting", ["epochs", "batch_size", "learning_rate", "dropout", "patience", "seed"]
)
def test_each_setting_of_fine_tuning_is_checked(things, setting):
    for kind, value in ODD.items():
        try:
            tl.fine_tune(things.model, things.pixels, things.labels, **{setting: value})
        except TLCourseError:
            continue
        pytest.fail(f"{setting} took {kind}")


# Commands


@pytest.fixture
def folder(things, tmp_path):
    """Class folders; that they are read at all is a failure."""
    for name in ("cat", "dog"):
        (tmp_path / "pictures" / name).mkdir(parents=True)
    return tmp_path / "pictures"


def run(*arguments):
    return CliRunner().invoke(cli.app, [str(argument) for argument in arguments])


@pytest.fixture
def no_reading(monkeypatch):
    for name in ("from_folder", "examine"):
        monkeypatch.setattr(
            train_folder, name, lambda *_, name=name: pytest.fail(f"{name} was called")
        )


@pytest.mark.usefixtures("no_reading")
@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--from", "blockX"], "blockX"),
        (["--from", "99"], "99"),
        (["--from", "0"], "0"),
        (["--epochs", "-1"], "epochs"),
        (["--epochs", "100000"], "epochs"),
        (["--seed", "-1"], "seed"),
        (["--seed", "99999999999"], "seed"),
    ],
)
def test_train_refuses_a_setting_before_it_reads_a_picture(
    folder, tmp_path, options, word
):
    result = run("train", folder, "--out", tmp_path / "new", *options)
    assert (
        result.exit_code == 1
        and word in result.stderr
        and "Traceback" not in result.stderr
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pictures"]


@pytest.mark.parametrize(
    "options",
    [["--top", "0"], ["--format", "xml"], ["--variant", "x"], []],
    ids=["top", "format", "variant", "no pictures"],
)
def test_predict_refuses_its_arguments_before_it_loads_the_network(
    tmp_path, monkeypatch, options
):
    monkeypatch.setattr(
        "tlcourse.exported.load_exported",
        lambda *_: pytest.fail("the network was loaded"),
    )
    (tmp_path / "empty").mkdir()
    if options:
        (tmp_path / "empty" / "one.png").write_bytes(b"")
    result = run("predict", tmp_path / "empty", "--model", tmp_path, *options)
    assert result.exit_code == 1 and "Traceback" not in result.stderr
    assert (options or ["pictures"])[0].lstrip("-") in result.stderr
