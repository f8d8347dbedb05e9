"""Measure how hard kanji.npz is under several ways of splitting it. The table in CARD.md comes from here.

    python data/kanji/compare_splits.py            # needs numpy, scikit-learn and keras; minutes on two cores

For each split: nearest neighbour and a small convolutional network, both on raw pixels and from scratch.
Accuracy in per cent, mean ± standard deviation over seeds; each seed draws other labels and weights. The
split that kanji.npz carries is measured with 1, 5, 20 and all labels a character, the others with 20.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402

KOUZAN = ["kouzan kaisho", "kouzan gyosho", "kouzan sosho", "kouzan t"]
# Name → train hands, test hands; the others are validation. The first is the split that kanji.npz carries.
SPLITS = {
    "Kouzan, Fontworks → kilo, Seto (validation: Soseki)": (
        [*KOUZAN, "klee"],
        ["kiloji", "seto"],
    ),
    "brush → pen: Kouzan, Soseki → kilo, Seto": (
        [*KOUZAN, "soseki"],
        ["kiloji", "seto"],
    ),
    "Kouzan → kilo, Seto, Fontworks": (KOUZAN, ["kiloji", "seto", "klee"]),
    "pen → brush: kilo, Seto, Fontworks → Kouzan": (["kiloji", "seto", "klee"], KOUZAN),
    "Seto in train too → kilo": ([*KOUZAN, "klee", "seto"], ["kiloji"]),
    "leak: Kouzan on both sides": (
        ["kouzan kaisho", "kouzan sosho", "klee", "soseki"],
        ["kouzan gyosho", "kouzan t"],
    ),
    "leak: pictures shuffled, fonts ignored": (None, None),
}


def small_network(classes: int) -> keras.Model:
    """Return a compiled network of two convolutions, for pictures (n, 28, 28, 1) in [0, 1]."""
    network = keras.Sequential(
        [
            keras.layers.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(classes),
        ]
    )
    network.compile(
        "adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return network


def choose(
    labels: np.ndarray,
    hand: np.ndarray,
    per_class: int | None,
    generator: np.random.Generator,
) -> np.ndarray:
    """Return indices of `per_class` pictures of each character, spread as evenly over the hands as can be."""
    if per_class is None:
        return np.arange(len(labels))
    chosen = []
    for label in np.unique(labels):
        queues = [
            list(
                generator.permutation(np.flatnonzero((labels == label) & (hand == one)))
            )
            for one in generator.permutation(np.unique(hand))
        ]
        rounds = [
            queue[turn] for turn in range(10) for queue in queues if turn < len(queue)
        ]
        chosen += rounds[:per_class]
    return np.array(chosen)


def accuracies(
    train: tuple, validation: tuple, test: tuple, seed: int
) -> dict[str, float]:
    """Return accuracies by name. Each part is (pictures float32 (n, 784) in [0, 1], labels int (n,))."""
    scores = {"nearest neighbour": KNeighborsClassifier(1).fit(*train).score(*test)}
    keras.utils.set_random_seed(seed)
    network = small_network(int(train[1].max()) + 1)
    epochs = int(np.clip(50_000 // len(train[0]), 10, 60))
    network.fit(
        train[0].reshape(-1, 28, 28, 1),
        train[1],
        epochs=epochs,
        batch_size=64,
        verbose=0,
    )
    for name, (pictures, labels) in {
        "small network": test,
        "validation": validation,
    }.items():
        guesses = network.predict(
            pictures.reshape(-1, 28, 28, 1), batch_size=500, verbose=0
        ).argmax(axis=1)
        scores[name] = float(np.mean(guesses == labels))
    return scores


def print_likeness(data: np.lib.npyio.NpzFile) -> None:
    """Print, for each pair of hands, how closely their plain glyphs correlate: mean over the characters."""
    plain = data["variant"] == 0
    order = np.lexsort((data["labels"][plain], data["hand"][plain]))
    glyphs = data["images"][plain][order].reshape(
        len(data["hand_names"]), len(data["class_names"]), -1
    )
    glyphs = glyphs.astype(np.float64) - glyphs.mean(axis=2, keepdims=True)
    glyphs /= np.linalg.norm(glyphs, axis=2, keepdims=True)
    likeness = np.einsum("acp,bcp->ab", glyphs, glyphs) / len(data["class_names"])
    pairs = sorted(
        zip(*np.triu_indices(len(glyphs), 1), strict=True),
        key=lambda pair: -likeness[pair],
    )
    for one, other in pairs:
        same = (
            "same writer"
            if data["hand_writers"][one] == data["hand_writers"][other]
            else ""
        )
        print(
            f"{likeness[one, other]:.2f}  {data['hand_names'][one]} – {data['hand_names'][other]}  {same}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", type=int, help="number of one split, from 0")
    parser.add_argument(
        "--likeness", action="store_true", help="only print how alike the hands are"
    )
    options = parser.parse_args()
    warnings.filterwarnings(
        "ignore", message="The number of unique classes"
    )  # one label a class is meant
    data = np.load(Path(__file__).with_name("kanji.npz"), allow_pickle=False)
    if options.likeness:
        print_likeness(data)
        return
    pictures = data["images"].reshape(-1, 784).astype(np.float32) / 255
    labels, hand = data["labels"].astype(int), data["hand_names"][data["hand"]]
    print(
        "| Split | Labels | Nearest neighbour, test | Small network, test | Small network, validation |"
    )
    print("|---|---|---|---|---|")
    for number, (name, (train_hands, test_hands)) in enumerate(SPLITS.items()):
        if options.only not in (None, number):
            continue
        for per_class in (1, 5, 20, None) if number == 0 else (20,):
            started, scores = time.perf_counter(), []
            for seed in range(options.seeds):
                generator = np.random.default_rng(seed)
                if train_hands is None:
                    # Eighths as in the real split: 5 train, 1 validation, 2 test.
                    part = generator.permutation(len(labels)) * 8 // len(labels)
                    in_train, in_test = part < 5, part > 5
                else:
                    in_train, in_test = (
                        np.isin(hand, train_hands),
                        np.isin(hand, test_hands),
                    )
                train = np.flatnonzero(in_train)
                train = train[choose(labels[train], hand[train], per_class, generator)]
                parts = (train, ~in_train & ~in_test, in_test)
                scores.append(
                    accuracies(
                        *((pictures[part], labels[part]) for part in parts), seed
                    )
                )
            cells = [
                f"{100 * np.mean(values):.1f} ± {100 * np.std(values):.1f}"
                for values in (
                    [score[column] for score in scores] for column in scores[0]
                )
            ]
            print(
                f"| {name} | {'all' if per_class is None else per_class} | {' | '.join(cells)} |",
                flush=True,
            )
            print(
                f"  ({time.perf_counter() - started:.0f} s)",
                file=sys.stderr,
                flush=True,
            )


if __name__ == "__main__":
    main()
