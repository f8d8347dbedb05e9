"""Lesson 05: how far each way takes the solar cells, by the published protocol.

An arm averages what its members predict. Blocks, C and sizes were selected by
cross-validation on the training cells of splits 0 and 1; test cells are used once.
"""

import time
from collections.abc import Callable

import numpy as np
from records import mean_sd
from scipy.special import expit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import tlcourse as tl
from tlcourse.demo import BLOCKS
from tlcourse.features.augment import FLIPS

SEEDS = (0, 1, 2, 3, 4)
SIZES = (224, 300, 448)  # pixels
OTHER = ("efficientnet_lite2", 300)  # a larger network, at one size
OTHER_BLOCKS = ("block5d", "block6e", "block7a", "head")
FINE_TUNINGS = {224: ("block4a", 7), 300: ("block5a", 4)}  # first block and epochs
VIEWS = "fine-tuned at {}, four views"
ENSEMBLES = {  # whose probabilities are averaged
    "probe and SVM": ("probe", "SVM"),
    "SVM and fine-tuned": ("SVM", VIEWS.format(224)),
    "SVM and both fine-tuned": ("SVM", VIEWS.format(224), VIEWS.format(300)),
}


def solar_arms() -> dict:
    """Weighted test accuracy of every arm, and the processor seconds of each part."""
    return over_splits([measure_split(seed) for seed in SEEDS])


def over_splits(splits: list[tuple[dict, dict]]) -> dict:
    """Means of `measure_split`'s arms, of some for the first splits only; medians."""
    accuracies, seconds = (collected(parts) for parts in zip(*splits, strict=True))
    return {
        "arms": {
            arm: {**mean_sd(values), "accuracies": [round(each, 4) for each in values]}
            for arm, values in accuracies.items()
        },
        "processor_seconds": {
            part: round(float(np.median(values)), 1) for part, values in seconds.items()
        },
    }


def collected(splits: tuple[dict, ...]) -> dict[str, list[float]]:
    """Name → its values on the splits that have one."""
    return {name: [x[name] for x in splits if name in x] for name in splits[0]}


def measure_split(seed: int, with_training: bool = True) -> tuple[dict, dict]:
    """Arm → accuracy, and part → processor seconds, of all its threads together."""
    data, seconds = tl.load_dataset("solar", seed=seed), {}
    train, test = data.train_and_validation, data.test
    members = frozen_members(train, test, seconds)
    if with_training:
        members |= trained_members(train, test, seed, seconds)
    known = {x: names for x, names in ENSEMBLES.items() if set(names) <= set(members)}
    ensembles = {
        arm: np.mean([members[name] for name in names], axis=0)
        for arm, names in known.items()
    }
    accuracies = {
        arm: float(np.average((values > 0.5) == test.labels, weights=test.weights))
        for arm, values in (members | ensembles).items()
    }
    print(f"split {seed}: {accuracies}, {seconds}", flush=True)
    return accuracies, seconds


def timed(seconds: dict, name: str, function: Callable, *arguments):
    start = time.process_time()
    result = function(*arguments)
    seconds[name] = time.process_time() - start
    return result


def frozen_members(train, test, seconds: dict) -> dict[str, np.ndarray]:
    """Name → probability that each test cell is defective; no layer is trained."""

    def both(name: str, size: int, blocks: tuple) -> list[np.ndarray]:
        part = f"features of {name} at {size}"
        return timed(
            seconds,
            part,
            lambda: [features(x.images, name, size, blocks) for x in (train, test)],
        )

    sizes = [both("efficientnet_lite0", size, BLOCKS) for size in SIZES]
    three = [np.hstack(part) for part in zip(*sizes, strict=True)]
    lite2 = both(*OTHER, OTHER_BLOCKS)
    with_lite2 = [np.hstack(part) for part in zip(three, lite2, strict=True)]
    members = {
        "SVM": (support_vectors, three),
        "SVM, Lite2 too": (support_vectors, with_lite2),
        "probe": (probe, three),
        "probe at one size": (probe, sizes[0]),
    }
    return {
        name: timed(seconds, name, predict, train, *parts)
        for name, (predict, parts) in members.items()
    }


def trained_members(train, test, seed: int, seconds: dict) -> dict[str, np.ndarray]:
    """The same of fine-tuned networks: of the cells as they are, and of four flips."""
    members = {}
    for size in FINE_TUNINGS:
        name = f"fine-tuned at {size}"
        views = timed(seconds, name, fine_tuned, train, test, size, seed)
        members |= {name: views[0], VIEWS.format(size): np.mean(views, axis=0)}
    return members


def features(images, name: str, size: int, blocks: tuple) -> np.ndarray:
    """Averages and maxima of some blocks, computed in int8."""
    model = tl.load_pretrained_model(name, precision="int8", input_size=size)
    return model.extract_features(images, blocks, cache=False)


def probe(train, train_features: np.ndarray, test_features: np.ndarray) -> np.ndarray:
    classifier = make_pipeline(
        StandardScaler(), LogisticRegression(C=3e-3, max_iter=500)
    )
    weights = {"logisticregression__sample_weight": train.weights}
    classifier.fit(train_features, train.labels, **weights)
    return classifier.predict_proba(test_features)[:, 1]


def support_vectors(
    train, train_features: np.ndarray, test_features: np.ndarray
) -> np.ndarray:
    """An SVM with a Gaussian kernel; its margin is squeezed between 0 and 1."""
    classifier = make_pipeline(StandardScaler(), SVC(C=10))
    classifier.fit(train_features, train.labels, svc__sample_weight=train.weights)
    return expit(2 * classifier.decision_function(test_features))


def fine_tuned(train, test, size: int, seed: int) -> list[np.ndarray]:
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
        batch_size=16,
        learning_rate=3.5e-4,
        label_smoothing=0.1,
        cache=False,  # each split pays for its own activations
        seed=seed,
    )
    cells = np.asarray(test.images)
    views = [cells, cells[:, :, ::-1], cells[:, ::-1], cells[:, ::-1, ::-1]]
    return [tuned.predict_proba(view)[:, 1] for view in views]
