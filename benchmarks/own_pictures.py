"""What `tlcourse train` and `tlcourse predict` take and give: a part of `make results`."""

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
from tlcourse.exported import RECORD, VARIANTS
from workshop.packs import write_pack

RUNS = 7  # of each `tlcourse predict`
MANY = 400  # pictures by which its speed is measured


def own_pictures() -> dict:
    """Train on the dogs' pack and on solar cells in class folders; ask what came of the solar cells."""
    with tempfile.TemporaryDirectory() as folder:
        work, found = Path(folder), {}
        for name in ("dogs", "solar"):
            try:
                pictures = write_pack(tl.load_dataset(name), work / "pictures")
            except DatasetUnavailable as error:
                print(error)
                continue
            found[name] = trained(
                pictures, work / f"{name}-model", work / f"{name}-cache"
            )
        return {
            "train": found,
            "predict": predicted(
                work / "pictures" / "solar" / "test", work / "solar-model"
            ),
        }


def trained(pictures: Path, model: Path, cache: Path) -> dict:
    """Seconds of the command with an empty cache, and what its record says."""
    start = time.perf_counter()
    command(cache, "train", pictures, "--out", model)
    seconds = time.perf_counter() - start
    record = json.loads((model / RECORD).read_text(encoding="utf-8"))
    shutil.rmtree(cache)
    test, job = record["test"], record["job"]
    return {
        "pictures": sum(
            sum(classes.values()) for classes in record["data"]["pictures"].values()
        ),
        "seconds": round(seconds, 1),
        "estimated_seconds": job["estimated_seconds"],
        "probe_on_validation": round(job["probe"], 4),
        "fine_tuned_on_validation": round(job["fine_tuned"], 4),
        "kept": record["training"]["method"],
        "test_pictures": test["pictures"],
        "accuracy": round(test["accuracy"], 4),
        "interval": [round(side, 4) for side in test["interval"]],
        "baseline": round(test["baseline"], 4),
        "files": {
            name: {
                "megabytes": round(file["bytes"] / 1e6, 1),
                "accuracy": round(file["accuracy"], 4),
                "agreement": round(file["agreement"], 4),
                "largest_difference": float(f"{file['largest_difference']:.2g}"),
                "pictures_per_second": file["pictures_per_second"],
            }
            for name, file in record["files"].items()
        },
    }


def predicted(pictures: Path, model: Path) -> dict:
    """Of each variant: milliseconds from the start of a process to its first answer, and pictures a second."""
    files = sorted(pictures.rglob("*.png"))[:MANY]
    found = {}
    with tempfile.TemporaryDirectory() as cache:
        for variant in VARIANTS:
            one, many = (
                [
                    seconds_of(cache, *some, "--model", model, "--variant", variant)
                    for _ in range(RUNS)
                ]
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


def seconds_of(cache: Path, *arguments) -> float:
    start = time.perf_counter()
    command(cache, "predict", *arguments)
    return time.perf_counter() - start


def command(cache: Path, *arguments) -> None:
    """Run `tlcourse` in a process of its own."""
    environment = {**os.environ, "TQDM_DISABLE": "1", "TLCOURSE_CACHE": str(cache)}
    line = [sys.executable, "-m", "tlcourse", *map(str, arguments)]
    subprocess.run(line, check=True, env=environment, stdout=subprocess.DEVNULL)
