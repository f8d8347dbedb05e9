"""Lesson 07's long runs: opinions on films, learned from few and many labels, carried to products and tweets."""

import time
from collections.abc import Callable

import numpy as np
from small_networks import train_text_network

import tlcourse as tl
from tlcourse.training.learning_curves import LearningCurve, Point

SEEDS = (0, 1, 2, 3, 4)
LABELS = (5, 20, 100, None)  # of each side; None: all
NEW_LABELS = (5, 20, 100)  # of each side, of the domain that is carried to
SOURCE, DOMAINS = "films", ("films", "products", "tweets")
BLOCKS = 3  # of BERT that learn
EPOCHS = {None: 2}  # where all labels are learned from; otherwise the default
BAG, FROZEN, TUNED, SCRATCH = (
    "bag of words",
    "frozen BERT",
    "fine-tuned BERT",
    "from scratch",
)


def sentiment() -> dict:
    """Accuracy by labels, method and domain, learned from films; and with a few labels of the new domain added."""
    data = {domain: tl.load_dataset("reviews", domain=domain) for domain in DOMAINS}
    points = {domain: {method: [] for method in METHODS} for domain in DOMAINS}
    tuned = []
    for count in LABELS:
        found = {
            method: [_learned(train, data, count, seed, tuned) for seed in SEEDS]
            for method, train in METHODS.items()
        }
        for method, draws in found.items():
            for domain in DOMAINS:
                accuracies = [draw["accuracies"][domain] for draw in draws]
                seconds = [draw["seconds"] for draw in draws]
                points[domain][method].append(
                    Point(count, draws[0]["rows"], accuracies, seconds)
                )
    curves = {
        domain: LearningCurve(data[domain].name, list(SEEDS), found)
        for domain, found in points.items()
    }
    return {
        "curves": {domain: curve.record() for domain, curve in curves.items()},
        "larger_class": {
            domain: _larger_class(data[domain].test.labels) for domain in DOMAINS
        },
        "blocks": BLOCKS,
        "epochs_all": EPOCHS[None],
        "new_labels": {
            domain: _with_new_labels(data, domain, tuned)
            for domain in DOMAINS
            if domain != SOURCE
        },
    }


def bag_of_words(sentences, labels, seed: int):
    """TF-IDF of words and pairs of words, and logistic regression; its strength by cross-validation where it can be."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline

    folds = StratifiedKFold(
        min(5, int(np.bincount(labels).min())), shuffle=True, random_state=seed
    )
    regression = LogisticRegressionCV(
        Cs=(1, 10, 100), cv=folds, scoring="neg_log_loss", max_iter=1000
    )
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    return make_pipeline(words, regression).fit(sentences, labels).predict


def frozen(sentences, labels, seed: int):
    model = tl.load_pretrained_model("minilm")
    probe = tl.train_classifier(
        model.extract_features(sentences, cache=False), labels, seed=seed
    )  # pays for its own
    return lambda unseen: probe.predict(model.extract_features(unseen))


def fine_tuned(sentences, labels, seed: int):
    count = None if len(labels) > 2 * max(filter(None, LABELS)) else len(labels) // 2
    epochs = {"epochs": EPOCHS[count]} if count in EPOCHS else {}
    model = tl.load_pretrained_model("minilm")
    return tl.fine_tune(
        model, sentences, labels, BLOCKS, validation=0, cache=False, seed=seed, **epochs
    )


def from_scratch(sentences, labels, seed: int):
    model = tl.load_pretrained_model("minilm")
    tokens = model.tokenize(sentences)
    network = train_text_network(tokens, labels, model.tokenizer.size, seed)

    def predict(unseen):
        return network.predict(model.tokenize(unseen), verbose=0).argmax(axis=1)

    return predict


METHODS = {BAG: bag_of_words, FROZEN: frozen, TUNED: fine_tuned, SCRATCH: from_scratch}


def _learned(
    train: Callable, data: dict, count: int | None, seed: int, tuned: list
) -> dict:
    """Accuracy on each domain's test split after learning from films, and the seconds that learning took."""
    part = (
        data[SOURCE].train if count is None else data[SOURCE].train.sample(count, seed)
    )
    began = time.perf_counter()
    predict = train(part.sentences, part.labels, seed)
    seconds = time.perf_counter() - began
    if hasattr(predict, "history"):
        if count is None:
            tuned.append(predict.model)
        predict = predict.predict
    tests = {domain: data[domain].test for domain in DOMAINS}
    accuracies = {
        domain: _share_right(predict(test.sentences), test.labels)
        for domain, test in tests.items()
    }
    print(
        f"  {train.__name__} {count} {seed}: {accuracies}, {seconds:.1f} s", flush=True
    )
    return {"accuracies": accuracies, "seconds": round(seconds, 2), "rows": len(part)}


def _share_right(predicted, labels) -> float:
    return round(float(np.mean(np.asarray(predicted) == labels)), 4)


def _larger_class(labels: np.ndarray) -> float:
    return round(float(np.bincount(labels).max() / len(labels)), 4)


def _with_new_labels(data: dict, domain: str, tuned: list) -> dict:
    """A few labels of the new domain: a probe on them alone, with the films' added, and on features tuned on films."""
    model, films, target = (
        tl.load_pretrained_model("minilm"),
        data[SOURCE].train,
        data[domain],
    )
    of_films = model.extract_features(films.sentences)
    plain = [
        model.extract_features(split.sentences) for split in (target.train, target.test)
    ]
    carried = [_features_of(network, target) for network in tuned]
    found = {
        "new labels alone": [],
        "films and new labels": [],
        "new labels, features tuned on films": [],
    }
    for count in NEW_LABELS:
        draws = {name: [] for name in found}
        for seed, features in zip(SEEDS, carried, strict=True):
            rows = target.train.sample_rows(count, seed)
            labels = target.train.labels[rows]
            alone = tl.train_classifier(plain[0][rows], labels, seed=seed)
            both = tl.train_classifier(
                np.concatenate([of_films, plain[0][rows]]),
                np.concatenate([films.labels, labels]),
                # The few new ones count as much as all the films together.
                sample_weight=np.repeat(
                    [1 / len(films), 1 / len(rows)], [len(films), len(rows)]
                ),
                C=(1e-3, 1e-2),
                seed=seed,
            )
            tuned_on_films = tl.train_classifier(features[0][rows], labels, seed=seed)
            for name, probe, unseen in zip(
                found,
                (alone, both, tuned_on_films),
                (plain[1], plain[1], features[1]),
                strict=True,
            ):
                draws[name].append(
                    _share_right(probe.predict(unseen), target.test.labels)
                )
        for name, accuracies in draws.items():
            found[name].append({"labels": count, "accuracies": accuracies})
    return found


def _features_of(network, data) -> list[np.ndarray]:
    """Features of train and test by the BERT inside a fine-tuned network."""
    model = tl.load_pretrained_model("minilm")
    for layer in model.network.layers:
        layer.set_weights(
            network.get_layer(layer.name).get_weights()
        ) if layer.weights else None
    return [
        model.extract_features(split.sentences) for split in (data.train, data.test)
    ]
