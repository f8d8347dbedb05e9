"""Does it pay to let glibc keep freed memory (`tlcourse.native.keep_freed_memory`)?

    python benchmarks/freed_memory.py

Runs the frozen network over the same random pictures in fresh processes, in turns with and without it, and prints
pictures a second and peak memory of each run.
"""

import json
import statistics
import subprocess
import sys

RUNS, PICTURES = 4, 400

CODE = """
import json, sys, time
import numpy as np
from tlcourse import native as tensorflow_start
from tlcourse.features import compute
from tlcourse.models.load import load_pretrained_model
from tlcourse.progress import measured
if sys.argv[1] == "without":
    compute.keep_freed_memory = tensorflow_start.keep_freed_memory = lambda: None
model = load_pretrained_model()
pictures = np.random.default_rng(0).integers(0, 256, (int(sys.argv[2]), 224, 224, 3), dtype=np.uint8)
model.extract_features(pictures[:8], cache=False)
with measured() as took:
    model.extract_features(pictures, cache=False)
print(json.dumps([len(pictures) / took.seconds, took.peak_megabytes]))
"""


def main() -> None:
    runs = {"without": [], "with": []}
    for _ in range(RUNS):
        for way, results in runs.items():
            command = [sys.executable, "-c", CODE, way, str(PICTURES)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            results.append(json.loads(done.stdout.splitlines()[-1]))
            print(
                f"{way:8} {results[-1][0]:6.1f} pictures/s {results[-1][1]:7.0f} MB",
                flush=True,
            )
    (slow, much), (fast, little) = (
        map(statistics.median, zip(*results, strict=True)) for results in runs.values()
    )
    print(
        f"medians of {RUNS}: {fast / slow:.2f} times as fast, {much - little:.0f} MB less"
    )


if __name__ == "__main__":
    main()
