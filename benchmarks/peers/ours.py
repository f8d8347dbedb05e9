"""Arms: `extract_features` and `fine_tune` of tlcourse."""

import json
import time
from importlib import metadata
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import protocol

import tlcourse as tl

FLIPS = ("as is", "left-right", "upside-down", "half-turn")
WARM_UP = 64  # pictures or sentences


def images(
    source: str,
    network="efficientnet_lite0",
    precision="float32",
    blocks=None,
    cache=False,
    repeat=0,
):
    """Features of an .npy of pictures or of a folder, its files `repeat`ed to a number.

    With `cache` nothing is warmed up: the first call is a newcomer's.
    """
    path = Path(source)
    pictures = sorted(path.iterdir()) if path.is_dir() else np.load(path)
    if repeat:
        pictures = list(islice(cycle(pictures), repeat))
    model = tl.load_pretrained_model(network, precision=precision)
    if not cache:
        model.extract_features(pictures[:WARM_UP], blocks, cache=False)
    about = _about(f"{precision}, batch and threads as it chooses")
    return lambda: model.extract_features(pictures, blocks, cache=cache), about


def sentences(file: str, precision="float32"):
    texts = json.loads(Path(file).read_text(encoding="utf-8"))
    model = tl.load_pretrained_model("minilm", precision=precision)
    model.extract_features(texts[:WARM_UP], cache=False)
    about = _about(f"{precision}, batch and threads as it chooses")
    return lambda: model.extract_features(texts, cache=False), about


def _about(settings: str) -> dict:
    versions = {"onnxruntime": metadata.version("onnxruntime")}
    return {"settings": settings, "versions": versions}


def fine_tune(seed: int, epochs: int, cells: int | None = None):
    """The published protocol on solar cells, from pictures to a trained classifier.

    Nothing is selected on the test cells, so no rows are held out: first block,
    learning rate and epochs were selected on a part of split 0's training cells.
    """
    data = tl.load_dataset("solar", seed=seed)
    train = data.train_and_validation.select(slice(cells))
    test = data.test.select(slice(cells))
    model = tl.load_pretrained_model()

    def work() -> dict:
        start = time.perf_counter()
        tuned = tl.fine_tune(
            model,
            train.images,
            train.labels,
            from_block="block4a",
            augmentations=FLIPS,
            validation=0,
            sample_weight=train.weights,
            class_names=data.class_names,
            learning_rate=5e-4,  # infrared cells are far from ImageNet's photographs
            epochs=epochs,
            seed=seed,
        )
        seconds = time.perf_counter() - start
        accuracy = tuned.score(test.images, test.labels, test.weights)
        return {"seconds": seconds, "accuracy": float(accuracy), "train": len(train)}

    return work, {"settings": f"{epochs} epochs", "versions": {}}


def frozen_once(name: str, width: int, pictures: str, rows: int):
    """The arm beside `field_recipe`: features once, then the same head on them."""
    import keras

    cells = np.load(pictures)
    model = tl.load_pretrained_model(name)
    random = np.random.default_rng(0)  # the head's time does not depend on the values
    features = random.random((rows, model.feature_dim), np.float32)
    labels = random.integers(0, 2, rows)
    dense = keras.layers.Dense
    head = keras.Sequential([dense(width, "relu"), dense(2, "softmax")])
    head.compile("rmsprop", "sparse_categorical_crossentropy")

    def work() -> dict:
        start = time.perf_counter()
        model.extract_features(cells, cache=False)
        between = time.perf_counter()
        head.fit(features, labels, batch_size=32, verbose=0)
        end = time.perf_counter()
        return {"features_seconds": between - start, "head_seconds": end - between}

    work()
    about = f"features once, then Dense {width} and softmax on them"
    return work, {"settings": about, "versions": {}}


def training(rows: str, seed: int):
    """Features and a probe, then `fine_tune` with its defaults: see `protocol.Curve`.

    `fine_tune` uses no features of before, so that its seconds are complete.
    """
    data, model = dict(np.load(rows)), tl.load_pretrained_model()
    train, labels = data["train"], data["train_labels"]

    def features_and_probe():
        features = model.extract_features(train, cache=False)
        probe = tl.train_classifier(features, labels, seed=seed)
        return lambda pictures: probe.predict(model.extract_features(pictures))

    def tuned():
        return tl.fine_tune(model, train, labels, cache=False, seed=seed).predict

    def work() -> dict:
        answers = {}
        for train_one in (features_and_probe, tuned):
            start = time.perf_counter()
            predict = train_one()
            seconds = time.perf_counter() - start
            right = predict(data["test"]) == data["test_labels"]
            answers[train_one.__name__] = [
                round(seconds, 2),
                round(float(right.mean()), 4),
            ]
        return {"curve": list(answers.values())}

    return work, _about("features and probe; fine_tune with its defaults")


protocol.run(images, sentences, fine_tune, frozen_once, training)
