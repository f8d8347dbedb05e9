"""Lesson 11: cost and accuracy of `tlcourse train` and `tlcourse predict`."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import tlcourse as tl
from tlcourse.errors import DatasetUnavailable
from tlcourse.export_record import RECORD, VARIANTS
from workshop.packs import write_pack

RUNS = 7  # of each `tlcourse predict`
MANY = 400  # pictures with which its speed is measured


def own_pictures() -> dict:
    """Train on dogs and on solar cells in class folders; predict with the latter."""
    with tempfile.TemporaryDirectory() as folder:
        work, trained = Path(folder), {}
        for name in ("dogs", "solar"):
            try:
                pictures = write_pack(tl.load_dataset(name), work / "pictures")
            except DatasetUnavailable as error:
                print(error)
                continue
            trained[name] = train(pictures, work / f"{name}-model", work / "cache")
        test = work / "pictures" / "solar" / "test"
        return {"train": trained, "predict": predict(test, work / "solar-model")}


def train(pictures: Path, model: Path, cache: Path) -> dict:
    """Seconds of the command with an empty cache, and what its record says."""
    seconds = _seconds_of(cache, "train", pictures, "--out", model)
    record = json.loads((model / RECORD).read_text(encoding="utf-8"))
    shutil.rmtree(cache)
    test, job = record["test"], record["job"]
    counts = record["data"]["pictures"].values()
    return {
        "pictures": sum(sum(classes.values()) for classes in counts),
        "seconds": round(seconds, 1),
        "estimated_seconds": job["estimated_seconds"],
        "kept": record["training"]["method"],
        "folds": job["folds"],
        "probe_cross_validated": round(job["probe"], 4),
        "fine_tuned_cross_validated": job["fine_tuned"] and round(job["fine_tuned"], 4),
        "test_pictures": test["pictures"],
        "accuracy": round(test["accuracy"], 4),
        "interval": [round(side, 4) for side in test["interval"]],
        "baseline": round(test["baseline"], 4),
        "files": {
            name: {
                "megabytes": round(file["bytes"] / 1e6, 1),
                "accuracy": round(file["accuracy"], 4),
                "agreement": round(file["agreement"], 4),
                "pictures_per_second": file["pictures_per_second"],
            }
            for name, file in record["files"].items()
        },
    }


def predict(pictures: Path, model: Path) -> dict:
    """Of each file: milliseconds from the start of a process to its first answer."""
    files, found = sorted(pictures.rglob("*.png"))[:MANY], {}
    with tempfile.TemporaryDirectory() as cache:
        for variant, name in VARIANTS.items():
            if not (model / name).is_file():  # in int8 it would be clearly worse
                continue
            options = ("--model", model, "--variant", variant)
            one, many = (
                [_seconds_of(cache, "predict", *some, *options) for _ in range(RUNS)]
                for some in (files[:1], files)
            )
            each = (statistics.median(many) - statistics.median(one)) / (len(files) - 1)
            found[variant] = {
                "first_answer_ms": round(1000 * statistics.median(one)),
                "first_answer_ms_min": round(1000 * min(one)),
                "first_answer_ms_max": round(1000 * max(one)),
                "pictures_per_second": round(1 / each, 1),
                "n": RUNS,
            }
    return found


def _seconds_of(cache, *arguments) -> float:
    """Seconds of a `tlcourse` command in a process of its own."""
    environment = {**os.environ, "TQDM_DISABLE": "1", "TLCOURSE_CACHE": str(cache)}
    command = [sys.executable, "-m", "tlcourse", *map(str, arguments)]
    start = time.perf_counter()
    subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)
    return time.perf_counter() - start
