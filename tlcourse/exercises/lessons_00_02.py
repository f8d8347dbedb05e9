"""Lessons 00 to 02: what the answers are compared with."""

from functools import lru_cache
from typing import Any

import numpy as np

import tlcourse as tl

from .table import (
    AnyAnswer,
    Array,
    Number,
    Shares,
    numbers,
    require,
    rows,
    share,
    unexpected,
)

# --- 00, Start here ---

SEEN = 0.1  # test accuracy above that on other rows by more: test labels were seen
RECALL = 0.9


@lru_cache(maxsize=4)
def _features(name, part):
    images = getattr(tl.load_dataset(name), part).images
    return tl.load_pretrained_model().extract_features(images)


@rows("0.1", share())
def one_label(answer, one_each):
    train: Any = tl.load_dataset("stamps").train
    known = {path: index for index, path in enumerate(train.images.paths)}
    paths = getattr(getattr(one_each, "images", None), "paths", [])
    indices = [known.get(path, -1) for path in paths]
    if -1 in indices or sorted(train.labels[indices]) != list(range(6)):
        expected = "one photograph of each class of stamps.train, as the stub does"
        raise unexpected(one_each, expected, "one_each")
    features, labels = _features("stamps", "train")[indices], train.labels[indices]
    probe, test = tl.train_classifier(features, labels), tl.load_dataset("stamps").test
    right = probe.score(_features("stamps", "test"), test.labels)
    details = {"baseline": np.bincount(test.labels).max() / len(test)}
    yield "right", right, details
    yield "training rows", probe.score(features, labels)
    yield "too good", answer > right + 0.03, details


@rows("0.2", Shares("mono", "poly"))
def harder_kind(answer, classifier):
    require(classifier, "solar_classifier", "score", "predict")
    solar, features = tl.load_dataset("solar"), _features("solar", "test")
    labels, kinds = solar.test.labels, np.asarray(solar.test.groups)
    test = classifier.score(features, labels)
    held_out = _features("solar", "validation")
    validation = classifier.score(held_out, solar.validation.labels)
    accuracies = {"test": test, "validation": validation}
    yield "trained on test", test > validation + SEEN, accuracies
    masks = {kind: kinds == kind for kind in answer}
    right = {k: classifier.score(features[m], labels[m]) for k, m in masks.items()}
    yield "right", right, {"harder": min(right, key=right.__getitem__)}
    yield "exchanged", {"mono": right["poly"], "poly": right["mono"]}


@rows("0.3", AnyAnswer())
def more_defects(answer):
    solar, features = tl.load_dataset("solar"), _features("solar", "test")
    right = _answers_of(answer, features) == solar.test.labels
    on_training = _answers_of(answer, _features("solar", "train")) == solar.train.labels
    train, test = float(on_training.mean()), float(right.mean())
    recall = float(right[solar.test.labels == 1].mean())
    baseline = float(np.mean(solar.test.labels == 0))
    details = {"recall": recall, "accuracy": test, "baseline": baseline}
    yield "trained on test", test > train + SEEN, {"train": train, **details}
    yield "too few", recall < RECALL, details
    yield "right", test > baseline, details
    yield "otherwise", True, details


def _answers_of(classifier, features):
    """What a learner's classifier predicts, 0 or 1 for each row, or NotYet."""
    expected = "a classifier that was fitted on solar_features and labels 0 and 1"
    try:
        answers = numbers(classifier.predict(features))
    except Exception:  # no classifier, not fitted, or features of another width
        raise unexpected(classifier, expected) from None
    if answers is None or answers.shape != (len(features),):
        raise unexpected(classifier, expected)
    if not np.isin(answers, (0, 1)).all():
        raise unexpected(classifier, expected)
    return answers


# --- 01, Why transfer? ---

MINUTES = 0.5  # that a label takes
COUNTS = [1, 5]
SIMILAR = 0.02  # what another processor may change in probabilities


@rows("1.1", Number(absolute=0.01, relative=0.01))
def minutes_saved(answer):
    curve = tl.LearningCurve.of(tl.results("curves.stamps"))
    scratch = curve.points["random weights"][-1]
    needed = curve.labels_for("probe", scratch.mean) or float("inf")
    saved, all_minutes = scratch.rows - needed, scratch.rows * MINUTES
    yield "right", saved * MINUTES, {"all_minutes": all_minutes}
    yield "labels", saved
    yield "probe's labels", needed * MINUTES


