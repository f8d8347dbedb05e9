"""What the cache is worth: one process that asks for the features of the same pictures once or twice.

    python ours_cache.py PICTURES.npy | FOLDER   [twice]

The cache lies in TLCOURSE_CACHE. Prints {"seconds": [of each call]}; with `twice`, the engine is warmed up first
with pictures that are not cached.
"""

import sys
import time
from pathlib import Path

import numpy as np
import protocol

import tlcourse as tl

source, calls = Path(sys.argv[1]), 2 if "twice" in sys.argv[2:] else 1
pictures = source if source.is_dir() else np.load(source)
model = tl.load_pretrained_model()
if calls == 2:
    few = sorted(source.iterdir())[:64] if source.is_dir() else pictures[:64]
    model.extract_features(few, cache=False)
seconds, features = [], []
for _ in range(calls):
    start = time.perf_counter()
    features.append(np.array(model.extract_features(pictures)))
    seconds.append(time.perf_counter() - start)
same = all(np.array_equal(features[0], others) for others in features[1:])
protocol.say({"seconds": seconds, "same": same})
