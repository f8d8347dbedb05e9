"""The record that the rebuild of issue 22 is compared with; this file goes when that issue ends.

    python benchmarks/golden.py record             write benchmarks/golden.npz and golden.json from this tree
    python benchmarks/golden.py compare            compute everything again, print the differences
    python benchmarks/golden.py compare features   one part alone: features, sentences, probes, fine_tunings, lessons

Only calls that stay are used here. Whether a difference matters is for its reader to judge: nothing passes or fails.
"""

import argparse
import json
import re
import subprocess
import time
from pathlib import Path

import numpy as np

import tlcourse as tl

ROOT = Path(__file__).resolve().parent.parent
ARRAYS, NUMBERS = (ROOT / "benchmarks" / f"golden.{kind}" for kind in ("npz", "json"))
SEEDS = (0, 1, 2)
PICTURES = {"solar": 120, "digits": 40, "kanji": 40}
BLOCKS = ("block3a", "block5a", "block6d")


def pictures(name: str, count: int, seed: int = 0):
    train = tl.load_dataset(name).train
    return train.select(np.random.default_rng(seed).permutation(len(train))[:count])


def features() -> dict[str, np.ndarray]:
    """200 pictures of three data sets as arrays, the bundled photographs as files."""
    model = tl.load_pretrained_model()
    computed = {
        name: model.extract_features(pictures(name, count).images, cache=False)
        for name, count in PICTURES.items()
    }
    photographs = sorted((ROOT / "data" / "samples").glob("*.[jp][pn]g"))
    computed["photographs"] = model.extract_features(photographs, cache=False)
    computed["solar, blocks"] = model.extract_features(
        pictures("solar", 10).images, blocks=BLOCKS, cache=False
    )
    lite2 = tl.load_pretrained_model("efficientnet_lite2")
    computed["solar, lite2"] = lite2.extract_features(
        pictures("solar", 10).images, cache=False
    )
    return computed


def sentences() -> dict[str, np.ndarray]:
    """50 sentences of the reviews, embedded by MiniLM."""
    texts = pictures("reviews", 50).sentences
    return {
        "reviews": tl.load_pretrained_model("minilm").extract_features(
            texts, cache=False
        )
    }


def probes() -> dict[str, float]:
    """Test accuracy of linear probes on fixed training rows."""
    accuracies = {}
    for name, model, per_class in (
        ("solar", "efficientnet_lite0", 50),
        ("digits", "efficientnet_lite0", 10),
        ("kanji", "efficientnet_lite0", 4),
        ("reviews", "minilm", 50),
    ):
        data, network = tl.load_dataset(name), tl.load_pretrained_model(model)
        for seed in SEEDS:
            train, test = data.train.sample(per_class, seed), data.test
            probe = tl.train_classifier(
                network.extract_features(train.inputs), train.labels, seed=seed
            )
            accuracies[f"{name}, {per_class} per class, seed {seed}"] = probe.score(
                network.extract_features(test.inputs), test.labels
            )
    return accuracies


def fine_tunings() -> dict[str, float]:
    """Test accuracy and seconds of short fine-tunings."""
    numbers = {}
    for name, model, per_class, blocks in (
        ("solar", "efficientnet_lite0", 60, 6),
        ("reviews", "minilm", 40, 2),
    ):
        data, network = tl.load_dataset(name), tl.load_pretrained_model(model)
        held_out = data.validation.sample(100, 0)
        for seed in SEEDS:
            train, start = data.train.sample(per_class, seed), time.perf_counter()
            tuned = tl.fine_tune(
                network,
                train.inputs,
                train.labels,
                blocks,
                validation=(held_out.inputs, held_out.labels),
                cache=False,
                seed=seed,
            )
            numbers[f"{name}, seed {seed}: seconds"] = time.perf_counter() - start
            numbers[f"{name}, seed {seed}: accuracy"] = tuned.score(
                data.test.inputs, data.test.labels
            )
    return numbers


def lessons() -> dict[str, list[str]]:
    """The text that each lesson prints, line by line, seconds left out."""
    return {
        path.stem: printed(json.loads(path.read_text("utf-8")))
        for path in sorted(ROOT.glob("notebooks/*.ipynb"))
    }


def printed(notebook: dict) -> list[str]:
    outputs = (
        output for cell in notebook["cells"] for output in cell.get("outputs", ())
    )
    texts = (
        "".join(output.get("text") or output.get("data", {}).get("text/plain", ""))
        for output in outputs
    )
    lines = (line.strip() for text in texts for line in text.splitlines())
    return [re.sub(r"[\d.,]+ (s|ms|seconds)\b", "… s", line) for line in lines if line]


PARTS = {
    "features": features,
    "sentences": sentences,
    "probes": probes,
    "fine_tunings": fine_tunings,
    "lessons": lessons,
}
OF_ARRAYS = ("features", "sentences")


def record() -> None:
    arrays = {
        f"{part}: {name}": rows
        for part in OF_ARRAYS
        for name, rows in PARTS[part]().items()
    }
    np.savez_compressed(
        ARRAYS, **{name: np.asarray(rows, np.float32) for name, rows in arrays.items()}
    )
    numbers = {"commit": commit()} | {
        part: compute() for part, compute in PARTS.items() if part not in OF_ARRAYS
    }
    NUMBERS.write_text(
        json.dumps(numbers, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def commit() -> str:
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def compare(parts: list[str]) -> None:
    before = json.loads(NUMBERS.read_text("utf-8"))
    print(
        f"| {commit()} against {before['commit']} | before | now | difference |\n|---|---|---|---|"
    )
    for part in parts:
        now = PARTS[part]()
        if part in OF_ARRAYS:
            compare_arrays(part, now)
        elif part == "lessons":
            compare_lessons(before[part], now)
        else:
            for name, value in now.items():
                print(
                    f"| {name} | {before[part][name]:.4f} | {value:.4f} | {value - before[part][name]:+.4f} |"
                )


def compare_arrays(part: str, now: dict[str, np.ndarray]) -> None:
    """Largest difference between two features, as a share of the largest feature."""
    with np.load(ARRAYS) as before:
        for name, rows in now.items():
            expected = before[f"{part}: {name}"]
            difference = np.abs(rows - expected).max() / np.abs(expected).max()
            print(
                f"| {part}: {name} | {expected.shape} | {rows.shape} | {difference:.1e} |"
            )


def compare_lessons(before: dict, now: dict) -> None:
    for name in sorted({*before, *now}):
        old, new = before.get(name, []), now.get(name, [])
        same = len(set(old) & set(new))
        print(f"| lesson {name}: lines | {len(old)} | {len(new)} | {same} the same |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument(
        "parts", nargs="*", help=f"out of {', '.join(PARTS)}; none: all"
    )
    chosen = parser.parse_args()
    if set(chosen.parts) - set(PARTS):
        parser.error(f"there are no parts {', '.join(set(chosen.parts) - set(PARTS))}")
    record() if chosen.action == "record" else compare(chosen.parts or list(PARTS))
