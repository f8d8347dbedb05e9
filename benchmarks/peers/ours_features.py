"""Contestant: `extract_features` of tlcourse, nothing cached.

python ours_features.py PICTURES.npy | FOLDER
"""

import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import protocol

import tlcourse as tl

source = Path(sys.argv[1])
pictures = source if source.is_dir() else np.load(source)
few = sorted(source.iterdir())[:64] if source.is_dir() else pictures[:64]
model = tl.load_pretrained_model()
model.extract_features(few, cache=False)
versions = (
    {"onnxruntime": metadata.version("onnxruntime")} if find_spec("onnxruntime") else {}
)
ready = {"settings": f"as it comes, engine {model.engine}", "versions": versions}
protocol.serve(lambda: model.extract_features(pictures, cache=False), ready)
