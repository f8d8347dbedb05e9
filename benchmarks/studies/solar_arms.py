"""Lesson 05: how far each way takes the solar cells, by the published protocol.

C was selected by cross-validation on training cells; test cells select nothing.
"""

import time
from collections.abc import Callable

import numpy as np
from records import mean_sd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.metrics.pairwise import rbf_kernel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import tlcourse as tl
from tlcourse.datasets import Split
from tlcourse.demo import BLOCKS
from tlcourse.features.augment import FLIPS

SEEDS = (0, 1, 2, 3, 4)
SIZES = (224, 300, 448)  # pixels
LITE0, LITE2 = "efficientnet_lite0", "efficientnet_lite2"
BLOCKS_OF = {LITE0: BLOCKS, LITE2: ("block5d", "block6e", "block7a", "head")}
FEATURES = {  # what is side by side: network, precision and size of each
    "300 pixels, int8": [(LITE0, "int8", 300)],
    "300 pixels": [(LITE0, "float32", 300)],
    "three sizes, int8": [(LITE0, "int8", size) for size in SIZES],
    "three sizes": [(LITE0, "float32", size) for size in SIZES],
    "three sizes and Lite2, int8": [
        *((LITE0, "int8", size) for size in SIZES),
        (LITE2, "int8", 300),
    ],
}
FINE_TUNINGS = {224: ("block4a", 7), 300: ("block5a", 4)}  # first block and epochs
SETTINGS = {"batch_size": 16, "learning_rate": 3.5e-4, "label_smoothing": 0.1}
VIEWS = "fine-tuned at {}, four views"
ENSEMBLES = {  # whose probabilities are averaged
    "probe and SVM": ("probe: three sizes", "SVM: three sizes"),
    "SVM and fine-tuned, int8": ("SVM: three sizes, int8", VIEWS.format(224)),
    "SVM and fine-tuned": ("SVM: three sizes", VIEWS.format(224)),
    "SVM and both fine-tuned": (
        "SVM: three sizes",
        VIEWS.format(224),
        VIEWS.format(300),
    ),
}


def solar_arms(with_training: bool = True) -> dict:
    """Each arm's weighted test accuracies, and the processor seconds of each part."""
    splits = [tl.load_dataset("solar", seed=seed) for seed in SEEDS]
    seconds: dict[str, list[float]] = {}
    features, row_of = compute_features(splits, seconds)
    measured = []
    for seed, data in zip(SEEDS, splits, strict=True):
        train, test = data.train_and_validation, data.test
        rows = [[row_of[path] for path in part.images.paths] for part in (train, test)]
        members = frozen_members(features, *rows, train, seconds)
        if with_training:
            members |= trained_members(train, test, seed, seconds)
        measured.append(accuracies(members, test))
        print(f"split {seed}: {measured[-1]}", flush=True)
    return summarised(measured, seconds)


def summarised(measured: list[dict], seconds: dict[str, list[float]]) -> dict:
    """Over the splits, of which the last may lack arms: each arm's n says it."""
    values = {arm: [x[arm] for x in measured if arm in x] for arm in measured[0]}
    return {
        "arms": {
            arm: {**mean_sd(each), "accuracies": [round(x, 4) for x in each]}
            for arm, each in values.items()
        },
        "processor_seconds": {
            part: round(float(np.median(each)), 1) for part, each in seconds.items()
        },
    }


def timed(seconds: dict, name: str, function: Callable, *arguments):
    """Call it, and note the processor seconds of all its threads together."""
    start = time.process_time()
    result = function(*arguments)
    seconds.setdefault(name, []).append(time.process_time() - start)
    return result


def compute_features(splits: list, seconds: dict) -> tuple[dict, dict]:
    """(network, precision, size) → features of all cells; the row of each path."""
    parts = [part for data in splits for part in data.splits.values()]
    paths = sorted({path for part in parts for path in part.images.paths})
    found = {}
    for one in dict.fromkeys(one for parts in FEATURES.values() for one in parts):
        name = "features of {}, {}, {} pixels".format(*one)
        found[one] = timed(seconds, name, extract, tl.pictures.Pictures(paths), *one)
    return found, {path: row for row, path in enumerate(paths)}


def extract(images, network: str, precision: str, size: int) -> np.ndarray:
    model = tl.load_pretrained_model(network, precision=precision, input_size=size)
    return model.extract_features(images, BLOCKS_OF[network], cache=False)


def accuracies(members: dict[str, np.ndarray], test: Split) -> dict[str, float]:
    """Of every member, and of the ensembles of those that there are."""
    predicted = dict(members)
    for arm, names in ENSEMBLES.items():
        if set(names) <= set(members):
            predicted[arm] = np.mean([members[name] for name in names], axis=0)
    return {
        arm: float(np.average((each > 0.5) == test.labels, weights=test.weights))
        for arm, each in predicted.items()
    }


def frozen_members(
    features: dict, train_rows: list, test_rows: list, train: Split, seconds: dict
) -> dict[str, np.ndarray]:
    """Name → probability that each test cell is defective; no layer is trained."""
    found = {}
    for name, parts in FEATURES.items():
        columns = np.hstack([features[one] for one in parts])
        for kind, predict in {"probe": probe, "SVM": support_vectors}.items():
            arm, rows = f"{kind}: {name}", (columns[train_rows], columns[test_rows])
            found[arm] = timed(seconds, arm, predict, train, *rows)
    return found


def probe(train: Split, features: np.ndarray, test_features: np.ndarray) -> np.ndarray:
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=3e-3, max_iter=500)
    )
    weights = {"logisticregression__sample_weight": train.weights}
    classifier.fit(features, train.labels, **weights)
    return classifier.predict_proba(test_features)[:, 1]


def support_vectors(
    train: Split, features: np.ndarray, test_features: np.ndarray
) -> np.ndarray:
    """An SVM with a Gaussian kernel; a sigmoid of its margin as the probability."""
    classifier = make_pipeline(StandardScaler(), SVC(C=5, kernel=rbf_kernel))
    classifier.fit(features, train.labels, svc__sample_weight=train.weights)
    return expit(2 * classifier.decision_function(test_features))


def trained_members(
    train: Split, test: Split, seed: int, seconds: dict
) -> dict[str, np.ndarray]:
    """As `frozen_members`, fine-tuned: the test cells as they are, and four flips."""
    found = {}
    for size in FINE_TUNINGS:
        name = f"fine-tuned at {size}"
        views = timed(seconds, name, fine_tuned, train, test, size, seed)
        found |= {name: views[0], VIEWS.format(size): np.mean(views, axis=0)}
    return found


def fine_tuned(train: Split, test: Split, size: int, seed: int) -> list[np.ndarray]:
    """For each flip of the test cells, the probability that each is defective."""
    first_block, epochs = FINE_TUNINGS[size]
    tuned = tl.fine_tune(
        tl.load_pretrained_model(input_size=size),
        train.images,
        train.labels,
        first_block,
        augmentations=FLIPS,
        validation=0,
        sample_weight=train.weights,
        epochs=epochs,
        cache=False,  # each split pays for its own activations
        seed=seed,
        **SETTINGS,
    )
    cells = np.asarray(test.images)
    views = [cells, cells[:, :, ::-1], cells[:, ::-1], cells[:, ::-1, ::-1]]
    return [tuned.predict_proba(view)[:, 1] for view in views]
