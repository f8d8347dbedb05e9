"""Contestant: ONNX Runtime on its CPU provider, all cores, batch size as suits it best.

python onnx_runtime.py PICTURES.npy NETWORK.onnx
"""

import os
import sys

import numpy as np
import onnxruntime
import protocol

pictures = np.load(sys.argv[1])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = os.cpu_count()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
session = onnxruntime.InferenceSession(
    sys.argv[2], options, providers=["CPUExecutionProvider"]
)


def features(batch, pictures=pictures):
    parts = [
        session.run(None, {"pixels": pictures[i : i + batch]})[0]
        for i in range(0, len(pictures), batch)
    ]
    return np.concatenate(parts)


choices = [1, 2, 4, 8, 32]
batch = protocol.best_setting(choices, lambda batch: features(batch, pictures[:96]))
settings = (
    f"CPU provider, all optimisations, {options.intra_op_num_threads} threads, preprocessing in the graph, batches of "
    f"{batch}: the fastest of {choices}"
)
protocol.serve(
    lambda: features(batch),
    {"settings": settings, "versions": {"onnxruntime": onnxruntime.__version__}},
)
