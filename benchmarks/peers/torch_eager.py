"""Contestant: PyTorch, eager, inference mode, the course's weights; batch size and memory format as suit it best.

python torch_eager.py PICTURES.npy WEIGHTS.npz
"""

import os
import sys

import numpy as np
import protocol
import torch
from torch_network import Features

torch.set_num_threads(os.cpu_count())
pictures = np.load(sys.argv[1])
networks = {
    "contiguous": Features(sys.argv[2]),
    "channels last": Features(sys.argv[2]).to(memory_format=torch.channels_last),
}


@torch.inference_mode()
def features(setting, pictures=pictures):
    batch, layout = setting
    parts = [
        networks[layout](torch.from_numpy(pictures[i : i + batch]))
        for i in range(0, len(pictures), batch)
    ]
    return torch.cat(parts).numpy()


choices = [(batch, layout) for batch in (1, 8, 32) for layout in networks]
setting = protocol.best_setting(choices, lambda choice: features(choice, pictures[:32]))
settings = f"eager, inference_mode, batches of {setting[0]}, {setting[1]}: the fastest of {len(choices)} choices"
protocol.serve(
    lambda: features(setting),
    {"settings": settings, "versions": {"torch": torch.__version__}},
)
