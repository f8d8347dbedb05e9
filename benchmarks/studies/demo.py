"""The README's first numbers: the import, the demo, and probes on solar cells, dogs."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from records import ROOT, mean_sd

import tlcourse as tl
from tlcourse.demo import BLOCKS
from tlcourse.errors import DatasetUnavailable

SEEDS = (0, 1, 2, 3, 4)
CANDIDATES = ("block4c", "block5c", "block6d", "block7a", "head")  # for `BLOCKS`


def import_time() -> dict:
    """Milliseconds of `import tlcourse`, without the interpreter's own start."""
    code = (
        "import time; start = time.perf_counter(); import tlcourse; "
        "print((time.perf_counter() - start) * 1000)"
    )
    times = [float(_last_line_of(code)) for _ in range(6)][1:]
    return {
        "milliseconds": round(statistics.median(times), 1),
        "n": len(times),
        "max": round(max(times), 1),
    }


def demo() -> dict:
    """The demo as a newcomer runs it, three times in fresh processes."""
    code = (
        "import json, pathlib, sys; from tlcourse.demo import run_demo; "
        "result = run_demo(pathlib.Path(sys.argv[1]), say=lambda *text: None); "
        "print(json.dumps(result))"
    )
    with tempfile.TemporaryDirectory() as folder:
        figure = str(Path(folder) / "demo.png")
        runs = [json.loads(_last_line_of(code, figure)) for _ in range(3)]
    seconds = [run["seconds"] for run in runs]
    return {
        "accuracy": round(runs[0]["accuracy"], 4),
        "plain_accuracy": round(runs[0]["plain_accuracy"], 4),
        "pictures": runs[0]["pictures"],
        "seconds": round(statistics.median(seconds), 1),
        "seconds_min": round(min(seconds), 1),
        "seconds_max": round(max(seconds), 1),
        "n": len(runs),
        "peak_megabytes": round(max(run["peak_megabytes"] for run in runs)),
    }


def _last_line_of(code: str, *arguments: str) -> str:
    """The last line that a fresh Python with an empty cache prints."""
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={**os.environ, "TQDM_DISABLE": "1", "TLCOURSE_CACHE": cache},
        )
    return done.stdout.strip().splitlines()[-1]


def solar() -> dict:
    """Linear probes by the published protocol, accuracy weighted as published.

    "chosen_among" is how the demo's blocks were selected: by cross-validation on split
    0's training and validation cells. Its test cells are not used for that.
    """
    splits = [tl.load_dataset("solar", seed=seed) for seed in SEEDS]
    model, found = tl.load_pretrained_model(), {}
    for name, blocks in {"last_block": None, "four_blocks": BLOCKS}.items():
        scores = []
        for data in splits:
            train, test = data.train_and_validation, data.test
            probe = _probe(model, train, blocks)
            features = model.extract_features(test.images, blocks)
            scores.append(probe.score(features, test.labels, test.weights))
        found[name] = mean_sd(scores)
    sets = [[block] for block in CANDIDATES] + [list(CANDIDATES[1:]), list(BLOCKS)]
    train = splits[0].train_and_validation
    found["chosen_among"] = {
        " ".join(blocks): round(
            _probe(model, train, blocks).cross_validated_accuracy_, 4
        )
        for blocks in sets
    }
    return found


def _probe(model, train, blocks) -> tl.LinearProbe:
    features = model.extract_features(train.images, blocks)
    return tl.train_classifier(features, train.labels, sample_weight=train.weights)


def dogs() -> dict:
    """A linear probe with 1, 5, 20 and all labels of each breed; {} without dogs."""
    try:
        data = tl.load_dataset("dogs")
    except DatasetUnavailable as error:
        print(error)
        return {}
    model = tl.load_pretrained_model()
    train = model.extract_features(data.train.images)
    test = model.extract_features(data.test.images)
    curve = {}
    for count in (1, 5, 20, None):
        scores = []
        for seed in SEEDS:
            rows = np.arange(len(train))
            if count is not None:
                rows = data.train.sample_rows(count, seed)
            probe = tl.train_classifier(train[rows], data.train.labels[rows], seed=seed)
            scores.append(probe.score(test, data.test.labels))
        curve[str(count or "all")] = mean_sd(scores)
    return {
        "breeds": len(data.class_names),
        "train": len(data.train),
        "test": len(data.test),
        "accuracy": curve,
    }
