"""Lesson 07: opinions on films, from few and many labels; then products and tweets."""

import time

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegressionCV
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline

import tlcourse as tl
from tlcourse.training.learning_curves import LearningCurve, Point

from .small_networks import train_text_network

SEEDS = (0, 1, 2, 3, 4)
LABELS = (5, 20, 100, None)  # of each class; None: all
NEW_LABELS = (5, 20, 100)  # of each class, of the target domain
SOURCE, DOMAINS = "films", ("films", "products", "tweets")
BLOCKS = 3  # of BERT that are fine-tuned
EPOCHS_WITH_ALL = 2  # with fewer labels: the default


def sentiment() -> dict:
    """Accuracy by labels, method and domain; and with few labels of a new domain."""
    data = {domain: tl.load_dataset("reviews", domain=domain) for domain in DOMAINS}
    points = {domain: {method: [] for method in METHODS} for domain in DOMAINS}
    tuned = []  # on all films, one network per seed
    for count in LABELS:
        for method in METHODS:
            runs = [_run(method, data, count, seed, tuned) for seed in SEEDS]
            for domain in DOMAINS:
                accuracies = [run["accuracies"][domain] for run in runs]
                seconds = [run["seconds"] for run in runs]
                point = Point(count, runs[0]["rows"], accuracies, seconds)
                points[domain][method].append(point)
    curves = {
        domain: LearningCurve(data[domain].name, list(SEEDS), of_domain).record()
        for domain, of_domain in points.items()
    }
    larger = {domain: _larger_class(data[domain].test.labels) for domain in DOMAINS}
    new = {
        domain: _with_new_labels(data[SOURCE].train, data[domain], tuned)
        for domain in DOMAINS
        if domain != SOURCE
    }
    return {"curves": curves, "larger_class": larger, "new_labels": new}


def bag_of_words(sentences, labels, seed: int):
    """TF-IDF of words and pairs of words, and logistic regression."""
    count = min(5, int(np.bincount(labels).min()))
    folds = StratifiedKFold(count, shuffle=True, random_state=seed)
    regression = LogisticRegressionCV(
        Cs=(1, 10, 100), cv=folds, scoring="neg_log_loss", max_iter=1000
    )
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    return make_pipeline(words, regression).fit(sentences, labels)


class FrozenBert:
    """A linear probe on MiniLM's features, computed anew for the training sentences."""

    def __init__(self, sentences, labels, seed: int):
        self._model = tl.load_pretrained_model("minilm")
        features = self._model.extract_features(sentences, cache=False)
        self._probe = tl.train_classifier(features, labels, seed=seed)

    def predict(self, sentences) -> np.ndarray:
        return self._probe.predict(self._model.extract_features(sentences))


def fine_tuned(sentences, labels, seed: int):
    has_all = len(labels) > 2 * max(filter(None, LABELS))
    epochs = {"epochs": EPOCHS_WITH_ALL} if has_all else {}
    model = tl.load_pretrained_model("minilm")
    options = {"validation": 0, "cache": False, "seed": seed, **epochs}
    return tl.fine_tune(model, sentences, labels, BLOCKS, **options)


class FromScratch:
    """A small network of random weights on MiniLM's tokens."""

    def __init__(self, sentences, labels, seed: int):
        self._model = tl.load_pretrained_model("minilm")
        tokens = self._model.tokenize(sentences)
        size = len(self._model.tokenizer)
        self._network = train_text_network(tokens, labels, size, seed)

    def predict(self, sentences) -> np.ndarray:
        tokens = self._model.tokenize(sentences)
        return self._network.predict(tokens, verbose=0).argmax(axis=1)


METHODS = {
    "bag of words": bag_of_words,
    "frozen BERT": FrozenBert,
    "fine-tuned BERT": fine_tuned,
    "from scratch": FromScratch,
}


def _run(method: str, data: dict, count: int | None, seed: int, tuned: list) -> dict:
    """Train on films; accuracy on each domain's test split, and seconds of training."""
    train = data[SOURCE].train
    part = train if count is None else train.sample(count, seed)
    start = time.perf_counter()
    classifier = METHODS[method](part.sentences, part.labels, seed)
    seconds = round(time.perf_counter() - start, 2)
    if count is None and hasattr(classifier, "model"):
        tuned.append(classifier.model)
    accuracies = {
        domain: _accuracy(classifier.predict(of.test.sentences), of.test.labels)
        for domain, of in data.items()
    }
    print(f"  {method} {count} {seed}: {accuracies}, {seconds:.1f} s", flush=True)
    return {"accuracies": accuracies, "seconds": seconds, "rows": len(part)}


def _accuracy(predicted, labels) -> float:
    return round(float(np.mean(np.asarray(predicted) == labels)), 4)


def _larger_class(labels: np.ndarray) -> float:
    return round(float(np.bincount(labels).max() / len(labels)), 4)


def _with_new_labels(films, target, tuned: list) -> dict:
    """Few labels of a new domain: a probe, with films, on tuned features; fine-tuned."""
    model = tl.load_pretrained_model("minilm")
    of_films, train, test = (
        model.extract_features(split.sentences)
        for split in (films, target.train, target.test)
    )
    found = {
        "new labels alone": [],
        "films and new labels": [],
        "new labels, features tuned on films": [],
    }
    of_tuned = [_features_of(network, target) for network in tuned]
    for count in NEW_LABELS:
        accuracies = {name: [] for name in found}
        for seed, (tuned_train, tuned_test) in zip(SEEDS, of_tuned, strict=True):
            rows = target.train.sample_rows(count, seed)
            labels = target.train.labels[rows]
            # The few new labels count as much as all the films together.
            weights = np.repeat(
                [1 / len(films), 1 / len(rows)], [len(films), len(rows)]
            )
            together = tl.train_classifier(
                np.concatenate([of_films, train[rows]]),
                np.concatenate([films.labels, labels]),
                sample_weight=weights,
                C=(1e-3, 1e-2),
                seed=seed,
            )
            alone = tl.train_classifier(train[rows], labels, seed=seed)
            on_tuned = tl.train_classifier(tuned_train[rows], labels, seed=seed)
            probes = ((alone, test), (together, test), (on_tuned, tuned_test))
            for each, (probe, features) in zip(
                accuracies.values(), probes, strict=True
            ):
                each.append(_accuracy(probe.predict(features), target.test.labels))
        for name, each in accuracies.items():
            found[name].append({"labels": count, "accuracies": each})
    return found | {"new labels, fine-tuned": fine_tuned_on(target)}


def fine_tuned_on(target) -> list[dict]:
    """MiniLM fine-tuned on few labels of the new domain, without any film."""
    points = []
    for count in NEW_LABELS:
        accuracies = []
        for seed in SEEDS:
            part = target.train.sample(count, seed)
            tuned = fine_tuned(part.sentences, part.labels, seed)
            predicted = tuned.predict(target.test.sentences)
            accuracies.append(_accuracy(predicted, target.test.labels))
        points.append({"labels": count, "accuracies": accuracies})
        print(f"  fine-tuned on {target.name}: {points[-1]}", flush=True)
    return points


def _features_of(network, data) -> list[np.ndarray]:
    """Features of the training and test split by the BERT in a fine-tuned network."""
    model = tl.load_pretrained_model("minilm")
    for layer in model.network.layers:
        if layer.weights:
            layer.set_weights(network.get_layer(layer.name).get_weights())
    return [model.extract_features(each.sentences) for each in (data.train, data.test)]
