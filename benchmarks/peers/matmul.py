"""Contestant that bounds all others: float32 matrix multiplications, by NumPy or by PyTorch.

python matmul.py numpy | torch
"""

import os
import sys

import numpy as np
import protocol

SIDE, TIMES = 2000, 20
matrix = np.random.default_rng(0).random((SIDE, SIDE), np.float32)
versions = {"numpy": np.__version__}
if sys.argv[1] == "torch":
    import torch

    torch.set_num_threads(os.cpu_count())
    matrix = torch.from_numpy(matrix)
    versions = {"torch": torch.__version__}


def multiply() -> dict:
    for _ in range(TIMES):
        matrix @ matrix
    return {"gigaflop": 2 * SIDE**3 * TIMES / 1e9}


multiply()
protocol.serve(
    multiply,
    {"settings": f"{TIMES} times {SIDE} × {SIDE}, float32", "versions": versions},
)
