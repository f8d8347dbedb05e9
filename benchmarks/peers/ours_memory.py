"""Peak memory of a process that extracts the features of a folder's pictures, repeated to a number.

    python ours_memory.py FOLDER NUMBER

TLCOURSE_CACHE should be an empty folder: the first time a picture comes it is computed, then it is looked up.
Prints {"peak_megabytes": …, "start_megabytes": …, "seconds": …}; megabytes are 10⁶ bytes, start is before the pictures.
"""

import sys
from itertools import cycle, islice
from pathlib import Path

import protocol

import tlcourse as tl
from tlcourse.progress import measured, peak_megabytes

folder, number = Path(sys.argv[1]), int(sys.argv[2])
paths = list(islice(cycle(sorted(folder.iterdir())), number))
model = tl.load_pretrained_model()
start = peak_megabytes()
with measured() as took:
    rows = len(model.extract_features(paths))
if rows != number:
    raise SystemExit(f"{rows} rows came out for {number} pictures.")
protocol.say(
    {
        "peak_megabytes": took.peak_megabytes,
        "start_megabytes": start,
        "seconds": took.seconds,
    }
)