@rows("1.2", Number())
def splits_won(answer, live):
    require(live, "live", "points")
    few, many = (_wins(live.points, index) for index in (0, -1))
    yield "right", sum(few), {"splits": len(few)}
    yield "five labels", answer in (sum(many), sum(few) + sum(many))


def _wins(points, index):
    """Whether the probe was better, for each split."""
    pairs = (points[method][index].accuracies for method in ("probe", "small CNN"))
    return [probe > small for probe, small in zip(*pairs, strict=True)]


@rows("1.3", AnyAnswer())
def harder_characters(answer, live):
    for curve, name in ((answer, "your curve"), (live, "live")):
        require(curve, name, "points", "seeds")
    points = answer.points
    others = set(points) != {"small CNN", "probe"}
    yield "methods", others, {"methods": ", ".join(points)}
    labels = [point.labels for point in points["probe"]]
    yield "labels", labels != COUNTS, {"labels": labels}
    seen = live.points["probe"][0].accuracies
    yield "numerals", list(points["probe"][0].accuracies) == list(seen)
    yield "right", True, {"gain": _gain(answer), "before": _gain(live)}


def _gain(curve):
    [(_, difference, _), *_] = curve.differences("probe", "small CNN")
    return 100 * difference


# --- 02, Pretrained models ---

GREY = 127  # what the half is painted with
SIDES = {"left": slice(None, 256), "right": slice(256, None)}
CAMERA = 1  # index of the photographer among the samples
MEANS = np.array([103.939, 116.779, 123.68], np.float32)  # ImageNet's, BGR, for VGG16


def _photographs():
    return [np.asarray(image) for image in tl.load_dataset("samples").test.images]


@rows("2.1", Array())
def covered_half(covered):
    original = _photographs()[CAMERA]
    yield "shape", covered.shape != original.shape, {"expected": original.shape}
    for side, columns in SIDES.items():
        expected = original.copy()
        expected[:, columns] = GREY
        if np.array_equal(covered, expected):
            model = tl.load_pretrained_model(resize="squash")
            ((label, share),) = model.predict_labels(covered, 1)[0]
            yield "right", True, {"side": side, "label": label, "probability": share}


@rows("2.2", Array())
def harmless_mistake(answer):
    yield "shape", answer.shape != (8, 1000)
    labels, expected = tl.load_pretrained_model().labels, _answers()
    wrong = np.flatnonzero(np.abs(answer - expected).max(axis=1) > SIMILAR)
    yield "other rows", len(wrong) > 0, {"rows": ", ".join(map(str, wrong))}
    equal = np.flatnonzero(np.abs(expected - expected[0]).max(axis=1) < 1e-5)
    details = {"equal": ", ".join(map(str, equal))}
    yield "right", True, details | {"tripod": answer[0, labels.index("tripod")]}


@lru_cache(maxsize=1)
def _answers():
    """The network's answers to the eight preparations of the photographer."""
    model = tl.load_pretrained_model()
    image = tl.pictures.resize(_photographs()[CAMERA], model.input_size)
    # The classifier prepares its pixels itself, by (pixels - 127) / 128: turned around,
    # it is the plain network.
    prepared = _preparations(image.astype(np.float32)) * 128 + 127
    return model.classifier.predict(prepared, verbose=0)


def _preparations(pixels):
    """The lesson's prepare(pixels), stacked: float32 (8, height, width, 3)."""
    right, exchanged = (pixels - 127) / 128, pixels[..., ::-1]
    prepared = [right, pixels / 127.5 - 1, pixels / 255, right[..., ::-1]]
    prepared += [exchanged / 255, exchanged - MEANS, pixels, (right - 127) / 128]
    return np.stack(prepared)


@rows("2.3", Array())
def tripod_map(answer):
    answer = answer.squeeze()
    yield "shape", answer.shape != (7, 7)
    expected = _tripod_map()
    row, column = np.unravel_index(expected.argmax(), expected.shape)
    equal = np.abs(answer - expected).max() <= SIMILAR * np.ptp(expected)
    yield "right", equal, {"row": row + 1, "column": column + 1}


@lru_cache(maxsize=1)
def _tripod_map():
    model = tl.load_pretrained_model()
    kernel, _ = model.classifier.get_layer("classifier").get_weights()
    activations = model.activations(_photographs()[CAMERA], "head", cache=False)[0]
    return activations.astype("float32") @ kernel[:, model.labels.index("tripod")]
